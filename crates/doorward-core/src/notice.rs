//! A notice: an event that its account's owner should look at, until they have said whether it was
//! them.
//!
//! ```text
//!   event of an alarming kind ──▶ open notice ──"this was me"─────▶ gone
//!                                     └─────────"this wasn't me"──▶ sessions end, password, gone
//! ```
//!
//! # What this module answers
//!
//! - *A thief who waves the alarm away*: whoever signs in from a new place is not shown the notice of
//!   that, there, and cannot answer it. Whoever sits elsewhere is, and can.
//!
//! # What is not here
//!
//! No words and no mail: the server tells, this decides what is told to whom.

use crate::device::Device;
use crate::event::{Event, EventKind};
use crate::session::Session;
use crate::whereabouts::Whereabouts;

/// The kinds of events that alarm: each becomes a notice to the account that it concerns.
pub const ALARMING: [EventKind; 6] = [
    EventKind::LoginNewPlace,
    EventKind::SecretReuseDetected,
    EventKind::TokenReuseDetected,
    EventKind::SessionSuspicious,
    EventKind::BindingRefused,
    EventKind::PasswordChanged,
];

/// Whether an event becomes a notice.
#[must_use]
pub fn is_alarming(event: &Event) -> bool {
    event.account.is_some() && ALARMING.contains(&event.kind)
}

/// Who looks at their notices.
#[derive(Clone, Debug)]
pub struct Viewer<'a> {
    /// The session they look from.
    pub session: &'a Session,
    /// Roughly where they are.
    pub here: Whereabouts,
}

impl Viewer<'_> {
    /// Whether a notice is for these eyes. What somebody did is no news to the session they did it in.
    /// `whereabouts` says where a device is.
    #[must_use]
    pub fn is_told(&self, event: &Event, whereabouts: impl FnOnce(&Device) -> Whereabouts) -> bool {
        match event.kind {
            EventKind::LoginNewPlace => {
                !self.is_of(event) && !self.came_along_with(event, whereabouts)
            }
            EventKind::PasswordChanged => !self.is_of(event),
            // The session may be shared with a thief: its owner must hear of it in it, too.
            _ => true,
        }
    }

    fn is_of(&self, event: &Event) -> bool {
        event.session == Some(self.session.sid)
    }

    /// Whether this session was opened after the event, from where the event came from: then whoever
    /// looks may be who is told of.
    fn came_along_with(
        &self,
        event: &Event,
        whereabouts: impl FnOnce(&Device) -> Whereabouts,
    ) -> bool {
        let (Some(label), Some(ip)) = (&event.device, &event.ip) else { return false };
        let there = Device { label: label.clone(), ip: ip.clone(), ..Device::default() };
        self.session.opened_at >= event.at && self.here.is_near(&whereabouts(&there))
    }
}

#[cfg(test)]
mod tests {
    use doorward_wire::{AccountId, EventId, FreshSecret, SessionId, UnixTime};

    use super::*;

    const NOON: UnixTime = UnixTime(1_700_000_000);

    fn device(label: &str, ip: &str) -> Device {
        Device { label: label.into(), ip: ip.into(), ..Device::default() }
    }

    fn there() -> Device {
        device("curl", "198.51.100.7")
    }

    /// An event of session 7, by `curl` from another network than home.
    fn event(kind: EventKind) -> Event {
        Event {
            id: EventId(1),
            at: NOON,
            kind,
            account: Some(AccountId(1)),
            session: Some(SessionId(7)),
            ip: Some(there().ip),
            device: Some(there().label),
            reason: None,
        }
    }

    #[track_caller]
    fn check(kind: EventKind, (sid, opened_at): (u128, u64), device: &Device, is_told: bool) {
        let secret = FreshSecret::from_random([1; 32]);
        let session = Session::open_anonymous(SessionId(sid), &secret, UnixTime(opened_at));
        let nowhere_known = |device: &Device| Whereabouts::of(device, None);
        let viewer = Viewer { session: &session, here: nowhere_known(device) };
        assert_eq!(viewer.is_told(&event(kind), nowhere_known), is_told, "{kind:?} to {sid}");
    }

    #[test]
    fn a_login_from_a_new_place_is_told_everywhere_but_there() {
        let home = device("Firefox on Linux", "192.0.2.1");
        let kind = EventKind::LoginNewPlace;
        check(kind, (7, NOON.0), &there(), false);
        check(kind, (8, NOON.0), &home, true);
        check(kind, (8, NOON.0 + 9), &home, true);
        // A thief's second login from the same place is no way round it.
        check(kind, (8, NOON.0 + 9), &there(), false);
        // Somebody was there before: it is their own device, and perhaps their own network.
        check(kind, (8, NOON.0 - 9), &there(), true);
        check(kind, (8, NOON.0 + 9), &device("curl", "192.0.2.1"), true);
    }

    #[test]
    fn a_change_of_password_is_told_in_the_other_sessions() {
        check(EventKind::PasswordChanged, (7, NOON.0), &there(), false);
        check(EventKind::PasswordChanged, (8, NOON.0), &there(), true);
    }

    #[test]
    fn what_may_be_a_theft_of_this_very_session_is_told_in_it() {
        for kind in [EventKind::SessionSuspicious, EventKind::BindingRefused] {
            check(kind, (7, NOON.0), &there(), true);
        }
    }

    #[test]
    fn an_event_of_nobody_and_an_ordinary_one_alarm_nobody() {
        assert!(is_alarming(&event(EventKind::LoginNewPlace)));
        assert!(!is_alarming(&Event { account: None, ..event(EventKind::LoginNewPlace) }));
        assert!(!is_alarming(&event(EventKind::LoginSucceeded)));
        assert!(!is_alarming(&event(EventKind::LoginFailed)));
    }
}
