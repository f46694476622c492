//! Signed tokens in their compact form (RFC 7515, section 7.1), and in no other.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD;
use base64ct::{Base64UrlUnpadded, Encoding};
use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::algorithm::{Algorithm, UnknownAlgorithm};
use super::jwk::Jwk;
use super::key::{SignFailed, SigningKey, VerifyingKey};
use crate::json::{self, Name};

/// The most bytes a token may have. Longer ones are refused unread.
pub const COMPACT_BYTES_MAX: usize = 8 * 1024;

/// Header parameters that are refused, not ignored: they point at a key (RFC 8725, section 3.10), or
/// change what the signature is over or what the bytes mean. `jwk` is refused too, but where a token
/// is to bring its key: [`Compact::parse_with_key`].
const REFUSED_PARAMETERS: [&str; 8] =
    ["crit", "b64", "zip", "jku", "x5u", "x5c", "x5t", "x5t#S256"];

/// A token as it was read. It proves nothing until [`verify`](Self::verify).
///
/// ```
/// use doorward_wire::KeyId;
/// use doorward_wire::jose::{Algorithm, Compact, SigningKey, sign_compact};
///
/// let key = SigningKey::from_material(KeyId(1), Algorithm::Hs256, &[7; 32]).unwrap();
/// let token = sign_compact(&key, "JWT", &serde_json::json!({"sub": "ada"})).unwrap();
///
/// let read = Compact::parse(&token).unwrap();
/// assert_eq!(read.typ(), Some("JWT"));
/// assert_eq!(read.verify(&key.verifying_key()), Ok(&br#"{"sub":"ada"}"#[..]));
/// ```
pub struct Compact<'a> {
    signed: &'a str,
    header: Header,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// Why a text was refused as a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It is longer than [`COMPACT_BYTES_MAX`].
    #[error("longer than 8 KiB")]
    TooLong,
    /// It has a character that no token has.
    #[error("a character that no token has")]
    Character,
    /// It is not three parts, of which only the payload may be empty.
    #[error("not three parts")]
    Parts,
    /// A part is not base64url, or is one of its other spellings.
    #[error("a part that is not base64url")]
    Encoding,
    /// The header is not strict JSON, lacks `alg`, or has a parameter that we refuse.
    #[error("a header we do not accept")]
    Header,
}

/// Why a token was not verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotVerified {
    /// It names another algorithm than the key's.
    #[error("another algorithm than the key's")]
    Algorithm,
    /// The signature is not the key's.
    #[error("a signature that is not the key's")]
    Signature,
}

/// Signs claims into a token whose header is `alg`, `kid`, `typ` and nothing else.
pub fn sign_compact(
    key: &SigningKey,
    typ: &str,
    claims: &impl Serialize,
) -> Result<String, SignFailed> {
    #[derive(Serialize)]
    struct Written<'a> {
        alg: &'static str,
        kid: String,
        typ: &'a str,
    }
    let header = Written { alg: key.algorithm().name(), kid: key.kid().to_string(), typ };
    let mut token = Base64UrlUnpadded::encode_string(&serde_json::to_vec(&header)?);
    token.push('.');
    token.push_str(&Base64UrlUnpadded::encode_string(&serde_json::to_vec(claims)?));
    let signature = Base64UrlUnpadded::encode_string(&key.sign(token.as_bytes())?);
    token.push('.');
    token.push_str(&signature);
    if token.len() > COMPACT_BYTES_MAX {
        return Err(SignFailed::TooLong);
    }
    Ok(token)
}

impl<'a> Compact<'a> {
    /// Takes a token apart: size, characters, parts, encoding, header. One that brings a key is
    /// refused.
    pub fn parse(token: &'a str) -> Result<Self, Malformed> {
        let (token, jwk) = Self::take_apart(token)?;
        if jwk.is_some() { Err(Malformed::Header) } else { Ok(token) }
    }

    /// Takes a token apart that brings its own key in `jwk`. One that brings none is refused.
    ///
    /// Such a token says nothing that its sender could not have made up: that its signature
    /// verifies with the key shows that they have the key, and no more.
    pub fn parse_with_key(token: &'a str) -> Result<(Self, Jwk), Malformed> {
        let (token, jwk) = Self::take_apart(token)?;
        let jwk = jwk.ok_or(Malformed::Header)?;
        Ok((token, serde_json::from_value(jwk).map_err(|_| Malformed::Header)?))
    }

