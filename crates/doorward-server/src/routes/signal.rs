//! `/ssf/…`: Shared Signals (OpenID SSF 1.0), fetched (RFC 8936) or pushed (RFC 8935).

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::{FromRequestParts, State};
use axum::response::{IntoResponse, Response};
use doorward_core::signal::Stream;
use doorward_wire::secevent::SESSION_REVOKED;
use http::request::Parts;
use http::{StatusCode, header};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::App;
use crate::answer::Problem;
use crate::flow::client;
use crate::flow::identify::IdentifyError;
use crate::flow::signal::{self, Receiver, SignalError, TOLD_MAX};
use crate::request::{self, Client, Json, Path, Query};

/// Fetched (RFC 8936).
const POLL: &str = "urn:ietf:rfc:8936";
/// Pushed (RFC 8935).
const PUSH: &str = "urn:ietf:rfc:8935";

/// How long somebody who fetches may wait for something to happen.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// How often it is looked whether something has.
const LOOKED_EVERY: Duration = Duration::from_millis(250);

impl FromRequestParts<App> for Receiver {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let from = Client::from_request_parts(parts, app).await?;
        let credential = request::credential(app, &parts.headers, &from);
        let token = match client::by_credential(app, &credential).await {
            Some(found) => found?,
            None => return Err(IdentifyError::Nothing.into()),
        };
        Ok(signal::receiver(&token)?)
    }
}

