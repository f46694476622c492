//! Who is asking: from a credential to a live session, by either carrier.

use doorward_core::event::EventKind;
use doorward_core::retired::{self, RetiredRefusal};
use doorward_core::session::{Carrier, Device, LiveSession, SessionRefusal};
use doorward_store::act::{Found, StoreFailed};
use doorward_wire::token::{self, Expectation, Shown, TokenRefusal};
use doorward_wire::{PresentedSecret, SessionId};

use crate::App;

/// What a request showed to say who is asking.
#[derive(Debug)]
pub enum Credential {
    /// Nothing.
    Nothing,
    /// The session cookie's secret.
    Cookie(PresentedSecret),
    /// An access token. It wins over a cookie, and a bad one never falls back to it.
    Bearer(String),
    /// Something in our place that cannot be a credential.
    Unusable,
}

/// Who is asking. Only [`identify`] makes one.
#[derive(Debug)]
pub struct Caller {
    live: LiveSession,
    device: Device,
    carrier: Carrier,
    scope: Option<String>,
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
    /// The token itself.
    Token(TokenRefusal),
    /// The session that the token hangs from.
    TokenSession(Option<SessionRefusal>),
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
            Self::Token(refusal) => write!(f, "token: {}", refusal.reason()),
            Self::TokenSession(None) => f.write_str("the token's session has ended"),
            Self::TokenSession(Some(refusal)) => write!(f, "token's session: {refusal:?}"),
            Self::TokenOlder => f.write_str("the token is older than its session's secret"),
            Self::Unusable => f.write_str("not a credential"),
        }
    }
}

impl Caller {
    /// The session.
    #[must_use]
    pub fn live(&self) -> &LiveSession {
        &self.live
    }

    /// What opened the session.
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
        self.scope.as_deref()
    }

    /// Whether a token allows `scope`. A cookie is its owner in person and allows everything they
    /// may do.
    #[must_use]
    pub fn allows(&self, scope: &str) -> bool {
        self.scope.as_ref().is_none_or(|granted| granted.split(' ').any(|name| name == scope))
    }
}

/// Finds out who is asking.
///
/// The session is read from the store each time: what has ended is refused from the moment its end
/// was acknowledged.
pub async fn identify(
    app: &App,
    credential: &Credential,
    ip: &str,
) -> Result<Caller, IdentifyError> {
    let caller = match credential {
        Credential::Nothing => return Err(IdentifyError::Nothing),
        Credential::Unusable => return Err(IdentifyError::Refused(Refused::Unusable)),
        Credential::Cookie(secret) => by_cookie(app, secret, ip).await?,
        Credential::Bearer(token) => by_token(app, token).await?,
    };
    app.touch(&caller.live);
    Ok(caller)
}

async fn by_cookie(app: &App, secret: &PresentedSecret, ip: &str) -> Result<Caller, IdentifyError> {
    let found = app.store.session_by_key(secret.digest()).await?;
    if found.is_none() {
        refuse_retired(app, secret, ip).await?;
    }
    let (live, device) =
        check(app, found).map_err(|why| IdentifyError::Refused(Refused::Cookie(why)))?;
    Ok(Caller { live, device, carrier: Carrier::Cookie, scope: None })
}

/// Looks whether a secret that opens nothing did so once. A copy of an old cookie ends its session.
async fn refuse_retired(
    app: &App,
    secret: &PresentedSecret,
    ip: &str,
) -> Result<(), IdentifyError> {
    let retired = app.store.session_by_retired_key(secret.digest()).await?;
    let Some((found, retired_at)) = retired else { return Ok(()) };
    let refusal = retired::refusal(retired_at, app.ambient.now());
    if refusal == RetiredRefusal::Reuse {
        let (sid, account) = (found.session.sid, found.session.owner.map(|owner| owner.account));
        let mut ending = app.ending("retired-secret-reused", account, ip);
        ending.event.kind = EventKind::SecretReuseDetected;
        app.store.end_session(sid, ending).await?;
    }
    Err(IdentifyError::Refused(Refused::Retired(refusal)))
}

async fn by_token(app: &App, text: &str) -> Result<Caller, IdentifyError> {
    let issuer = app.settings.site.issuer();
    let algorithms = [app.settings.algorithm];
    let expected =
        Expectation { issuer, audience: issuer, algorithms: &algorithms, shown: Shown::Bearer };
    let verified = token::verify(text, &app.keys.verifying(), &expected, app.ambient.now())
        .map_err(|refusal| IdentifyError::Refused(Refused::Token(refusal)))?;
    // The session itself is asked, which is stricter than the log: a token counts while it does.
    let found = app.store.session(verified.sid()).await?;
    let (live, device) =
        check(app, found).map_err(|why| IdentifyError::Refused(Refused::TokenSession(why)))?;
    let claims = verified.unrevoked();
    // The session has been given a new secret since: what was stolen before is worth nothing now.
    if claims.auth_time < live.session().proved_at {
        return Err(IdentifyError::Refused(Refused::TokenOlder));
    }
    if live.account().map(|account| account.id) != Some(claims.sub) {
        return Err(IdentifyError::Refused(Refused::TokenSession(None)));
    }
    Ok(Caller { live, device, carrier: Carrier::Token, scope: Some(claims.scope) })
}

fn check(app: &App, found: Option<Found>) -> Result<(LiveSession, Device), Option<SessionRefusal>> {
    let found = found.ok_or(None)?;
    found.check(&app.settings.lifetimes, app.ambient.now()).map_err(Some)
}
