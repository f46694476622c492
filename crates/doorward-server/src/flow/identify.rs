//! Who is asking: from a credential to a live session, by either carrier.
//!
//! ```text
//!   Credential ──recognise──▶ Recognised ──unasked──▶ Caller
//!                                 │
//!                                 └─ does not look like its session's own: may prove itself again,
//!                                    or sign out, and nothing else
//! ```

use std::sync::Arc;

use doorward_core::binding::{BindingRefusal, Shown as ShownTicket};
pub use doorward_core::device::Sighting;
use doorward_core::event::{Event, EventKind};
use doorward_core::grant::OWN_CLIENT;
use doorward_core::hijack::Signal;
use doorward_core::retired::RetiredRefusal;
use doorward_core::session::{Carrier, Device, LiveSession, Session, SessionRefusal};
use doorward_core::site::Origin;
use doorward_store::act::{Found, StoreFailed};
use doorward_wire::cookie::PresentedPass;
use doorward_wire::dbsc::PresentedTicket;
use doorward_wire::jose::Thumbprint;
use doorward_wire::token::{AccessClaims, Expectation, Shown, TokenRefusal, VerifiedToken};
use doorward_wire::{PresentedSecret, SessionId, UnixTime};

use super::dpop::{self, DpopError, ShownProof};
use super::suspicion;
use crate::App;

/// What a request showed to say who is asking.
#[derive(Debug)]
pub enum Credential {
    /// Nothing.
    Nothing,
    /// The session cookie's secret, and the ticket that a bound session needs beside it.
    Cookie(PresentedSecret, Option<PresentedTicket>),
    /// An access token. It wins over a cookie, and a bad one never falls back to it.
    Bearer(String),
    /// An access token that is bound to a key, and the proof of that key.
    Bound(String, ShownProof),
    /// An access token that is shown to a site behind a proxy, and must be for it.
    ForSite(String, Origin),
    /// A personal access token that is shown to a site behind a proxy, and must be for it.
    Personal(String, Origin),
    /// A pass that is shown to a site behind a proxy. It opens nothing of ours.
    Pass(PresentedPass, Origin),
    /// Something in our place that cannot be a credential.
    Unusable,
}

/// What a request is about, as far as it matters to who is asking.
#[derive(Clone, Copy, Debug)]
pub struct Errand<'a> {
    /// What it shows of the device behind it.
    pub from: Sighting<'a>,
    /// When it came. Its body may have taken a while since.
    pub arrived_at: UnixTime,
    /// Whether it can change nothing (RFC 9110, section 9.2.1).
    pub is_safe: bool,
    /// Whether a browser comes to a page of ours from somewhere else. Before that it does not show
    /// its device's key, so that nobody can time it: it has to be asked again from our own page.
    pub arrives: bool,
}

impl<'a> Errand<'a> {
    /// What a request is about that is to end its own session.
    #[must_use]
    pub fn to_end(from: Sighting<'a>, arrived_at: UnixTime) -> Self {
        Self { from, arrived_at, is_safe: false, arrives: false }
    }
}

/// Whose session a request has shown. Whether it looks like that session's own is not decided by this.
#[derive(Debug)]
pub struct Recognised {
    caller: Caller,
    asked: Option<Signal>,
}

/// Who is asking. Only [`identify`] makes one.
#[derive(Debug)]
pub struct Caller {
    live: LiveSession,
    device: Device,
    carrier: Carrier,
    token: Option<Arc<VerifiedToken>>,
}

/// Why nobody is asking.
#[derive(Debug, thiserror::Error)]
pub enum IdentifyError {
    /// Nothing was shown.
    #[error("no credential")]
    Nothing,
    /// What was shown is not ours, or counts no longer. The log says which.
    #[error("the credential was refused: {0}")]
    Refused(Refused),
    /// The proof that was shown beside a token does not count.
    #[error(transparent)]
    Proof(DpopError),
    /// The request does not look like its session's own: whoever asks is to prove themselves again.
    #[error("asked for a new proof: {}", .0.name())]
    Asked(Signal),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreFailed),
}

