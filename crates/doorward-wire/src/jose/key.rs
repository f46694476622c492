//! Keys, parsed once. Each knows the one algorithm it is for.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{self, SHA256};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair,
    Ed25519KeyPair, KeyPair, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256,
    RsaKeyPair, RsaPublicKeyComponents,
};
use base64ct::{Base64UrlUnpadded, Encoding};

use super::algorithm::Algorithm;
use super::jwk::Jwk;
use super::{es256, rsa};
use crate::id::KeyId;

/// The least an HMAC secret may have: as much as the digest (RFC 7518, section 3.2).
const HMAC_BYTES_MIN: usize = 32;

/// A key that can sign, by one algorithm.
///
/// ```
/// use doorward_wire::KeyId;
/// use doorward_wire::jose::{Algorithm, SigningKey};
///
/// let key = SigningKey::from_material(KeyId(1), Algorithm::Hs256, &[7; 32]).unwrap();
/// let signature = key.sign(b"message").unwrap();
/// assert!(key.verifying_key().verify(b"message", &signature).is_ok());
/// assert!(key.verifying_key().verify(b"massage", &signature).is_err());
/// assert!(key.public_jwk().is_none());
/// ```
pub struct SigningKey {
    kid: KeyId,
    private: Private,
    public: VerifyingKey,
}

/// A key that can verify, by one algorithm. Cheap to clone: what is parsed is shared.
///
/// It cannot sign, also where it holds a shared secret:
///
/// ```compile_fail,E0599
/// # use doorward_wire::jose::VerifyingKey;
/// fn forge(key: &VerifyingKey) {
///     let _ = key.sign(b"message");
/// }
/// ```
#[derive(Clone)]
pub struct VerifyingKey {
    kid: Option<Arc<str>>,
    algorithm: Algorithm,
    check: Check,
    jwk: Option<Arc<Jwk>>,
}

/// Why bytes or JSON were refused as a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefused {
    /// Its type, curve, size or algorithm is none of ours.
    #[error("the key is of a kind we do not use")]
    Unsupported,
    /// Its owner meant it for something else: `use` or `key_ops`.
    #[error("the key is not meant for signatures")]
    NotForSignatures,
    /// It does not hold what a key of its kind holds.
    #[error("the key is damaged, or of another kind than it says")]
    Malformed,
    /// It is too short, or known to be weak.
    #[error("the key is too weak")]
    Weak,
}

/// Signing failed. It is our failure, never the caller's.
#[derive(Debug, thiserror::Error)]
pub enum SignFailed {
    /// The claims cannot be written as JSON.
    #[error("the claims cannot be written as JSON")]
    Claims(#[from] serde_json::Error),
    /// The token would be longer than anybody accepts.
    #[error("the token would be longer than 8 KiB")]
    TooLong,
    /// The library could not sign.
    #[error("the signature could not be made")]
    Signature,
}

/// The signature is not this key's for this message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct WrongSignature;

enum Private {
    EdDsa(Ed25519KeyPair),
    Es256(EcdsaKeyPair),
    Rs256(RsaKeyPair),
    Hs256(Arc<hmac::Key>),
}

#[derive(Clone)]
enum Check {
    Public(ParsedPublicKey),
    Shared(Arc<hmac::Key>),
}

impl SigningKey {
    /// Parses a key: PKCS #8 in DER, or for HS256 the secret's own bytes, 32 at the least.
    pub fn from_material(
        kid: KeyId,
        algorithm: Algorithm,
        material: &[u8],
    ) -> Result<Self, KeyRefused> {
        let malformed = |_| KeyRefused::Malformed;
        let mut jwk = Jwk::ours(algorithm, &kid.to_string());
        let private = match algorithm {
            Algorithm::EdDsa => {
                let pair = Ed25519KeyPair::from_pkcs8(material).map_err(malformed)?;
                jwk.x = Some(encode(pair.public_key().as_ref()));
                Private::EdDsa(pair)
            }
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, material)
                    .map_err(malformed)?;
                // An uncompressed point: 4, x, y.
                let point = pair.public_key().as_ref();
                let (x, y) = point.get(1..65).ok_or(KeyRefused::Malformed)?.split_at(32);
                (jwk.x, jwk.y) = (Some(encode(x)), Some(encode(y)));
                Private::Es256(pair)
            }
            Algorithm::Rs256 => {
                let pair = RsaKeyPair::from_pkcs8(material).map_err(malformed)?;
                let (n, e) =
                    rsa::numbers(pair.public_key().as_ref()).ok_or(KeyRefused::Malformed)?;
                (jwk.n, jwk.e) = (Some(encode(n)), Some(encode(e)));
                Private::Rs256(pair)
            }
            Algorithm::Hs256 if material.len() < HMAC_BYTES_MIN => return Err(KeyRefused::Weak),
            Algorithm::Hs256 => {
                Private::Hs256(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, material)))
            }
        };
        let public = match &private {
            Private::Hs256(secret) => VerifyingKey {
                kid: jwk.kid.map(Arc::from),
                algorithm,
                check: Check::Shared(Arc::clone(secret)),
                jwk: None,
            },
            // By the same way as a key of others, so ours are held to the same rules.
            _ => VerifyingKey::from_jwk(&jwk)?,
        };
        Ok(Self { kid, private, public })
    }

    /// The key's name.
    #[must_use]
    pub fn kid(&self) -> KeyId {
        self.kid
    }

    /// The one algorithm it signs by.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.public.algorithm
    }

    /// The key that verifies what this one signs. For HS256 it is as secret as this one.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        self.public.clone()
    }

    /// The key to publish, or `None` for HS256, where there is nothing to publish.
    #[must_use]
    pub fn public_jwk(&self) -> Option<Jwk> {
        self.public.jwk().cloned()
    }

    /// Signs a message. An ES256 signature is r and s of 32 bytes each (RFC 7518, section 3.4), and
    /// of its two forms the one with the lower s.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignFailed> {
        let failed = |_| SignFailed::Signature;
        match &self.private {
            Private::EdDsa(pair) => {
                pair.try_sign(message).map(|signature| signature.as_ref().to_vec()).map_err(failed)
            }
            Private::Es256(pair) => {
                let signature = pair.sign_digest(&digest::digest(&SHA256, message));
                let mut signature = signature.map_err(failed)?.as_ref().to_vec();
                es256::lower(&mut signature);
                Ok(signature)
            }
            Private::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let digest = digest::digest(&SHA256, message);
                pair.sign_digest(&RSA_PKCS1_SHA256, &digest, &mut signature).map_err(failed)?;
                Ok(signature)
            }
            Private::Hs256(secret) => Ok(hmac::sign(secret, message).as_ref().to_vec()),
        }
    }
}

