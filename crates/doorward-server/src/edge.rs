//! The edge: what every request must pass before anything is asked of it, and what every answer
//! gets on its way out.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::response::IntoResponse;
use doorward_core::event::EventKind;
use doorward_core::site::Origin;
use doorward_wire::cookie::Carried;
use doorward_wire::dpop;
use http::header::{self, HeaderName, HeaderValue};
use http::uri::Authority;
use http::{HeaderMap, Method, StatusCode, Uri, Version};
use tower::ServiceExt;
use tracing::Instrument;

pub use axum::body::Body;
pub use axum::response::Response;
pub use http::Request;

use crate::App;
use crate::answer::Problem;
use crate::cors;
use crate::pages;
use crate::request::{self, Client};
use crate::routes::forward;
use crate::settings::{
    BODY_MAX, COOKIE_COUNT_MAX, COOKIES_MAX, HEADERS_MAX, REQUEST_TIME_MAX, Site, is_loopback_name,
};

/// The longest path and query.
const TARGET_MAX: usize = 4 * 1024;

/// What a page may load and where its forms may go. Nothing inline, nothing foreign, no frames.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' \
     data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// What anything else may do in a browser: nothing.
const DATA_POLICY: &str = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'";

/// The site that a page's form leads on to, after it has been sent to us.
#[derive(Clone, Debug)]
pub(crate) struct LeadsTo(pub(crate) Origin);

/// What an answer to a safe request depends on: who is asking.
const WHO_ASKS: &str = "Cookie, Authorization";
/// What an answer to an unsafe request depends on: where it comes from, too.
const WHO_ASKS_FROM_WHERE: &str = "Cookie, Authorization, Origin, Sec-Fetch-Site";

async fn handle(
    app: &App,
    router: Router,
    (client, refused): (Client, Option<Problem>),
    request: Request<Body>,
) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let is_health = matches!(uri.path(), "/livez" | "/readyz" | "/healthz");
    let shows_key = request.headers().contains_key(dpop::HEADER);
    let ambiguous = matches!(request::carried(app, request.headers()), Carried::Ambiguous)
        .then(|| client.device(request.headers()));
    let vary = if request::is_safe(request.method()) { WHO_ASKS } else { WHO_ASKS_FROM_WHERE };
    let asked = cors::Asked::by(app, &request);
    let admitted = match refused.filter(|_| !is_health) {
        Some(problem) => Err(problem),
        None => admit(app, &request, &client),
    };
    let mut response = if let Err(problem) = admitted {
        problem.into_response()
    } else {
        let mut request = request;
        request.extensions_mut().insert(client.clone());
        match tokio::time::timeout(REQUEST_TIME_MAX, router.oneshot(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(_) => Problem::timeout().into_response(),
        }
    };
    if let Some(from) = ambiguous {
        app.note(app.event(EventKind::CookieAmbiguous, &from));
        if !response.headers().contains_key(header::SET_COOKIE) {
            set(response.headers_mut(), header::SET_COOKIE, &app.settings.site.cookie().clear());
        }
    }
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        response = draw(app, (&problem, response), (&method, &uri), &client);
    }
    // For the next proof (RFC 9449, section 8.2).
    if shows_key {
        let nonce = app.keys.nonces().nonce(app.ambient.now());
        set(response.headers_mut(), HeaderName::from_static(dpop::NONCE_HEADER), &nonce);
    }
    finish(app, &mut response, vary, &client);
    cors::vary(app, uri.path(), response.headers_mut());
    asked.permit(response)
}

