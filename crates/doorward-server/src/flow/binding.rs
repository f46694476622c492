//! Binding a session to the device that it was opened on, and asking for that device again.
//!
//! ```text
//!   offer ──▶ register ──▶ ticket ──runs out──▶ refresh ──▶ ticket ──▶ …
//!                                                 │
//!                                                 └──▶ Challenge: sign this one instead
//! ```

use doorward_core::binding::{self, Bound, ChallengeRefusal};
use doorward_core::device::Sighting;
use doorward_core::event::{Event, EventKind};
use doorward_core::retired::RetiredRefusal;
use doorward_core::session::LiveSession;
use doorward_store::act::{BindError, Found, KeptBinding, NewBinding, Spending, StoreFailed};
use doorward_wire::dbsc::{
    About, Claims, ProofKey, ProofRefusal, REFRESH_PATH, REGISTER_PATH, Registration,
};
use doorward_wire::{PresentedSecret, SessionId};

use super::identify;
use crate::App;

/// What a browser shows of its device.
#[derive(Debug)]
pub struct Asking<'a> {
    /// The session's secret.
    pub secret: &'a PresentedSecret,
    /// The session that the browser says this is about, if it says so.
    pub sid: Option<SessionId>,
    /// The proof, if it has made one.
    pub proof: Option<&'a str>,
    /// Where this comes from.
    pub from: Sighting<'a>,
}

/// What a device that showed its key gets.
#[derive(Debug)]
pub struct Granted {
    /// The session.
    pub sid: SessionId,
    /// The bound cookie's value.
    pub ticket: String,
    /// What the next proof must be over.
    pub challenge: String,
}

/// Why a device gets no ticket.
#[derive(Debug, thiserror::Error)]
pub enum BindingError {
    /// No session answers, or it is another than the browser thinks, or it is not bound. The browser
    /// may forget it.
    #[error("no such bound session")]
    NoSession,
    /// What was shown proves nothing.
    #[error("the proof was refused: {0}")]
    Proof(ProofError),
    /// The proof is the device's own, or not there yet, and this is what it must be over.
    #[error("another challenge")]
    Challenge(SessionId, String),
    /// The key in our store is not a key.
    #[error("a kept key cannot be read")]
    Unreadable,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreFailed),
}

/// What is wrong with a proof. The log is told; the other side is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The session is bound already.
    #[error("already-bound")]
    Bound,
    /// There is none.
    #[error("proof-missing")]
    Missing,
    /// It is not one, or another key's.
    #[error("{0}")]
    Refused(#[from] ProofRefusal),
    /// It was made for another address.
    #[error("wrong-audience")]
    Audience,
    /// It is over a challenge that we did not give for this.
    #[error("unknown-challenge")]
    UnknownChallenge,
    /// It is over one that was answered before.
    #[error("spent-challenge")]
    SpentChallenge,
    /// It is over one that was given too long ago.
    #[error("expired-challenge")]
    ExpiredChallenge,
}

/// The challenge of an offer to bind this session, if it can be bound.
///
/// It goes out only with a new secret, to whoever has just proved themselves: a copy of the cookie
/// is not enough to bind the session to a thief's key.
#[must_use]
pub fn offer(app: &App, live: &LiveSession) -> Option<String> {
    let session = live.session();
    let is_fit = app.settings.site.can_bind() && app.settings.binding.offered;
    if !is_fit || session.bound.is_some() || live.account().is_none() {
        return None;
    }
    let number = binding::next_number(None, app.ambient.clock.unix_ms());
    let about = About::Registration(session.sid);
    Some(app.keys.tickets().challenge(about, number, app.ambient.random()))
}

/// Binds a session to the key that a first proof brings.
pub async fn register(app: &App, asking: &Asking<'_>) -> Result<Granted, BindingError> {
    let live = holder(app, asking).await?;
    let (sid, now) = (live.session().sid, app.ambient.now());
    let refused = |error| refuse(app, &live, (error, asking.from));
    if live.account().is_none() {
        return Err(BindingError::NoSession);
    }
    if live.session().bound.is_some() {
        return Err(refused(ProofError::Bound));
    }
    let token = asking.proof.ok_or_else(|| refused(ProofError::Missing))?;
    let Registration { key, claims } =
        Registration::read(token).map_err(|error| refused(error.into()))?;
    let number = answered(app, About::Registration(sid), (&claims, REGISTER_PATH))
        .and_then(|number| fresh(app, (number, None)))
        .map_err(refused)?;
    let bound = Bound { key: key.thumbprint(), at: now };
    let event = Event {
        account: live.account().map(|account| account.id),
        session: Some(sid),
        ..app.event(EventKind::SessionBound, &asking.from.device())
    };
    let new = NewBinding { sid, bound, jwk: key.to_json(), spent: number, event };
    app.store.bind(new).await.map_err(|error| match error {
        BindError::Bound => refused(ProofError::Bound),
        BindError::Gone => BindingError::NoSession,
        BindError::Failed(failure) => failure.into(),
    })?;
    Ok(grant(app, (sid, bound), number))
}

