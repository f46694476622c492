//! `/logout`.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::view::LogoutPage;
use super::{clear_site_data, page, see_other};
use crate::App;
use crate::answer::Problem;
use crate::flow::identify::Recognised;
use crate::flow::logout;
use crate::request::{Client, MayEnd, MaybeCaller, SameOrigin};
use crate::routes::shape;

/// `GET /logout`: asks. An image in a foreign page must not sign anybody out.
pub async fn show(MaybeCaller(shown): MaybeCaller<Recognised>) -> Response {
    let account = shown.as_ref().and_then(|shown| shown.anyway().live().account());
    match account {
        Some(account) => {
            let username = account.username.as_str();
            page(StatusCode::OK, &LogoutPage { username, trouble: None })
        }
        None => see_other("/login"),
    }
}

/// `POST /logout`: ends the session, then takes the cookie away. Whoever is asked for a new proof may
/// rather sign out.
pub async fn submit(
    State(app): State<App>,
    _: SameOrigin,
    client: Client,
    MayEnd(caller): MayEnd,
) -> Result<Response, Problem> {
    if let Some(caller) = caller {
        logout::logout(&app, &caller, &client.ip).await?;
    }
    let mut response = see_other("/login?said=signed-out");
    shape::clear_cookie(&app, &mut response);
    clear_site_data(response.headers_mut());
    Ok(response)
}
