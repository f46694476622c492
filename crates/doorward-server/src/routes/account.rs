//! `/api/v1/accounts` and `/api/v1/account`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use doorward_core::credential::Password;
use http::StatusCode;
use serde::Deserialize;

use super::shape;
use crate::App;
use crate::answer::Problem;
use crate::flow::account::Application;
use crate::flow::identify::Caller;
use crate::flow::{account as flow_account, password};
use crate::request::{Client, From, Json, Sent};

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
    client: Client,
    Json(body): Json<NewAccountBody>,
) -> Result<Response, Problem> {
    let application = Application {
        username: body.username,
        email: body.email.unwrap_or_default(),
        password: Password::from(body.password),
        ip: client.ip.to_string(),
    };
    let account = flow_account::register(&app, application).await?;
    Ok((StatusCode::CREATED, axum::Json(shape::account(&account))).into_response())
}

/// `GET /api/v1/account`: the caller's own account.
pub async fn show(caller: Caller) -> Result<Response, Problem> {
    let account = caller.live().account().ok_or_else(Problem::unauthenticated)?;
    Ok(axum::Json(shape::account(account)).into_response())
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
