//! `/logout`.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::view::{LogoutPage, Trouble, Visitor};
use super::{clear_site_data, is_drawn_for, page, see_other};
use crate::App;
use crate::answer::Problem;
use crate::flow::identify::{Caller, Recognised};
use crate::flow::logout;
use crate::request::{From, MayEnd, MaybeCaller, MaybeForm, SameOrigin};
use crate::routes::shape;

/// `GET /logout`: asks. An image in a foreign page must not sign anybody out.
pub async fn show(MaybeCaller(shown): MaybeCaller<Recognised>) -> Response {
    shown.as_ref().and_then(|shown| ask(shown.anyway())).unwrap_or_else(|| see_other("/login"))
}

/// `POST /logout`: ends the session, then takes the cookie away. Whoever is asked for a new proof may
/// rather sign out.
pub async fn submit(
    State(app): State<App>,
    _: SameOrigin,
    From(from): From,
    MayEnd(caller): MayEnd,
    MaybeForm(form): MaybeForm,
) -> Result<Response, Problem> {
    if let Some(caller) = caller {
        // The button of a page from before somebody else signed in, in another tab.
        if !is_drawn_for(&form, &caller)
            && let Some(asked) = draw(&caller, StatusCode::CONFLICT, is_another)
        {
            return Ok(asked);
        }
        logout::logout(&app, &caller, &from).await?;
    }
    let mut response = see_other("/login?said=signed-out");
    shape::clear_cookie(&app, &mut response);
    clear_site_data(response.headers_mut());
    Ok(response)
}

/// The question, for whoever sent a form that was refused for where it came from.
pub(super) fn stale() -> Option<String> {
    LogoutPage { visitor: None, trouble: Some(Trouble::Stale) }.render().ok()
}

fn ask(caller: &Caller) -> Option<Response> {
    draw(caller, StatusCode::OK, |_| None)
}

fn is_another(visitor: Visitor<'_>) -> Option<Trouble<'_>> {
    Some(Trouble::AnotherAccount { username: visitor.username })
}

/// Asks whoever is signed in. An anonymous session has nobody to ask.
fn draw(
    caller: &Caller,
    status: StatusCode,
    trouble: impl FnOnce(Visitor<'_>) -> Option<Trouble<'_>>,
) -> Option<Response> {
    let account = caller.live().account()?;
    let visitor = Visitor { username: account.username.as_str(), account: &account.id.to_string() };
    Some(page(status, &LogoutPage { visitor: Some(visitor), trouble: trouble(visitor) }))
}
