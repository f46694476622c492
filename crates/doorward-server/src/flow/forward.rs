//! Forward authorization: whether a request to somebody's app may go on, asked by the proxy before it.
//!
//! ```text
//!   browser ──▶ proxy ──"GET https://wiki.example.com/x, with these cookies?"──▶ here
//!                 │  ◀── 200 and who it is  ·  to the login page  ·  403 ────────┘
//!                 ▼
//!                app
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use doorward_core::site::{Member, Origin, Ruling, Verdict, Visit};
use doorward_store::act::StoreFailed;
use doorward_wire::token::AssertionClaims;
use doorward_wire::{KeyId, SessionId, UnixTime};

use super::identify::{self, Caller, Credential, Errand, IdentifyError};
use super::issue::{self, IssueError};
use crate::App;

/// How long an assertion counts: long enough for clocks that differ, too short to be kept.
const ASSERTION_LIFE: std::time::Duration = std::time::Duration::from_mins(1);

/// How long an assertion is said again before another is signed, in seconds.
const SAID_AGAIN: u64 = 20;

/// The most assertions that are remembered: about 10 MB of them.
const SAID_MAX: usize = 10_000;

/// What was decided about a request to a site.
#[derive(Debug)]
pub struct Decision {
    /// Whether it may go on.
    pub verdict: Verdict,
    /// Who is asking, if that is known.
    pub caller: Option<Caller>,
}

/// Why nothing was decided.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// No such site is set up.
    #[error("no site is set up for {0}")]
    UnknownSite(Origin),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreFailed),
}

/// Decides whether a request to a site may go on.
pub async fn decide(
    app: &App,
    (origin, visit): (&Origin, Visit<'_>),
    credential: &Credential,
    errand: Errand<'_>,
) -> Result<Decision, ForwardError> {
    let unknown = || ForwardError::UnknownSite(origin.clone());
    let site = app.settings.protected(origin).ok_or_else(unknown)?;
    let caller = match identify::identify(app, credential, errand).await {
        Ok(caller) => Some(caller),
        // Whoever is to prove themselves again is nobody until they have.
        Err(
            IdentifyError::Nothing
            | IdentifyError::Refused(_)
            | IdentifyError::Proof(_)
            | IdentifyError::Asked(_),
        ) => None,
        Err(IdentifyError::Store(failure)) => return Err(failure.into()),
    };
    let who = caller.as_ref().and_then(|caller| Member::of(caller.live()));
    let Ruling { mut verdict, rule } = site.rule_on(visit, who, app.ambient.now());
    // A bad token is never "nobody": what is open to anybody is not open to it.
    let is_bad =
        caller.is_none() && matches!(credential, Credential::ForSite(..) | Credential::Unusable);
    if is_bad && verdict == Verdict::Allowed {
        verdict = Verdict::SignIn;
    }
    tracing::debug!(%origin, method = visit.method, path = visit.path, ?verdict, rule, "authz");
    Ok(Decision { verdict, caller })
}

/// What was said of late, so that a signature is made once in a while and not for each request.
#[derive(Debug, Default)]
pub(crate) struct Said(parking_lot::Mutex<HashMap<(SessionId, Origin), SaidOne>>);

#[derive(Debug)]
struct SaidOne {
    claims: AssertionClaims,
    key: KeyId,
    text: Arc<str>,
}

/// What the app is told about whoever is asking, signed.
pub async fn assertion(
    app: &App,
    caller: &Caller,
    origin: &Origin,
) -> Result<Option<Arc<str>>, IssueError> {
    let live = caller.live();
    let Some(account) = live.account() else { return Ok(None) };
    let (algorithm, name) = match app.settings.audience(origin.as_str()) {
        Some((algorithm, _)) => (algorithm, origin.as_str()),
        None => (app.settings.algorithm, ""),
    };
    let key = issue::signing_key(app, algorithm, name).await?;
    let now = app.ambient.now();
    let session = live.session();
    let claims = AssertionClaims {
        iss: app.settings.site.issuer().to_owned(),
        sub: account.id,
        aud: origin.as_str().to_owned(),
        exp: now.after(ASSERTION_LIFE),
        iat: now,
        jti: app.ambient.token_id(),
        sid: session.sid,
        auth_time: session.proved_at,
        acr: session.acr.name().to_owned(),
        amr: session.amr.iter().map(|method| method.name().to_owned()).collect(),
        preferred_username: account.username.as_str().to_owned(),
        email: account.email.as_ref().map(|email| email.as_str().to_owned()),
        roles: vec![account.role.name().to_owned()],
        groups: Vec::new(),
    };
    let place = (session.sid, origin.clone());
    if let Some(said) = app.said().0.lock().get(&place)
        && said.key == key.kid()
        && said.still_says(&claims, now)
    {
        return Ok(Some(Arc::clone(&said.text)));
    }
    let text: Arc<str> = claims.sign(&key).map_err(|_| IssueError::Sign)?.into();
    app.said().keep(place, SaidOne { claims, key: key.kid(), text: Arc::clone(&text) }, now);
    Ok(Some(text))
}

impl SaidOne {
    /// Whether it says what would be said now, and was said just now.
    fn still_says(&self, now_said: &AssertionClaims, now: UnixTime) -> bool {
        let AssertionClaims { iat, exp, jti, .. } = self.claims;
        let is_fresh = iat <= now && now < UnixTime(iat.0 + SAID_AGAIN);
        is_fresh && self.claims == AssertionClaims { iat, exp, jti, ..now_said.clone() }
    }
}

impl Said {
    fn keep(&self, place: (SessionId, Origin), said: SaidOne, now: UnixTime) {
        let mut all = self.0.lock();
        if all.len() >= SAID_MAX && !all.contains_key(&place) {
            all.retain(|_, said| now < UnixTime(said.claims.iat.0 + SAID_AGAIN));
            if all.len() >= SAID_MAX {
                return;
            }
        }
        all.insert(place, said);
    }
}
