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

use doorward_core::account::Account;
use doorward_core::session::Assurance;
use doorward_core::site::{Member, Origin, Ruling, Verdict, Visit};
use doorward_store::act::StoreFailed;
use doorward_wire::token::AssertionClaims;
use doorward_wire::{KeyId, SessionId, UnixTime};

use super::identify::{self, Caller, Credential, Errand, IdentifyError};
use super::issue::{self, IssueError};
use super::personal::{self, Personal, ShowError};
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
    /// Who is asking.
    pub asker: Asker,
}

/// Who is asking for something of a site.
#[derive(Debug)]
pub enum Asker {
    /// Whoever it is.
    Nobody,
    /// Somebody with a session.
    Session(Box<Caller>),
    /// A program with a personal access token.
    Personal(Box<Personal>),
}

impl Decision {
    /// The account of whoever is asking, if they have one.
    #[must_use]
    pub fn account(&self) -> Option<&Account> {
        match &self.asker {
            Asker::Nobody => None,
            Asker::Session(caller) => caller.live().account(),
            Asker::Personal(personal) => Some(personal.account()),
        }
    }
}

impl Asker {
    /// What a rule can ask of them. A token of one's own shows no more than that its owner made it then.
    fn member(&self) -> Option<Member<'_>> {
        match self {
            Self::Nobody => None,
            Self::Session(caller) => Member::of(caller.live()),
            Self::Personal(personal) => Some(Member {
                account: personal.account(),
                assurance: Assurance::Aal1,
                proved_at: personal.token().created_at,
            }),
        }
    }
}

async fn asker(
    app: &App,
    credential: &Credential,
    errand: Errand<'_>,
) -> Result<Asker, StoreFailed> {
    if let Credential::Personal(text, origin) = credential {
        return match personal::show(app, text, origin.as_str()).await {
            Ok(personal) => Ok(Asker::Personal(Box::new(personal))),
            Err(ShowError::Unknown | ShowError::Refused(_)) => Ok(Asker::Nobody),
            Err(ShowError::Store(failure)) => Err(failure),
        };
    }
    match identify::identify(app, credential, errand).await {
        Ok(caller) => Ok(Asker::Session(Box::new(caller))),
        // Whoever is to prove themselves again is nobody until they have.
        Err(
            IdentifyError::Nothing
            | IdentifyError::Refused(_)
            | IdentifyError::Proof(_)
            | IdentifyError::Asked(_),
        ) => Ok(Asker::Nobody),
        Err(IdentifyError::Store(failure)) => Err(failure),
    }
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
    let asker = asker(app, credential, errand).await?;
    let Ruling { verdict, rule } = site.rule_on(visit, asker.member(), app.ambient.now());
    tracing::debug!(%origin, method = visit.method, path = visit.path, ?verdict, rule, "authz");
    Ok(Decision { verdict, asker })
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
