//! `/api/v1/session` and `/api/v1/sessions`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use doorward_core::credential::Password;
use doorward_wire::SessionId;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::shape;
use crate::App;
use crate::answer::Problem;
use crate::flow::identify::{Caller, Recognised};
use crate::flow::{logout, password, session as flow_session};
use crate::request::{Before, Client, From, Json, MaybeJson, Path, Query, SameOrigin, Sent};

/// How many items a page of a list has unless the caller says otherwise.
const PAGE: usize = 50;
/// How many it may have.
const PAGE_MAX: usize = 200;

/// What `POST /api/v1/session` reads: nothing yet.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenBody {}

/// `POST /api/v1/session`: opens an anonymous session.
pub async fn open(
    State(app): State<App>,
    _: SameOrigin,
    From(device): From,
    Before(before): Before,
    MaybeJson(_): MaybeJson<OpenBody>,
) -> Result<Response, Problem> {
    let welcome = flow_session::open_anonymous(&app, before, device).await?;
    Ok(shape::welcome(&app, StatusCode::CREATED, &welcome).await)
}

/// `GET /api/v1/session`: who is asking, by either carrier.
pub async fn show(State(app): State<App>, caller: Caller) -> Result<Response, Problem> {
    let data = app.store.data(caller.sid()).await?;
    let mut session = shape::session(&app, caller.live(), caller.device());
    session["data"] = Value::Object(shape::values(&data));
    let body = json!({
        "account": caller.live().account().map(shape::account),
        "session": session,
        "carrier": caller.carrier().name(),
    });
    Ok(axum::Json(body).into_response())
}

/// What `POST /api/v1/session/reauthenticate` reads.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProofBody {
    password: String,
}

/// `POST /api/v1/session/reauthenticate`: a new proof, and a new secret. Also for whoever is asked
/// for one.
pub async fn reauthenticate(
    State(app): State<App>,
    From(device): From,
    Sent(recognised, Json(body)): Sent<Json<ProofBody>, Recognised>,
) -> Result<Response, Problem> {
    let typed = Password::from(body.password);
    let welcome = password::reauthenticate(&app, recognised.anyway(), typed, device).await?;
    Ok(shape::welcome(&app, StatusCode::OK, &welcome).await)
}

/// What a list reads from its query.
#[derive(Deserialize)]
pub struct PageQuery {
    limit: Option<usize>,
    cursor: Option<String>,
}

/// `GET /api/v1/sessions`: the caller's own sessions that still count, newest first.
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<PageQuery>,
) -> Result<Response, Problem> {
    let account = caller.live().account().ok_or_else(Problem::unauthenticated)?.id;
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(Problem::invalid("?limit", "out-of-range", "limit is from 1 to 200."));
    }
    let after = query.cursor.map(|text| text.parse::<SessionId>()).transpose().map_err(|_| {
        Problem::invalid("?cursor", "malformed-cursor", "Use the next_cursor of the page before.")
    })?;
    let page = app.store.sessions_of(account, after, limit).await?;
    let next = page.items.last().filter(|_| page.more).map(|found| found.session.sid);
    let now = app.ambient.now();
    let counting = page.items.into_iter().filter_map(|found| {
        let (live, device) = found.check(&app.settings.lifetimes, now).ok()?;
        let mut session = shape::session(&app, &live, &device);
        session["current"] = Value::Bool(live.session().sid == caller.sid());
        Some(session)
    });
    let body = json!({ "data": counting.collect::<Vec<_>>(), "next_cursor": next });
    Ok(axum::Json(body).into_response())
}

/// `DELETE /api/v1/sessions/{sid}`: ends one of the caller's own sessions.
pub async fn end_one(
    State(app): State<App>,
    client: Client,
    caller: Caller,
    Path(sid): Path<String>,
) -> Result<Response, Problem> {
    caller.live().account().ok_or_else(Problem::unauthenticated)?;
    let sid: SessionId = sid.parse().map_err(|_| Problem::not_found())?;
    logout::end_one(&app, &caller, sid, &client.ip).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    if sid == caller.sid() && caller.carrier() == doorward_core::session::Carrier::Cookie {
        shape::clear_cookie(&app, &mut response);
    }
    Ok(response)
}

/// What `DELETE /api/v1/sessions` reads from its query.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndQuery {
    except: Option<String>,
    wait: Option<String>,
}

/// `DELETE /api/v1/sessions?except=current`: ends all the caller's sessions, or all the others.
///
/// `wait=cluster` asks to be answered once every node knows; here there is one node, and it knows.
pub async fn end_many(
    State(app): State<App>,
    client: Client,
    caller: Caller,
    Query(query): Query<EndQuery>,
) -> Result<Response, Problem> {
    caller.live().account().ok_or_else(Problem::unauthenticated)?;
    if query.wait.is_some_and(|wait| wait != "cluster") {
        return Err(Problem::invalid("?wait", "unknown-value", "wait can only be cluster."));
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    match query.except.as_deref() {
        Some("current") => {
            logout::end_others(&app, &caller, &client.ip).await?;
        }
        None => {
            logout::end_all(&app, &caller, &client.ip).await?;
            if caller.carrier() == doorward_core::session::Carrier::Cookie {
                shape::clear_cookie(&app, &mut response);
            }
        }
        Some(_) => {
            let message = "except can only be current.";
            return Err(Problem::invalid("?except", "unknown-value", message));
        }
    }
    Ok(response)
}
