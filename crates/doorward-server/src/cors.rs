//! Cross-origin reads: whose scripts may use the API with a token (Fetch, section 3.2).
//!
//! # What this module answers
//!
//! - *An origin that looks like one that is allowed*: origins are compared byte by byte, whole. There are
//!   no patterns, and `null` is nobody.
//! - *A script that uses the cookie*: credentials are never allowed. A request that carries the session
//!   cookie gets no permission at all, whoever sends it.
//! - *A cache that gives one origin's answer to another*: answers say that they depend on `Origin`.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use doorward_wire::cookie::Carried;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, StatusCode};

use crate::App;
use crate::edge::set;
use crate::request;

/// The header fields that a script may send beside those that it always may.
const MAY_SEND: &str = "authorization, content-type, dpop, if-match, if-none-match, last-event-id";

/// The header fields that a script may read beside those that it always may.
const MAY_READ: &str = "dpop-nonce, etag, retry-after, www-authenticate, x-request-id";

/// How long a browser may remember a permission, in seconds.
const REMEMBERED: &str = "600";

/// The paths that scripts of other origins may use.
const OPEN: [&str; 2] = ["/api/", "/oauth/"];

/// The origins whose scripts may use the API with a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(Vec<String>);

/// The text is no origin of somebody's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an origin is a scheme, a host in lower case, and perhaps a port, as in https://app.example.com"
)]
pub struct NotAnOrigin;

impl Origins {
    /// Reads origins. `https`, or `http` on this machine.
    ///
    /// ```
    /// use doorward_server::cors::Origins;
    ///
    /// assert!(Origins::parse(["https://app.example.com"]).is_ok());
    /// for wrong in ["*", "null", "https://app.example.com/", "https://*.example.com", "app.example.com"] {
    ///     assert!(Origins::parse([wrong]).is_err());
    /// }
    /// ```
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, NotAnOrigin> {
        let origins = texts.into_iter().map(|text| {
            let is_one = is_origin(text);
            is_one.then(|| text.to_owned()).ok_or(NotAnOrigin)
        });
        origins.collect::<Result<_, _>>().map(Self)
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        self.0.iter().any(|known| known.as_bytes() == origin.as_bytes())
    }
}

/// Whether a browser would write an origin in just this way (RFC 6454, section 6.2).
fn is_origin(text: &str) -> bool {
    let (rest, default_port) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) => (rest, ":443"),
        (None, Some(rest)) if crate::settings::is_loopback_name(rest) => (rest, ":80"),
        _ => return false,
    };
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.:[]".contains(&byte);
    let Ok(authority) = rest.parse::<http::uri::Authority>() else { return false };
    rest.bytes().all(plain)
        && !rest.ends_with(default_port)
        && !rest.ends_with(['.', ':'])
        && !authority.host().is_empty()
}

/// What a request of another origin asks for.
#[derive(Debug)]
pub(crate) enum Asked {
    /// Nothing that we would allow.
    Nothing,
    /// Whether such a request may come (Fetch, section 4.8).
    Preflight(HeaderValue),
    /// To read the answer.
    Read(HeaderValue),
}

impl Asked {
    /// What a request asks for.
    pub(crate) fn by(app: &App, request: &Request<Body>) -> Self {
        let headers = request.headers();
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let (Some(origin), None) = (origins.next(), origins.next()) else { return Self::Nothing };
        let is_open = OPEN.iter().any(|open| request.uri().path().starts_with(open));
        let is_allowed = is_open && app.settings.cors.allows(origin);
        if !is_allowed || !matches!(request::carried(app, headers), Carried::Nothing) {
            return Self::Nothing;
        }
        if request.method() == Method::OPTIONS
            && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        {
            return Self::Preflight(origin.clone());
        }
        Self::Read(origin.clone())
    }

    /// Gives the permission that was asked for. A preflight for a path that is there becomes an answer: the
    /// router has refused the method, and told which there are.
    pub(crate) fn permit(self, mut response: Response) -> Response {
        match self {
            Self::Nothing => return response,
            Self::Read(origin) => {
                allow(response.headers_mut(), origin);
                set(response.headers_mut(), header::ACCESS_CONTROL_EXPOSE_HEADERS, MAY_READ);
            }
            Self::Preflight(origin) => {
                let methods = response.headers().get(header::ALLOW).cloned();
                let Some(methods) = methods.filter(|_| response.status() == 405) else {
                    return response;
                };
                let mut answer = StatusCode::NO_CONTENT.into_response();
                std::mem::swap(answer.headers_mut(), response.headers_mut());
                response = answer;
                let headers = response.headers_mut();
                headers.remove(header::CONTENT_TYPE);
                headers.remove(header::CONTENT_LENGTH);
                headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
                set(headers, header::ACCESS_CONTROL_ALLOW_HEADERS, MAY_SEND);
                set(headers, header::ACCESS_CONTROL_MAX_AGE, REMEMBERED);
                allow(headers, origin);
            }
        }
        response
    }
}

fn allow(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
}

/// Says to caches that an answer depends on the origin, if any origin is allowed anything.
pub(crate) fn vary(app: &App, path: &str, headers: &mut HeaderMap) {
    let is_open = OPEN.iter().any(|open| path.starts_with(open));
    let says_so = headers
        .get(header::VARY)
        .and_then(|value| value.to_str().ok())
        .map(|text| text.split(',').any(|name| name.trim().eq_ignore_ascii_case("origin")));
    if is_open && !app.settings.cors.0.is_empty() && says_so != Some(true) {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_a_browser_writes_it() {
        for good in [
            "https://app.example.com",
            "https://app.example.com:8443",
            "https://[2001:db8::1]",
            "http://localhost:3000",
            "http://127.0.0.1:3000",
        ] {
            assert!(Origins::parse([good]).is_ok(), "{good}");
        }
        for bad in [
            "",
            "*",
            "null",
            "https://",
            "https://*",
            "https://*.example.com",
            "https://app.example.com/",
            "https://app.example.com/app",
            "https://app.example.com:443",
            "https://app.example.com:",
            "https://app.example.com.",
            "https://App.example.com",
            "HTTPS://app.example.com",
            "https://user@app.example.com",
            "https://app.example.com?x",
            "https://app.example.com https://b.example",
            "http://app.example.com",
            "http://localhost:80",
            "ftp://app.example.com",
            "app.example.com",
        ] {
            assert_eq!(Origins::parse([bad]), Err(NotAnOrigin), "{bad}");
        }
    }
}
