//! `/logout`.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::view::LogoutPage;
use super::{clear_site_data, page, see_other};
use crate::App;
use crate::answer::Problem;
use crate::flow::logout;
use crate::request::{Client, MayEnd, MaybeCaller, SameOrigin};
use crate::routes::shape;

/// `GET /logout`: asks. An image in a foreign page must not sign anybody out.
pub async fn show(MaybeCaller(caller): MaybeCaller) -> Response {
    let account = caller.as_ref().and_then(|caller| caller.live().account());
    match account {
        Some(account) => {
            let username = account.username.as_str();
            page(StatusCode::OK, &LogoutPage { username, trouble: None })
        }
        None => see_other("/login"),
    }
}

/// `POST /logout`: ends the session, then takes the cookie away.
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