/// Which credential was refused, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The cookie.
    Cookie(Option<SessionRefusal>),
    /// The cookie's secret was retired.
    Retired(RetiredRefusal),
    /// The session is bound to a device, and nothing shows that this is it. It has not ended.
    Unbound(BindingRefusal),
    /// The token itself.
    Token(TokenRefusal),
    /// A site's pass, or the session that it hangs from.
    Pass(Option<SessionRefusal>),
    /// The pass was made before its session's owner proved themselves again.
    PassOlder,
    /// A token that was shown with a proof.
    Bound(TokenRefusal),
    /// The session that such a token hangs from counts no longer, or has been proved anew since.
    BoundSession,
    /// The session that the token hangs from.
    TokenSession(Option<SessionRefusal>),
    /// The client that the token is of is not there, or its tokens of then count no longer.
    TokenClient,
    /// The token was issued before its session's owner proved themselves again.
    TokenOlder,
    /// Neither a cookie's secret nor a token.
    Unusable,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cookie(None) => f.write_str("no session answers to the cookie"),
            Self::Cookie(Some(refusal)) => write!(f, "cookie: {refusal:?}"),
            Self::Retired(refusal) => write!(f, "retired secret: {refusal:?}"),
            Self::Unbound(refusal) => write!(f, "bound session: {}", refusal.reason()),
            Self::Bound(refusal) => write!(f, "token with a proof: {}", refusal.reason()),
            Self::BoundSession => f.write_str("the session of a token with a proof has ended"),
            Self::Token(refusal) => write!(f, "token: {}", refusal.reason()),
            Self::Pass(None) => {
                f.write_str("the pass is not one of this site's, or its session has ended")
            }
            Self::Pass(Some(refusal)) => write!(f, "pass's session: {refusal:?}"),
            Self::PassOlder => f.write_str("the pass is older than its session's secret"),
            Self::TokenSession(None) => f.write_str("the token's session has ended"),
            Self::TokenSession(Some(refusal)) => write!(f, "token's session: {refusal:?}"),
            Self::TokenClient => f.write_str("the token's client counts no longer"),
            Self::TokenOlder => f.write_str("the token is older than its session's secret"),
            Self::Unusable => f.write_str("not a credential"),
        }
    }
}

impl From<DpopError> for IdentifyError {
    fn from(error: DpopError) -> Self {
        match error {
            DpopError::Store(failure) => Self::Store(failure),
            other => Self::Proof(other),
        }
    }
}

impl Caller {
    /// The session.
    #[must_use]
    pub fn live(&self) -> &LiveSession {
        &self.live
    }

    /// What the session is known by.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// What carried this request's proof.
    #[must_use]
    pub fn carrier(&self) -> Carrier {
        self.carrier
    }

    /// The session's id.
    #[must_use]
    pub fn sid(&self) -> SessionId {
        self.live.session().sid
    }

    /// What a token allows; `None` with a cookie.
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        self.token.as_ref().map(|token| token.as_unrevoked().scope.as_str())
    }

    /// The key that the token was bound to, if a token was shown and it was.
    #[must_use]
    pub fn jkt(&self) -> Option<Thumbprint> {
        Thumbprint::parse(&self.token.as_ref()?.as_unrevoked().cnf.as_ref()?.jkt)
    }

    /// Whether a token was shown, and no cookie.
    #[must_use]
    pub fn is_program(&self) -> bool {
        self.token.is_some()
    }

    /// Whether a token allows `scope`. A cookie is its owner in person and allows everything they
    /// may do.
    #[must_use]
    pub fn allows(&self, scope: &str) -> bool {
        self.scope().is_none_or(|granted| granted.split(' ').any(|name| name == scope))
    }
}

