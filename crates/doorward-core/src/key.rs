//! A signing key: announced before it signs, trusted until the last token it signed has ended.
//!
//! ```text
//!   announced ──24 h──▶ active ──90 days──▶ retiring ──until its last token has ended──▶ gone
//!        └──────────────── published, and verifies ───────────────┘
//!
//!   any of them ──by hand, in an emergency──▶ retired: verifies nothing from now on
//! ```
//!
//! # What this module answers
//!
//! - *A rotation that breaks verifiers*: whoever keeps the published keys for less than a day knows the
//!   next one before it signs, and the last one as long as anything it signed can be shown.
//! - *A key that was stolen*: retired, it verifies nothing, however fresh the token is.
//! - *A clock that steps back*: some key always signs, if there is one that is not retired.

use std::time::Duration;

use doorward_wire::token::LEEWAY;
use doorward_wire::{KeyId, UnixTime};

use crate::grant::ACCESS_TOKEN_LIFE;

/// How long a key signs.
pub const LIFE: Duration = Duration::from_hours(90 * 24);

/// How long a key is published before it signs. Whoever keeps the published set longer may meet a key
/// that they do not know.
pub const ANNOUNCED: Duration = Duration::from_hours(24);

/// For nodes whose clocks differ a little.
const SPARE: Duration = Duration::from_mins(1);

/// When a key does what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyTimes {
    /// Its name.
    pub kid: KeyId,
    /// From when it signs.
    pub active_at: UnixTime,
    /// When it was retired by hand.
    pub retired_at: Option<UnixTime>,
}

/// What a key is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Published, and does not sign yet.
    Announced,
    /// The one that signs.
    Active,
    /// Signs no more; what it signed still counts.
    Retiring,
    /// Nothing it signed can count any more, for its age: it may be forgotten.
    Gone,
    /// Retired by hand: nothing it signed counts.
    Retired,
}

impl Stage {
    /// The stage's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Announced => "announced",
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Gone => "gone",
            Self::Retired => "retired",
        }
    }

    /// Whether it is published, and what it signed counts.
    #[must_use]
    pub const fn verifies(self) -> bool {
        matches!(self, Self::Announced | Self::Active | Self::Retiring)
    }
}

/// The key that signs, of those of one algorithm: the last that has become active. If none has, which
/// takes a clock that stepped back, the first that will.
#[must_use]
pub fn signer(keys: &[KeyTimes], now: UnixTime) -> Option<&KeyTimes> {
    let usable = || keys.iter().filter(|key| key.retired_at.is_none());
    let order = |key: &&KeyTimes| (key.active_at, key.kid);
    let active = usable().filter(|key| key.active_at <= now).max_by_key(order);
    active.or_else(|| usable().min_by_key(order))
}

/// What a key is good for, among those of its algorithm.
#[must_use]
pub fn stage(key: &KeyTimes, keys: &[KeyTimes], now: UnixTime) -> Stage {
    if key.retired_at.is_some() {
        return Stage::Retired;
    }
    if signer(keys, now).is_some_and(|signer| signer.kid == key.kid) {
        return Stage::Active;
    }
    if key.active_at > now {
        return Stage::Announced;
    }
    let is_later = |other: &&KeyTimes| {
        other.retired_at.is_none() && (other.active_at, other.kid) > (key.active_at, key.kid)
    };
    let successor = keys.iter().filter(is_later).map(|other| other.active_at).min();
    let last_token_ended_at =
        successor.map(|at| at.after(ACCESS_TOKEN_LIFE).after(LEEWAY).after(SPARE));
    if last_token_ended_at.is_some_and(|at| at <= now) { Stage::Gone } else { Stage::Retiring }
}

/// When the next key is to become active, if it is time to announce one.
///
/// A key whose time is long over, because nothing ran meanwhile, gets its successor a day from now: an
/// old key that goes on for a day is better than a new one that nobody knows.
#[must_use]
pub fn next_active_at(keys: &[KeyTimes], now: UnixTime) -> Option<UnixTime> {
    let usable = keys.iter().filter(|key| key.retired_at.is_none());
    let newest = usable.max_by_key(|key| (key.active_at, key.kid))?;
    let ends_at = newest.active_at.after(LIFE);
    (now.after(ANNOUNCED) >= ends_at).then(|| ends_at.max(now.after(ANNOUNCED)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    fn key(kid: u128, active_at: u64) -> KeyTimes {
        KeyTimes { kid: KeyId(kid), active_at: UnixTime(active_at), retired_at: None }
    }

    fn retired(kid: u128, active_at: u64) -> KeyTimes {
        KeyTimes { retired_at: Some(UnixTime(active_at)), ..key(kid, active_at) }
    }

    #[track_caller]
    fn check(keys: &[KeyTimes], now: u64, expected: &[Stage]) {
        let stages: Vec<_> = keys.iter().map(|key| stage(key, keys, UnixTime(now))).collect();
        assert_eq!(stages, expected, "at {now}");
    }

    #[test]
    fn a_key_is_announced_then_signs_then_is_trusted_until_its_last_token_has_ended() {
        let keys = [key(1, 1000), key(2, 1000 + DAY)];
        let turn = 1000 + DAY;
        check(&keys, turn - 1, &[Stage::Active, Stage::Announced]);
        check(&keys, turn, &[Stage::Retiring, Stage::Active]);
        // Five minutes of the token, thirty seconds of leeway, and a minute for other clocks.
        check(&keys, turn + 389, &[Stage::Retiring, Stage::Active]);
        check(&keys, turn + 390, &[Stage::Gone, Stage::Active]);
    }

    #[test]
    fn one_key_signs_whatever_the_clock_says() {
        let keys = [key(1, 1000), key(2, 2000)];
        check(&keys, 10, &[Stage::Active, Stage::Announced]);
        assert_eq!(signer(&[], UnixTime(0)), None);
        assert_eq!(signer(&[retired(1, 0)], UnixTime(9)), None);
        // Of two of one time the later name.
        check(&[key(1, 5), key(2, 5)], 5, &[Stage::Retiring, Stage::Active]);
    }

    #[test]
    fn a_retired_key_is_out_and_changes_nothing_for_the_others() {
        check(&[retired(1, 0), key(2, 50)], 60, &[Stage::Retired, Stage::Active]);
        check(&[key(1, 0), retired(2, 50)], 9999, &[Stage::Active, Stage::Retired]);
        let keys = [key(1, 0), retired(2, 50), key(3, 60)];
        check(&keys, 449, &[Stage::Retiring, Stage::Retired, Stage::Active]);
        check(&keys, 450, &[Stage::Gone, Stage::Retired, Stage::Active]);
    }

    #[test]
    fn a_successor_is_announced_a_day_before_it_signs() {
        let due = 1000 + 89 * DAY;
        let next = |keys: &[KeyTimes], now| next_active_at(keys, UnixTime(now)).map(|at| at.0);
        assert_eq!(next(&[key(1, 1000)], due - 1), None);
        assert_eq!(next(&[key(1, 1000)], due), Some(1000 + 90 * DAY));
        // Nothing ran for a year.
        assert_eq!(next(&[key(1, 1000)], 365 * DAY), Some(366 * DAY));
        // One is announced already.
        assert_eq!(next(&[key(1, 1000), key(2, 1000 + 90 * DAY)], due + 5), None);
        assert_eq!(next(&[], due), None);
    }
}
