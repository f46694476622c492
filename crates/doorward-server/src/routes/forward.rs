//! `/api/authz/…`: what a proxy asks before it lets a request through to an app.
//!
//! It is answered before the router: none of what a request to ourselves must pass is asked of what a
//! proxy tells of another's.
//!
//! # What this module answers
//!
//! - *A spoofed `X-Forwarded-*`* (attack 26): only a trusted proxy is answered at all. A field that is there
//!   twice was added to, and counts as none.
//! - *A proxy that passes the client's query on* (Caddy does): nothing here reads the query.
//! - *A client's own `Remote-User`*: each field is in every answer that lets through, empty if there is
//!   nothing to say, so that a proxy which copies them writes over the client's.
//! - *A login that leads nowhere*: a page is led to the login page; a program, a socket and whoever is
//!   signed in and not allowed are told, and not led in a circle.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use doorward_core::site::{Origin, Verdict, Visit};
use doorward_wire::cookie::{Carried, PresentedPass};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::App;
use crate::answer::Problem;
use crate::edge::set;
use crate::flow::forward::{self, Asker, Decision};
use crate::flow::identify::{Credential, Errand};
use crate::flow::personal;
use crate::pages::far;
use crate::request::{self, Client};
use crate::settings::Site;

/// Everything but what RFC 3986 calls unreserved.
pub(crate) const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where Envoy puts the path that it asks about.
const EXT_AUTHZ: &str = "/api/authz/ext-authz";

/// The longest address that a browser is sent back to.
pub(crate) const WAY_BACK_MAX: usize = 2048;

/// The headers that are in every answer which lets a request through.
const IDENTITY: [&str; 5] =
    ["remote-user", "remote-groups", "remote-name", "remote-email", "remote-sub"];

/// The same, as oauth2-proxy calls them.
const ALIASES: [&str; 4] = [
    "x-auth-request-user",
    "x-auth-request-groups",
    "x-auth-request-preferred-username",
    "x-auth-request-email",
];

/// In which proxy's way we were asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Traefik, Caddy, `HAProxy`: `X-Forwarded-*`, and our answer goes to the browser.
    Forwarded,
    /// nginx: `X-Original-*`, and only 401 and 403 are understood.
    Original,
    /// Envoy: the request itself, below a path.
    Whole,
    /// oauth2-proxy's `/oauth2/auth`: as nginx, with its names too.
    Alias,
}

impl Kind {
    /// How a path asks, if it does.
    pub(crate) fn of(request: &Request<Body>) -> Option<Self> {
        match request.uri().path() {
            "/api/authz/auth-request" => Some(Self::Original),
            "/oauth2/auth" => Some(Self::Alias),
            // Authelia's of old, which was both.
            "/api/verify" if request.headers().contains_key("x-original-url") => {
                Some(Self::Original)
            }
            "/api/authz/forward-auth" | "/api/verify" => Some(Self::Forwarded),
            path => path
                .strip_prefix(EXT_AUTHZ)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                .then_some(Self::Whole),
        }
    }

    /// Whether the proxy follows no redirect of ours.
    const fn is_asked_only(self) -> bool {
        matches!(self, Self::Original | Self::Alias)
    }
}

/// The request that a proxy asks about.
#[derive(Debug)]
struct Asked {
    origin: Origin,
    method: String,
    /// The path and query.
    target: String,
}

impl Asked {
    fn read(app: &App, kind: Kind, request: &Parts) -> Result<Self, Problem> {
        let headers = &request.headers;
        let own_method = request.method.as_str();
        if kind == Kind::Whole {
            let path = request.uri.path_and_query().map_or("", |it| it.as_str());
            let target = path.strip_prefix(EXT_AUTHZ).unwrap_or_default();
            return Self::of(scheme(app, headers)?, one(headers, "host")?, own_method, target);
        }
        if kind.is_asked_only()
            && let Some(url) = one(headers, "x-original-url")?
        {
            let method = one(headers, "x-original-method")?.unwrap_or(own_method);
            let (scheme, rest) = url.split_once("://").ok_or_else(not_told)?;
            let (host, target) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            return Self::of(scheme, Some(host), method, target);
        }
        let method = one(headers, "x-forwarded-method")?.unwrap_or(own_method);
        let target = one(headers, "x-forwarded-uri")?.ok_or_else(not_told)?;
        Self::of(scheme(app, headers)?, one(headers, "x-forwarded-host")?, method, target)
    }

    fn of(scheme: &str, host: Option<&str>, method: &str, target: &str) -> Result<Self, Problem> {
        let origin = Origin::of(scheme, host.ok_or_else(not_told)?).map_err(|_| not_told())?;
        let is_method = (1..=32).contains(&method.len())
            && method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
        let target = if target.is_empty() { "/" } else { target };
        if !is_method || !target.starts_with('/') {
            return Err(not_told());
        }
        Ok(Self { origin, method: method.to_owned(), target: target.to_owned() })
    }

