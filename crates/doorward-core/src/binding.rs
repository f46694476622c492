//! A binding: a session that goes on only with the key of one device.
//!
//! ```text
//!   login ──▶ not bound ──register, once──▶ bound ──ticket of minutes──▶ counts
//!                 │                           │  ▲                        │
//!                 ▼                           │  └──proof over a challenge┘ runs out
//!          counts as ever                     └──no good ticket──▶ refused, and does not end
//! ```
//!
//! The cookie's secret says which session it is. A ticket, a second cookie that lives for minutes,
//! says that the device's key was shown a moment ago. A bound session needs both.
//!
//! # What this module answers
//!
//! - *A stolen cookie*: without the key, whoever has a copy of both cookies has them until the ticket
//!   runs out, and no longer.
//! - *A second key*: a session is bound once.
//! - *A proof shown again*: each challenge has a number, and one counts only when it is greater than
//!   every one before. That is one number to keep, and true on every node.
//! - *Honest requests on their way*: those that left the browser before it had its first ticket, with
//!   none or with that of the session before, are let through for [`ON_ITS_WAY_MAX`].
//!
//! # What is not here
//!
//! Nothing that a browser *says* of a refresh that it skipped counts: that would be a way in.

use std::time::Duration;

use doorward_wire::UnixTime;
use doorward_wire::jose::Thumbprint;

use crate::retired::ON_ITS_WAY_MAX;

/// The shortest life of a ticket that an operator may ask for.
///
/// Chromium 156 refreshes two minutes before the end, and signs six times in nine minutes for a site
/// and no more: with less than this an honest browser would soon be out of signatures, and signed out.
pub const LIFE_MIN: Duration = Duration::from_mins(5);

/// The longest life of a ticket. One from further ahead was made while the clock was wrong.
pub const LIFE_MAX: Duration = Duration::from_hours(1);

/// How long a challenge counts after the ticket that it came with has run out.
///
/// Not from when it was given: a browser keeps it for as long as its ticket lives, and would
/// otherwise need two proofs for each refresh, of which Chromium makes six in nine minutes.
pub const CHALLENGE_GRACE: Duration = Duration::from_mins(5);

/// Whether sessions are bound, and how tightly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whether a login offers it. A session that is bound already stays so.
    pub offered: bool,
    /// How long a ticket lives: how long a copy of the cookies is worth something.
    pub life: Duration,
}

impl Default for Policy {
    /// Ten minutes, of which a browser uses eight: Chromium refreshes two before the end.
    fn default() -> Self {
        Self { offered: true, life: Duration::from_mins(10) }
    }
}

/// What a session is bound to, for the rest of its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The key of its device.
    pub key: Thumbprint,
    /// When.
    pub at: UnixTime,
}

/// What a request showed beside the session's secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// No ticket.
    Nothing,
    /// Something that is no ticket of this session.
    Forged,
    /// A ticket that runs out then.
    Until(UnixTime),
}

/// Why a bound session does not count in this request. It has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindingRefusal {
    /// There was no ticket.
    Missing,
    /// What was there was made by somebody else, or for another session.
    Forged,
    /// The ticket has run out.
    Expired,
    /// The ticket is from further ahead than any can be: the clock ran ahead, and was put right.
    Ahead,
}

impl BindingRefusal {
    /// The reason in the event log.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Missing => "ticket-missing",
            Self::Forged => "ticket-forged",
            Self::Expired => "ticket-expired",
            Self::Ahead => "ticket-ahead",
        }
    }
}

/// Why a proof does not count, though the session's key made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengeRefusal {
    /// The challenge was given too long ago.
    Expired,
    /// It, or a later one, was answered before.
    Spent,
}

impl Bound {
    /// Decides whether a request of this session counts with what it showed.
    pub fn admit(&self, shown: Shown, now: UnixTime) -> Result<(), BindingRefusal> {
        match shown {
            // Also with what is no ticket: a browser that has signed in anew still sends the ticket of
            // the session before, and whoever would be refused for theirs would send none. A clock
            // that was far ahead when the session was bound lets nobody in for long.
            Shown::Nothing | Shown::Forged
                if now.since(self.at).max(self.at.since(now)) < ON_ITS_WAY_MAX =>
            {
                Ok(())
            }
            Shown::Nothing => Err(BindingRefusal::Missing),
            Shown::Forged => Err(BindingRefusal::Forged),
            Shown::Until(end) if end <= now => Err(BindingRefusal::Expired),
            Shown::Until(end) if end.since(now) > LIFE_MAX => Err(BindingRefusal::Ahead),
            Shown::Until(_) => Ok(()),
        }
    }
}

