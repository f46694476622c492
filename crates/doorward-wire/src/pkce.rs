//! Proof Key for Code Exchange (RFC 7636): a code is worth something only to whoever asked for it.
//!
//! # What this module answers
//!
//! - *A code that was read on its way* (from a log, a history, another app): without the verifier, which never
//!   travelled before, it opens nothing.
//! - *`plain`* (RFC 9700, section 2.1.1): a challenge is always a hash. The other method does not exist here.

use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The only method there is.
pub const METHOD: &str = "S256";

/// The SHA-256 of a verifier.
#[derive(Clone, Copy, Debug)]
pub struct Challenge(pub [u8; 32]);

/// The text is no challenge: 43 characters of base64url, or no verifier: 43 to 128 unreserved ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a challenge or a verifier of PKCE")]
pub struct MalformedPkce;

impl Challenge {
    /// Reads a challenge, in its one spelling.
    pub fn parse(text: &str) -> Result<Self, MalformedPkce> {
        let mut bytes = [0; 32];
        if text.len() != 43 {
            return Err(MalformedPkce);
        }
        match Base64UrlUnpadded::decode(text, &mut bytes) {
            Ok(decoded) if decoded.len() == 32 => Ok(Self(bytes)),
            _ => Err(MalformedPkce),
        }
    }

    /// The challenge that a verifier meets (RFC 7636, section 4.1).
    ///
    /// ```
    /// use doorward_wire::pkce::Challenge;
    ///
    /// // RFC 7636, appendix B.
    /// let challenge = Challenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").unwrap();
    /// let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    /// assert_eq!(Challenge::of(verifier), Ok(challenge));
    /// assert!(Challenge::of("short").is_err());
    /// ```
    pub fn of(verifier: &str) -> Result<Self, MalformedPkce> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(plain) {
            return Err(MalformedPkce);
        }
        Ok(Self(Sha256::digest(verifier.as_bytes()).into()))
    }
}

impl PartialEq for Challenge {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Challenge {}

impl std::fmt::Display for Challenge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&Base64UrlUnpadded::encode_string(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_has_one_spelling() {
        let good = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert_eq!(Challenge::parse(good).unwrap().to_string(), good);
        for bad in [
            "",
            &good[1..],
            &format!("{good}="),
            &good.replace('-', "+"),
            &good.replace("cM", "cN"),
        ] {
            assert!(Challenge::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_verifier_is_long_enough_and_plain() {
        for bad in [
            "",
            &"a".repeat(42),
            &"a".repeat(129),
            &format!("{} ", "a".repeat(43)),
            &"é".repeat(43),
        ] {
            assert!(Challenge::of(bad).is_err(), "{bad}");
        }
        assert!(Challenge::of(&"a".repeat(43)).is_ok() && Challenge::of(&"~".repeat(128)).is_ok());
    }
}
