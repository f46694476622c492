//! `/.well-known/…`: what other programs look for at fixed places.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName};

use crate::App;
use crate::edge::set;

/// `GET /.well-known/jwks.json`: the public keys that verify our tokens (RFC 7517).
///
/// Anybody may read it, from any origin; it holds no private and no symmetric key. The next key is in it
/// a day before it signs, so whoever keeps it for five minutes misses nothing.
pub async fn jwks(State(app): State<App>, headers: HeaderMap) -> Response {
    let published = app.keys.published();
    // A verifier that keeps a set without the key to come would refuse that key's first tokens.
    let complete = app.settings.algorithms().all(|algorithm| app.keys.has(algorithm));
    let mut response = if is_known(&headers, &published.etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, "application/jwk-set+json")], String::from(&*published.json))
            .into_response()
    };
    let caching = if complete { "public, max-age=300" } else { "no-cache" };
    for (name, value) in [
        (header::CACHE_CONTROL, caching),
        (header::ETAG, &*published.etag),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
    ] {
        set(response.headers_mut(), name, value);
    }
    response
}

/// Whether the reader has this very answer already (RFC 9110, section 13.1.2).
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let sent =
        headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut known = sent.flat_map(|value| value.split(',')).map(str::trim);
    known.any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == etag)
}

/// `GET /.well-known/change-password`: where a password manager sends people.
pub async fn change_password() -> Redirect {
    Redirect::to("/account#change")
}