/// The number of the next challenge: the time in milliseconds, and more than every one that was
/// answered, also when the clock has stepped back.
#[must_use]
pub fn next_number(spent: Option<u64>, now_ms: u64) -> u64 {
    spent.map_or(now_ms, |spent| now_ms.max(spent.saturating_add(1)))
}

/// Decides whether an answer to a challenge of this number still counts.
pub fn check_challenge(
    (number, spent): (u64, Option<u64>),
    policy: &Policy,
    now_ms: u64,
) -> Result<(), ChallengeRefusal> {
    if spent.is_some_and(|spent| number <= spent) {
        return Err(ChallengeRefusal::Spent);
    }
    let life = match spent {
        Some(_) => policy.life + CHALLENGE_GRACE,
        None => CHALLENGE_GRACE,
    };
    // One from far ahead is as wrong as one from long ago.
    let distance = next_number(spent, now_ms).abs_diff(number);
    if u128::from(distance) >= life.as_millis() {
        return Err(ChallengeRefusal::Expired);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: UnixTime = UnixTime(1_700_000_000);
    const NOON_MS: u64 = NOON.0 * 1000;
    const BOUND: Bound = Bound { key: Thumbprint([1; 32]), at: NOON };

    #[track_caller]
    fn check(shown: Shown, now: u64, expected: Option<BindingRefusal>) {
        assert_eq!(BOUND.admit(shown, UnixTime(now)).err(), expected);
    }

    #[test]
    fn a_ticket_counts_until_it_runs_out_and_not_a_second_longer() {
        let end = NOON.0 + 600;
        check(Shown::Until(UnixTime(end)), NOON.0 + 599, None);
        check(Shown::Until(UnixTime(end)), NOON.0 + 600, Some(BindingRefusal::Expired));
        check(Shown::Until(UnixTime(end)), NOON.0, None);
    }

    #[test]
    fn a_ticket_from_the_far_future_counts_for_nothing() {
        check(Shown::Until(UnixTime(NOON.0 + 3600)), NOON.0, None);
        check(Shown::Until(UnixTime(NOON.0 + 3601)), NOON.0, Some(BindingRefusal::Ahead));
    }

    #[test]
    fn a_request_without_a_ticket_counts_for_ten_seconds_after_the_binding() {
        check(Shown::Nothing, NOON.0, None);
        check(Shown::Nothing, NOON.0 + 9, None);
        check(Shown::Nothing, NOON.0 + 10, Some(BindingRefusal::Missing));
        // A clock that steps back does not open the window for an hour.
        check(Shown::Nothing, NOON.0 - 9, None);
        check(Shown::Nothing, NOON.0 - 10, Some(BindingRefusal::Missing));
    }

    #[test]
    fn the_ticket_of_a_session_before_counts_for_as_little_as_none() {
        check(Shown::Forged, NOON.0 + 9, None);
        check(Shown::Forged, NOON.0 + 10, Some(BindingRefusal::Forged));
        check(Shown::Forged, NOON.0 - 10, Some(BindingRefusal::Forged));
    }

    #[track_caller]
    fn answered(number: u64, spent: Option<u64>, now_ms: u64, expected: Option<ChallengeRefusal>) {
        let policy = Policy::default();
        assert_eq!(check_challenge((number, spent), &policy, now_ms).err(), expected);
    }

    #[test]
    fn a_challenge_counts_once_and_none_before_it_ever_again() {
        answered(NOON_MS, Some(NOON_MS - 1), NOON_MS, None);
        answered(NOON_MS, Some(NOON_MS), NOON_MS, Some(ChallengeRefusal::Spent));
        answered(NOON_MS, Some(NOON_MS + 1), NOON_MS, Some(ChallengeRefusal::Spent));
        let next = next_number(Some(NOON_MS), NOON_MS);
        answered(next, Some(NOON_MS), NOON_MS, None);
    }

    #[test]
    fn a_challenge_counts_five_minutes_longer_than_its_ticket() {
        let (given, spent) = (NOON_MS, Some(NOON_MS - 1));
        let life = 15 * 60 * 1000;
        answered(given, spent, given + life - 1, None);
        answered(given, spent, given + life, Some(ChallengeRefusal::Expired));
        // The first has no ticket yet.
        let life = 5 * 60 * 1000;
        answered(given, None, given + life - 1, None);
        answered(given, None, given + life, Some(ChallengeRefusal::Expired));
    }

    #[test]
    fn a_clock_that_steps_back_locks_nobody_out() {
        let spent = NOON_MS + 86_400_000;
        let next = next_number(Some(spent), NOON_MS);
        assert_eq!(next, spent + 1);
        answered(next, Some(spent), NOON_MS, None);
        // What was given far ahead is not kept for that day.
        answered(NOON_MS + 86_400_000, Some(NOON_MS), NOON_MS, Some(ChallengeRefusal::Expired));
    }
}
