//! Shapes: what accounts, sessions and tokens look like in JSON.

use axum::response::{IntoResponse, Response};
use doorward_core::account::Account;
use doorward_core::data::{DataKey, Datum};
use doorward_core::event::Event;
use doorward_core::refresh::{HangingToken, PREFIX};
use doorward_core::session::{Device, LiveSession};
use doorward_wire::cookie::PassForm;
use doorward_wire::{FreshSecret, dbsc};
use http::{HeaderName, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::App;
use crate::edge::{add, set};
use crate::flow::binding;
use crate::flow::issue::{Proof, Tokens, Welcome};
use crate::flow::session::{Listed, last_token_ends_at};
use crate::words;

const REGISTRATION: HeaderName = HeaderName::from_static(dbsc::REGISTRATION);

/// An account in JSON.
#[must_use]
pub fn account(account: &Account) -> Value {
    json!({
        "id": account.id,
        "username": account.username.as_str(),
        "email": account.email.as_ref().map(doorward_core::account::Email::as_str),
        "role": account.role.name(),
        "created_at": account.created_at.to_string(),
    })
}

/// A session in JSON, without its data.
#[must_use]
pub fn session(app: &App, live: &LiveSession, device: &Device) -> Value {
    let session = live.session();
    let mut document = json!({
        "sid": session.sid,
        "account": live.account().map(|account| account.id),
        "carrier": session.carrier.name(),
        "opened_at": session.opened_at.to_string(),
        "seen_at": session.seen_at.to_string(),
        "proved_at": session.proved_at.to_string(),
        "expires_at": live.expires_at().to_string(),
        "idle_expires_at": live.idle_expires_at().to_string(),
        "amr": session.amr.iter().map(|method| method.name()).collect::<Vec<_>>(),
        "acr": session.acr.name(),
        "bound_at": session.bound.map(|bound| bound.at.to_string()),
        "device": {
            "user_agent": device.user_agent,
            "label": device.label,
            "ip": device.ip,
        },
    });
    if let Some(words) = app.place_of(&device.ip).and_then(|place| place.words()) {
        document["device"]["place"] = Value::String(words);
    }
    document
}

/// A session in JSON as its owner's lists have it, with what hangs from it.
#[must_use]
pub fn listed(app: &App, listed: &Listed) -> Value {
    let expires_at = listed.live.expires_at();
    let token = |token: &HangingToken| {
        json!({
            "audience": audience(app, token),
            "scope": token.grant.scope,
            "client": token.grant.client,
            "issued_at": token.issued_at.to_string(),
            "access_token_ends_at": token.access_ends_at(expires_at).to_string(),
        })
    };
    let mut document = session(app, &listed.live, &listed.device);
    document["tokens"] = listed.tokens.iter().map(token).collect();
    document["last_token_ends_at"] =
        last_token_ends_at(&listed.live, &listed.tokens).map(|at| at.to_string()).into();
    document
}

/// The service that a token's access tokens are for.
#[must_use]
pub fn audience<'a>(app: &'a App, token: &'a HangingToken) -> &'a str {
    match token.grant.audience.as_str() {
        "" => app.settings.site.issuer(),
        name => name,
    }
}

/// An event of the caller's own account in JSON.
#[must_use]
pub fn event(app: &App, event: &Event) -> Value {
    let mut document = json!({
        "id": event.id,
        "at": event.at.to_string(),
        "kind": event.kind.name(),
        "summary": words::of_event(event),
        "reason": event.reason,
        "session": event.session,
        "device": { "label": event.device, "ip": event.ip },
    });
    if let Some(words) = event.ip.as_deref().and_then(|ip| app.place_in_words(ip)) {
        document["device"]["place"] = Value::String(words);
    }
    document
}

/// The values of a session, by key.
#[must_use]
pub fn values(data: &[(DataKey, Datum)]) -> Map<String, Value> {
    let value = |datum: &Datum| serde_json::from_str(&datum.json).unwrap_or(Value::Null);
    data.iter().map(|(key, datum)| (key.as_str().to_owned(), value(datum))).collect()
}

/// What a login, a re-authentication or a refresh answers. The secret leaves here, once.
pub async fn welcome(app: &App, status: StatusCode, welcome: &Welcome) -> Response {
    let mut session = session(app, &welcome.live, &welcome.device);
    // The act is done: whatever fails now, the caller must get the new secret.
    session["data"] = match app.store.data(welcome.live.session().sid).await {
        Ok(data) => Value::Object(values(&data)),
        Err(failure) => {
            tracing::error!(%failure, "a session's data was left out of an answer");
            Value::Null
        }
    };
    let account = welcome.live.account().map(account);
    match &welcome.proof {
        Proof::Cookie(secret) => {
            let body = axum::Json(json!({ "account": account, "session": session }));
            let mut response = (status, body).into_response();
            set_cookie(app, &mut response, &welcome.live, secret);
            response
        }
        Proof::Tokens(tokens) => {
            (status, axum::Json(tokens_document(tokens, &session, account.as_ref())))
                .into_response()
        }
    }
}

fn tokens_document(tokens: &Tokens, session: &Value, account: Option<&Value>) -> Value {
    json!({
        "access_token": tokens.access.jwt,
        "token_type": tokens.kind(),
        "expires_in": tokens.access.life.as_secs(),
        "refresh_token": format!("{PREFIX}{}", tokens.refresh.expose().as_str()),
        "scope": tokens.scope,
        "session": session,
        "account": account,
    })
}

/// Gives the browser its cookie: for its own session, or as long as the session may last when its
/// owner asked to stay signed in. Offers to bind the session to this device.
pub fn set_cookie(app: &App, response: &mut Response, live: &LiveSession, secret: &FreshSecret) {
    let stays = live.session().remembered;
    let max_age = stays.then(|| live.expires_at().since(app.ambient.now()));
    let cookie = app.settings.site.cookie().set(secret, max_age);
    set(response.headers_mut(), header::SET_COOKIE, &cookie);
    // A browser that does not know the field ignores it.
    if let Some(challenge) = binding::offer(app, live) {
        set(response.headers_mut(), REGISTRATION, &dbsc::offer(&challenge));
    }
}

/// Takes the cookie away from the browser, and the ticket of a bound session with it.
pub fn clear_cookie(app: &App, response: &mut Response) {
    let headers = response.headers_mut();
    set(headers, header::SET_COOKIE, &app.settings.site.cookie().clear());
    if app.settings.site.can_bind() {
        add(headers, header::SET_COOKIE, &dbsc::clear_cookie());
    }
    if let Some(domain) = &app.settings.site_domain {
        add(headers, header::SET_COOKIE, &PassForm::Domain(domain).clear());
    }
}
