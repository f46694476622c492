//! `/dbsc/register` and `/dbsc/refresh`: a browser shows that it has the key of a session's device.
//!
//! A browser sends these by itself, and no page of ours does. What is in their header fields is the
//! browser's own: no script can write `Sec-Secure-Session-Id`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use doorward_wire::dbsc::{self, bare};
use http::header::{self, HeaderName};
use http::{HeaderMap, StatusCode};

use crate::App;
use crate::answer::Problem;
use crate::edge::{add, set};
use crate::flow::binding::{self, Asking, BindingError, Granted};
use crate::flow::identify::Credential;
use crate::request::{self, Client, SameOrigin};

const CHALLENGE: HeaderName = HeaderName::from_static(dbsc::CHALLENGE);

/// `POST /dbsc/register`: binds the session to the key in the proof, once.
pub async fn register(
    State(app): State<App>,
    _: SameOrigin,
    client: Client,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let credential = request::credential(&app, &headers, &client);
    let granted = binding::register(&app, &asking(&credential, &headers, &client)?).await;
    let host = app.settings.site.host();
    match granted {
        Ok(granted) => {
            let told = axum::Json(dbsc::instructions(granted.sid, host));
            Ok(with_ticket(&app, told.into_response(), &granted))
        }
        Err(error) => Ok(refused(error)),
    }
}

/// `POST /dbsc/refresh`: the next ticket for a device that still has its key.
///
/// 403 with a challenge asks for another proof at once; 401 tells the browser that the session is
/// over.
pub async fn refresh(
    State(app): State<App>,
    _: SameOrigin,
    client: Client,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let credential = request::credential(&app, &headers, &client);
    let granted = binding::refresh(&app, &asking(&credential, &headers, &client)?).await;
    match granted {
        Ok(granted) => Ok(with_ticket(&app, StatusCode::OK.into_response(), &granted)),
        Err(error) => Ok(refused(error)),
    }
}

fn asking<'a>(
    credential: &'a Credential,
    headers: &'a HeaderMap,
    client: &'a Client,
) -> Result<Asking<'a>, Problem> {
    let Credential::Cookie(secret, _) = credential else {
        return Err(Problem::unauthenticated());
    };
    let sid = one(headers, dbsc::SESSION_ID)?.and_then(bare).and_then(|text| text.parse().ok());
    // What is there and is no token is a bad proof, not none.
    let proof = one(headers, dbsc::RESPONSE)?.map(|value| bare(value).unwrap_or_default());
    Ok(Asking { secret, sid, proof, from: client.sighting(headers) })
}

/// The value of a field that may stand once.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Problem::malformed("A header field that may stand once was sent twice."));
    }
    Ok(Some(value.to_str().unwrap_or_default()))
}

fn with_ticket(app: &App, mut response: Response, granted: &Granted) -> Response {
    let headers = response.headers_mut();
    let cookie = dbsc::set_cookie(&granted.ticket, app.settings.binding.life);
    add(headers, header::SET_COOKIE, &cookie);
    set(headers, CHALLENGE, &dbsc::next_challenge(&granted.challenge, granted.sid));
    response
}

fn refused(error: BindingError) -> Response {
    let next = match &error {
        BindingError::Challenge(sid, challenge) => Some(dbsc::next_challenge(challenge, *sid)),
        BindingError::NoSession
        | BindingError::Proof(_)
        | BindingError::Unreadable
        | BindingError::Store(_) => None,
    };
    let mut response = Problem::from(error).into_response();
    if let Some(next) = next {
        set(response.headers_mut(), CHALLENGE, &next);
    }
    response
}
