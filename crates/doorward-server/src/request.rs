//! Requests: what every route needs to know of one, read once and read strictly.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts};
use doorward_core::account::Role;
use doorward_core::device::{Device, Sighting};
use doorward_core::event::EventKind;
use doorward_core::grant::ADMIN_SCOPE;
use doorward_core::retired::RetiredRefusal;
use doorward_wire::cookie::Carried;
use doorward_wire::csrf::{self, Provenance};
use doorward_wire::dbsc::PresentedTicket;
use doorward_wire::dpop::{HEADER, Proof};
use doorward_wire::{SecretDigest, UnixTime, json};
use http::request::Parts;
use http::{HeaderMap, Method, Request, header};
use serde::de::DeserializeOwned;

use crate::App;
use crate::answer::Problem;
use crate::flow::dpop::{self, DpopError, ShownProof};
use crate::flow::identify::{self, Caller, Credential, Errand, IdentifyError, Recognised, Refused};
use crate::settings::BODY_MAX;

/// What the edge found out about a request's other end.
#[derive(Clone, Debug)]
pub struct Client {
    /// The address it came from: the peer's, or what a trusted proxy says.
    pub ip: Arc<str>,
    /// The host it is for.
    pub host: Arc<str>,
    /// The reference shown with every error.
    pub request_id: Arc<str>,
    /// When its head was there. Its body may have come much later.
    pub arrived_at: UnixTime,
    /// The method.
    pub method: Method,
    /// The path, without the query.
    pub path: Arc<str>,
}

impl Client {
    /// What a request shows of the device behind it.
    #[must_use]
    pub fn sighting<'a>(&'a self, headers: &'a HeaderMap) -> Sighting<'a> {
        let user_agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        Sighting { user_agent: user_agent.unwrap_or_default(), ip: &self.ip }
    }

    /// Describes the device behind a request.
    #[must_use]
    pub fn device(&self, headers: &HeaderMap) -> Device {
        self.sighting(headers).device()
    }
}

impl<S: Sync> FromRequestParts<S> for Client {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::internal)
    }
}

/// The device behind a request.
#[derive(Clone, Debug)]
pub struct From(pub Device);

impl<S: Sync> FromRequestParts<S> for From {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let client = Client::from_request_parts(parts, state).await?;
        Ok(Self(client.sighting(&parts.headers).device()))
    }
}

/// Reads the cookie of a request.
#[must_use]
pub fn carried(app: &App, headers: &HeaderMap) -> Carried {
    app.settings.site.cookie().read(cookies(headers))
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers.get_all(header::COOKIE).iter().map(http::HeaderValue::as_bytes)
}

/// Checks that a request which uses or sets our cookie comes from our own pages.
pub fn same_origin(app: &App, headers: &HeaderMap, client: &Client) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or(""));
    let from = Provenance {
        fetch_site: text("sec-fetch-site"),
        origin: text("origin"),
        carries_cookie: !matches!(carried(app, headers), Carried::Nothing),
    };
    csrf::check(from, |origin| app.settings.site.is_ours(origin, &client.host)).map_err(|refusal| {
        let mut event = app.event(EventKind::CsrfRejected, &client.device(headers));
        event.reason = Some(format!("{refusal:?}").into());
        app.note(event);
        refusal.into()
    })
}

/// Proof that a request which would set a cookie comes from our own pages.
///
/// The edge asks this of every unsafe request that carries our cookie; a route that would *set* it,
/// login included, asks for this too (login CSRF, attack 18).
#[derive(Clone, Copy, Debug)]
pub struct SameOrigin(());

impl FromRequestParts<App> for SameOrigin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let client = Client::from_request_parts(parts, app).await?;
        same_origin(app, &parts.headers, &client)?;
        Ok(Self(()))
    }
}

