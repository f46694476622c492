//! Proofs: short tokens that show that a browser has its key.

use serde::{Deserialize, Deserializer};

use crate::jose::{Algorithm, Compact, Jwk, NotVerified, Thumbprint, VerifyingKey};
use crate::json;

/// The type that every proof names in its header.
const TYP: &str = "dbsc+jwt";

/// The public half of the key that a session is bound to. By ES256 or RS256, and by the one that it
/// was registered with.
///
/// # What this answers
///
/// - *`alg: none`, and a key used by another algorithm*: the key has one algorithm, and a proof is
///   asked only whether it names the same.
/// - *A key that the thief brings*: a proof at a refresh that has `jwk` in its header is refused.
/// - *A token made for something else*: the type is `dbsc+jwt`, letter by letter.
#[derive(Clone, Debug)]
pub struct ProofKey {
    verifying: VerifyingKey,
    thumbprint: Thumbprint,
}

/// A first proof, which brought its key and was signed with it.
#[derive(Debug)]
pub struct Registration {
    /// The key.
    pub key: ProofKey,
    /// What was signed.
    pub claims: Claims,
}

/// What a proof says, once it is known to be signed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Claims {
    /// The challenge that it answers.
    #[serde(rename = "jti")]
    pub challenge: String,
    /// The whole address that it was made for. Chromium 156 says it behind a flag.
    #[serde(rename = "aud", default, deserialize_with = "present")]
    pub audience: Option<String>,
}

/// Why a proof shows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofRefusal {
    /// It is no token, or one with a header that we refuse: a key at a refresh, no key at a
    /// registration.
    #[error("malformed")]
    Malformed,
    /// It is a token of another type.
    #[error("wrong-type")]
    Type,
    /// It names another algorithm than its key's, or one that no bound session uses.
    #[error("wrong-algorithm")]
    Algorithm,
    /// The key that it brings is none, or too weak.
    #[error("unusable-key")]
    Key,
    /// It was signed with another key.
    #[error("wrong-key")]
    Signature,
    /// What it says is not what a proof says.
    #[error("wrong-claims")]
    Claims,
}

impl Registration {
    /// Reads a first proof: signed with the key in its own header.
    pub fn read(token: &str) -> Result<Self, ProofRefusal> {
        let (token, jwk) = Compact::parse_with_key(token).map_err(|_| ProofRefusal::Malformed)?;
        let key = ProofKey::from_jwk(&jwk)?;
        Ok(Self { claims: key.claims(&token)?, key })
    }
}

impl ProofKey {
    fn from_jwk(jwk: &Jwk) -> Result<Self, ProofRefusal> {
        let verifying = VerifyingKey::from_jwk(jwk).map_err(|_| ProofRefusal::Key)?;
        match verifying.algorithm() {
            Algorithm::Es256 | Algorithm::Rs256 => {}
            Algorithm::EdDsa | Algorithm::Hs256 => return Err(ProofRefusal::Algorithm),
        }
        let thumbprint = Thumbprint::of(jwk).ok_or(ProofRefusal::Key)?;
        Ok(Self { verifying, thumbprint })
    }

    /// Reads the key as [`to_json`](Self::to_json) wrote it.
    pub fn from_json(text: &str) -> Result<Self, ProofRefusal> {
        let jwk: Jwk = json::strict(text.as_bytes()).map_err(|_| ProofRefusal::Key)?;
        Self::from_jwk(&jwk)
    }

    /// The key as it is kept: a JWK.
    #[must_use]
    pub fn to_json(&self) -> String {
        self.verifying.jwk().and_then(|jwk| serde_json::to_string(jwk).ok()).unwrap_or_default()
    }

    /// The key's name.
    #[must_use]
    pub fn thumbprint(&self) -> Thumbprint {
        self.thumbprint
    }

    /// What a proof says, if this key signed it and it brings none of its own.
    pub fn verify(&self, token: &str) -> Result<Claims, ProofRefusal> {
        let token = Compact::parse(token).map_err(|_| ProofRefusal::Malformed)?;
        self.claims(&token)
    }

    fn claims(&self, token: &Compact<'_>) -> Result<Claims, ProofRefusal> {
        if token.typ() != Some(TYP) {
            return Err(ProofRefusal::Type);
        }
        let payload = token.verify(&self.verifying).map_err(|error| match error {
            NotVerified::Algorithm => ProofRefusal::Algorithm,
            NotVerified::Signature => ProofRefusal::Signature,
        })?;
        json::strict(payload).map_err(|_| ProofRefusal::Claims)
    }
}

/// A member that may be missing, but not be there as `null`.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}
