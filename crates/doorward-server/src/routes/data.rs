//! `/api/v1/session/data`: what an app keeps with a session.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use doorward_core::data::{DataKey, Precondition};
use doorward_store::act::Written;
use http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::App;
use crate::answer::Problem;
use crate::edge::set;
use crate::flow::identify::Caller;
use crate::request::{Json, Path, Sent};

/// What is wrong with a key that is none.
pub const KEY_FAULT: &str = "A key is 1 to 64 characters of A-Z a-z 0-9 . _ -";

/// `GET /api/v1/session/data`: every value with its version.
pub async fn list(State(app): State<App>, caller: Caller) -> Result<Response, Problem> {
    let mut values = Map::new();
    for (key, datum) in app.store.data(caller.sid()).await? {
        let value: Value = serde_json::from_str(&datum.json).unwrap_or(Value::Null);
        let entry = json!({ "value": value, "version": datum.version });
        values.insert(key.as_str().to_owned(), entry);
    }
    Ok(axum::Json(json!({ "data": values })).into_response())
}

/// `PUT /api/v1/session/data/{key}`: writes one value, if its version is as `If-Match` says.
pub async fn write(
    State(app): State<App>,
    Path(key): Path<String>,
    headers: HeaderMap,
    Sent(caller, Json(value)): Sent<Json<Value>>,
) -> Result<Response, Problem> {
    let (key, condition) = (parse_key(&key)?, precondition(&headers)?);
    let json = value.to_string();
    let Written { version, is_new } =
        app.store.write_datum(caller.sid(), &key, &json, condition).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let body = axum::Json(json!({ "key": key.as_str(), "version": version }));
    let mut response = (status, body).into_response();
    set(response.headers_mut(), header::ETAG, &format!("\"{version}\""));
    Ok(response)
}

/// `DELETE /api/v1/session/data/{key}`: removes one value under the same condition.
pub async fn remove(
    State(app): State<App>,
    caller: Caller,
    Path(key): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (key, condition) = (parse_key(&key)?, precondition(&headers)?);
    app.store.remove_datum(caller.sid(), &key, condition).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn parse_key(text: &str) -> Result<DataKey, Problem> {
    DataKey::parse(text).map_err(|_| Problem::invalid("", "malformed-key", KEY_FAULT))
}

/// Reads `If-Match: "3"` or `If-None-Match: *` (RFC 9110, section 13.1).
fn precondition(headers: &HeaderMap) -> Result<Precondition, Problem> {
    let malformed = || {
        let message = "If-Match is a version in quotes; If-None-Match is *.";
        Problem::invalid("", "malformed-version", message)
    };
    // Two lines are a list (RFC 9110, section 5.3), and a list is no version.
    let text = |name| {
        let mut lines = headers.get_all(name).iter();
        let first = lines.next().map(|value| value.to_str().unwrap_or(""));
        first.map(|text| if lines.next().is_some() { "" } else { text })
    };
    match (text(header::IF_MATCH), text(header::IF_NONE_MATCH)) {
        (None, None) => Ok(Precondition::Any),
        (None, Some("*")) => Ok(Precondition::Version(0)),
        (Some(version), None) => {
            let bare = version.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            let digits = bare.unwrap_or(version);
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            let version = digits.parse().ok().filter(|_| plain);
            version.map(Precondition::Version).ok_or_else(malformed)
        }
        (_, Some(_)) => Err(malformed()),
    }
}
