//! `/account/confirm`: is it still you?
//!
//! A request that does not look like its session's own is led here. With the password the session
//! gets a new secret and is known by this device from then on; without it, there is the way out.

use axum::extract::State;
use axum::response::Response;
use doorward_core::account::Account;
use doorward_core::credential::Password;
use doorward_core::session::Carrier;
use http::StatusCode;
use serde::Deserialize;

use super::account::ENDED;
use super::login::enter;
use super::view::{self, ConfirmPage, ConfirmState, Trouble, Visitor};
use super::{is_busy, is_drawn_for, page_before, see_other, stays_here};
use crate::App;
use crate::answer::Problem;
use crate::flow::identify::Recognised;
use crate::flow::password::{self, ProveError};
use crate::request::{Form, From, MaybeCaller, MaybeSent, Query, SameOrigin};

/// What `/account/confirm` reads from its query.
#[derive(Deserialize)]
pub struct ConfirmQuery {
    return_to: Option<String>,
}

/// `GET /account/confirm`.
pub async fn show(
    State(app): State<App>,
    MaybeCaller(shown): MaybeCaller<Recognised>,
    Query(query): Query<ConfirmQuery>,
) -> Response {
    let return_to = query.return_to.as_deref().and_then(stays_here);
    let Some((shown, account)) = shown.as_ref().and_then(signed_in) else {
        return see_other(&view::link("/login", return_to));
    };
    draw(&app, StatusCode::OK, (shown, account), ConfirmState::Fresh, return_to).await
}

/// `POST /account/confirm`.
pub async fn submit(
    State(app): State<App>,
    _: SameOrigin,
    From(device): From,
    MaybeSent(shown, mut form): MaybeSent<Form, Recognised>,
) -> Result<Response, Problem> {
    let typed = Password::from(form.take("password"));
    let return_to = stays_here(form.text("return_to"));
    let Some((shown, account)) = shown.as_ref().and_then(signed_in) else {
        return Ok(see_other(ENDED));
    };
    if !is_drawn_for(&form, shown.anyway()) {
        let trouble = Trouble::AnotherAccount { username: account.username.as_str() };
        let state = ConfirmState::Trouble(trouble);
        return Ok(draw(&app, StatusCode::CONFLICT, (shown, account), state, return_to).await);
    }
    let error = match password::reauthenticate(&app, shown.anyway(), typed, device).await {
        Ok(welcome) => return Ok(enter(&app, &welcome, return_to.unwrap_or("/account"))),
        // Ended, or proved in another tab, while the password was being checked.
        Err(ProveError::Gone) => return Ok(see_other(ENDED)),
        Err(error) => error,
    };
    let is_wrong = matches!(error, ProveError::Wrong);
    let problem = Problem::from(error);
    let state = match is_wrong {
        true => ConfirmState::WrongPassword,
        false if is_busy(&problem) => ConfirmState::Trouble(Trouble::Busy),
        false => return Err(problem),
    };
    Ok(draw(&app, problem.status, (shown, account), state, return_to).await)
}

/// Whoever has shown somebody's session by cookie. A token is proved again where it can be answered
/// with another.
fn signed_in(shown: &Recognised) -> Option<(&Recognised, &Account)> {
    let caller = shown.anyway();
    let account = caller.live().account().filter(|_| caller.carrier() == Carrier::Cookie)?;
    Some((shown, account))
}

async fn draw(
    app: &App,
    status: StatusCode,
    (shown, account): (&Recognised, &Account),
    state: ConfirmState<'_>,
    return_to: Option<&str>,
) -> Response {
    let visitor = Visitor { username: account.username.as_str(), account: &account.id.to_string() };
    let is_asked = shown.is_asked();
    let confirm = ConfirmPage { visitor, is_asked, state, return_to };
    page_before(app, (status, &confirm), return_to).await
}
