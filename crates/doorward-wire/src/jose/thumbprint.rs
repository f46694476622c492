//! A key's name, made of the key itself.

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding};

use super::jwk::Jwk;

/// A key's thumbprint with SHA-256 (RFC 7638): its name. Written, it is the `jkt` of RFC 9449.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Thumbprint(pub [u8; 32]);

impl Thumbprint {
    /// The thumbprint of a key, unless a member that it is made of is missing.
    #[must_use]
    pub fn of(jwk: &Jwk) -> Option<Self> {
        Self::parse(&jwk.thumbprint()?)
    }

    /// Reads a thumbprint as it is written.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        let decoded = Base64UrlUnpadded::decode(text, &mut bytes).ok()?;
        (decoded.len() == 32).then_some(Self(bytes))
    }
}

/// As base64url.
impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Base64UrlUnpadded::encode_string(&self.0))
    }
}
