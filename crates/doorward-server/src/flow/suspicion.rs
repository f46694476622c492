//! Suspicion: a request that does not look like its session's own.
//!
//! The rule is [`hijack`](doorward_core::hijack)'s; here it is given the operator's settings and
//! database, and whatever it finds is told, once an hour.

use doorward_core::event::{Event, EventKind};
use doorward_core::hijack::{Known, Reaction, Signal};
use doorward_core::session::{Device, Session};
use doorward_store::act::{Found, StoreFailed};
use doorward_wire::SecretDigest;

use super::identify::Sighting;
use crate::App;

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
        let event = Event {
            account: Some(owner.account),
            session: Some(session.sid),
            reason: Some(suspicion.signal.name().into()),
            ..app.event(EventKind::SessionSuspicious, &from.device())
        };
        app.tell(session, event);
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