/// Finds out who is at the other end, and whether they may be.
fn client(app: &App, peer: IpAddr, request: &Request<Body>) -> (Client, Option<Problem>) {
    let headers = request.headers();
    let named = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or("");
    // A target in absolute form has the last word (RFC 9112, section 3.2.2).
    let host = request.uri().authority().map_or(named, Authority::as_str);
    let sent = headers.get("x-request-id").and_then(|value| value.to_str().ok());
    let sane = |id: &&str| {
        (8..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let request_id = sent.filter(sane).map_or_else(
        || app.ambient.event_id().to_string().replacen("evt_", "req_", 1),
        str::to_owned,
    );
    let mut client = Client {
        ip: peer.to_canonical().to_string().into(),
        host: host.into(),
        request_id: request_id.into(),
        arrived_at: app.ambient.now(),
        method: request.method().clone(),
        path: request.uri().path().into(),
    };
    match &app.settings.site {
        Site::Development { .. } if is_loopback_name(host) => (client, None),
        // A name that was rebound to this machine must find nobody at home (DNS rebinding).
        Site::Development { .. } => (client, Some(Problem::misdirected())),
        site @ Site::Production { .. } if !site.trusts(peer) => (client, Some(Problem::insecure())),
        site @ Site::Production { .. } => {
            if let Some(ip) = forwarded_for(site, headers) {
                client.ip = ip.to_string().into();
            }
            // What the nearest proxy said is the last word; before it anybody may have spoken.
            let fields = headers.get_all("x-forwarded-proto").iter().next_back();
            let scheme = fields.and_then(|field| field.as_bytes().rsplit(|b| *b == b',').next());
            match scheme.map(<[u8]>::trim_ascii) {
                None | Some(b"https") => (client, None),
                Some(_) => (client, Some(Problem::insecure())),
            }
        }
    }
}

/// The last address in `X-Forwarded-For` that is not one of our own proxies: the only one that
/// nobody outside could write.
fn forwarded_for(site: &Site, headers: &HeaderMap) -> Option<IpAddr> {
    let fields: Vec<&[u8]> =
        headers.get_all("x-forwarded-for").iter().map(HeaderValue::as_bytes).collect();
    let mut last = None;
    // By bytes: a proxy adds to what the client has sent, and what is no text there must not hide what
    // the proxy has said.
    for bytes in fields.iter().flat_map(|field| field.split(|byte| *byte == b',')).rev() {
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        let Ok(ip) = text.trim().parse::<IpAddr>() else { return last };
        last = Some(ip.to_canonical());
        if !site.trusts(ip) {
            return last;
        }
    }
    last
}

/// What every request must pass, whatever it asks for.
fn admit(app: &App, request: &Request<Body>, client: &Client) -> Result<(), Problem> {
    let headers = request.headers();
    let size = |name: &HeaderName, value: &HeaderValue| name.as_str().len() + value.len() + 4;
    if headers.iter().map(|(name, value)| size(name, value)).sum::<usize>() > HEADERS_MAX {
        return Err(Problem::headers_too_large());
    }
    let cookies = || headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes);
    let count: usize = cookies().map(|field| field.split(|byte| *byte == b';').count()).sum();
    if cookies().map(<[u8]>::len).sum::<usize>() > COOKIES_MAX || count > COOKIE_COUNT_MAX {
        return Err(Problem::headers_too_large());
    }
    if request.uri().path_and_query().is_some_and(|target| target.as_str().len() > TARGET_MAX) {
        return Err(Problem::new(
            StatusCode::URI_TOO_LONG,
            "target-too-long",
            "A path with its query may have 4 KiB at the most.",
        ));
    }
    for name in [header::AUTHORIZATION, header::HOST, header::ORIGIN, header::CONTENT_TYPE] {
        if headers.get_all(&name).iter().nth(1).is_some() {
            return Err(Problem::malformed("A header field that may stand once was sent twice."));
        }
    }
    if !says_for_whom(request) {
        return Err(Problem::malformed("A request must say in Host whom it is for."));
    }
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if length.and_then(|text| text.parse::<u64>().ok()).is_some_and(|n| n > BODY_MAX as u64) {
        return Err(Problem::body_too_large());
    }
    if !request::is_safe(request.method())
        && !matches!(request::carried(app, headers), Carried::Nothing)
    {
        request::same_origin(app, headers, client)?;
    }
    Ok(())
}

/// Whether `Host` is there, as HTTP/1.1 demands, and is a name with or without a port (RFC 9112,
/// section 3.2). Which name it is, is asked elsewhere or not at all.
fn says_for_whom(request: &Request<Body>) -> bool {
    let Some(host) = request.headers().get(header::HOST) else {
        return request.version() < Version::HTTP_11;
    };
    let Ok(named) = Authority::try_from(host.as_bytes()) else { return false };
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    match named.as_str().strip_prefix(named.host()) {
        Some("") => !named.host().is_empty(),
        Some(rest) => !named.host().is_empty() && rest.strip_prefix(':').is_some_and(is_port),
        // A user stands before the name.
        None => false,
    }
}

/// Draws a problem: JSON for programs, a page for people, who are led to where they can put it right
/// if there is such a place.
fn draw(
    app: &App,
    (problem, response): (&Problem, Response),
    (method, uri): (&Method, &Uri),
    client: &Client,
) -> Response {
    let path = uri.path();
    let is_api = ["/api/", "/.well-known/", "/dbsc/", "/oauth/", "/ssf/", "/status-lists"]
        .iter()
        .any(|under| path.starts_with(under))
        && path != "/oauth/authorize";
    if let Some(page) = problem.page().filter(|_| !is_api) {
        return pages::detour(page, method, uri);
    }
    let (media_type, body) = if is_api {
        ("application/problem+json", document(problem, client))
    } else {
        ("text/html; charset=utf-8", pages::problem_page(app, problem, (path, &client.request_id)))
    };
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    Response::from_parts(parts, Body::from(body))
}

fn document(problem: &Problem, client: &Client) -> String {
    let mut document = serde_json::json!({
        "type": format!("urn:doorward:problem:{}", problem.code),
        "title": problem.status.canonical_reason().unwrap_or("Problem"),
        "status": problem.status.as_u16(),
        "detail": problem.detail,
        "code": problem.code,
        "request_id": *client.request_id,
    });
    if !problem.faults().is_empty() {
        document["errors"] = serde_json::json!(problem.faults());
    }
    if let Some(version) = problem.current_version() {
        document["current_version"] = version.into();
    }
    document.to_string()
}

/// What every answer gets on its way out.
fn finish(app: &App, response: &mut Response, vary: &'static str, client: &Client) {
    let leads_to = response.extensions_mut().remove::<LeadsTo>();
    let headers = response.headers_mut();
    let is_page = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"text/html"));
    let policy = if is_page { PAGE_POLICY } else { DATA_POLICY };
    // A browser asks this of each address that a form is sent on to.
    let on = leads_to.map(|LeadsTo(site)| format!("form-action 'self' {site}"));
    let policy: Cow<'_, str> =
        on.map_or(policy.into(), |on| policy.replace("form-action 'self'", &on).into());
    set(headers, header::CONTENT_SECURITY_POLICY, &policy);
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let same_origin = HeaderValue::from_static("same-origin");
    headers.entry(HeaderName::from_static("cross-origin-resource-policy")).or_insert(same_origin);
    if headers.contains_key(header::SET_COOKIE) || !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // For caches that are told to store all the same (attack 16): each asker has their own.
        headers.insert(header::VARY, HeaderValue::from_static(vary));
    }
    if let Site::Production { .. } = app.settings.site {
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000; includeSubDomains"),
        );
    }
    set(headers, HeaderName::from_static("x-request-id"), &client.request_id);
}

