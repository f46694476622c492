//! Anonymous sessions: nobody's yet, with room for a basket.

use doorward_core::event::{Event, EventKind};
use doorward_core::session::{Device, Session};
use doorward_store::act::{NewSession, SessionError, StoreFailed};
use doorward_wire::SecretDigest;

use super::issue::{Proof, Welcome};
use crate::App;

/// Opens an anonymous session. The one the browser had before ends: a secret that came from outside
/// is never taken over.
pub async fn open_anonymous(
    app: &App,
    before: Option<SecretDigest>,
    device: Device,
) -> Result<Welcome, StoreFailed> {
    let (sid, secret, now) = (app.ambient.session_id(), app.ambient.secret(), app.ambient.now());
    let session = Session::open_anonymous(sid, &secret, now);
    let event = Event { session: Some(sid), ..app.event(EventKind::SessionOpened, &device.ip) };
    let new = NewSession {
        session: session.clone(),
        proved: None,
        device: device.clone(),
        refresh: None,
        replaces: before,
        carry: Vec::new(),
        event,
    };
    app.store.open_session(new).await.map_err(|error| match error {
        SessionError::Failed(failure) => failure,
        SessionError::Taken | SessionError::Gone => {
            StoreFailed::because("a fresh id or secret was in use")
        }
    })?;
    let live = session
        .check(None, &app.settings.lifetimes, now)
        .map_err(|_| StoreFailed::because("a session of no length was configured"))?;
    Ok(Welcome { live, device, proof: Proof::Cookie(secret) })
}
