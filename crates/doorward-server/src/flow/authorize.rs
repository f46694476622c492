//! Authorization: a person who is signed in here lets a client have tokens of their session (RFC 6749,
//! section 4.1, as OAuth 2.1 has it).
//!
//! ```text
//!   browser ──▶ client ──"sign in there"──▶ here ──code──▶ browser ──▶ client
//!                                            ▲                            │
//!                                            └──code, verifier, secret────┘
//!                                             ──▶ access and refresh token
//! ```
//!
//! The tokens hang from the session: when that ends, so do they, at every client.
//!
//! # What this module answers
//!
//! - *An open redirect, a code for somebody else* (RFC 9700, sections 4.1 and 4.11): nobody is sent to an
//!   address that the client was not made with.
//! - *A code that is put into another's browser, or comes from another server* (RFC 9700, sections 4.4 and
//!   4.7): PKCE of everybody, and `iss` in every answer (RFC 9207).
//! - *A parameter that is there twice* (RFC 6749, section 3.1): refused before anything is read.

use doorward_core::client::{Client, ClientName, SITES};
use doorward_core::code::{CODE_LIFE, Code, PREFIX, Redemption};
use doorward_core::event::{Event, EventKind};
use doorward_core::grant::{self, Grant};
use doorward_core::redirect::RedirectUri;
use doorward_core::session::LiveSession;
use doorward_core::site::Origin;
use doorward_store::act::{RedeemError, Redeeming, StoreFailed};
use doorward_wire::dpop;
use doorward_wire::pkce::{Challenge, METHOD};
use doorward_wire::{PresentedSecret, SessionId, UnixTime};

use super::dpop::{self as flow_dpop, DpopError};
use super::identify::{Caller, Recognised, Sighting};
use super::issue::{self, IssueError, Proof, Tokens, Welcome};
use crate::App;
use crate::settings::OWN_SCOPES;

/// Where the browser of a site in another domain comes back, on that site.
pub const CALLBACK: &str = "/.doorward/callback";

/// The longest `state` that is carried back.
const STATE_MAX: usize = 1024;

/// What a client asks for, as it was sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// `client_id`
    pub client: &'a str,
    /// `redirect_uri`
    pub redirect_uri: Option<&'a str>,
    /// `response_type`
    pub response_type: Option<&'a str>,
    /// `response_mode`
    pub response_mode: Option<&'a str>,
    /// `state`
    pub state: Option<&'a str>,
    /// `scope`
    pub scope: Option<&'a str>,
    /// `code_challenge`
    pub challenge: Option<&'a str>,
    /// `code_challenge_method`
    pub method: Option<&'a str>,
    /// `prompt`
    pub prompt: Option<&'a str>,
    /// `max_age`, in seconds
    pub max_age: Option<&'a str>,
    /// Whether there is a `request` or `request_uri` (RFC 9101).
    pub has_request: bool,
}

/// What a client asks for, understood.
#[derive(Clone, Debug)]
pub struct Wanted {
    client: Client,
    back: Back,
    scope: String,
    challenge: Challenge,
    is_silent: bool,
    max_age: Option<u64>,
}

/// Where the browser goes, with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Back {
    redirect_uri: String,
    state: Option<String>,
}

/// Why a client gets nothing.
#[derive(Debug, thiserror::Error)]
pub enum AuthorizeError {
    /// There is no such client, or the address is not its own: nobody is sent anywhere.
    #[error("no such client, or not its address")]
    Stranger,
    /// The client is told, in the words of RFC 6749, section 4.1.2.1.
    #[error("{error}: {description}")]
    Told {
        /// Where.
        back: Back,
        /// The word for it.
        error: &'static str,
        /// A sentence for its developer.
        description: &'static str,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreFailed),
}

/// What is to happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The browser's owner is to sign in.
    SignIn,
    /// They are to prove themselves again.
    ProveAgain,
    /// The client gets a code.
    Code,
}

impl Back {
    /// The address with these parameters, and `state` and `iss` beside them (RFC 9207).
    #[must_use]
    pub fn with(&self, issuer: &str, parameters: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(parameters);
        if let Some(state) = &self.state {
            query.append_pair("state", state);
        }
        query.append_pair("iss", issuer);
        let joint = if self.redirect_uri.contains('?') { '&' } else { '?' };
        format!("{}{joint}{}", self.redirect_uri, query.finish())
    }

    /// The address alone.
    #[must_use]
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }
}