    fn path(&self) -> &str {
        self.target.split(['?', '#']).next().unwrap_or_default()
    }

    /// The address that the browser wanted, or its site's own where that is too long to carry.
    fn url(&self) -> String {
        let url = format!("{}{}", self.origin, self.target);
        let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
        if url.len() <= WAY_BACK_MAX && url.bytes().all(plain) {
            url
        } else {
            format!("{}/", self.origin)
        }
    }

    fn is_safe(&self) -> bool {
        matches!(&*self.method, "GET" | "HEAD" | "OPTIONS")
    }
}

/// The scheme that the browser speaks, as the nearest proxy says.
fn scheme<'a>(app: &App, headers: &'a HeaderMap) -> Result<&'a str, Problem> {
    let usual = match app.settings.site {
        Site::Development { .. } => "http",
        Site::Production { .. } => "https",
    };
    Ok(one(headers, "x-forwarded-proto")?.unwrap_or(usual))
}

/// The site that a proxy hands a request of on to us.
pub(crate) fn asked_origin(app: &App, client: &Client, headers: &HeaderMap) -> Option<Origin> {
    Origin::of(scheme(app, headers).ok()?, &client.host).ok()
}

/// A field that may be there once. What is there twice was added to by somebody.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Problem> {
    let mut fields = headers.get_all(name).iter();
    let Some(value) = fields.next() else { return Ok(None) };
    if fields.next().is_some() {
        return Err(not_told());
    }
    value.to_str().map(Some).map_err(|_| not_told())
}

fn not_told() -> Problem {
    Problem::malformed(
        "The proxy must say once each what it asks about: X-Forwarded-Host, -Uri, -Method and -Proto, or \
         X-Original-URL and -Method.",
    )
}

/// Answers a proxy.
pub(crate) async fn answer(app: &App, kind: Kind, client: &Client, request: &Parts) -> Response {
    match answered(app, kind, client, request).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn answered(
    app: &App,
    kind: Kind,
    client: &Client,
    request: &Parts,
) -> Result<Response, Problem> {
    let headers = &request.headers;
    let asked = Asked::read(app, kind, request)?;
    let errand = Errand {
        from: client.sighting(headers),
        arrived_at: client.arrived_at,
        is_safe: asked.is_safe(),
        arrives: false,
    };
    let visit = Visit { method: &asked.method, path: asked.path() };
    let credential = credential(app, (headers, client), &asked.origin);
    let decided = forward::decide(app, (&asked.origin, visit), &credential, errand).await?;
    match decided.verdict {
        Verdict::Allowed => let_through(app, kind, decided, &asked.origin).await,
        Verdict::SignIn => Ok(turn_away(app, kind, &asked, headers, false)),
        Verdict::ProveAgain => Ok(turn_away(app, kind, &asked, headers, true)),
        Verdict::Denied(denial) => Err(Problem::not_allowed(denial)),
    }
}

/// What a request to a site shows: a token that is for it, our own cookie where its browser has that, or
/// the site's pass.
fn credential(app: &App, (headers, client): (&HeaderMap, &Client), origin: &Origin) -> Credential {
    let mut fields = headers.get_all(header::AUTHORIZATION).iter();
    if let Some(value) = fields.next() {
        let bearer = value.to_str().ok().filter(|_| fields.next().is_none()).and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.to_owned())
        });
        return match bearer {
            Some(text) if personal::is_one(&text) => Credential::Personal(text, origin.clone()),
            Some(token) => Credential::ForSite(token, origin.clone()),
            None => Credential::Unusable,
        };
    }
    let own = match request::carried(app, headers) {
        Carried::Secret(_) => request::credential(app, headers, client),
        Carried::Nothing | Carried::Garbage | Carried::Ambiguous => Credential::Nothing,
    };
    if !matches!(own, Credential::Nothing) {
        return own;
    }
    let cookies = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes);
    let pass = PresentedPass::read(app.settings.pass_form(origin), cookies);
    pass.map_or(Credential::Nothing, |pass| Credential::Pass(pass, origin.clone()))
}