impl Recognised {
    /// Whoever shows the session. They may prove themselves again, or sign out: nothing else, unless
    /// [`unasked`](Self::unasked).
    #[must_use]
    pub fn anyway(&self) -> &Caller {
        &self.caller
    }

    /// Whether the request looks unlike its session's own.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// Who is asking, unless they are to prove themselves again first.
    pub fn unasked(self) -> Result<Caller, IdentifyError> {
        match self.asked {
            Some(signal) => Err(IdentifyError::Asked(signal)),
            None => Ok(self.caller),
        }
    }
}

/// Finds out who is asking.
pub async fn identify(
    app: &App,
    credential: &Credential,
    errand: Errand<'_>,
) -> Result<Caller, IdentifyError> {
    recognise(app, credential, errand).await?.unasked()
}

/// Finds out whose session is shown, and whether the request looks like that session's own.
///
/// The store is asked each time: what has ended is refused from the moment its end
/// was acknowledged.
pub async fn recognise(
    app: &App,
    credential: &Credential,
    errand: Errand<'_>,
) -> Result<Recognised, IdentifyError> {
    let (caller, is_current) = match credential {
        Credential::Nothing => return Err(IdentifyError::Nothing),
        // It has no session: where it counts it is asked about as what it is.
        Credential::Unusable | Credential::Personal(..) => {
            return Err(IdentifyError::Refused(Refused::Unusable));
        }
        Credential::Cookie(secret, ticket) => {
            by_cookie(app, (secret, ticket.as_ref()), errand).await?
        }
        Credential::Bearer(token) => (by_token(app, (token, Shown::Bearer), "").await?, true),
        Credential::Bound(token, shown) => (by_bound_token(app, token, shown).await?, true),
        Credential::ForSite(token, site) => {
            (by_token(app, (token, Shown::Bearer), site.as_str()).await?, true)
        }
        Credential::Pass(pass, site) => (by_pass(app, pass, site).await?, true),
    };
    let asked = suspicion::look(app, caller.live.session(), &caller.device, errand.from);
    // What was on its way when the secret was renewed is no new sign of life. A thief's requests do
    // not keep the session awake, nor move it to where the thief is.
    if is_current && asked.is_none() {
        app.touch(&caller.live, errand.from.ip);
    }
    Ok(Recognised { caller, asked })
}

/// Finds out whose session a request may end. To end a bound session its secret is enough: somebody
/// whose browser has lost the key must still be able to sign out. So must whoever is asked for a new
/// proof.
pub async fn identify_to_end(
    app: &App,
    credential: &Credential,
    errand: Errand<'_>,
) -> Result<Caller, IdentifyError> {
    match credential {
        Credential::Cookie(secret, _) => {
            let (live, device, _) = by_secret(app, secret, errand).await?;
            Ok(Caller { live, device, carrier: Carrier::Cookie, token: None })
        }
        Credential::Nothing
        | Credential::Unusable
        | Credential::Bearer(_)
        | Credential::Bound(..)
        | Credential::ForSite(..)
        | Credential::Personal(..)
        | Credential::Pass(..) => Ok(recognise(app, credential, errand).await?.caller),
    }
}

/// Also says whether the secret is the session's own still, and not the one before.
async fn by_cookie(
    app: &App,
    (secret, ticket): (&PresentedSecret, Option<&PresentedTicket>),
    errand: Errand<'_>,
) -> Result<(Caller, bool), IdentifyError> {
    let (live, device, is_current) = by_secret(app, secret, errand).await?;
    check_device(app, &live, ticket, errand)?;
    Ok((Caller { live, device, carrier: Carrier::Cookie, token: None }, is_current))
}