/// Finds out what a client asks for, whoever sits at the browser.
pub async fn read(app: &App, asked: Asked<'_>) -> Result<Wanted, AuthorizeError> {
    let id = asked.client.parse().map_err(|_| AuthorizeError::Stranger)?;
    let client = match id {
        SITES => asked.redirect_uri.and_then(|uri| our_own(app, uri)),
        id => app.store.client(id).await?,
    };
    let client = client.ok_or(AuthorizeError::Stranger)?;
    let redirect_uri = client.redirect(asked.redirect_uri).ok_or(AuthorizeError::Stranger)?;
    let state = asked.state.filter(|state| state.len() <= STATE_MAX).map(str::to_owned);
    let back = Back { redirect_uri: redirect_uri.to_owned(), state };
    let told = |error, description| AuthorizeError::Told { back: back.clone(), error, description };
    if asked.state.is_some() && back.state.is_none() {
        return Err(told("invalid_request", "state may have 1024 bytes."));
    }
    if asked.has_request {
        return Err(told("request_not_supported", "Send the parameters themselves."));
    }
    match asked.response_type {
        Some("code") => {}
        None => return Err(told("invalid_request", "response_type is missing.")),
        Some(_) => return Err(told("unsupported_response_type", "response_type is code.")),
    }
    if asked.response_mode.is_some_and(|mode| mode != "query") {
        return Err(told("invalid_request", "response_mode is query."));
    }
    if asked.method != Some(METHOD) {
        let description = "code_challenge_method is S256 (PKCE, RFC 7636).";
        return Err(told("invalid_request", description));
    }
    let challenge = asked.challenge.and_then(|text| Challenge::parse(text).ok());
    let challenge = challenge.ok_or_else(|| {
        told("invalid_request", "code_challenge is the SHA-256 of the verifier, in base64url.")
    })?;
    let scope = asked.scope.unwrap_or_default();
    if grant::check_form(scope).is_err() {
        return Err(told("invalid_scope", "scope is no list of names."));
    }
    let age = asked.max_age.map(|text| text.parse::<u64>().ok());
    if age == Some(None) {
        return Err(told("invalid_request", "max_age is a number of seconds."));
    }
    let (is_silent, asks) = match asked.prompt {
        None | Some("consent" | "select_account") => (false, false),
        Some("none") => (true, false),
        Some("login") => (false, true),
        Some(_) => return Err(told("invalid_request", "prompt is none or login.")),
    };
    // A proof of this minute was made for this: otherwise whoever comes back is asked for ever.
    let max_age = age.flatten().or(asks.then_some(60));
    Ok(Wanted { scope: scope.to_owned(), client, back, challenge, is_silent, max_age })
}

/// The client that we are ourselves, for a site of another domain.
fn our_own(app: &App, redirect_uri: &str) -> Option<Client> {
    let origin = redirect_uri.strip_suffix(CALLBACK)?;
    let (site, rest) = Origin::split(origin).ok()?;
    let is_one = rest.is_empty() && site.as_str() == origin;
    if !is_one || !app.settings.may_lead_to(&site) || !app.settings.is_far(&site) {
        return None;
    }
    Some(Client {
        id: SITES,
        name: ClientName::parse(site.host()).ok()?,
        scopes: Vec::new(),
        serves: Vec::new(),
        redirects: vec![RedirectUri::parse(redirect_uri).ok()?],
        audience: String::new(),
        is_public: true,
        created_at: UnixTime(0),
        // Nobody shows it: this client asks nothing at the token endpoint.
        secret: app.ambient.secret().digest(),
        tokens_from: UnixTime(0),
    })
}

/// Takes a code of our own, for a pass: no tokens come of it. `None` if it does not count.
pub async fn redeem_for_site(
    app: &App,
    code: &str,
    (redirect_uri, verifier): (&str, &str),
    from: Sighting<'_>,
) -> Result<Option<LiveSession>, StoreFailed> {
    let secret = code.strip_prefix(PREFIX).and_then(|text| PresentedSecret::parse(text).ok());
    let (Some(secret), Ok(challenge)) = (secret, Challenge::of(verifier)) else { return Ok(None) };
    let redeeming = Redeeming {
        key: secret.digest(),
        redemption: Redemption { client: SITES, redirect_uri: redirect_uri.to_owned(), challenge },
        refresh: None,
        token: app.ambient.token_id(),
        jkt: None,
        lifetimes: app.settings.lifetimes,
        now: app.ambient.now(),
    };
    match app.store.redeem_code(redeeming).await {
        Ok(redeemed) => Ok(Some(redeemed.live)),
        Err(RedeemError::Failed(failure)) => Err(failure),
        Err(RedeemError::Refused) => Ok(None),
        Err(RedeemError::Again(sid)) => {
            note_reuse(app, sid, from);
            Ok(None)
        }
    }
}

fn note_reuse(app: &App, sid: SessionId, from: Sighting<'_>) {
    app.note(Event {
        session: Some(sid),
        reason: Some("code-reused".into()),
        ..app.event(EventKind::TokenReuseDetected, &from.device())
    });
}

impl Wanted {
    /// Where the browser goes afterwards.
    #[must_use]
    pub fn back(&self) -> &Back {
        &self.back
    }

    /// Decides what is to happen next.
    pub fn next(&self, shown: Option<&Recognised>, now: UnixTime) -> Result<Next, AuthorizeError> {
        let Some(shown) = shown else { return self.unless_silent(Next::SignIn) };
        let proved_at = shown.anyway().live().session().proved_at;
        let is_old = self.max_age.is_some_and(|age| now.since(proved_at).as_secs() > age);
        if is_old || shown.is_asked() {
            return self.unless_silent(Next::ProveAgain);
        }
        Ok(Next::Code)
    }

