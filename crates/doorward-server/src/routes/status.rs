//! `/status-lists`: which tokens count no longer, in one bit each.

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use doorward_wire::status_list::{MEDIA_TYPE, TTL};
use http::header::{self, HeaderMap, HeaderName};
use serde_json::json;

use crate::App;
use crate::answer::Problem;
use crate::flow::status;
use crate::request::Path;

/// What anybody may read, from everywhere.
fn public(media_type: &'static str) -> [(HeaderName, String); 4] {
    [
        (header::CONTENT_TYPE, media_type.to_owned()),
        (header::CACHE_CONTROL, format!("public, max-age={TTL}")),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*".to_owned()),
        (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin".to_owned()),
    ]
}

/// `GET /status-lists/{number}`: a list, as a signed JWT.
pub async fn list(
    State(app): State<App>,
    Path(number): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    // What was true at another time is not kept (section 8.4).
    if query.is_some_and(|query| query.split('&').any(|pair| pair.starts_with("time="))) {
        return Err(Problem::no_history());
    }
    if !accepts(&headers) {
        return Err(Problem::not_acceptable(MEDIA_TYPE));
    }
    let number: u64 = number.parse().map_err(|_| Problem::not_found())?;
    let text = status::list(&app, number).await?.ok_or_else(Problem::not_found)?;
    Ok((public(MEDIA_TYPE), text.to_string()).into_response())
}

/// `GET /status-lists`: where all of them are (section 9.3).
pub async fn lists(State(app): State<App>) -> Result<Response, Problem> {
    let numbers = status::numbers(&app).await?;
    // Older ones are about nothing that could still be shown.
    let newest = numbers.end.saturating_sub(100)..numbers.end;
    let uris: Vec<String> = newest.map(|number| status::uri(&app, number)).collect();
    let body = json!({ "status_lists": uris }).to_string();
    Ok((public("application/json"), body).into_response())
}

/// Whether the caller can read a JWT. A list in CBOR is not made here.
fn accepts(headers: &HeaderMap) -> bool {
    let fields = headers.get_all(header::ACCEPT);
    let mut kinds =
        fields.iter().filter_map(|value| value.to_str().ok()).flat_map(|it| it.split(','));
    let mut any = false;
    let takes = kinds.any(|kind| {
        any = true;
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind == "*/*" || kind == "application/*" || kind.eq_ignore_ascii_case(MEDIA_TYPE)
    });
    takes || !any
}
