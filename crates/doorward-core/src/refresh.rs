//! A refresh token: it renews a session's access tokens, once, and gives way to its successor.
//!
//! ```text
//!   unused ──present──▶ used ──present within the window,──▶ the same successor again
//!                        │      successor unused
//!                        └────present later, or after ─────▶ Reuse: the whole session ends
//!                             the successor was used
//! ```
//!
//! # What this module answers
//!
//! - *Theft*: whoever comes second, thief or owner, reveals that there are two (RFC 9700, section
//!   4.14.2), and the session ends for both.
//! - *Honest races*: a client that sends twice, or whose answer was lost, gets the same successor.
//!   There is never more than one living branch, and nobody honest is logged out.

use std::time::Duration;

use doorward_wire::{SecretDigest, SessionId, UnixTime};

use crate::grant::{ACCESS_TOKEN_LIFE, Grant};

/// How long a used refresh token still answers with its one successor.
pub const WINDOW: Duration = Duration::from_secs(10);

/// What every refresh token begins with, so that scanners find a leaked one.
pub const PREFIX: &str = "dwr_";

/// A refresh token as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    /// The digest of its secret.
    pub key: SecretDigest,
    /// The session it hangs from.
    pub sid: SessionId,
    /// What its access tokens may be used for.
    pub grant: Grant,
    /// When it was issued.
    pub issued_at: UnixTime,
    /// Its first use, if it was used.
    pub used: Option<Used>,
}

/// The first use of a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// When it was.
    pub at: UnixTime,
    /// What the successor is derived from, together with the presented secret.
    pub salt: [u8; 32],
}

/// A refresh token that was not used yet, as its session's owner sees it: without its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HangingToken {
    /// The session it hangs from.
    pub sid: SessionId,
    /// What its access tokens may be used for.
    pub grant: Grant,
    /// When it was issued, and the access token beside it.
    pub issued_at: UnixTime,
    /// Whether it follows another, which may have been presented again within [`WINDOW`].
    pub is_successor: bool,
}

impl HangingToken {
    /// When the last access token that was issued with it ends, at the latest. None outlives its
    /// session, which ends at `expires_at`.
    ///
    /// A verifier elsewhere may take it for its leeway longer.
    #[must_use]
    pub fn access_ends_at(&self, expires_at: UnixTime) -> UnixTime {
        let last_issued_at =
            if self.is_successor { self.issued_at.after(WINDOW) } else { self.issued_at };
        last_issued_at.after(ACCESS_TOKEN_LIFE).min(expires_at)
    }
}

/// What presenting a refresh token leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// First use: keep the successor.
    First,
    /// The same use again: the successor is the one derived from this salt.
    Again([u8; 32]),
}

/// The token was used before and its window is over: one of two holders is a thief.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reuse;

impl RefreshToken {
    /// Decides what presenting this token leads to. `successor_used` says whether the token that
    /// followed it has itself been used.
    ///
    /// A clock that steps back keeps the window open; it never calls an honest client a thief.
    pub fn present(&self, successor_used: bool, now: UnixTime) -> Result<Turn, Reuse> {
        let Some(used) = self.used else { return Ok(Turn::First) };
        if successor_used || now.since(used.at) >= WINDOW {
            return Err(Reuse);
        }
        Ok(Turn::Again(used.salt))
    }
}

#[cfg(test)]
mod tests {
    use doorward_wire::FreshSecret;

    use super::*;

    const NOON: UnixTime = UnixTime(1_700_000_000);
    const SALT: [u8; 32] = [3; 32];

    #[track_caller]
    fn check(used: Option<u64>, successor_used: bool, expected: Result<Turn, Reuse>) {
        let token = RefreshToken {
            key: FreshSecret::from_random([1; 32]).digest(),
            sid: SessionId(1),
            grant: Grant::default(),
            issued_at: NOON,
            used: used.map(|ago| Used { at: UnixTime(NOON.0 - ago), salt: SALT }),
        };
        assert_eq!(token.present(successor_used, NOON), expected);
    }

    #[test]
    fn a_token_turns_once_and_its_window_closes_at_its_limit() {
        check(None, false, Ok(Turn::First));
        check(Some(0), false, Ok(Turn::Again(SALT)));
        check(Some(9), false, Ok(Turn::Again(SALT)));
        check(Some(10), false, Err(Reuse));
        check(Some(11), false, Err(Reuse));
    }

    #[test]
    fn the_last_access_token_ends_five_minutes_after_its_issue_and_with_its_session() {
        let hanging = |is_successor| HangingToken {
            sid: SessionId(1),
            grant: Grant::default(),
            issued_at: NOON,
            is_successor,
        };
        let far = UnixTime(NOON.0 + 86_400);
        assert_eq!(hanging(false).access_ends_at(far), UnixTime(NOON.0 + 300));
        // The one before may be presented again for ten seconds, and give one more.
        assert_eq!(hanging(true).access_ends_at(far), UnixTime(NOON.0 + 310));
        assert_eq!(hanging(true).access_ends_at(UnixTime(NOON.0 + 60)), UnixTime(NOON.0 + 60));
    }

    #[test]
    fn once_the_successor_was_used_the_window_is_closed() {
        check(Some(0), true, Err(Reuse));
    }
}
