//! Suspicion: a request that does not look like its session's own.
//!
//! The rule is [`hijack`](doorward_core::hijack)'s; here it is given the operator's settings and
//! database, and whatever it finds is told, once an hour.

use std::collections::HashMap;
use std::time::Duration;

use doorward_core::event::{Event, EventKind};
use doorward_core::hijack::{Known, Reaction, Signal};
use doorward_core::session::{Device, Session};
use doorward_store::act::{Found, StoreFailed};
use doorward_wire::{SecretDigest, SessionId, UnixTime};
use parking_lot::Mutex;

use super::identify::Sighting;
use crate::App;

/// How long one signal of one session is not told again: a flood must not fill the log.
const TOLD_AGAIN_AFTER: Duration = Duration::from_hours(1);

/// How many signals are remembered as told. Whoever would fill this holds thousands of stolen
/// sessions, and is in the log many times over.
const TOLD_MAX: usize = 10_000;

/// Which signals were told of late, by session and by how often it was given a new secret: after a new
/// proof, what was told before is told again.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<HashMap<(SessionId, u32, Signal), UnixTime>>);

impl Told {
    fn admits(&self, session: &Session, signal: Signal, now: UnixTime) -> bool {
        let is_recent = |at: &UnixTime| now.since(*at) < TOLD_AGAIN_AFTER;
        let what = (session.sid, session.generation, signal);
        let mut told = self.0.lock();
        if told.get(&what).is_some_and(is_recent) {
            return false;
        }
        if told.len() >= TOLD_MAX {
            told.retain(|_, at| is_recent(at));
        }
        if told.len() >= TOLD_MAX {
            return false;
        }
        told.insert(what, now);
        true
    }
}

/// Looks whether a request is its session's own. Tells the event log what it finds, and says why the
/// owner is to prove themselves again before this one is answered.
///
/// A session that is nobody's has nobody to ask.
pub(super) fn look(
    app: &App,
    session: &Session,
    device: &Device,
    from: Sighting<'_>,
) -> Option<Signal> {
    let owner = session.owner?;
    let known = Known { device, seen_at: session.seen_at, carrier: session.carrier };
    let now = app.ambient.now();
    let suspicions = app.settings.signals.judge(known, from, |ip| app.place_of(ip), now);
    for suspicion in &suspicions {
        if app.told().admits(session, suspicion.signal, now) {
            app.note(Event {
                account: Some(owner.account),
                session: Some(session.sid),
                reason: Some(suspicion.signal.name().into()),
                ..app.event(EventKind::SessionSuspicious, &from.device())
            });
        }
    }
    suspicions.iter().find(|suspicion| suspicion.asks).map(|suspicion| suspicion.signal)
}

/// The same for whoever presents a refresh token, which is not used by it.
pub(super) async fn look_at_refresh(
    app: &App,
    key: SecretDigest,
    from: Sighting<'_>,
) -> Result<Option<Signal>, StoreFailed> {
    let signals = app.settings.signals;
    let is_off = (signals.continent, signals.travel) == (Reaction::Off, Reaction::Off);
    if is_off || app.places.is_none() {
        return Ok(None);
    }
    let Some(sid) = app.store.session_of_refresh(key).await? else { return Ok(None) };
    let Some(Found { session, device, .. }) = app.store.session(sid).await? else {
        return Ok(None);
    };
    Ok(look(app, &session, &device, from))
}

#[cfg(test)]
mod tests {
    use doorward_wire::FreshSecret;

    use super::*;

    const NOON: UnixTime = UnixTime(1_800_000_000);

    fn session(sid: u128) -> Session {
        Session::open_anonymous(SessionId(sid), &FreshSecret::from_random([1; 32]), NOON)
    }

    #[test]
    fn a_signal_is_told_once_an_hour_and_hides_no_other() {
        let told = Told::default();
        let admits =
            |sid, signal, after| told.admits(&session(sid), signal, UnixTime(NOON.0 + after));
        assert!(admits(1, Signal::Browser, 0));
        assert!(!admits(1, Signal::Browser, 3599));
        assert!(admits(1, Signal::Travel, 1));
        assert!(admits(2, Signal::Browser, 1));
        assert!(admits(1, Signal::Browser, 3600));
        assert!(!admits(1, Signal::Browser, 3601));
        let proved_again = Session { generation: 1, ..session(1) };
        assert!(told.admits(&proved_again, Signal::Browser, UnixTime(NOON.0 + 3601)));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_old_gives_way() {
        let told = Told::default();
        let count = |from: u128, now| {
            let sids = from..from + TOLD_MAX as u128 + 5;
            sids.filter(|sid| told.admits(&session(*sid), Signal::Browser, now)).count()
        };
        assert_eq!(count(0, NOON), TOLD_MAX);
        assert_eq!(count(1 << 32, UnixTime(NOON.0 + 3600)), TOLD_MAX);
        assert_eq!(told.0.lock().len(), TOLD_MAX);
    }
}