    fn unless_silent(&self, next: Next) -> Result<Next, AuthorizeError> {
        if self.is_silent {
            return Err(AuthorizeError::Told {
                back: self.back.clone(),
                error: "login_required",
                description: "Nobody is signed in, or not lately enough.",
            });
        }
        Ok(next)
    }
}

/// Draws a code for the session of whoever sits at the browser. It is told once, in the address that comes
/// back.
pub async fn give_code(
    app: &App,
    wanted: &Wanted,
    caller: &Caller,
) -> Result<String, AuthorizeError> {
    let Wanted { client, back, scope, challenge, .. } = wanted;
    let told = |error, description| AuthorizeError::Told { back: back.clone(), error, description };
    let refused = || told("access_denied", "Nobody is signed in.");
    let account = caller.live().account().ok_or_else(refused)?;
    let Some((_, offered)) = app.settings.audience(&client.audience) else {
        return Err(told("unauthorized_client", "The client's audience is not offered."));
    };
    // To our own API a client is let in as far as it was made for.
    let is_own = client.audience.is_empty() || client.audience == app.settings.site.issuer();
    let may = |name: &&str| {
        let is_harmless = matches!(*name, "profile" | "email");
        !is_own || is_harmless || client.scopes.iter().any(|own| own == *name)
    };
    let offered: Vec<_> = offered.into_iter().filter(may).collect();
    debug_assert!(!is_own || offered.iter().all(|name| OWN_SCOPES.contains(name)));
    let scope = grant::narrow(scope, account, &offered)
        .map_err(|_| told("invalid_scope", "scope is no list of names."))?;
    let audience = if is_own { String::new() } else { client.audience.clone() };
    let secret = app.ambient.secret();
    let code = Code {
        key: secret.digest(),
        sid: caller.sid(),
        client: client.id,
        redirect_uri: back.redirect_uri.clone(),
        challenge: *challenge,
        grant: Grant { audience, scope, client: client.id.to_string(), jkt: None },
        expires_at: app.ambient.now().after(CODE_LIFE),
        used: None,
    };
    if !app.store.keep_code(code).await? {
        return Err(refused());
    }
    Ok(format!("{PREFIX}{}", secret.expose().as_str()))
}

/// A code and what its client knows.
#[derive(Debug)]
pub struct Presented<'a> {
    /// The code.
    pub code: &'a str,
    /// `redirect_uri`, if it was sent: OAuth 2.1 does not ask for it any more.
    pub redirect_uri: Option<&'a str>,
    /// `code_verifier`
    pub verifier: &'a str,
    /// A proof of the key that the tokens are to be bound to.
    pub proof: Option<&'a dpop::Proof>,
}

/// Why a code gives no tokens. The outside is told only that it gives none.
#[derive(Debug, thiserror::Error)]
pub enum CodeError {
    /// It is none, or does not count.
    #[error("the code does not count")]
    Refused,
    /// It was used before.
    #[error("the code was used before")]
    Again,
    /// The proof of a key does not count.
    #[error(transparent)]
    Proof(#[from] DpopError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreFailed),
    /// The access token could not be issued.
    #[error(transparent)]
    Issue(#[from] IssueError),
}

/// Takes a code of a client that showed who it is, and gives tokens.
pub async fn redeem(
    app: &App,
    client: &Client,
    presented: Presented<'_>,
    from: Sighting<'_>,
) -> Result<Welcome, CodeError> {
    let secret = presented.code.strip_prefix(PREFIX).ok_or(CodeError::Refused)?;
    let secret = PresentedSecret::parse(secret).map_err(|_| CodeError::Refused)?;
    let challenge = Challenge::of(presented.verifier).map_err(|_| CodeError::Refused)?;
    let redirect_uri = client.redirect(presented.redirect_uri).ok_or(CodeError::Refused)?;
    let jkt = flow_dpop::accept(app, presented.proof).await?;
    let (refresh, token) = (app.ambient.secret(), app.ambient.token_id());
    let redeeming = Redeeming {
        key: secret.digest(),
        redemption: Redemption {
            client: client.id,
            redirect_uri: redirect_uri.to_owned(),
            challenge,
        },
        refresh: Some(refresh.digest()),
        token,
        jkt,
        lifetimes: app.settings.lifetimes,
        now: app.ambient.now(),
    };
    let redeemed = match app.store.redeem_code(redeeming).await {
        Ok(redeemed) => redeemed,
        Err(RedeemError::Refused) => return Err(CodeError::Refused),
        Err(RedeemError::Failed(failure)) => return Err(CodeError::Store(failure)),
        Err(RedeemError::Again(sid)) => {
            note_reuse(app, sid, from);
            return Err(CodeError::Again);
        }
    };
    let access = issue::named_access_token(app, &redeemed.live, &redeemed.grant, token).await?;
    let tokens = Tokens { access, refresh, scope: redeemed.grant.scope, is_bound: jkt.is_some() };
    Ok(Welcome { live: redeemed.live, device: redeemed.device, proof: Proof::Tokens(tokens) })
}