/// `GET /.well-known/ssf-configuration` (SSF 1.0, section 7).
pub async fn configuration(State(app): State<App>) -> Response {
    let issuer = app.settings.site.issuer();
    let document = json!({
        "spec_version": "1_0",
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
        "delivery_methods_supported": [PUSH, POLL],
        "configuration_endpoint": format!("{issuer}/ssf/stream"),
        "status_endpoint": format!("{issuer}/ssf/status"),
        "verification_endpoint": format!("{issuer}/ssf/verify"),
        "authorization_schemes": [{ "spec_urn": "urn:ietf:rfc:6749" }],
        "default_subjects": "ALL",
    });
    let headers = [
        (header::CACHE_CONTROL, "public, max-age=300"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
    ];
    (headers, axum::Json(document)).into_response()
}

fn shape(app: &App, stream: &Stream) -> Value {
    let issuer = app.settings.site.issuer();
    let delivery = match &stream.endpoint {
        Some(endpoint) => json!({ "method": PUSH, "endpoint_url": endpoint }),
        None => json!({
            "method": POLL,
            "endpoint_url": format!("{issuer}/ssf/poll/{}", stream.id),
        }),
    };
    json!({
        "stream_id": stream.id,
        "iss": issuer,
        "aud": stream.client,
        "delivery": delivery,
        "events_supported": [SESSION_REVOKED],
        "events_requested": [SESSION_REVOKED],
        "events_delivered": [SESSION_REVOKED],
        "min_verification_interval": 0,
    })
}

/// What a receiver says of its stream. What it says of itself besides is ignored, as the standard asks.
#[derive(Deserialize)]
pub struct StreamBody {
    stream_id: Option<String>,
    delivery: Option<Delivery>,
    events_requested: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Delivery {
    method: String,
    endpoint_url: Option<String>,
    authorization_header: Option<String>,
}

/// Where signals are to go, or nothing where they are fetched.
fn endpoint(delivery: Option<Delivery>) -> Result<Option<String>, Problem> {
    let Some(delivery) = delivery else { return Ok(None) };
    if delivery.authorization_header.is_some() {
        let message = "Events are signed; no secret is sent along with them. Leave it out.";
        return Err(Problem::invalid("/delivery/authorization_header", "unsupported", message));
    }
    match &*delivery.method {
        POLL => Ok(None),
        PUSH => delivery.endpoint_url.map(Some).ok_or_else(|| {
            Problem::invalid("/delivery/endpoint_url", "missing-member", "Say where to.")
        }),
        _ => Err(Problem::invalid("/delivery/method", "unsupported", "It is pushed or fetched.")),
    }
}

fn wants_ours(events: Option<&[String]>) -> Result<(), Problem> {
    if events.is_none_or(|events| events.iter().any(|event| event == SESSION_REVOKED)) {
        return Ok(());
    }
    let message = "There is session-revoked, and nothing else to be told of.";
    Err(Problem::invalid("/events_requested", "unsupported", message))
}

/// `POST /ssf/stream`: makes the caller's stream.
pub async fn create(
    State(app): State<App>,
    receiver: Receiver,
    Json(body): Json<StreamBody>,
) -> Result<Response, Problem> {
    wants_ours(body.events_requested.as_deref())?;
    let stream = signal::create(&app, &receiver, endpoint(body.delivery)?).await?;
    Ok((StatusCode::CREATED, axum::Json(shape(&app, &stream))).into_response())
}

/// Which stream is meant. A client has one, and may leave it out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamQuery {
    stream_id: Option<String>,
}

/// `GET /ssf/stream`: the caller's stream; without a name a list of it.
pub async fn show(
    State(app): State<App>,
    receiver: Receiver,
    Query(query): Query<StreamQuery>,
) -> Result<Response, Problem> {
    let found = signal::find(&app, &receiver, query.stream_id.as_deref()).await;
    let body = match (found, query.stream_id) {
        (Ok(stream), Some(_)) => shape(&app, &stream),
        (Ok(stream), None) => json!([shape(&app, &stream)]),
        (Err(SignalError::Unknown), None) => json!([]),
        (Err(error), _) => return Err(error.into()),
    };
    Ok(axum::Json(body).into_response())
}

/// `PATCH` and `PUT /ssf/stream`: where its signals go.
pub async fn change(
    State(app): State<App>,
    receiver: Receiver,
    Json(body): Json<StreamBody>,
) -> Result<Response, Problem> {
    wants_ours(body.events_requested.as_deref())?;
    let stream = signal::find(&app, &receiver, body.stream_id.as_deref()).await?;
    let endpoint = match body.delivery {
        Some(delivery) => endpoint(Some(delivery))?,
        None => stream.endpoint.clone(),
    };
    let stream = signal::change(&app, Stream { endpoint, ..stream }).await?;
    Ok(axum::Json(shape(&app, &stream)).into_response())
}

/// `DELETE /ssf/stream`.
pub async fn delete(
    State(app): State<App>,
    receiver: Receiver,
    Query(query): Query<StreamQuery>,
) -> Result<Response, Problem> {
    signal::delete(&app, &receiver, query.stream_id.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn status_of(stream: &Stream) -> Value {
    let status = if stream.enabled { "enabled" } else { "disabled" };
    json!({ "stream_id": stream.id, "status": status })
}

/// `GET /ssf/status`.
pub async fn status(
    State(app): State<App>,
    receiver: Receiver,
    Query(query): Query<StreamQuery>,
) -> Result<Response, Problem> {
    let stream = signal::find(&app, &receiver, query.stream_id.as_deref()).await?;
    Ok(axum::Json(status_of(&stream)).into_response())
}

/// What `POST /ssf/status` reads.
#[derive(Deserialize)]
pub struct StatusBody {
    stream_id: Option<String>,
    status: String,
}

/// `POST /ssf/status`: switches a stream on or off. While it is off nothing is gathered for it.
pub async fn switch(
    State(app): State<App>,
    receiver: Receiver,
    Json(body): Json<StatusBody>,
) -> Result<Response, Problem> {
    let enabled = match &*body.status {
        "enabled" => true,
        "disabled" => false,
        _ => {
            let message = "A stream is enabled or disabled; none is paused here.";
            return Err(Problem::invalid("/status", "unsupported", message));
        }
    };
    let stream = signal::find(&app, &receiver, body.stream_id.as_deref()).await?;
    let stream = signal::change(&app, Stream { enabled, ..stream }).await?;
    Ok(axum::Json(status_of(&stream)).into_response())
}

/// What `POST /ssf/verify` reads.
#[derive(Deserialize)]
pub struct VerifyBody {
    stream_id: Option<String>,
    state: Option<String>,
}

/// `POST /ssf/verify`: has a stream say that it works.
pub async fn verify(
    State(app): State<App>,
    receiver: Receiver,
    Json(body): Json<VerifyBody>,
) -> Result<Response, Problem> {
    let stream = signal::find(&app, &receiver, body.stream_id.as_deref()).await?;
    signal::verify(&app, &stream, body.state).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// What somebody says who fetches (RFC 8936, section 2.2).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PollBody {
    max_events: Option<usize>,
    #[serde(default)]
    return_immediately: bool,
    #[serde(default)]
    ack: Vec<String>,
    #[serde(default)]
    set_errs: Map<String, Value>,
}

/// `POST /ssf/poll/{stream}` (RFC 8936).
pub async fn poll(
    State(app): State<App>,
    receiver: Receiver,
    Path(id): Path<String>,
    Json(body): Json<PollBody>,
) -> Result<Response, Problem> {
    let stream = signal::find(&app, &receiver, Some(&id)).await?;
    for (name, error) in &body.set_errs {
        tracing::warn!(stream = %stream.id, %name, %error, "a receiver could not use an event");
    }
    let heard = body.ack.iter().chain(body.set_errs.keys()).map(String::as_str);
    signal::acknowledge(&app, &stream, heard).await?;
    let limit = body.max_events.unwrap_or(TOLD_MAX);
    let begun = tokio::time::Instant::now();
    let (told, more) = loop {
        let (told, more) = signal::waiting(&app, &stream, limit).await?;
        let is_over = body.return_immediately || limit == 0 || begun.elapsed() >= WAIT_MAX;
        if !told.is_empty() || is_over || app.draining.load(Ordering::Relaxed) {
            break (told, more);
        }
        tokio::time::sleep(LOOKED_EVERY).await;
    };
    let sets: Map<String, Value> =
        told.into_iter().map(|(name, text)| (name, text.into())).collect();
    Ok(axum::Json(json!({ "sets": sets, "moreAvailable": more })).into_response())
}