impl VerifyingKey {
    /// Parses a public key that somebody published.
    ///
    /// Its algorithm is its `alg`; without one it is what its type and curve leave, which is one at
    /// the most. So a token never chooses how a key is used.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, KeyRefused> {
        let algorithm = jwk.algorithm().ok_or(KeyRefused::Unsupported)?;
        if !jwk.is_for_signatures() {
            return Err(KeyRefused::NotForSignatures);
        }
        let parsed = match algorithm {
            Algorithm::EdDsa => ParsedPublicKey::new(&ED25519, number::<32>(jwk.x.as_ref())?),
            Algorithm::Es256 => {
                let (x, y) = (number::<32>(jwk.x.as_ref())?, number::<32>(jwk.y.as_ref())?);
                // Parsing fails for a point that is not on the curve (RFC 8725, section 3.4).
                let point = [&[4][..], &x, &y].concat();
                ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            }
            Algorithm::Rs256 => {
                let (n, e) = (decode(jwk.n.as_ref())?, decode(jwk.e.as_ref())?);
                rsa::check(&n, &e)?;
                RsaPublicKeyComponents { n, e }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
            }
            // A shared secret is not published: `Jwk` has no place for it.
            Algorithm::Hs256 => return Err(KeyRefused::Unsupported),
        };
        let parsed = parsed.map_err(|_| KeyRefused::Malformed)?;
        let kid = jwk.kid().map(Arc::from);
        Ok(Self { kid, algorithm, check: Check::Public(parsed), jwk: Some(Arc::new(jwk.clone())) })
    }

    /// The key's name, if its owner gave it one.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The one algorithm it verifies.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key as it is published, or `None` for a shared secret.
    #[must_use]
    pub fn jwk(&self) -> Option<&Jwk> {
        self.jwk.as_deref()
    }

    /// Whether it is the same key, and not another of the same name.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        if self.algorithm != other.algorithm || self.kid != other.kid {
            return false;
        }
        match (&self.jwk, &other.jwk) {
            (Some(one), Some(two)) => Arc::ptr_eq(one, two) || one == two,
            // Two secrets are not compared: they are one if they are kept in one place.
            (None, None) => match (&self.check, &other.check) {
                (Check::Shared(one), Check::Shared(two)) => Arc::ptr_eq(one, two),
                (Check::Public(_), _) | (_, Check::Public(_)) => false,
            },
            (Some(_), None) | (None, Some(_)) => false,
        }
    }

    /// Verifies a signature by the letter of its standard.
    ///
    /// Of an ES256 signature both forms pass, as RFC 7518 says and as browsers write them.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), WrongSignature> {
        let verified = match &self.check {
            Check::Public(key) => key.verify_sig(message, signature),
            Check::Shared(secret) => hmac::verify(secret, message, signature),
        };
        verified.map_err(|_| WrongSignature)
    }

    /// Verifies a signature that only [`SigningKey::sign`] can have made: of an ES256 signature one
    /// form passes, the one we write.
    pub fn verify_ours(&self, message: &[u8], signature: &[u8]) -> Result<(), WrongSignature> {
        if self.algorithm == Algorithm::Es256 && !es256::is_low(signature) {
            return Err(WrongSignature);
        }
        self.verify(message, signature)
    }
}

// Neither prints anything but its name and algorithm: one holds a private key, the other may hold a
// shared secret.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, {}, …)", self.kid, self.algorithm())
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({}, {}, …)", self.kid().unwrap_or("unnamed"), self.algorithm)
    }
}

fn encode(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

fn decode(text: Option<&String>) -> Result<Vec<u8>, KeyRefused> {
    let text = text.ok_or(KeyRefused::Malformed)?;
    Base64UrlUnpadded::decode_vec(text).map_err(|_| KeyRefused::Malformed)
}

fn number<const BYTES: usize>(text: Option<&String>) -> Result<[u8; BYTES], KeyRefused> {
    decode(text)?.try_into().map_err(|_| KeyRefused::Malformed)
}