/// Checks that a bound session is used on its own device.
fn check_device(
    app: &App,
    live: &LiveSession,
    ticket: Option<&PresentedTicket>,
    errand: Errand<'_>,
) -> Result<(), IdentifyError> {
    let session = live.session();
    let Some(bound) = session.bound else { return Ok(()) };
    let shown = ticket.map_or(ShownTicket::Nothing, |ticket| {
        let end = app.keys.tickets().read_cookie((session.sid, bound.key), ticket);
        end.map_or(ShownTicket::Forged, ShownTicket::Until)
    });
    bound.admit(shown, app.ambient.now()).map_err(|refusal| {
        // Whoever follows a link to us is nobody to be suspected.
        if !errand.arrives {
            let event = Event {
                account: session.owner.map(|owner| owner.account),
                session: Some(session.sid),
                reason: Some(refusal.reason().into()),
                ..app.event(EventKind::BindingRefused, &errand.from.device())
            };
            app.tell(session, event);
        }
        IdentifyError::Refused(Refused::Unbound(refusal))
    })
}

/// The session that answers to a secret, and whether it is its secret now.
async fn by_secret(
    app: &App,
    secret: &PresentedSecret,
    errand: Errand<'_>,
) -> Result<(LiveSession, Device, bool), IdentifyError> {
    let found = app.store.session_by_key(secret.digest()).await?;
    let is_current = found.is_some();
    let found = match found {
        Some(found) => Some(found),
        None => by_retired(app, secret, errand).await?,
    };
    let (live, device) =
        check(app, found).map_err(|why| IdentifyError::Refused(Refused::Cookie(why)))?;
    Ok((live, device, is_current))
}

/// Looks whether a secret that opens nothing did so once. One that is perhaps still on its way reads;
/// a copy of an old cookie ends its session.
async fn by_retired(
    app: &App,
    secret: &PresentedSecret,
    errand: Errand<'_>,
) -> Result<Option<Found>, IdentifyError> {
    let retired = app.store.session_by_retired_key(secret.digest()).await?;
    let Some((found, retired)) = retired else { return Ok(None) };
    let now = app.ambient.now();
    let read = if errand.is_safe {
        retired.read(found.session.clone(), now)
    } else {
        Err(retired.refusal(now))
    };
    let refusal = match read {
        Ok(session) => return Ok(Some(Found { session, ..found })),
        Err(refusal) => refusal,
    };
    // What had come before its secret was old is too late for an answer, and nobody's copy: it was slow.
    let refusal = match refusal {
        RetiredRefusal::Reuse => retired.refusal(errand.arrived_at),
        RetiredRefusal::OnItsWay => refusal,
    };
    if refusal == RetiredRefusal::Reuse {
        end_for_reuse(app, &found.session, errand.from).await?;
    }
    Err(IdentifyError::Refused(Refused::Retired(refusal)))
}

/// Ends a session of which somebody has a copy of an old cookie.
pub(super) async fn end_for_reuse(
    app: &App,
    session: &Session,
    from: Sighting<'_>,
) -> Result<(), StoreFailed> {
    let account = session.owner.map(|owner| owner.account);
    let mut ending = app.ending("retired-secret-reused", account, &from.device());
    ending.event.kind = EventKind::SecretReuseDetected;
    app.store.end_session(session.sid, ending).await?;
    Ok(())
}

