//! `/login`.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use doorward_core::credential::Password;
use doorward_core::session::{Carrier, Wish};
use http::StatusCode;
use serde::Deserialize;

use super::view::{LoginPage, LoginState, Trouble, Visitor};
use super::{is_busy, onward, page_before, see_other, stays_here};
use crate::App;
use crate::answer::Problem;
use crate::flow::identify::Recognised;
use crate::flow::issue::{Proof, Welcome};
use crate::flow::login::{self, Attempt, LoginError};
use crate::request::{Before, Form, From, MaybeCaller, Query, SameOrigin};
use crate::routes::shape;

/// What `/login` reads from its query. Nothing in it decides anything about security.
#[derive(Deserialize)]
pub struct LoginQuery {
    return_to: Option<String>,
    rd: Option<String>,
    another: Option<String>,
    said: Option<String>,
}

/// `GET /login`.
pub async fn show(
    State(app): State<App>,
    MaybeCaller(shown): MaybeCaller<Recognised>,
    Query(query): Query<LoginQuery>,
) -> Response {
    // Whoever is asked for a new proof may as well sign in.
    let caller = shown.and_then(|shown| shown.unasked().ok());
    let caller = caller.filter(|_| query.another.is_none());
    let account = caller.as_ref().and_then(|caller| caller.live().account());
    let id = account.map(|account| account.id.to_string()).unwrap_or_default();
    let onward = query.rd.as_deref().and_then(|url| onward::path_to(&app, url));
    let return_to = onward.as_deref().or(query.return_to.as_deref()).and_then(stays_here);
    let state = match (account, query.said.as_deref()) {
        // Their form came with the cookie from before, say because it was sent twice.
        (Some(_), Some("ended")) => return see_other(return_to.unwrap_or("/account")),
        (Some(_), _) if onward.is_some() => return see_other(return_to.unwrap_or("/account")),
        (Some(account), _) => {
            let visitor = Visitor { username: account.username.as_str(), account: &id };
            LoginState::AlreadySignedIn { visitor }
        }
        (None, Some("signed-out")) => LoginState::SignedOut,
        (None, Some("signed-out-everywhere")) => LoginState::SignedOutEverywhere,
        (None, Some("not-me")) => LoginState::NotMe,
        (None, Some("ended")) => LoginState::Ended,
        (None, _) => LoginState::Fresh,
    };
    draw(&app, StatusCode::OK, state, ("", false), return_to).await
}

/// The form, for whoever sent one that was refused for where it came from.
pub(super) fn stale(app: &App) -> Option<String> {
    let page = LoginPage {
        state: LoginState::Trouble(Trouble::Stale),
        username: "",
        remember: false,
        return_to: None,
        registration_open: app.settings.registration_open,
    };
    page.render().ok()
}

/// `POST /login`.
pub async fn submit(
    State(app): State<App>,
    _: SameOrigin,
    From(device): From,
    Before(before): Before,
    mut form: Form,
) -> Result<Response, Problem> {
    let (username, remember) = (form.take("username"), form.ticked("remember"));
    let password = Password::from(form.take("password"));
    let return_to = stays_here(form.text("return_to"));
    let attempt = Attempt {
        username: username.clone(),
        password,
        wish: Wish { carrier: Carrier::Cookie, remembered: remember },
        scope: String::new(),
        audience: String::new(),
        proof: None,
        carry: app.settings.carry.clone(),
        before,
        device,
    };
    let error = match login::login(&app, attempt).await {
        Ok(welcome) => return Ok(enter(&app, &welcome, return_to.unwrap_or("/account"))),
        Err(error) => error,
    };
    let wrong = matches!(error, LoginError::Wrong);
    let problem = Problem::from(error);
    let state = match wrong {
        true => LoginState::WrongCredentials,
        false if is_busy(&problem) => LoginState::Trouble(Trouble::Busy),
        false => return Err(problem),
    };
    Ok(draw(&app, problem.status, state, (&username, remember), return_to).await)
}

/// Gives the browser its cookie and shows it in.
pub(super) fn enter(app: &App, welcome: &Welcome, path: &str) -> Response {
    let mut response = see_other(path);
    if let Proof::Cookie(secret) = &welcome.proof {
        shape::set_cookie(app, &mut response, &welcome.live, secret);
    }
    response
}

async fn draw(
    app: &App,
    status: StatusCode,
    state: LoginState<'_>,
    (username, remember): (&str, bool),
    return_to: Option<&str>,
) -> Response {
    let registration_open = app.settings.registration_open;
    let login = LoginPage { state, username, remember, return_to, registration_open };
    page_before(app, (status, &login), return_to).await
}
