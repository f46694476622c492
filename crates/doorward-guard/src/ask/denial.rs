//! Why a handler was not called, in a way that whoever asked can follow.

use std::time::Duration;

use axum_core::body::Body;
use axum_core::response::{IntoResponse, Response};
use http::header::{
    ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::layer::in_http;
use crate::{Denied, Guard};

/// Why a handler was not called. As a response it is what whoever asked can follow: a page is led to the
/// login page (303), a part of a page for htmx too (204, `HX-Redirect`), a program is told in
/// `application/problem+json`.
#[derive(Clone, Debug)]
pub struct Denial {
    why: Why,
    way: Way,
}

#[derive(Clone, Debug)]
enum Why {
    /// The layer is missing: a fault of the app's own.
    NoLayer,
    Denied(Denied),
    Scope(&'static str),
    Role,
    /// The proof of who it is was too weak, or is too long ago.
    Proof {
        assurance: u8,
        within: Option<Duration>,
    },
    /// What was kept with the session could not be.
    Data(StatusCode, &'static str),
}

/// What whoever asks can follow.
#[derive(Clone, Debug)]
pub(super) struct Way {
    how: How,
    login: String,
    proof: String,
}

#[derive(Clone, Copy, Debug)]
enum How {
    /// A status, as a document.
    Told,
    /// A page: on to another.
    Page,
    /// A part of a page, that htmx asked for.
    Part,
}

impl Way {
    const TOLD: Self = Self { how: How::Told, login: String::new(), proof: String::new() };

    pub(super) fn of(guard: &Guard, head: &Parts) -> Self {
        let Some((issuer, origin, is_beside)) = guard.pages() else { return Self::TOLD };
        let headers = &head.headers;
        let how = if said(headers, "hx-request") == Some("true") {
            How::Part
        } else if headers.contains_key(AUTHORIZATION) {
            How::Told
        } else {
            let is_page = match said(headers, "sec-fetch-mode") {
                Some(mode) => mode == "navigate",
                None => said(headers, ACCEPT.as_str()).is_some_and(|it| it.contains("text/html")),
            };
            if is_page { How::Page } else { How::Told }
        };
        if let How::Told = how {
            return Self::TOLD;
        }
        // Where a form or a part of a page was sent to is no page to come back to.
        let is_page = head.method == Method::GET && matches!(how, How::Page);
        let own = head.uri.path_and_query().map_or("/", |it| it.as_str());
        let back = if is_page { own } else { page_of(headers, origin) };
        let (login, proof) = if is_beside {
            let back = encoded(back);
            let path = |page| format!("{issuer}{page}?return_to={back}");
            (path("/login"), path("/account/confirm"))
        } else {
            let back = encoded(&format!("{origin}{back}"));
            let onward = encoded(&format!("/continue?rd={back}"));
            (
                format!("{issuer}/login?rd={back}"),
                format!("{issuer}/account/confirm?return_to={onward}"),
            )
        };
        Self { how, login, proof }
    }
}

/// The page of the app's own that something was asked from, or the first one.
fn page_of<'a>(headers: &'a HeaderMap, origin: &str) -> &'a str {
    let from = said(headers, "hx-current-url").or_else(|| said(headers, "referer"));
    let path = from.and_then(|url| url.strip_prefix(origin));
    path.filter(|path| path.starts_with('/')).unwrap_or("/")
}

fn said<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Everything but what RFC 3986 calls unreserved, written in percents.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let write =
        |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(write).collect()
}

impl Denial {
    pub(super) fn no_layer() -> Self {
        Self { why: Why::NoLayer, way: Way::TOLD }
    }

    pub(super) fn denied(denied: Denied, way: Way) -> Self {
        Self { why: Why::Denied(denied), way }
    }

    pub(super) fn scope(name: &'static str) -> Self {
        Self { why: Why::Scope(name), way: Way::TOLD }
    }

    pub(super) fn role() -> Self {
        Self { why: Why::Role, way: Way::TOLD }
    }

    pub(super) fn proof(assurance: u8, within: Option<Duration>, way: Way) -> Self {
        Self { why: Why::Proof { assurance, within }, way }
    }

    pub(super) fn data(status: StatusCode, code: &'static str) -> Self {
        Self { why: Why::Data(status, code), way: Way::TOLD }
    }

    /// The status, a word for programs, a challenge, and the page that helps.
    fn spoken(&self) -> (StatusCode, &'static str, Option<String>, Option<&str>) {
        match &self.why {
            Why::NoLayer => (StatusCode::INTERNAL_SERVER_ERROR, "internal", None, None),
            Why::Denied(denied) => {
                let (status, code, challenge) = in_http(*denied);
                let page = (status == StatusCode::UNAUTHORIZED).then_some(&*self.way.login);
                (status, code, challenge.map(str::to_owned), page)
            }
            Why::Scope(scope) => {
                let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
                (StatusCode::FORBIDDEN, "insufficient-scope", Some(challenge), None)
            }
            Why::Role => (StatusCode::FORBIDDEN, "not-allowed", None, None),
            Why::Proof { assurance, within } => {
                // RFC 9470, section 3.
                let level = (*assurance > 0).then(|| format!(", acr_values=\"aal{assurance}\""));
                let age = within.map(|within| format!(", max_age=\"{}\"", within.as_secs()));
                let challenge = format!(
                    "Bearer error=\"insufficient_user_authentication\"{}{}",
                    level.unwrap_or_default(),
                    age.unwrap_or_default()
                );
                let page = Some(&*self.way.proof);
                (StatusCode::UNAUTHORIZED, "reauthentication-required", Some(challenge), page)
            }
            Why::Data(status, code) => (*status, code, None, None),
        }
    }
}

impl IntoResponse for Denial {
    fn into_response(self) -> Response {
        let (status, code, challenge, page) = self.spoken();
        let text = |text: &str| HeaderValue::from_str(text).ok();
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        *response.status_mut() = match (self.way.how, page.and_then(text)) {
            (How::Page, Some(page)) => {
                response.headers_mut().insert(LOCATION, page);
                StatusCode::SEE_OTHER
            }
            (How::Part, Some(page)) => {
                response.headers_mut().insert(HeaderName::from_static("hx-redirect"), page);
                StatusCode::NO_CONTENT
            }
            (How::Told | How::Page | How::Part, _) => {
                told(&mut response, status, code);
                let headers = response.headers_mut();
                headers
                    .extend(challenge.as_deref().and_then(text).map(|it| (WWW_AUTHENTICATE, it)));
                if status == StatusCode::SERVICE_UNAVAILABLE {
                    headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
                }
                status
            }
        };
        response
    }
}

fn told(response: &mut Response, status: StatusCode, code: &str) {
    let document = serde_json::json!({
        "type": format!("urn:doorward:problem:{code}"),
        "title": status.canonical_reason().unwrap_or_default(),
        "status": status.as_u16(),
        "code": code,
    });
    *response.body_mut() = Body::from(document.to_string());
    let kind = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
}