/// Sets a header to text that we have made ourselves, of visible ASCII.
pub(crate) fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Adds a header, beside any of the same name.
pub(crate) fn add(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.append(name, value);
    }
}

/// What a server needs to answer.
#[derive(Clone, Debug)]
pub struct Edge {
    app: App,
    router: Router,
}

impl Edge {
    /// Puts the edge in front of the routes.
    #[must_use]
    pub fn new(app: App) -> Arc<Self> {
        let router = crate::routes::router(&app);
        Arc::new(Self { app, router })
    }

    /// Answers one request from `peer`.
    pub async fn answer(&self, peer: SocketAddr, request: Request<Body>) -> Response {
        let (client, refused) = client(&self.app, peer.ip(), &request);
        let span = tracing::info_span!("request", id = &*client.request_id);
        if let Some(kind) = forward::Kind::of(&request) {
            return self.answer_proxy(kind, (client, refused), request).instrument(span).await;
        }
        let router = self.router.clone();
        handle(&self.app, router, (client, refused), request).instrument(span).await
    }

    /// Answers a proxy that asks about a request to somebody's app.
    async fn answer_proxy(
        &self,
        kind: forward::Kind,
        (client, refused): (Client, Option<Problem>),
        request: Request<Body>,
    ) -> Response {
        let app = &self.app;
        // Its body is none of our business.
        let (request, _) = request.into_parts();
        let answer = async {
            match forward::admit(app, refused) {
                Ok(()) => forward::answer(app, kind, &client, &request).await,
                Err(problem) => problem.into_response(),
            }
        };
        let answered = tokio::time::timeout(REQUEST_TIME_MAX, answer).await;
        let mut response = answered.unwrap_or_else(|_| Problem::timeout().into_response());
        if let Some(problem) = response.extensions_mut().remove::<Problem>() {
            let (parts, _) = response.into_parts();
            response = Response::from_parts(parts, Body::from(document(&problem, &client)));
            let json = HeaderValue::from_static("application/problem+json");
            response.headers_mut().remove(header::CONTENT_LENGTH);
            response.headers_mut().insert(header::CONTENT_TYPE, json);
        }
        finish(app, &mut response, WHO_ASKS, &client);
        cors::vary(app, request.uri.path(), response.headers_mut());
        response
    }
}
