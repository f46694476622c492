//! `/api/v1/account/tokens`: personal access tokens.

use std::time::Duration;

use axum::extract::{FromRequestParts, State};
use axum::response::{IntoResponse, Response};
use doorward_core::account::Account;
use doorward_core::personal::{LIFE, PersonalToken};
use doorward_wire::TokenId;
use doorward_wire::personal::write;
use http::StatusCode;
use http::request::Parts;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::App;
use crate::answer::Problem;
use crate::flow::identify::{Caller, Credential};
use crate::flow::personal::{self, Personal, Wish};
use crate::request::{self, Client, From, Json, Path, Sent};

/// Whoever may read an account: its owner, or a program with a token of theirs that allows `profile`.
#[derive(Debug)]
pub enum Reader {
    /// A session.
    Session(Box<Caller>),
    /// A personal access token.
    Personal(Box<Personal>),
}

impl Reader {
    /// The account.
    #[must_use]
    pub fn account(&self) -> Option<&Account> {
        match self {
            Self::Session(caller) => caller.live().account(),
            Self::Personal(personal) => Some(personal.account()),
        }
    }
}

impl FromRequestParts<App> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        const SCOPE: &str = "profile";
        let client = Client::from_request_parts(parts, app).await?;
        if let Credential::Bearer(text) = request::credential(app, &parts.headers, &client)
            && personal::is_one(&text)
        {
            let personal = personal::show(app, &text, "").await?;
            let allowed = personal.allows(SCOPE);
            return if allowed {
                Ok(Self::Personal(Box::new(personal)))
            } else {
                Err(Problem::insufficient_scope(SCOPE))
            };
        }
        Caller::from_request_parts(parts, app).await.map(|caller| Self::Session(Box::new(caller)))
    }
}

fn shape(app: &App, token: &PersonalToken) -> Value {
    let own = app.settings.site.issuer();
    let audience = if token.grant.audience.is_empty() { own } else { &token.grant.audience };
    json!({
        "id": token.id,
        "name": token.name.as_str(),
        "scope": token.grant.scope,
        "audience": audience,
        "created_at": token.created_at.to_string(),
        "expires_at": token.expires_at.to_string(),
        "used_at": token.used_at.map(|at| at.to_string()),
    })
}

/// `GET /api/v1/account/tokens`: the caller's tokens, newest first. There are fifty at the most, so it is
/// one page.
pub async fn list(State(app): State<App>, caller: Caller) -> Result<Response, Problem> {
    caller.live().account().ok_or_else(Problem::unauthenticated)?;
    let tokens = personal::list(&app, &caller).await?;
    let data: Vec<_> = tokens.iter().map(|token| shape(&app, token)).collect();
    Ok(axum::Json(json!({ "data": data, "next_cursor": null })).into_response())
}

/// What `POST /api/v1/account/tokens` reads.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MakeBody {
    name: String,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    audience: String,
    expires_in: Option<u64>,
}

/// `POST /api/v1/account/tokens`: makes one. Its text is told once.
pub async fn make(
    State(app): State<App>,
    From(from): From,
    Sent(caller, Json(body)): Sent<Json<MakeBody>>,
) -> Result<Response, Problem> {
    let wish = Wish {
        name: body.name,
        scope: body.scope,
        audience: body.audience,
        life: body.expires_in.map_or(LIFE, Duration::from_secs),
    };
    let (token, secret) = personal::make(&app, &caller, wish, &from).await?;
    let mut document = shape(&app, &token);
    document["token"] = write(&secret).as_str().into();
    Ok((StatusCode::CREATED, axum::Json(document)).into_response())
}

/// `DELETE /api/v1/account/tokens/{id}`: ends one.
pub async fn end(
    State(app): State<App>,
    From(from): From,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    caller.live().account().ok_or_else(Problem::unauthenticated)?;
    let id: TokenId = id.parse().map_err(|_| Problem::not_found())?;
    if personal::end(&app, &caller, id, &from).await? {
        Ok(StatusCode::NO_CONTENT.into_response())
    } else {
        Err(Problem::not_found())
    }
}