/// Gives a bound session's device its next ticket, if it shows that it has the key.
///
/// It is no use of the session: a browser does this by itself, and an idle session ends all the same.
pub async fn refresh(app: &App, asking: &Asking<'_>) -> Result<Granted, BindingError> {
    let live = holder(app, asking).await?;
    let sid = live.session().sid;
    let bound = live.session().bound.ok_or(BindingError::NoSession)?;
    // A browser that has signed in anew still knows the session before: it may forget that.
    if asking.sid != Some(sid) {
        return Err(BindingError::NoSession);
    }
    let kept = app.store.binding(sid).await?.ok_or(BindingError::NoSession)?;
    let key = read_key(&kept, bound)?;
    let Some(token) = asking.proof else { return Err(challenge(app, (sid, bound), kept.spent)) };
    let about = About::Bound(sid, bound.key);
    let claims =
        key.verify(token).map_err(|error| refuse(app, &live, (error.into(), asking.from)))?;
    let checked = answered(app, about, (&claims, REFRESH_PATH))
        .and_then(|number| fresh(app, (number, Some(kept.spent))));
    let number = match checked {
        Ok(number) => number,
        Err(error) => return Err(ask_again(app, &live, (bound, kept.spent), (error, asking.from))),
    };
    match app.store.spend_challenge(sid, number).await? {
        Spending::Counted => Ok(grant(app, (sid, bound), number)),
        Spending::Gone => Err(BindingError::NoSession),
        Spending::Late => {
            let kept = app.store.binding(sid).await?.ok_or(BindingError::NoSession)?;
            let error = ProofError::SpentChallenge;
            Err(ask_again(app, &live, (bound, kept.spent), (error, asking.from)))
        }
    }
}

/// The session whose secret was shown. A ticket is not asked for: it is what is being asked for.
///
/// The secret may be the one before, for as long as it can have been on its way: the proof itself
/// opens nothing without the new one, and a browser whose refresh is refused forgets its key.
async fn holder(app: &App, asking: &Asking<'_>) -> Result<LiveSession, BindingError> {
    let digest = asking.secret.digest();
    let found = match app.store.session_by_key(digest).await? {
        Some(found) => found,
        None => on_its_way(app, asking).await?,
    };
    let checked = identify::check(app, Some(found));
    checked.map(|(live, _)| live).map_err(|_| BindingError::NoSession)
}

async fn on_its_way(app: &App, asking: &Asking<'_>) -> Result<Found, BindingError> {
    let retired = app.store.session_by_retired_key(asking.secret.digest()).await?;
    let (found, retired) = retired.ok_or(BindingError::NoSession)?;
    match retired.refusal(app.ambient.now()) {
        RetiredRefusal::OnItsWay => Ok(found),
        RetiredRefusal::Reuse => {
            identify::end_for_reuse(app, &found.session, asking.from).await?;
            Err(BindingError::NoSession)
        }
    }
}

fn read_key(kept: &KeptBinding, bound: Bound) -> Result<ProofKey, BindingError> {
    let key = ProofKey::from_json(&kept.jwk).map_err(|_| BindingError::Unreadable)?;
    if key.thumbprint() != bound.key {
        return Err(BindingError::Unreadable);
    }
    Ok(key)
}

/// The number of the challenge that a proof answers, if we gave it for this and the proof is for us.
fn answered(app: &App, about: About, (claims, path): (&Claims, &str)) -> Result<u64, ProofError> {
    let ours = format!("{}{path}", app.settings.site.issuer());
    if claims.audience.as_ref().is_some_and(|audience| *audience != ours) {
        return Err(ProofError::Audience);
    }
    let number = app.keys.tickets().read_challenge(about, &claims.challenge);
    number.ok_or(ProofError::UnknownChallenge)
}

fn fresh(app: &App, (number, spent): (u64, Option<u64>)) -> Result<u64, ProofError> {
    let (policy, now_ms) = (&app.settings.binding, app.ambient.clock.unix_ms());
    match binding::check_challenge((number, spent), policy, now_ms) {
        Ok(()) => Ok(number),
        Err(ChallengeRefusal::Expired) => Err(ProofError::ExpiredChallenge),
        Err(ChallengeRefusal::Spent) => Err(ProofError::SpentChallenge),
    }
}

fn grant(app: &App, (sid, bound): (SessionId, Bound), spent: u64) -> Granted {
    let end = app.ambient.now().after(app.settings.binding.life);
    let ticket = app.keys.tickets().cookie((sid, bound.key), end);
    Granted { sid, ticket, challenge: next_challenge(app, (sid, bound), spent) }
}

fn next_challenge(app: &App, (sid, bound): (SessionId, Bound), spent: u64) -> String {
    let number = binding::next_number(Some(spent), app.ambient.clock.unix_ms());
    app.keys.tickets().challenge(About::Bound(sid, bound.key), number, app.ambient.random())
}

fn challenge(app: &App, (sid, bound): (SessionId, Bound), spent: u64) -> BindingError {
    BindingError::Challenge(sid, next_challenge(app, (sid, bound), spent))
}

/// What becomes of a proof that the session's own key made, over a challenge that does not count.
///
/// An old one is what an honest browser has after a while. One that was never given, or was answered
/// before, is told to the log: an honest browser shows it only when an answer was lost.
fn ask_again(
    app: &App,
    live: &LiveSession,
    (bound, spent): (Bound, u64),
    (error, from): (ProofError, Sighting<'_>),
) -> BindingError {
    match error {
        ProofError::ExpiredChallenge => {}
        ProofError::UnknownChallenge | ProofError::SpentChallenge => {
            drop(refuse(app, live, (error, from)));
        }
        ProofError::Bound | ProofError::Missing | ProofError::Refused(_) | ProofError::Audience => {
            return refuse(app, live, (error, from));
        }
    }
    challenge(app, (live.session().sid, bound), spent)
}

/// Writes down that a proof was refused.
fn refuse(
    app: &App,
    live: &LiveSession,
    (error, from): (ProofError, Sighting<'_>),
) -> BindingError {
    let event = Event {
        account: live.account().map(|account| account.id),
        session: Some(live.session().sid),
        reason: Some(error.to_string().into()),
        ..app.event(EventKind::BindingRefused, &from.device())
    };
    app.tell(live.session(), event);
    BindingError::Proof(error)
}