/// By a token for an audience, which is ourselves if it is empty.
async fn by_token(
    app: &App,
    (text, shown): (&str, Shown<'_>),
    audience: &str,
) -> Result<Caller, IdentifyError> {
    let issuer = app.settings.site.issuer();
    let offered = app.settings.audience(audience).map(|(algorithm, _)| algorithm);
    let algorithms =
        [offered.ok_or(IdentifyError::Refused(Refused::Token(TokenRefusal::Audience)))?];
    let audience = if audience.is_empty() { issuer } else { audience };
    let expected = Expectation { issuer, audience, algorithms: &algorithms, shown };
    let verified = app
        .seen_tokens()
        .verify(text, &app.keys.verifying(), &expected, app.ambient.now())
        .map_err(|refusal| IdentifyError::Refused(Refused::Token(refusal)))?;
    let (live, device) = behind_token(app, &verified).await?;
    Ok(Caller { live, device, carrier: Carrier::Token, token: Some(verified) })
}

/// By a token that is bound to a key. The proof is spent last: garbage takes no room among those that are
/// remembered.
async fn by_bound_token(
    app: &App,
    text: &str,
    shown: &ShownProof,
) -> Result<Caller, IdentifyError> {
    let proof = dpop::read(app, shown, Some(text))?;
    let jkt = proof.thumbprint().to_string();
    let found = by_token(app, (text, Shown::WithProof { jkt: &jkt }), "").await;
    let caller = found.map_err(|error| match error {
        IdentifyError::Refused(Refused::Token(refusal)) => {
            IdentifyError::Refused(Refused::Bound(refusal))
        }
        IdentifyError::Refused(_) => IdentifyError::Refused(Refused::BoundSession),
        other => other,
    })?;
    dpop::spend(app, &proof).await?;
    Ok(caller)
}

/// The session that a pass hangs from, if it is a pass of this site.
async fn by_pass(app: &App, shown: &PresentedPass, site: &Origin) -> Result<Caller, IdentifyError> {
    let refused = |why| IdentifyError::Refused(Refused::Pass(why));
    let pass = app.keys.passes().read(app.settings.pass_form(site), shown);
    let pass = pass.ok_or(refused(None))?;
    let found = app.store.session(pass.sid).await?;
    let (live, device) = check(app, found).map_err(refused)?;
    if pass.proved_at < live.session().proved_at {
        return Err(IdentifyError::Refused(Refused::PassOlder));
    }
    Ok(Caller { live, device, carrier: Carrier::Cookie, token: None })
}

/// The session that a token hangs from. It is asked itself, which is stricter than the log: a token
/// counts while its session does.
pub(super) async fn behind_token(
    app: &App,
    token: &VerifiedToken,
) -> Result<(LiveSession, Device), IdentifyError> {
    let found = app.store.session(token.sid()).await?;
    let (live, device) =
        check(app, found).map_err(|why| IdentifyError::Refused(Refused::TokenSession(why)))?;
    let claims = token.as_unrevoked();
    // The session has been given a new secret since: what was stolen before is worth nothing now.
    if claims.auth_time < live.session().proved_at {
        return Err(IdentifyError::Refused(Refused::TokenOlder));
    }
    if live.account().map(|account| account.id) != Some(claims.sub) {
        return Err(IdentifyError::Refused(Refused::TokenSession(None)));
    }
    if claims.client_id != OWN_CLIENT && !hangs_on(app, claims).await? {
        return Err(IdentifyError::Refused(Refused::TokenClient));
    }
    Ok((live, device))
}

/// Whether a client still has the refresh token beside its access token: it goes when the client does, and
/// when the code that both came of came twice.
async fn hangs_on(app: &App, claims: &AccessClaims) -> Result<bool, StoreFailed> {
    let tokens = app.store.tokens_of(&[claims.sid]).await?;
    Ok(tokens.iter().any(|token| token.grant.client == claims.client_id))
}

/// Whether what a caller showed a while ago would be accepted now, with the same role: for an answer
/// that takes long.
pub async fn is_still(app: &App, caller: &Caller) -> Result<(), IdentifyError> {
    let Some(token) = &caller.token else {
        return Err(IdentifyError::Refused(Refused::Unusable));
    };
    token
        .check_time(app.ambient.now())
        .map_err(|refusal| IdentifyError::Refused(Refused::Token(refusal)))?;
    let (live, _) = behind_token(app, token).await?;
    let role = |live: &LiveSession| live.account().map(|account| account.role);
    if role(&live) != role(&caller.live) {
        return Err(IdentifyError::Refused(Refused::TokenSession(None)));
    }
    Ok(())
}

pub(super) fn check(
    app: &App,
    found: Option<Found>,
) -> Result<(LiveSession, Device), Option<SessionRefusal>> {
    let found = found.ok_or(None)?;
    found.check(&app.settings.lifetimes, app.ambient.now()).map_err(Some)
}
