//! The secret that proves a session, and the one that renews its tokens.
//!
//! There are two kinds of secret, and they are different types on purpose. A [`FreshSecret`] was
//! drawn by us; only it can open a session. A [`PresentedSecret`] came from outside; it can only
//! look one up. So a secret chosen by an attacker can never become a session's: fixation does not
//! compile. What is kept of either is its [`SecretDigest`].

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const SECRET_BYTES: usize = 32;
const SECRET_CHARACTERS: usize = 43;

/// A secret we have just drawn: 256 bits.
pub struct FreshSecret(Zeroizing<[u8; SECRET_BYTES]>);

/// A secret someone has shown us.
pub struct PresentedSecret(Zeroizing<[u8; SECRET_BYTES]>);

/// The SHA-256 of a secret: all that a store keeps, so that a stolen store opens no doors.
///
/// A secret of 256 random bits needs no salt and no slow hash.
#[derive(Clone, Copy)]
pub struct SecretDigest(pub [u8; 32]);

/// The text was not a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a secret")]
pub struct MalformedSecret;

impl FreshSecret {
    /// Makes a secret from bytes that nobody else knows.
    #[must_use]
    pub fn from_random(bytes: [u8; SECRET_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The 43 characters to send. Call it once, at the edge.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        Zeroizing::new(Base64UrlUnpadded::encode_string(&self.0[..]))
    }

    /// What the store keeps.
    #[must_use]
    pub fn digest(&self) -> SecretDigest {
        SecretDigest::of(&self.0)
    }
}

impl PresentedSecret {
    /// Reads a secret from text: exactly 43 characters of base64url, in their one spelling.
    ///
    /// ```
    /// use doorward_wire::{FreshSecret, PresentedSecret};
    /// let fresh = FreshSecret::from_random([7; 32]);
    /// let presented = PresentedSecret::parse(&fresh.expose()).unwrap();
    /// assert_eq!(presented.digest(), fresh.digest());
    /// ```
    pub fn parse(text: &str) -> Result<Self, MalformedSecret> {
        let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
        if text.len() != SECRET_CHARACTERS {
            return Err(MalformedSecret);
        }
        match Base64UrlUnpadded::decode(text, &mut bytes[..]) {
            Ok(decoded) if decoded.len() == SECRET_BYTES => Ok(Self(bytes)),
            _ => Err(MalformedSecret),
        }
    }

    /// What the store would keep of it.
    #[must_use]
    pub fn digest(&self) -> SecretDigest {
        SecretDigest::of(&self.0)
    }

    /// The one secret that follows this one, given the salt that was drawn when it was first used.
    ///
    /// A refresh token presented twice within its window must get the same successor, and the store
    /// must not be able to read it (RFC 9700, section 4.14). So the successor is not kept at all:
    /// it is derived, by HKDF-like HMAC-SHA256 under the presented secret, which the store has never
    /// seen, from the salt, which it keeps.
    #[must_use]
    pub fn successor(&self, salt: &[u8; 32]) -> FreshSecret {
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &self.0[..]);
        let mut context = aws_lc_rs::hmac::Context::with_key(&key);
        context.update(b"doorward refresh successor v1");
        context.update(salt);
        let mut bytes = [0; SECRET_BYTES];
        bytes.copy_from_slice(context.sign().as_ref());
        FreshSecret::from_random(bytes)
    }
}

impl SecretDigest {
    fn of(bytes: &[u8; SECRET_BYTES]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

// A digest proves nothing by itself, but comparing in constant time costs nothing either.
impl PartialEq for SecretDigest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SecretDigest {}

impl std::hash::Hash for SecretDigest {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// The first eight characters in hexadecimal: enough to match two lines of a log.
impl fmt::Debug for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = u32::from_be_bytes([self.0[0], self.0[1], self.0[2], self.0[3]]);
        write!(f, "SecretDigest({start:08x}…)")
    }
}

// A secret is a bearer secret, so it has no `Display` and a `Debug` that says nothing.
impl fmt::Debug for FreshSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FreshSecret(…)")
    }
}

impl fmt::Debug for PresentedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PresentedSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_not_a_secret_is_refused() {
        let padded = format!("{}=", "A".repeat(42));
        let stray_bits = format!("{}B", "A".repeat(42));
        let plus = format!("+{}", "A".repeat(42));
        let long = "A".repeat(44);
        let texts = ["", "A", &long, "é", &"A".repeat(4096), &padded, &stray_bits, &plus];
        for text in texts {
            assert_eq!(PresentedSecret::parse(text).err(), Some(MalformedSecret), "{text:?}");
        }
    }

    #[test]
    fn debug_never_prints_the_secret() {
        let fresh = FreshSecret::from_random([7; SECRET_BYTES]);
        let presented = PresentedSecret::parse(&fresh.expose()).unwrap();
        for text in
            [format!("{fresh:?}"), format!("{presented:?}"), format!("{:?}", fresh.digest())]
        {
            assert!(!text.contains(fresh.expose().as_str()), "{text}");
        }
    }

    #[test]
    fn a_successor_depends_on_the_secret_and_on_the_salt_and_on_nothing_else() {
        let presented = |byte| {
            let fresh = FreshSecret::from_random([byte; SECRET_BYTES]);
            PresentedSecret::parse(&fresh.expose()).unwrap()
        };
        let successor = presented(1).successor(&[9; 32]).digest();
        assert_eq!(presented(1).successor(&[9; 32]).digest(), successor);
        assert_ne!(presented(2).successor(&[9; 32]).digest(), successor);
        assert_ne!(presented(1).successor(&[8; 32]).digest(), successor);
        assert_ne!(presented(1).digest(), successor);
    }
}
