//! Tickets: challenges and bound cookies, which we can tell from any other text without having kept
//! them.

use std::fmt;

use aws_lc_rs::hmac;
use base64ct::{Base64UrlUnpadded, Encoding};
use zeroize::Zeroizing;

use super::COOKIE;
use crate::id::SessionId;
use crate::jose::Thumbprint;
use crate::time::UnixTime;

const STAMP_BYTES: usize = 8;
const RANDOM_BYTES: usize = 16;
const MAC_BYTES: usize = 32;
const CHALLENGE_BYTES: usize = STAMP_BYTES + RANDOM_BYTES + MAC_BYTES;
const TICKET_BYTES: usize = STAMP_BYTES + MAC_BYTES;

/// The key under which challenges and bound cookies are made. Every node of a server has the same.
///
/// # What this answers
///
/// - *Another session's ticket*: the session and its key are under the MAC.
/// - *A ticket of another kind*: so is what it is for.
/// - *A read for each request*: what a cookie says is checked with one MAC, and nothing is asked of
///   the store.
pub struct TicketKey(hmac::Key);

/// What a ticket is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// A session that is to be bound.
    Registration(SessionId),
    /// A session that is bound to this key.
    Bound(SessionId, Thumbprint),
}

/// A bound cookie's value as it was sent. It proves nothing until [`TicketKey::read_cookie`].
pub struct PresentedTicket(Zeroizing<String>);

impl PresentedTicket {
    /// Reads the bound cookie from the values of all `Cookie` headers of a request. Two of the name
    /// count as none: nobody can say which one is the owner's.
    pub fn read<'a>(headers: impl IntoIterator<Item = &'a [u8]>) -> Option<Self> {
        let mut ours = crate::cookie::values(COOKIE, headers);
        let value = ours.next().filter(|_| ours.next().is_none())?;
        let text = std::str::from_utf8(value).ok()?;
        Some(Self(Zeroizing::new(text.to_owned())))
    }
}

impl TicketKey {
    /// Makes the key from a secret that only this server's nodes have.
    #[must_use]
    pub fn from_secret(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// Makes a challenge, stamped with a time in milliseconds.
    #[must_use]
    pub fn challenge(&self, about: About, stamp_ms: u64, random: [u8; RANDOM_BYTES]) -> String {
        let mut bytes = [0; CHALLENGE_BYTES];
        let (stamped, mac) = bytes.split_at_mut(STAMP_BYTES + RANDOM_BYTES);
        stamped[..STAMP_BYTES].copy_from_slice(&stamp_ms.to_be_bytes());
        stamped[STAMP_BYTES..].copy_from_slice(&random);
        mac.copy_from_slice(hmac::sign(&self.0, &message(b'c', about, stamped)).as_ref());
        Base64UrlUnpadded::encode_string(&bytes)
    }

    /// The stamp of a challenge, if we made it and for this.
    #[must_use]
    pub fn read_challenge(&self, about: About, text: &str) -> Option<u64> {
        self.read::<CHALLENGE_BYTES>(b'c', about, text)
    }

    /// Makes the value of a bound cookie. A session that is not bound has none.
    #[must_use]
    pub fn cookie(&self, (sid, key): (SessionId, Thumbprint), expires_at: UnixTime) -> String {
        let mut bytes = [0; TICKET_BYTES];
        let (stamp, mac) = bytes.split_at_mut(STAMP_BYTES);
        stamp.copy_from_slice(&expires_at.0.to_be_bytes());
        let message = message(b't', About::Bound(sid, key), stamp);
        mac.copy_from_slice(hmac::sign(&self.0, &message).as_ref());
        Base64UrlUnpadded::encode_string(&bytes)
    }

    /// When a bound cookie runs out, if we made it and for this session and key.
    #[must_use]
    pub fn read_cookie(
        &self,
        (sid, key): (SessionId, Thumbprint),
        ticket: &PresentedTicket,
    ) -> Option<UnixTime> {
        let about = About::Bound(sid, key);
        self.read::<TICKET_BYTES>(b't', about, &ticket.0).map(UnixTime)
    }

    fn read<const BYTES: usize>(&self, kind: u8, about: About, text: &str) -> Option<u64> {
        let mut bytes = [0; BYTES];
        let decoded = Base64UrlUnpadded::decode(text, &mut bytes).ok()?;
        if decoded.len() != BYTES {
            return None;
        }
        let (stamped, mac) = bytes.split_at(BYTES - MAC_BYTES);
        hmac::verify(&self.0, &message(kind, about, stamped), mac).ok()?;
        stamped.first_chunk().copied().map(u64::from_be_bytes)
    }
}

/// What is under the MAC. Every part has one length, so that no two messages are alike.
fn message(kind: u8, about: About, stamped: &[u8]) -> Vec<u8> {
    let (phase, sid, key) = match about {
        About::Registration(sid) => (b'r', sid, [0; 32]),
        About::Bound(sid, key) => (b'b', sid, key.0),
    };
    [&[kind, phase][..], &sid.0.to_be_bytes(), &key, stamped].concat()
}

impl fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketKey(…)")
    }
}

// Together with the session's cookie it opens the session for some minutes.
impl fmt::Debug for PresentedTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PresentedTicket(…)")
    }
}
