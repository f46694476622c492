//! `/api/v1/session` and `/api/v1/sessions`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use doorward_core::credential::Password;
use doorward_wire::SessionId;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::page::{self, PageQuery};
use super::shape;
use crate::App;
use crate::answer::Problem;
use crate::flow::identify::{Caller, Recognised};
use crate::flow::session::Listed;
use crate::flow::{logout, password, session as flow_session};
use crate::request::{Before, From, Json, MaybeJson, Path, Query, SameOrigin, Sent};
use crate::settings::STALE_MAX;

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

/// `GET /api/v1/sessions`: the caller's own sessions that still count, newest first.
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<PageQuery>,
) -> Result<Response, Problem> {
    let account = caller.live().account().ok_or_else(Problem::unauthenticated)?.id;
    let (after, limit) = query.read::<SessionId>()?;
    let listing = flow_session::list(&app, account, after, limit).await?;
    let shape = |listed: &Listed| {
        let mut session = shape::listed(&app, listed);
        session["current"] = Value::Bool(listed.live.session().sid == caller.sid());
        session
    };
    let data: Vec<_> = listing.items.iter().map(shape).collect();
    Ok(page::answer(&data, listing.next.as_ref()))
}

/// `DELETE /api/v1/sessions/{sid}`: ends one of the caller's own sessions.
pub async fn end_one(
    State(app): State<App>,
    From(from): From,
    caller: Caller,
    Path(sid): Path<String>,
    Query(query): Query<WaitQuery>,
) -> Result<Response, Problem> {
    caller.live().account().ok_or_else(Problem::unauthenticated)?;
    let sid: SessionId = sid.parse().map_err(|_| Problem::not_found())?;
    let wait = Wait::read(query.wait.as_deref())?;
    logout::end_one(&app, &caller, sid, &from).await?;
    wait.out().await;
    let mut response = StatusCode::NO_CONTENT.into_response();
    if sid == caller.sid() && caller.carrier() == doorward_core::session::Carrier::Cookie {
        shape::clear_cookie(&app, &mut response);
    }
    Ok(response)
}

/// What every ending reads from its query.
#[derive(Deserialize)]
pub struct WaitQuery {
    /// Read by [`Wait::read`].
    pub(super) wait: Option<String>,
}

/// Whether an ending is answered once it is durable here, or once it counts everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Once it is durable.
    Here,
    /// Once every other server and every guard has heard of it, or knows that it has not heard for too long.
    Cluster,
}

impl Wait {
    /// Reads the query.
    pub fn read(wait: Option<&str>) -> Result<Self, Problem> {
        match wait {
            None => Ok(Self::Here),
            Some("cluster") => Ok(Self::Cluster),
            Some(_) => Err(Problem::invalid("?wait", "unknown-value", "wait can only be cluster.")),
        }
    }

    /// Waits after the end. What is older than [`STALE_MAX`] nobody goes by.
    pub async fn out(self) {
        if self == Self::Cluster {
            tokio::time::sleep(STALE_MAX).await;
        }
    }
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
/// `wait=cluster` asks to be answered once the end counts everywhere.
pub async fn end_many(
    State(app): State<App>,
    From(from): From,
    caller: Caller,
    Query(query): Query<EndQuery>,
) -> Result<Response, Problem> {
    caller.live().account().ok_or_else(Problem::unauthenticated)?;
    let wait = Wait::read(query.wait.as_deref())?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    match query.except.as_deref() {
        Some("current") => {
            logout::end_others(&app, &caller, &from).await?;
        }
        None => {
            logout::end_all(&app, &caller, &from).await?;
            if caller.carrier() == doorward_core::session::Carrier::Cookie {
                shape::clear_cookie(&app, &mut response);
            }
        }
        Some(_) => {
            let message = "except can only be current.";
            return Err(Problem::invalid("?except", "unknown-value", message));
        }
    }
    wait.out().await;
    Ok(response)
}
