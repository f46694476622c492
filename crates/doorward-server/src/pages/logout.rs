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
    shown
        .as_ref()
        .and_then(|shown| draw(shown.anyway(), StatusCode::OK))
        .unwrap_or_else(|| see_other("/login"))
}

/// `POST /logout`: ends the session, then takes the cookie away. Whoever is asked for a new proof may
/// rather sign out.
pub async fn submit(
    State(app): State<App>,
    _: SameOrigin,
    From(from): From,
    whose: MayEnd,
    MaybeForm(form): MaybeForm,
) -> Result<Response, Problem> {
    if let MayEnd::Renewed = whose {
        // Nothing has ended, so the new cookie stays. With it the browser is asked again.
        return Ok(see_other("/logout"));
    }
    if let MayEnd::Of(caller) = whose {
        // The button of a page from before somebody else signed in, in another tab.
        if !is_drawn_for(&form, &caller)
            && let Some(asked) = draw(&caller, StatusCode::CONFLICT)
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

/// Asks whoever is signed in. An anonymous session has nobody to ask. A conflict is that somebody else
/// was signed in when the form was drawn.
fn draw(caller: &Caller, status: StatusCode) -> Option<Response> {
    let account = caller.live().account()?;
    let username = account.username.as_str();
    let trouble = (status == StatusCode::CONFLICT).then_some(Trouble::AnotherAccount { username });
    let visitor = Some(Visitor { username, account: &account.id.to_string() });
    Some(page(status, &LogoutPage { visitor, trouble }))
}