    fn take_apart(token: &'a str) -> Result<(Self, Option<Value>), Malformed> {
        if token.len() > COMPACT_BYTES_MAX {
            return Err(Malformed::TooLong);
        }
        let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        // Of a text that is no token for several reasons, this is the one to tell.
        let told = |refusal| if token.bytes().all(known) { refusal } else { Malformed::Character };
        Self::parts(token).map_err(told)
    }

    fn parts(token: &'a str) -> Result<(Self, Option<Value>), Malformed> {
        let (signed, signature) = token.rsplit_once('.').ok_or(Malformed::Parts)?;
        let (header, payload) = signed.split_once('.').ok_or(Malformed::Parts)?;
        if header.is_empty() || signature.is_empty() || payload.contains('.') {
            return Err(Malformed::Parts);
        }
        let Read { header, jwk } = json::strict(&decode(header)?).map_err(|_| Malformed::Header)?;
        let (payload, signature) = (decode(payload)?, decode(signature)?);
        Ok((Self { signed, header, payload, signature }, jwk))
    }

    /// What its header says of its type. Nobody has vouched for it yet.
    #[must_use]
    pub fn typ(&self) -> Option<&str> {
        self.header.typ.as_deref()
    }

    /// What its header says of its key. Nobody has vouched for it yet.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// What its header says of its algorithm. Nobody has vouched for it yet.
    pub fn algorithm(&self) -> Result<Algorithm, UnknownAlgorithm> {
        self.header.alg.parse()
    }

    /// The payload that this key signed.
    pub fn verify(&self, key: &VerifyingKey) -> Result<&[u8], NotVerified> {
        self.check_algorithm(key)?;
        key.verify(self.signed.as_bytes(), &self.signature).map_err(|_| NotVerified::Signature)?;
        Ok(&self.payload)
    }

    /// The payload that this key signed, in a token that only [`sign_compact`] can have made: the
    /// second form of an ES256 signature is refused.
    pub fn verify_ours(&self, key: &VerifyingKey) -> Result<&[u8], NotVerified> {
        self.check_algorithm(key)?;
        let verified = key.verify_ours(self.signed.as_bytes(), &self.signature);
        verified.map_err(|_| NotVerified::Signature)?;
        Ok(&self.payload)
    }

    /// The payload as it was sent, for tools that explain a token. Anybody can have written it.
    #[must_use]
    pub fn dangerous_unverified_payload(&self) -> &[u8] {
        &self.payload
    }

    fn check_algorithm(&self, key: &VerifyingKey) -> Result<(), NotVerified> {
        if self.algorithm() == Ok(key.algorithm()) { Ok(()) } else { Err(NotVerified::Algorithm) }
    }
}

// A token is a bearer secret.
impl fmt::Debug for Compact<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Compact(…)")
    }
}

/// Reads a part. Whoever sent it knows what it says, so how long that takes tells them nothing; and to take
/// the same time for every text takes four times the instructions.
fn decode(part: &str) -> Result<Vec<u8>, Malformed> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Malformed::Encoding)
}

struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
}

/// A header as it was read, and the key that it brings.
struct Read {
    header: Header,
    jwk: Option<Value>,
}

// By hand, because a derived `Option` takes `null` for an absent member, and the presence of a
// refused parameter counts whatever its value.
impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parameters;

        impl<'de> Visitor<'de> for Parameters {
            type Value = Read;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Read, A::Error> {
                let (mut alg, mut kid, mut typ, mut jwk) = (None, None, None, None);
                while let Some(Name(name)) = map.next_key()? {
                    match &*name {
                        "alg" => alg = Some(map.next_value()?),
                        "kid" => kid = Some(map.next_value()?),
                        "typ" => typ = Some(map.next_value()?),
                        "jwk" => jwk = Some(map.next_value()?),
                        name if REFUSED_PARAMETERS.contains(&name) => {
                            return Err(A::Error::custom("a header parameter that we refuse"));
                        }
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                let alg = alg.ok_or_else(|| A::Error::missing_field("alg"))?;
                Ok(Read { header: Header { alg, kid, typ }, jwk })
            }
        }

        deserializer.deserialize_map(Parameters)
    }
}