/// Reads what a request shows to say who is asking.
pub fn credential(app: &App, headers: &HeaderMap, client: &Client) -> Credential {
    // Exactly one Authorization header: the edge refuses two.
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let parts = value.to_str().ok().and_then(|text| text.split_once(' '));
        return match parts {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                Credential::Bearer(token.to_owned())
            }
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("dpop") => {
                Credential::Bound(token.to_owned(), shown_proof(headers, client))
            }
            Some(_) | None => Credential::Unusable,
        };
    }
    match carried(app, headers) {
        Carried::Nothing | Carried::Garbage | Carried::Ambiguous => Credential::Nothing,
        Carried::Secret(secret) => {
            Credential::Cookie(secret, PresentedTicket::read(cookies(headers)))
        }
    }
}

/// The proof of a key that a request for tokens shows, if it shows one: they are to be bound to it (RFC
/// 9449, section 5). It is not spent by that.
pub fn shown_key(
    app: &App,
    headers: &HeaderMap,
    client: &Client,
) -> Result<Option<Proof>, DpopError> {
    if !headers.contains_key(HEADER) {
        return Ok(None);
    }
    dpop::read(app, &shown_proof(headers, client), None).map(Some)
}

/// The one proof of a request.
fn shown_proof(headers: &HeaderMap, client: &Client) -> ShownProof {
    let mut fields = headers.get_all(HEADER).iter();
    let first = fields.next().filter(|_| fields.next().is_none());
    ShownProof {
        text: first.and_then(|value| value.to_str().ok()).map(str::to_owned),
        method: client.method.to_string(),
        path: client.path.to_string(),
    }
}

/// Whether a method can change nothing (RFC 9110, section 9.2.1).
#[must_use]
pub fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Whether a browser comes to a page of ours from somebody else's: over a link, say.
fn arrives(method: &Method, headers: &HeaderMap) -> bool {
    let said = |name: &str| headers.get(name).map(http::HeaderValue::as_bytes);
    let is_foreign = matches!(said("sec-fetch-site"), Some(b"cross-site" | b"same-site"));
    *method == Method::GET && is_foreign && said("sec-fetch-mode") == Some(b"navigate")
}

/// Who a handler asks for: a [`Caller`], or with [`Recognised`] also somebody who is to prove
/// themselves again.
pub trait Asker: Sized {
    /// Takes somebody whose session was shown.
    fn of(recognised: Recognised) -> Result<Self, IdentifyError>;
}

impl Asker for Caller {
    fn of(recognised: Recognised) -> Result<Self, IdentifyError> {
        recognised.unasked()
    }
}

impl Asker for Recognised {
    fn of(recognised: Recognised) -> Result<Self, IdentifyError> {
        Ok(recognised)
    }
}

async fn identified<W: Asker>(
    parts: &mut Parts,
    app: &App,
) -> Result<Result<W, IdentifyError>, Problem> {
    let client = Client::from_request_parts(parts, app).await?;
    let credential = credential(app, &parts.headers, &client);
    let errand = Errand {
        from: client.sighting(&parts.headers),
        arrived_at: client.arrived_at,
        is_safe: is_safe(&parts.method),
        arrives: arrives(&parts.method, &parts.headers),
    };
    Ok(identify::recognise(app, &credential, errand).await.and_then(W::of))
}

/// The key of the session that the browser had before, if it shows one. It is never taken over.
#[must_use]
pub fn before(app: &App, headers: &HeaderMap) -> Option<SecretDigest> {
    match carried(app, headers) {
        Carried::Secret(secret) => Some(secret.digest()),
        Carried::Nothing | Carried::Garbage | Carried::Ambiguous => None,
    }
}

/// What [`before`] says, for a handler to ask for.
#[derive(Clone, Copy, Debug)]
pub struct Before(pub Option<SecretDigest>);

impl FromRequestParts<App> for Before {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Ok(Self(before(app, &parts.headers)))
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Ok(identified(parts, app).await??)
    }
}

impl FromRequestParts<App> for Recognised {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Ok(identified(parts, app).await??)
    }
}

/// An administrator, in person or by a token of theirs that allows [`ADMIN_SCOPE`].
#[derive(Debug)]
pub struct Administrator(Caller);

impl Administrator {
    /// Takes a caller who is one.
    pub fn of(caller: Caller) -> Result<Self, Problem> {
        let account = caller.live().account().ok_or_else(Problem::unauthenticated)?;
        if account.role != Role::Administrator {
            return Err(Problem::not_an_administrator());
        }
        if caller.allows(ADMIN_SCOPE) {
            Ok(Self(caller))
        } else {
            Err(Problem::insufficient_scope(ADMIN_SCOPE))
        }
    }

