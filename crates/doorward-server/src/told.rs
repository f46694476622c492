//! What was told of late about sessions that somebody may have a copy of.
//!
//! # What this module answers
//!
//! - *A flood*: with one stolen cookie anybody can cause the same alarm again and again. It is told
//!   once an hour, so that it does not fill the log.
//! - *A flood that hides something*: each alarm of each session is counted by itself, and each account
//!   has room of its own. Whoever causes thousands in sessions of their own silences no other's.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use doorward_core::event::{Event, EventKind};
use doorward_core::session::Session;
use doorward_wire::{AccountId, SessionId, UnixTime};
use parking_lot::Mutex;

/// How long an alarm of a session is not told again.
const AGAIN_AFTER: Duration = Duration::from_hours(1);

/// How many alarms of one account are told within that time: its owner has heard by then.
const ALARM_COUNT_MAX: usize = 64;

/// How many accounts are remembered. Whoever would fill this has thousands of their own.
const ACCOUNT_COUNT_MAX: usize = 10_000;

/// An alarm: of which session, of which generation, since after a new proof what was told before is
/// told again; of which kind, and why.
type Alarm = (SessionId, u32, EventKind, Option<Cow<'static, str>>);

/// Which alarms were told of late, and when.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<HashMap<AccountId, HashMap<Alarm, UnixTime>>>);

impl Told {
    /// Whether to write an event about this session.
    pub(crate) fn admits(&self, session: &Session, event: &Event) -> bool {
        let Some(account) = event.account else { return true };
        let is_recent = |at: &UnixTime| event.at.since(*at) < AGAIN_AFTER;
        let mut told = self.0.lock();
        if told.len() >= ACCOUNT_COUNT_MAX && !told.contains_key(&account) {
            told.retain(|_, alarms| alarms.values().any(is_recent));
            if told.len() >= ACCOUNT_COUNT_MAX {
                return false;
            }
        }
        let alarms = told.entry(account).or_default();
        let alarm = (session.sid, session.generation, event.kind, event.reason.clone());
        if alarms.get(&alarm).is_some_and(is_recent) {
            return false;
        }
        if alarms.len() >= ALARM_COUNT_MAX {
            alarms.retain(|_, at| is_recent(at));
        }
        if alarms.len() >= ALARM_COUNT_MAX {
            return false;
        }
        alarms.insert(alarm, event.at);
        true
    }
}

#[cfg(test)]
mod tests {
    use doorward_wire::{EventId, FreshSecret};

    use super::*;

    const NOON: UnixTime = UnixTime(1_800_000_000);

    fn session(sid: u128) -> Session {
        Session::open_anonymous(SessionId(sid), &FreshSecret::from_random([1; 32]), NOON)
    }

    fn alarm(account: u128, reason: &'static str, after: u64) -> Event {
        Event {
            id: EventId(1),
            at: UnixTime(NOON.0 + after),
            kind: EventKind::SessionSuspicious,
            account: Some(AccountId(account)),
            session: None,
            ip: None,
            reason: Some(reason.into()),
            device: None,
        }
    }

    #[test]
    fn an_alarm_is_told_once_an_hour_and_hides_no_other() {
        let told = Told::default();
        let admits = |sid, reason, after| told.admits(&session(sid), &alarm(1, reason, after));
        assert!(admits(1, "browser-changed", 0));
        assert!(!admits(1, "browser-changed", 3599));
        assert!(admits(1, "impossible-travel", 1));
        assert!(admits(2, "browser-changed", 1));
        assert!(admits(1, "browser-changed", 3600));
        assert!(!admits(1, "browser-changed", 3601));
        let proved_again = Session { generation: 1, ..session(1) };
        assert!(told.admits(&proved_again, &alarm(1, "browser-changed", 3601)));
        let other = EventKind::BindingRefused;
        assert!(told.admits(&session(1), &Event { kind: other, ..alarm(1, "browser-changed", 2) }));
    }

    #[test]
    fn whoever_has_thousands_of_sessions_silences_nobody_else() {
        let told = Told::default();
        let count = |after| {
            let sids = 0..20_000;
            sids.filter(|sid| told.admits(&session(*sid), &alarm(1, "browser-changed", after)))
                .count()
        };
        assert_eq!(count(0), ALARM_COUNT_MAX);
        assert!(told.admits(&session(1 << 32), &alarm(2, "browser-changed", 0)));
        // What was told an hour ago gives way.
        assert_eq!(count(3600), ALARM_COUNT_MAX);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_old_gives_way() {
        let told = Told::default();
        let count = |from: u128, after| {
            let accounts = from..from + ACCOUNT_COUNT_MAX as u128 + 5;
            accounts.filter(|id| told.admits(&session(*id), &alarm(*id, "x", after))).count()
        };
        assert_eq!(count(0, 0), ACCOUNT_COUNT_MAX);
        assert_eq!(count(1 << 32, 3600), ACCOUNT_COUNT_MAX);
        assert_eq!(told.0.lock().len(), ACCOUNT_COUNT_MAX);
    }
}
