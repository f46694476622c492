//! `DPoP` (RFC 9449): a token that is bound to a key, and the proofs that show the key.
//!
//! ```text
//!   client ──DPoP: proof(htm, htu, nonce) by its key──▶ login, refresh ──▶ token with cnf.jkt
//!   client ──Authorization: DPoP token, DPoP: proof(…, ath)──▶ any route
//! ```
//!
//! # What this module answers
//!
//! - *A stolen token* (attack 60): without its key it is worth nothing.
//! - *A stolen proof*: it is for one method and address, one token, and one short time, and counts once.
//! - *A key of the thief's own*: the token names its key.
//! - *`alg: none`, a shared secret, a private key in the header*: refused where the proof is read.
//!
//! # What is not here
//!
//! Whether a proof was seen before, and whether a nonce is one that we gave: a keeper and a key are needed
//! for that. [`NonceKey`] makes nonces; who shows a proof twice is for the caller to find out, by
//! [`Proof::digest`].

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};

use crate::jose::{Algorithm, Compact, Thumbprint, VerifyingKey};
use crate::json;
use crate::time::UnixTime;

mod nonce;
mod target;
#[cfg(test)]
mod tests;

pub use nonce::NonceKey;
pub use target::Target;

/// The type that every proof names in its header.
const TYP: &str = "dpop+jwt";

/// The algorithms that a proof may be signed with.
pub const ALGORITHMS: [Algorithm; 3] = [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256];

/// The header field that carries a proof.
pub const HEADER: &str = "dpop";

/// The header field that carries a nonce for the next proof.
pub const NONCE_HEADER: &str = "dpop-nonce";

/// The most characters of a proof's `jti`.
const JTI_MAX: usize = 256;

/// How old a proof may be, and how far ahead of us its maker's clock, in seconds.
pub const AGE_MAX: u64 = 300;

/// A proof that its key has signed. What it is for is still to be [checked](Self::check).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    thumbprint: Thumbprint,
    claims: Claims,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Claims {
    jti: String,
    htm: String,
    htu: String,
    iat: UnixTime,
    #[serde(default, deserialize_with = "present")]
    ath: Option<String>,
    #[serde(default, deserialize_with = "present")]
    nonce: Option<String>,
}

/// Why a proof shows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofRefusal {
    /// It is not one compact token with a public key in its header.
    #[error("malformed")]
    Malformed,
    /// It is a token of another type.
    #[error("wrong-type")]
    Type,
    /// Its key is none, or for an algorithm that proofs do not use.
    #[error("unusable-key")]
    Key,
    /// Another key signed it, or none.
    #[error("wrong-signature")]
    Signature,
    /// A claim is missing, too long, or not of the type it must have.
    #[error("wrong-claims")]
    Claims,
    /// It is for another method or address.
    #[error("wrong-target")]
    Target,
    /// It is for another token, or for none.
    #[error("wrong-token")]
    Token,
    /// It is too old, or made in the future.
    #[error("wrong-time")]
    Time,
}

impl Proof {
    /// Reads a proof and verifies its signature by the key that it brings.
    pub fn read(text: &str) -> Result<Self, ProofRefusal> {
        let (token, jwk) = Compact::parse_with_key(text).map_err(|_| ProofRefusal::Malformed)?;
        if token.typ() != Some(TYP) {
            return Err(ProofRefusal::Type);
        }
        let key = VerifyingKey::from_jwk(&jwk).map_err(|_| ProofRefusal::Key)?;
        if !ALGORITHMS.contains(&key.algorithm()) {
            return Err(ProofRefusal::Key);
        }
        let thumbprint = Thumbprint::of(&jwk).ok_or(ProofRefusal::Key)?;
        let payload = token.verify(&key).map_err(|_| ProofRefusal::Signature)?;
        let claims: Claims = json::strict(payload).map_err(|_| ProofRefusal::Claims)?;
        if claims.jti.is_empty() || claims.jti.len() > JTI_MAX {
            return Err(ProofRefusal::Claims);
        }
        Ok(Self { thumbprint, claims })
    }

    /// Checks that it was made just now for this request, and with a token for that token.
    ///
    /// The query and fragment of the address do not count (section 4.3).
    pub fn check(
        &self,
        target: &Target<'_>,
        access_token: Option<&str>,
        now: UnixTime,
    ) -> Result<(), ProofRefusal> {
        if !target.is_meant(&self.claims.htm, &self.claims.htu) {
            return Err(ProofRefusal::Target);
        }
        let expected = access_token.map(ath);
        if access_token.is_some() && self.claims.ath != expected {
            return Err(ProofRefusal::Token);
        }
        if self.claims.iat.0.abs_diff(now.0) > AGE_MAX {
            return Err(ProofRefusal::Time);
        }
        Ok(())
    }

    /// The name of its key: the `jkt` of a bound token.
    #[must_use]
    pub fn thumbprint(&self) -> Thumbprint {
        self.thumbprint
    }

    /// The nonce that it was made with.
    #[must_use]
    pub fn nonce(&self) -> Option<&str> {
        self.claims.nonce.as_deref()
    }

    /// When it was made, by its maker's clock.
    #[must_use]
    pub fn iat(&self) -> UnixTime {
        self.claims.iat
    }

    /// What it is remembered by: its key and its own name.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        // A thumbprint has one length, so that no two proofs are alike.
        Sha256::new()
            .chain_update(self.thumbprint.0)
            .chain_update(&self.claims.jti)
            .finalize()
            .into()
    }
}

/// What a proof says of a token: the digest of its letters (section 4.2).
#[must_use]
pub fn ath(access_token: &str) -> String {
    Base64UrlUnpadded::encode_string(&Sha256::digest(access_token))
}

/// A member that may be missing, but not be there as `null`.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}
