//! `/api/v1/login`, `/api/v1/refresh`, `/api/v1/logout`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use doorward_core::credential::Password;
use doorward_core::data::DataKey;
use doorward_core::grant::OWN_CLIENT;
use doorward_core::session::{Carrier, Wish};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::session::{Wait, WaitQuery};
use super::shape;
use crate::App;
use crate::answer::Problem;
use crate::flow::identify::{Errand, IdentifyError};
use crate::flow::login::Attempt;
use crate::flow::{identify, login as flow_login, logout as flow_logout, refresh as flow_refresh};
use crate::request::{self, Client, Json, MaybeJson, Query};

/// The most keys that go over at login.
const CARRY_MAX: usize = 64;

/// What `POST /api/v1/login` reads.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginBody {
    username: String,
    password: String,
    carrier: CarrierName,
    #[serde(default)]
    remember: bool,
    #[serde(default)]
    carry: Vec<String>,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    audience: String,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum CarrierName {
    Cookie,
    Token,
}

/// `POST /api/v1/login`: checks a password and opens a session, in a cookie or in tokens.
pub async fn login(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Json(body): Json<LoginBody>,
) -> Result<Response, Problem> {
    let carrier = match body.carrier {
        CarrierName::Cookie => Carrier::Cookie,
        CarrierName::Token => Carrier::Token,
    };
    if carrier == Carrier::Cookie {
        request::same_origin(&app, &headers, &client)?;
    }
    let attempt = Attempt {
        username: body.username,
        password: Password::from(body.password),
        wish: Wish { carrier, remembered: body.remember },
        scope: body.scope,
        audience: body.audience,
        proof: match carrier {
            Carrier::Token => request::shown_key(&app, &headers, &client)?,
            Carrier::Cookie => None,
        },
        carry: carried_keys(&body.carry)?,
        // A program that asks for tokens leaves the browser's session alone.
        before: request::before(&app, &headers).filter(|_| carrier == Carrier::Cookie),
        device: client.sighting(&headers).device(),
    };
    let welcome = flow_login::login(&app, attempt).await?;
    Ok(shape::welcome(&app, StatusCode::OK, &welcome).await)
}

fn carried_keys(names: &[String]) -> Result<Vec<DataKey>, Problem> {
    if names.len() > CARRY_MAX {
        return Err(Problem::invalid("/carry", "too-many", "At most 64 keys go over at login."));
    }
    let keys = names.iter().enumerate().map(|(index, name)| {
        DataKey::parse(name).map_err(|_| {
            Problem::invalid(&format!("/carry/{index}"), "malformed-key", super::data::KEY_FAULT)
        })
    });
    keys.collect()
}

/// What `POST /api/v1/refresh` reads.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefreshBody {
    refresh_token: String,
}

/// `POST /api/v1/refresh`: a fresh access token and the refresh token's one successor.
pub async fn refresh(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Json(body): Json<RefreshBody>,
) -> Result<Response, Problem> {
    let from = client.sighting(&headers);
    let proof = request::shown_key(&app, &headers, &client)?;
    let presented = (&*body.refresh_token, OWN_CLIENT, proof.as_ref());
    let welcome = flow_refresh::refresh(&app, presented, from).await?;
    Ok(shape::welcome(&app, StatusCode::OK, &welcome).await)
}

/// What `POST /api/v1/logout` may read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogoutBody {
    /// For a client whose access token is for another service, or has expired.
    refresh_token: Option<String>,
}

/// `POST /api/v1/logout`: ends the session, durably before it answers.
///
/// A client whose access token is for another service sends its refresh token and no credential; of
/// a refresh token that is unknown nothing is said (RFC 7009, section 2.2). Whoever shows a
/// credential is told whether it counted, and its session ends too; also whoever is asked for a new
/// proof may rather sign out.
pub async fn logout(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Query(query): Query<WaitQuery>,
    MaybeJson(body): MaybeJson<LogoutBody>,
) -> Result<Response, Problem> {
    let wait = Wait::read(query.wait.as_deref())?;
    let refresh_token = body.and_then(|body| body.refresh_token);
    if let Some(refresh_token) = &refresh_token {
        flow_logout::logout_by_refresh(&app, refresh_token, &client.device(&headers)).await?;
    }
    let credential = request::credential(&app, &headers, &client);
    let errand = Errand::to_end(client.sighting(&headers), client.arrived_at);
    let mut response = StatusCode::NO_CONTENT.into_response();
    let caller = match identify::identify_to_end(&app, &credential, errand).await {
        Ok(caller) => caller,
        Err(IdentifyError::Nothing) if refresh_token.is_some() => {
            wait.out().await;
            return Ok(response);
        }
        Err(error) => return Err(error.into()),
    };
    flow_logout::logout(&app, &caller, &client.device(&headers)).await?;
    if caller.carrier() == Carrier::Cookie {
        shape::clear_cookie(&app, &mut response);
    }
    wait.out().await;
    Ok(response)
}
