//! Nonces: what a proof must be made with, so that it was not made long ago.

use std::fmt;

use aws_lc_rs::hmac;
use base64ct::{Base64UrlUnpadded, Encoding};

use crate::time::UnixTime;

/// How long a nonce is given out, in seconds. The one before is accepted as well.
const SPAN: u64 = 150;
const STAMP_BYTES: usize = 8;
const MAC_BYTES: usize = 16;
const NONCE_BYTES: usize = STAMP_BYTES + MAC_BYTES;

/// The key under which nonces are made. Every node of a server has the same, and nothing is kept.
///
/// A nonce is good for two and a half minutes at the least and for five at the most.
///
/// ```
/// use doorward_wire::UnixTime;
/// use doorward_wire::dpop::NonceKey;
///
/// let key = NonceKey::from_secret(&[7; 32]);
/// let noon = UnixTime(1_700_000_000);
/// let nonce = key.nonce(noon);
/// assert!(key.accepts(&nonce, UnixTime(noon.0 + 149)));
/// assert!(!key.accepts(&nonce, UnixTime(noon.0 + 300)));
/// assert!(!NonceKey::from_secret(&[8; 32]).accepts(&nonce, noon));
/// ```
pub struct NonceKey(hmac::Key);

impl NonceKey {
    /// Makes the key from a secret that only this server's nodes have.
    #[must_use]
    pub fn from_secret(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The nonce of now.
    #[must_use]
    pub fn nonce(&self, now: UnixTime) -> String {
        self.of_span(now.0 / SPAN)
    }

    /// Whether a nonce is of now, of the span before, or of the next: another node's clock may be ahead.
    #[must_use]
    pub fn accepts(&self, nonce: &str, now: UnixTime) -> bool {
        let span = now.0 / SPAN;
        let mut bytes = [0; NONCE_BYTES];
        let Ok(decoded) = Base64UrlUnpadded::decode(nonce, &mut bytes) else { return false };
        let Some(stamp) = decoded.first_chunk().copied().map(u64::from_be_bytes) else {
            return false;
        };
        // Its letters are compared, which nobody could make who does not have the key: how long that takes
        // tells nothing.
        stamp.abs_diff(span) <= 1 && self.of_span(stamp) == nonce
    }

    fn of_span(&self, span: u64) -> String {
        let mut bytes = [0; NONCE_BYTES];
        let (stamp, mac) = bytes.split_at_mut(STAMP_BYTES);
        stamp.copy_from_slice(&span.to_be_bytes());
        mac.copy_from_slice(&hmac::sign(&self.0, stamp).as_ref()[..MAC_BYTES]);
        Base64UrlUnpadded::encode_string(&bytes)
    }
}

impl fmt::Debug for NonceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NonceKey(…)")
    }
}
