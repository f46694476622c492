//! A retired secret: what a session answered to before it was given a new one.
//!
//! ```text
//!   rename ──▶ retired ──shown within seconds──▶ refused, and nothing more: it was on its way
//!                 │
//!                 └──────shown later───────────▶ Reuse: the session ends
//! ```
//!
//! # What this module answers
//!
//! - *Fixation*: a retired secret opens nothing, from the moment its successor was kept.
//! - *Honest parallel requests*: a page asks for ten things at once, and one of them changes the
//!   secret. The others are refused by themselves; nobody is signed out, for the browser has the new
//!   secret by then.
//! - *A copy of the cookie*: later nobody honest has the old secret any more. Whoever shows it has a
//!   copy, perhaps of the new one too, and the session ends for both.

use std::time::Duration;

use doorward_wire::UnixTime;

/// How long an honest request with the secret before may be on its way.
pub const ON_ITS_WAY_MAX: Duration = Duration::from_secs(10);

/// Why a retired secret does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetiredRefusal {
    /// It was perhaps on its way when its successor was given.
    OnItsWay,
    /// It comes too late for that: it is a copy.
    Reuse,
}

/// Tells an honest late request from a copy of the cookie, for a secret retired at `retired_at`.
///
/// A clock that steps back calls nobody a thief.
#[must_use]
pub fn refusal(retired_at: UnixTime, now: UnixTime) -> RetiredRefusal {
    if now.since(retired_at) >= ON_ITS_WAY_MAX {
        return RetiredRefusal::Reuse;
    }
    RetiredRefusal::OnItsWay
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: u64 = 1_700_000_000;

    #[track_caller]
    fn shown_at(now: u64, expected: RetiredRefusal) {
        assert_eq!(refusal(UnixTime(NOON), UnixTime(now)), expected);
    }

    #[test]
    fn an_honest_request_may_take_so_long_and_no_longer() {
        shown_at(NOON, RetiredRefusal::OnItsWay);
        shown_at(NOON + 9, RetiredRefusal::OnItsWay);
        shown_at(NOON + 10, RetiredRefusal::Reuse);
    }

    #[test]
    fn a_clock_that_steps_back_calls_nobody_a_thief() {
        shown_at(NOON - 3600, RetiredRefusal::OnItsWay);
    }
}
