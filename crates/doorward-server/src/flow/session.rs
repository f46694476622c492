//! Sessions: opening one that is nobody's yet, with room for a basket, and listing one's own.

use doorward_core::event::{Event, EventKind};
use doorward_core::refresh::HangingToken;
use doorward_core::session::{Device, LiveSession, Session};
use doorward_store::act::{NewSession, SessionError, StoreFailed};
use doorward_wire::{AccountId, SecretDigest, SessionId, UnixTime};

use super::issue::{Proof, Welcome};
use crate::App;

/// How often the store is asked for one page, at the most, when much of what it has counts no longer.
const READS_MAX: usize = 8;

/// A session of an account that still counts, and what hangs from it.
#[derive(Debug)]
pub struct Listed {
    /// The session.
    pub live: LiveSession,
    /// What opened it.
    pub device: Device,
    /// The refresh tokens that can still renew it.
    pub tokens: Vec<HangingToken>,
}

/// Some of an account's sessions.
#[derive(Debug)]
pub struct Listing {
    /// The sessions, the newest first.
    pub items: Vec<Listed>,
    /// Where the next page begins, if there is one.
    pub next: Option<SessionId>,
}

/// When the last access token that a session handed out ends, at the latest.
#[must_use]
pub fn last_token_ends_at(live: &LiveSession, tokens: &[HangingToken]) -> Option<UnixTime> {
    tokens.iter().map(|token| token.access_ends_at(live.expires_at())).max()
}

/// The sessions of an account that still count, the newest first, after `after`.
pub async fn list(
    app: &App,
    account: AccountId,
    after: Option<SessionId>,
    limit: usize,
) -> Result<Listing, StoreFailed> {
    let now = app.ambient.now();
    let mut listing = Listing { items: Vec::new(), next: after };
    for _ in 0..READS_MAX {
        let wanted = limit - listing.items.len();
        let page = app.store.sessions_of(account, listing.next, wanted).await?;
        listing.next = page.items.last().filter(|_| page.more).map(|found| found.session.sid);
        let counting = page
            .items
            .into_iter()
            .filter_map(|found| found.check(&app.settings.lifetimes, now).ok());
        listing.items.extend(counting.map(|(live, device)| Listed {
            live,
            device,
            tokens: Vec::new(),
        }));
        if listing.next.is_none() || listing.items.len() == limit {
            break;
        }
    }
    let sids: Vec<_> = listing.items.iter().map(|listed| listed.live.session().sid).collect();
    for token in app.store.tokens_of(&sids).await? {
        let owner = listing.items.iter_mut().find(|listed| listed.live.session().sid == token.sid);
        if let Some(listed) = owner {
            listed.tokens.push(token);
        }
    }
    Ok(listing)
}

/// Opens an anonymous session. The one the browser had before ends: a secret that came from outside
/// is never taken over.
pub async fn open_anonymous(
    app: &App,
    before: Option<SecretDigest>,
    device: Device,
) -> Result<Welcome, StoreFailed> {
    let (sid, secret, now) = (app.ambient.session_id(), app.ambient.secret(), app.ambient.now());
    let session = Session::open_anonymous(sid, &secret, now);
    let event = Event { session: Some(sid), ..app.event(EventKind::SessionOpened, &device) };
    let new = NewSession {
        session: session.clone(),
        proved: None,
        device: device.clone(),
        whereabouts: None,
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
