//! A retired secret: what a session answered to before it was given a new one.
//!
//! ```text
//!   rename ──▶ retired ──shown within seconds──▶ reads what it could read before, or is refused
//!                 │
//!                 └──────shown later───────────▶ Reuse: the session ends
//! ```
//!
//! # What this module answers
//!
//! - *Fixation*: a login opens another session, so what was there before it is not retired, it is
//!   dead. And a retired secret has no part in what the new proof has shown: it reads with the
//!   assurance from before.
//! - *Honest parallel requests*: a page asks for ten things at once, and one of them changes the
//!   secret. The others still read. What would change something is refused by itself; nobody is
//!   signed out, for the browser has the new secret by then.
//! - *A password changed because of a theft*: nothing is read any more, from the moment the change
//!   was kept.
//! - *A copy of the cookie*: later nobody honest has the old secret any more. Whoever shows it has a
//!   copy, perhaps of the new one too, and the session ends for both.

use std::time::Duration;

use doorward_wire::{SecretDigest, UnixTime};

use crate::session::{Assurance, Session};

/// How long an honest request with the secret before may be on its way.
pub const ON_ITS_WAY_MAX: Duration = Duration::from_secs(10);

/// What a session answered to before, and what it was worth then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retired {
    /// The digest of the secret.
    pub key: SecretDigest,
    /// When its successor was kept.
    pub at: UnixTime,
    /// Whether it still reads while it may be on its way: not after a change of password.
    pub reads: bool,
    /// When the owner had last proved themselves.
    pub proved_at: UnixTime,
    /// How sure we were of them.
    pub acr: Assurance,
}

/// Why a retired secret does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetiredRefusal {
    /// It was perhaps on its way when its successor was given.
    OnItsWay,
    /// It comes too late for that: it is a copy.
    Reuse,
}

impl Retired {
    /// The session as it was before, for a request that can change nothing, or why not.
    ///
    /// `session` is the one that this secret answered to, as it is now. A clock that steps back far
    /// does not keep the window open.
    pub fn read(&self, session: Session, now: UnixTime) -> Result<Session, RetiredRefusal> {
        let is_open = self.reads && self.at.since(now) < ON_ITS_WAY_MAX;
        match self.refusal(now) {
            RetiredRefusal::OnItsWay if is_open => {
                Ok(Session { proved_at: self.proved_at, acr: self.acr, ..session })
            }
            refusal => Err(refusal),
        }
    }

    /// Why a request that could change something is refused: tells an honest late one from a copy of
    /// the cookie.
    ///
    /// A clock that steps back calls nobody a thief.
    #[must_use]
    pub fn refusal(&self, now: UnixTime) -> RetiredRefusal {
        if now.since(self.at) >= ON_ITS_WAY_MAX {
            return RetiredRefusal::Reuse;
        }
        RetiredRefusal::OnItsWay
    }
}

#[cfg(test)]
mod tests {
    use doorward_wire::{FreshSecret, SessionId};

    use super::*;

    const NOON: u64 = 1_700_000_000;

    fn retired() -> Retired {
        Retired {
            key: FreshSecret::from_random([1; 32]).digest(),
            at: UnixTime(NOON),
            reads: true,
            proved_at: UnixTime(NOON - 600),
            acr: Assurance::Aal1,
        }
    }

    fn session() -> Session {
        let secret = FreshSecret::from_random([2; 32]);
        let opened = Session::open_anonymous(SessionId(1), &secret, UnixTime(NOON));
        Session { acr: Assurance::Aal2, ..opened }
    }

    #[track_caller]
    fn shown_at(now: u64, reading: Result<(), RetiredRefusal>, changing: RetiredRefusal) {
        let now = UnixTime(now);
        assert_eq!(retired().read(session(), now).map(drop), reading);
        assert_eq!(retired().refusal(now), changing);
        let dead = Retired { reads: false, ..retired() };
        assert_eq!(dead.read(session(), now).map(drop), Err(changing), "after a new password");
    }

    #[test]
    fn an_honest_request_may_take_so_long_and_no_longer() {
        shown_at(NOON, Ok(()), RetiredRefusal::OnItsWay);
        shown_at(NOON + 9, Ok(()), RetiredRefusal::OnItsWay);
        shown_at(NOON + 10, Err(RetiredRefusal::Reuse), RetiredRefusal::Reuse);
    }

    #[test]
    fn a_clock_that_steps_back_calls_nobody_a_thief() {
        shown_at(NOON - 9, Ok(()), RetiredRefusal::OnItsWay);
        shown_at(NOON - 10, Err(RetiredRefusal::OnItsWay), RetiredRefusal::OnItsWay);
    }

    #[test]
    fn what_the_new_proof_has_shown_is_not_the_old_secrets() {
        let read = retired().read(session(), UnixTime(NOON)).unwrap();
        assert_eq!((read.acr, read.proved_at), (Assurance::Aal1, UnixTime(NOON - 600)));
        assert_eq!(read.sid, session().sid);
    }
}