/// Exactly 200: not every proxy takes another success for one.
async fn let_through(
    app: &App,
    kind: Kind,
    decided: Decision,
    origin: &Origin,
) -> Result<Response, Problem> {
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    let names = || IDENTITY.iter().chain(ALIASES.iter().filter(|_| kind == Kind::Alias));
    for name in names() {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(""));
    }
    if let Some(account) = decided.account() {
        let (username, role) = (account.username.as_str(), account.role.name());
        let email = account.email.as_ref().map_or("", |email| email.as_str());
        let id = account.id.to_string();
        for (name, value) in [
            ("remote-user", username),
            ("remote-groups", role),
            ("remote-name", username),
            ("remote-email", email),
            ("remote-sub", &id),
        ] {
            put(headers, name, value);
        }
        if kind == Kind::Alias {
            for (name, value) in ALIASES.into_iter().zip([username, role, username, email]) {
                put(headers, name, value);
            }
        }
        if let Asker::Session(caller) = &decided.asker
            && let Some(text) = forward::assertion(app, caller, origin).await?
        {
            put(headers, doorward_wire::token::ASSERTION_HEADER, &text);
        }
    }
    Ok(response)
}

/// Names have letters of every script, and a field takes their bytes as they are.
fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// Leads a page to where its visitor can sign in, and tells anything else that somebody must.
fn turn_away(app: &App, kind: Kind, asked: &Asked, headers: &HeaderMap, again: bool) -> Response {
    let problem = if again { Problem::too_long_ago() } else { Problem::unauthenticated() };
    if !is_page(headers) {
        return problem.into_response();
    }
    let location = way(app, asked, again);
    if kind.is_asked_only() {
        let mut response = problem.into_response();
        set(response.headers_mut(), header::LOCATION, &location);
        return response;
    }
    let is_get = matches!(&*asked.method, "GET" | "HEAD");
    let status = if is_get { StatusCode::FOUND } else { StatusCode::SEE_OTHER };
    let mut response = status.into_response();
    set(response.headers_mut(), header::LOCATION, &location);
    response
}

/// Where a page is led.
fn way(app: &App, asked: &Asked, again: bool) -> String {
    let issuer = app.settings.site.issuer();
    let encoded = |text: &str| utf8_percent_encode(text, PLAIN).to_string();
    let leads = app.settings.may_lead_to(&asked.origin);
    match (again, leads) {
        (false, false) => format!("{issuer}/login"),
        (false, true) if app.settings.is_far(&asked.origin) => {
            far::way_in(&asked.origin, &asked.url())
        }
        (false, true) => format!("{issuer}/login?rd={}", encoded(&asked.url())),
        (true, false) => format!("{issuer}/account/confirm"),
        (true, true) => {
            let back = format!("/continue?rd={}", encoded(&asked.url()));
            format!("{issuer}/account/confirm?return_to={}", encoded(&back))
        }
    }
}

/// Whether a person waits for a page, who can be led somewhere else.
fn is_page(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if headers.contains_key(header::AUTHORIZATION) || headers.contains_key(header::UPGRADE) {
        return false;
    }
    if let Some(mode) = text("sec-fetch-mode") {
        return mode == "navigate";
    }
    let by_script = text("x-requested-with")
        .is_some_and(|it| it.eq_ignore_ascii_case("xmlhttprequest"))
        || text("hx-request").is_some_and(|it| it.eq_ignore_ascii_case("true"));
    !by_script && text("accept").is_some_and(|accepted| accepted.contains("text/html"))
}

/// Whether a browser may be sent to an address, with a pass for it: to one of our sites, and nothing
/// that a browser could read as another (attack 24).
pub(crate) fn way_back(app: &App, url: &str) -> Option<(Origin, String)> {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
    if url.len() > WAY_BACK_MAX || !url.bytes().all(plain) {
        return None;
    }
    let (origin, rest) = Origin::split(url).ok()?;
    let is_path = rest.is_empty() || rest.starts_with(['/', '?']);
    if !is_path || !app.settings.may_lead_to(&origin) {
        return None;
    }
    // Written anew from what was understood.
    let rest = if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") };
    let url = format!("{origin}{rest}");
    Some((origin, url))
}

/// The path of ours that leads on to an address.
pub(crate) fn onward(url: &str) -> String {
    format!("/continue?rd={}", utf8_percent_encode(url, PLAIN))
}

/// Whether a request that a proxy asks with may be answered: the peer is one of our proxies, or in
/// development this machine.
pub(crate) fn admit(app: &App, refused: Option<Problem>) -> Result<(), Problem> {
    match (&app.settings.site, refused) {
        // The name is the app's, and no browser asks here.
        (Site::Development { .. }, _) | (_, None) => Ok(()),
        (Site::Production { .. }, Some(problem)) => Err(problem),
    }
}

/// The paths that are answered here, with a method that stands for all.
pub(super) fn paths() -> [(Method, &'static str); 5] {
    [
        (Method::GET, "/api/authz/forward-auth"),
        (Method::GET, "/api/authz/auth-request"),
        (Method::GET, "/api/authz/ext-authz/{path}"),
        (Method::GET, "/api/verify"),
        (Method::GET, "/oauth2/auth"),
    ]
}
