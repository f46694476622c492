//! Asking the server who is in a browser: over a connection, or in the same process.
//!
//! # What this module answers
//!
//! - *A session that ended a moment ago*: what the server said is used again for a second at the most, and
//!   only while the guard is in touch with the feed; what the feed says ended is not used.
//! - *A flood of cookies*: as many answers are kept as may be, and then the server is asked each time.
//! - *A server that is gone*: nobody is let in.

use std::collections::HashMap;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};
use bytes::Bytes;
use doorward_wire::cookie::{Carried, CookieForm};
use doorward_wire::token::AccessClaims;
use doorward_wire::{AccountId, SessionId, UnixTime, json};
use http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN, SET_COOKIE, USER_AGENT};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use serde::Deserialize;

use crate::dial::Address;
use crate::identity::{Identity, Person};
use crate::moment::Moment;
use crate::{AddressRefused, Denied};

/// How long an answer about a cookie is used again.
const USED_AGAIN: Duration = Duration::from_secs(1);

/// The most answers that are kept: about 5 MB of them.
const KEPT_MAX: usize = 10_000;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The server did not answer.
#[derive(Debug, thiserror::Error)]
#[error("the server did not answer: {0}")]
pub struct NoServer(#[source] Box<dyn std::error::Error + Send + Sync>);

impl NoServer {
    /// What went wrong.
    pub fn new(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

/// What the app was asked with, beside what is in headers: an extension of each request to a [`Server`].
///
/// It is wrapped, for the server may be made of the same parts as the app, and must not take what the app
/// has found for its own.
#[derive(Clone, Debug)]
pub struct AppExtensions(Extensions);

impl AppExtensions {
    /// One of them: where the app's caller connects from, say.
    #[must_use]
    pub fn get<T: Clone + Send + Sync + 'static>(&self) -> Option<&T> {
        self.0.get()
    }
}

/// What a [`Server`] answers, in a while.
pub type Answer = Pin<Box<dyn Future<Output = Result<Response<Bytes>, NoServer>> + Send>>;

/// The server, as a guard asks it: [`Beside`] over a connection; in the same process any function from a
/// request to an [`Answer`].
pub trait Server: Send + Sync + 'static {
    /// Answers one request. It carries [`AppExtensions`].
    fn ask(&self, request: Request<Bytes>) -> Answer;
}

impl<F: Fn(Request<Bytes>) -> Answer + Send + Sync + 'static> Server for F {
    fn ask(&self, request: Request<Bytes>) -> Answer {
        self(request)
    }
}

/// A server that listens at an address of its own, and takes this app for one of its proxies
/// (`--trusted-proxy`).
pub struct Beside {
    address: Address,
}

impl Beside {
    /// The server that listens at `at`, with plain HTTP: a network that nobody else is in.
    pub fn at(issuer: &str, at: SocketAddr) -> Result<Self, AddressRefused> {
        Ok(Self { address: Address::plain(issuer, at)? })
    }
}

impl std::fmt::Debug for Beside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Beside")
    }
}

impl Server for Beside {
    fn ask(&self, request: Request<Bytes>) -> Answer {
        let address = self.address.clone();
        Box::pin(async move { address.ask(request.map(Full::new)).await.map_err(NoServer::new) })
    }
}

/// The server, for guards.
#[derive(Clone)]
pub(crate) struct Sessions {
    server: Arc<dyn Server>,
    issuer: Arc<str>,
    kept: Arc<Kept>,
}

/// What the server said of cookies just now.
#[derive(Default)]
struct Kept {
    said: Mutex<HashMap<Shown, (Identity, Moment)>>,
    agents: RandomState,
}

/// A cookie and the browser that showed it.
type Shown = ([u8; 32], u64);

/// What the server said.
pub(crate) struct Said {
    pub(crate) who: Result<Identity, Denied>,
    /// Cookies for the browser.
    pub(crate) cookies: Vec<HeaderValue>,
}

#[derive(Deserialize)]
struct Shape {
    account: Option<AccountShape>,
    session: SessionShape,
}

#[derive(Deserialize)]
struct AccountShape {
    id: AccountId,
    username: String,
    role: String,
}

#[derive(Deserialize)]
struct SessionShape {
    sid: SessionId,
    acr: String,
    proved_at: String,
}

impl Sessions {
    pub(crate) fn of(issuer: &str, server: impl Server) -> Self {
        Self { server: Arc::new(server), issuer: issuer.into(), kept: Arc::default() }
    }

    /// The cookie of the server that we are beside.
    fn form(&self) -> CookieForm {
        if self.issuer.starts_with("https:") {
            CookieForm::Production
        } else {
            CookieForm::Development
        }
    }

    /// Whether a request carries a cookie of the server's.
    pub(crate) fn carries(&self, headers: &HeaderMap) -> bool {
        !matches!(self.carried(headers), Carried::Nothing)
    }