    /// Who it is.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.0
    }
}

impl FromRequestParts<App> for Administrator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Self::of(Caller::from_request_parts(parts, app).await?)
    }
}

/// Who is asking, if anybody is. Somebody who is to prove themselves again is sent to do so, unless
/// the handler asks for a [`Recognised`].
#[derive(Debug)]
pub struct MaybeCaller<W = Caller>(pub Option<W>);

impl<W: Asker> FromRequestParts<App> for MaybeCaller<W> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let identified = identified(parts, app).await?;
        // Asked again from a page of ours, the browser shows its device's key first.
        if let Err(IdentifyError::Refused(Refused::Unbound(_))) = identified
            && arrives(&parts.method, &parts.headers)
        {
            return Err(Problem::once_more());
        }
        perhaps(identified).map(Self)
    }
}

fn perhaps<W>(identified: Result<W, IdentifyError>) -> Result<Option<W>, Problem> {
    match identified {
        Ok(caller) => Ok(Some(caller)),
        Err(IdentifyError::Nothing | IdentifyError::Refused(_) | IdentifyError::Proof(_)) => {
            Ok(None)
        }
        Err(error @ (IdentifyError::Asked(_) | IdentifyError::Store(_))) => Err(error.into()),
    }
}

/// Whose session this request may end, and nothing else: see [`identify::identify_to_end`].
#[derive(Debug)]
pub enum MayEnd {
    /// This one's.
    Of(Box<Caller>),
    /// Nobody's.
    Nobody,
    /// The session goes on under a new secret that crossed this request on its way.
    Renewed,
}

impl FromRequestParts<App> for MayEnd {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let client = Client::from_request_parts(parts, app).await?;
        let credential = credential(app, &parts.headers, &client);
        let errand = Errand::to_end(client.sighting(&parts.headers), client.arrived_at);
        let identified = identify::identify_to_end(app, &credential, errand).await;
        if let Err(IdentifyError::Refused(Refused::Retired(RetiredRefusal::OnItsWay))) = identified
        {
            return Ok(Self::Renewed);
        }
        perhaps(identified)
            .map(|caller| caller.map_or(Self::Nobody, |caller| Self::Of(Box::new(caller))))
    }
}

/// The query of a request.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let read = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        read.map(|axum::extract::Query(query)| Self(query)).map_err(|_| {
            let message = "A part of the query is unknown, twice there, or not of its type.";
            Problem::invalid("", "malformed-query", message)
        })
    }
}

/// The variable parts of a path. One that is not text leads nowhere.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        read.map(|axum::extract::Path(path)| Self(path)).map_err(|_| Problem::not_found())
    }
}

/// A body of JSON, read strictly.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request<Body>, _: &S) -> Result<Self, Problem> {
        expect_media_type(request.headers(), "application/json")?;
        let bytes = body(request).await?;
        Ok(Self(json::strict(&bytes)?))
    }
}

/// A body of JSON that may be missing altogether.
#[derive(Debug)]
pub struct MaybeJson<T>(pub Option<T>);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for MaybeJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request<Body>, _: &S) -> Result<Self, Problem> {
        let typed = expect_media_type(request.headers(), "application/json");
        let bytes = body(request).await?;
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        typed?;
        Ok(Self(Some(json::strict(&bytes)?)))
    }
}

/// The media type of a submitted form.
const FORM_TYPE: &str = "application/x-www-form-urlencoded";

/// A submitted form: each name once.
#[derive(Debug)]
pub struct Form(BTreeMap<String, String>);

impl<S: Sync> FromRequest<S> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request<Body>, _: &S) -> Result<Self, Problem> {
        expect_media_type(request.headers(), FORM_TYPE)?;
        Self::read(&body(request).await?)
    }
}

/// A submitted form that may be missing altogether: a button alone, pressed by a program.
#[derive(Debug)]
pub struct MaybeForm(pub Form);

impl<S: Sync> FromRequest<S> for MaybeForm {
    type Rejection = Problem;

