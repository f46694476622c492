//! `/api/v1/accounts` and `/api/v1/account`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use doorward_core::credential::Password;
use doorward_core::session::Carrier;
use doorward_wire::EventId;
use http::StatusCode;
use serde::Deserialize;

use super::page::{self, PageQuery};
use super::personal::Reader;
use super::shape;
use crate::App;
use crate::answer::Problem;
use crate::flow::account::Application;
use crate::flow::identify::Caller;
use crate::flow::notice::{self, Answer, Answered};
use crate::flow::{account as flow_account, password};
use crate::request::{From, Json, Path, Query, Sent};

/// What `POST /api/v1/accounts` reads.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAccountBody {
    username: String,
    #[serde(default)]
    email: Option<String>,
    password: String,
}

/// `POST /api/v1/accounts`: makes an account, if registration is open.
pub async fn register(
    State(app): State<App>,
    From(from): From,
    Json(body): Json<NewAccountBody>,
) -> Result<Response, Problem> {
    let application = Application {
        username: body.username,
        email: body.email.unwrap_or_default(),
        password: Password::from(body.password),
        from,
    };
    let account = flow_account::register(&app, application).await?;
    Ok((StatusCode::CREATED, axum::Json(shape::account(&account))).into_response())
}

/// `GET /api/v1/account`: the caller's own account. A personal access token needs the scope `profile`.
pub async fn show(reader: Reader) -> Result<Response, Problem> {
    let account = reader.account().ok_or_else(Problem::unauthenticated)?;
    Ok(axum::Json(shape::account(account)).into_response())
}

/// `GET /api/v1/account/events`: what happened to the caller's account, newest first.
pub async fn events(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<PageQuery>,
) -> Result<Response, Problem> {
    let account = caller.live().account().ok_or_else(Problem::unauthenticated)?.id;
    let (before, limit) = query.read::<EventId>()?;
    let page = app.store.events_of(account, before, limit).await?;
    let next = page.items.last().filter(|_| page.more).map(|event| event.id);
    let data: Vec<_> = page.items.iter().map(|event| shape::event(&app, event)).collect();
    Ok(page::answer(&data, next.as_ref()))
}

/// `GET /api/v1/account/notices`: the alarming ones that the caller has not answered, newest first.
pub async fn notices(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<PageQuery>,
) -> Result<Response, Problem> {
    caller.live().account().ok_or_else(Problem::unauthenticated)?;
    let (before, limit) = query.read::<EventId>()?;
    let open = notice::open(&app, &caller, before, limit).await?;
    let data: Vec<_> = open.items.iter().map(|event| shape::event(&app, event)).collect();
    Ok(page::answer(&data, open.next.as_ref()))
}

/// What `POST /api/v1/account/notices/{id}` reads.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerBody {
    was_me: bool,
}

/// `POST /api/v1/account/notices/{id}`: closes a notice. If it was not the caller, their other sessions
/// end, and this one too if the notice is about it.
pub async fn answer(
    State(app): State<App>,
    From(from): From,
    Path(id): Path<String>,
    Sent(caller, Json(body)): Sent<Json<AnswerBody>>,
) -> Result<Response, Problem> {
    caller.live().account().ok_or_else(Problem::unauthenticated)?;
    let id: EventId = id.parse().map_err(|_| Problem::not_found())?;
    let answer = if body.was_me { Answer::Me } else { Answer::NotMe };
    let answered = notice::answer(&app, &caller, (id, answer), &from).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    if answered == Answered::SignedOut && caller.carrier() == Carrier::Cookie {
        shape::clear_cookie(&app, &mut response);
    }
    Ok(response)
}

/// What `POST /api/v1/account/password` reads.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordBody {
    current: String,
    new: String,
    #[serde(default)]
    keep_other_sessions: bool,
}

/// `POST /api/v1/account/password`: changes the password; answers as login does, with a new secret.
pub async fn change_password(
    State(app): State<App>,
    From(device): From,
    Sent(caller, Json(body)): Sent<Json<PasswordBody>>,
) -> Result<Response, Problem> {
    let change = password::Change {
        current: Password::from(body.current),
        new: Password::from(body.new),
        keep_others: body.keep_other_sessions,
    };
    let welcome = password::change(&app, &caller, change, device).await?;
    Ok(shape::welcome(&app, StatusCode::OK, &welcome).await)
}