    fn carried(&self, headers: &HeaderMap) -> Carried {
        self.form().read(headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes))
    }

    fn shown(&self, headers: &HeaderMap) -> Option<Shown> {
        let Carried::Secret(secret) = self.carried(headers) else { return None };
        let agent = headers.get(USER_AGENT).map(HeaderValue::as_bytes);
        Some((secret.digest().0, self.kept.agents.hash_one(agent)))
    }

    /// What was said of a cookie just now. Whether it still counts is for the feed to say.
    pub(crate) fn said_of(&self, headers: &HeaderMap, now: Moment) -> Option<Identity> {
        let shown = self.shown(headers)?;
        let said = self.kept.said.lock().unwrap_or_else(PoisonError::into_inner);
        let (identity, at) = said.get(&shown)?;
        (now.since(*at) < USED_AGAIN).then(|| identity.clone())
    }

    fn keep(&self, headers: &HeaderMap, identity: &Identity, asked_at: Moment) {
        let Some(shown) = self.shown(headers) else { return };
        let mut said = self.kept.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() >= KEPT_MAX && !said.contains_key(&shown) {
            said.retain(|_, (_, at)| asked_at.since(*at) < USED_AGAIN);
            if said.len() >= KEPT_MAX {
                return;
            }
        }
        said.insert(shown, (identity.clone(), asked_at));
    }

    /// Asks the server who shows this.
    pub(crate) async fn ask(&self, head: &http::request::Parts) -> Said {
        let asked_at = Moment::now();
        let request = self.request(head, "GET", "/api/v1/session", Bytes::new());
        let answer = match self.server.ask(request).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(%error, "nobody can be let in");
                return Said { who: Err(Denied::Stale), cookies: Vec::new() };
            }
        };
        let cookies = answer.headers().get_all(SET_COOKIE).iter().cloned().collect();
        let bearer = head.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let who = match answer.status() {
            StatusCode::OK => read(answer.body(), bearer),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if bearer.is_some() => {
                Err(Denied::Unusable)
            }
            // A cookie that counts no longer, or whose owner is to prove themselves, is no credential:
            // it is a visitor's.
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Denied::Nothing),
            status => {
                tracing::warn!(%status, "the server does not say who is there: nobody is let in");
                Err(Denied::Stale)
            }
        };
        if let (Ok(identity), None) = (&who, bearer) {
            self.keep(&head.headers, identity, asked_at);
        }
        Said { who, cookies }
    }

    /// Asks for something of the session's own, in the name of whoever asked the app.
    #[cfg(feature = "axum")]
    pub(crate) async fn ask_for(
        &self,
        head: &http::request::Parts,
        (method, path): (&str, &str),
        body: Bytes,
        more: &[(HeaderName, HeaderValue)],
    ) -> Result<Response<Bytes>, NoServer> {
        let mut request = self.request(head, method, path, body);
        for (name, value) in more {
            request.headers_mut().insert(name, value.clone());
        }
        self.server.ask(request).await
    }

    fn request(
        &self,
        head: &http::request::Parts,
        method: &str,
        path: &str,
        body: Bytes,
    ) -> Request<Bytes> {
        let mut request = Request::new(body);
        *request.method_mut() = method.parse().unwrap_or_default();
        *request.uri_mut() = path.parse().unwrap_or_default();
        request.extensions_mut().insert(AppExtensions(head.extensions.clone()));
        let headers = request.headers_mut();
        for name in [COOKIE, AUTHORIZATION, USER_AGENT, FORWARDED_FOR] {
            for value in head.headers.get_all(&name) {
                headers.append(&name, value.clone());
            }
        }
        let scheme = self.issuer.split_once("://");
        if let Some((scheme, authority)) = scheme
            && let (Ok(scheme), Ok(host), Ok(origin)) =
                (scheme.parse(), authority.parse(), self.issuer.parse())
        {
            headers.insert(FORWARDED_PROTO, scheme);
            headers.insert(HOST, host);
            // What the app was asked came from our own pages, or would not have come this far.
            headers.insert(ORIGIN, origin);
        }
        request
    }
}

/// Reads what the server says of a session. What a token allows stands in the token, which the server has
/// just verified.
fn read(body: &[u8], bearer: Option<&str>) -> Result<Identity, Denied> {
    let senseless = || {
        tracing::warn!("the server says something of a session that makes no sense");
        Denied::Stale
    };
    let shape: Shape = json::strict(body).map_err(|_| senseless())?;
    if let Some(value) = bearer {
        let claims = value.split_once(' ').and_then(|(_, text)| text.split('.').nth(1));
        let claims = claims.and_then(|text| Base64UrlUnpadded::decode_vec(text).ok());
        let claims: AccessClaims =
            claims.and_then(|bytes| json::strict(&bytes).ok()).ok_or(Denied::Unusable)?;
        return Ok(Identity::of(&claims));
    }
    let Some(account) = shape.account else { return Err(Denied::Nothing) };
    let proved_at: UnixTime = shape.session.proved_at.parse().map_err(|_| senseless())?;
    Ok(Identity::in_person(Person {
        account: account.id,
        session: shape.session.sid,
        username: account.username,
        roles: vec![account.role],
        acr: shape.session.acr,
        proved_at,
    }))
}
