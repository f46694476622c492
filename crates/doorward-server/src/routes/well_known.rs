//! `/.well-known/…`: what other programs look for at fixed places.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::header::{self, HeaderName};

use crate::App;
use crate::answer::Problem;

/// `GET /.well-known/jwks.json`: the public keys that verify our tokens (RFC 7517).
///
/// Anybody may read it, from any origin; it holds no private and no symmetric key.
pub async fn jwks(State(app): State<App>) -> Result<Response, Problem> {
    let body = serde_json::to_string(&app.keys.public()).map_err(|_| Problem::internal())?;
    // A verifier that keeps a set without the key to come would refuse that key's first tokens.
    let complete = app.settings.algorithms().all(|algorithm| app.keys.has(algorithm));
    let headers = [
        (header::CONTENT_TYPE, "application/jwk-set+json"),
        (header::CACHE_CONTROL, if complete { "public, max-age=300" } else { "no-cache" }),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
    ];
    Ok((headers, body).into_response())
}

/// `GET /.well-known/change-password`: where a password manager sends people.
pub async fn change_password() -> Redirect {
    Redirect::to("/account#change")
}