    async fn from_request(request: Request<Body>, _: &S) -> Result<Self, Problem> {
        let typed = expect_media_type(request.headers(), FORM_TYPE);
        let bytes = body(request).await?;
        if !bytes.is_empty() {
            typed?;
        }
        Form::read(&bytes).map(Self)
    }
}

impl Form {
    /// The parts of a query, which is written as a form is, each once.
    pub fn of_query(query: &str) -> Result<Self, Problem> {
        Self::read(query.as_bytes())
    }

    fn read(bytes: &[u8]) -> Result<Self, Problem> {
        let mut fields = BTreeMap::new();
        for pair in bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let mut parts = pair.splitn(2, |byte| *byte == b'=');
            let name = decoded(parts.next().unwrap_or_default())?;
            let value = decoded(parts.next().unwrap_or_default())?;
            if fields.insert(name, value).is_some() {
                return Err(Problem::malformed("A field of the form was sent twice."));
            }
        }
        Ok(Self(fields))
    }
}

/// Decodes a part of a form. Bytes that are no text are refused: replaced by a sign, two different
/// passwords would become one.
pub(crate) fn decoded(part: &[u8]) -> Result<String, Problem> {
    let spaced: Vec<u8> =
        part.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    let text = percent_encoding::percent_decode(&spaced).decode_utf8();
    text.map(Cow::into_owned).map_err(|_| Problem::malformed("A field of the form is not UTF-8."))
}

/// A body, and who sent it: asked once the body is there, so that a request which was held back
/// until its session had ended does nothing.
#[derive(Debug)]
pub struct Sent<B, W = Caller>(pub W, pub B);

impl<B, W> FromRequest<App> for Sent<B, W>
where
    B: FromRequest<App, Rejection = Problem> + Send,
    W: Asker,
{
    type Rejection = Problem;

    async fn from_request(request: Request<Body>, app: &App) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let whole = Request::from_parts(parts.clone(), body);
        // Who cannot be anybody is not read to the end.
        let client = Client::from_request_parts(&mut parts, app).await?;
        if matches!(credential(app, &parts.headers, &client), Credential::Nothing) {
            return Err(IdentifyError::Nothing.into());
        }
        let body = B::from_request(whole, app).await?;
        Ok(Self(identified(&mut parts, app).await??, body))
    }
}

/// The same for a page: somebody who is not signed in any more is sent to the login page.
#[derive(Debug)]
pub struct MaybeSent<B, W = Caller>(pub Option<W>, pub B);

impl<B, W> FromRequest<App> for MaybeSent<B, W>
where
    B: FromRequest<App, Rejection = Problem> + Send,
    W: Asker,
{
    type Rejection = Problem;

    async fn from_request(request: Request<Body>, app: &App) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let body = B::from_request(Request::from_parts(parts.clone(), body), app).await?;
        let MaybeCaller(caller) = MaybeCaller::from_request_parts(&mut parts, app).await?;
        Ok(Self(caller, body))
    }
}

impl Form {
    /// The value of a field, if it was sent.
    #[must_use]
    pub fn given(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value of a field, empty when it was not sent.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Takes the value of a field out.
    #[must_use]
    pub fn take(&mut self, name: &str) -> String {
        self.0.remove(name).unwrap_or_default()
    }

    /// Whether a box was ticked.
    #[must_use]
    pub fn ticked(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

fn expect_media_type(headers: &HeaderMap, expected: &'static str) -> Result<(), Problem> {
    let sent = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = sent.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let plain = !headers.contains_key(header::CONTENT_ENCODING);
    if !plain || !essence.eq_ignore_ascii_case(expected) {
        return Err(Problem::media_type(expected));
    }
    Ok(())
}

async fn body(request: Request<Body>) -> Result<bytes::Bytes, Problem> {
    axum::body::to_bytes(request.into_body(), BODY_MAX).await.map_err(|error| {
        let too_large = std::error::Error::source(&error)
            .is_some_and(<dyn std::error::Error>::is::<http_body_util::LengthLimitError>);
        if too_large {
            return Problem::body_too_large();
        }
        Problem::malformed("The body did not arrive whole.")
    })
}
