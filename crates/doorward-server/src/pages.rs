//! Pages: what a person sees, complete without JavaScript.
//!
//! A page parses a form, calls the same flow as the API, and answers with a redirect (303) or with
//! the form as it was, the problem in its place, and the password gone.

pub mod account;
pub mod activity;
pub mod assets;
pub mod confirm;
pub mod cookie;
pub mod far;
pub mod login;
pub mod logout;
pub mod onward;
pub mod register;
pub mod setup;
pub mod token;
pub mod tokens;
pub mod view;

use askama::Template;
use axum::response::{Html, IntoResponse, Redirect, Response};
use doorward_wire::UnixTime;
use http::{HeaderMap, Method, StatusCode, Uri, header};

use crate::App;
use crate::answer::Problem;
use crate::edge::LeadsTo;
use crate::flow::identify::Caller;
use crate::request::{Form, MaybeCaller, Path};
use crate::routes::authorize;
use view::Moment;

/// `GET /`: to one's account, or to the door.
pub async fn home(MaybeCaller(caller): MaybeCaller) -> Redirect {
    let signed_in = caller.is_some_and(|caller| caller.live().account().is_some());
    Redirect::to(if signed_in { "/account" } else { "/login" })
}

/// `GET /assets/{version}/{name}`: a file that is compiled in.
pub async fn asset(Path((version, name)): Path<(String, String)>) -> Result<Response, Problem> {
    let asset = assets::Asset::find(&name).ok_or_else(Problem::not_found)?;
    let headers = [
        (header::CONTENT_TYPE, asset.media_type),
        (header::CACHE_CONTROL, asset.cache_control(&version)),
    ];
    Ok((headers, asset.bytes).into_response())
}

/// Draws a page.
fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be drawn");
            Problem::internal().into_response()
        }
    }
}

/// Draws a page whose form may lead on to a site.
async fn page_before(
    app: &App,
    (status, template): (StatusCode, &impl Template),
    return_to: Option<&str>,
) -> Response {
    let mut response = page(status, template);
    let Some(path) = return_to else { return response };
    let leads_to = match onward::site_behind(app, path) {
        Some(origin) => Some(origin),
        None => authorize::client_behind(app, path).await,
    };
    if let Some(origin) = leads_to {
        response.extensions_mut().insert(LeadsTo(origin));
    }
    response
}

/// Draws the page of a problem. A form that was refused for where it came from is drawn again, empty:
/// of what it held, and of who is signed in, a foreign page must learn nothing.
pub(crate) fn problem_page(
    app: &App,
    problem: &Problem,
    (path, request_id): (&str, &str),
) -> String {
    if problem.is_once_more()
        && let Ok(text) = view::OnceMorePage.render()
    {
        return text;
    }
    let is_stale = problem.code == "csrf-rejected";
    let again = match path {
        "/login" if is_stale => login::stale(app),
        "/register" if is_stale => register::stale(app),
        "/setup" if is_stale => setup::stale(app),
        "/logout" if is_stale => logout::stale(),
        _ => None,
    };
    again.unwrap_or_else(|| error_page(app, problem, request_id))
}

fn error_page(app: &App, problem: &Problem, request_id: &str) -> String {
    let page = view::ErrorPage {
        status: problem.status.as_u16(),
        code: problem.code,
        origin: app.settings.site.issuer(),
        signed_in: None,
        request_id,
        at: None,
    };
    page.render().unwrap_or_else(|_| format!("{} ({request_id})", problem.detail))
}

/// Whether a form was drawn for whoever is signed in now. In another tab somebody else may have signed
/// in since. A form that does not say is taken as theirs.
fn is_drawn_for(form: &Form, caller: &Caller) -> bool {
    let drawn_for = form.text("account");
    let account = caller.live().account().map(|account| account.id.to_string());
    drawn_for.is_empty() || account.is_some_and(|account| account == drawn_for)
}

/// Where to go after signing in: a path of this origin, or nothing.
///
/// `//host`, `/\host`, `https:…` and anything with a control character are other origins to some
/// browser (attack 24), so only `/` and what a path and a query are made of is let through.
fn stays_here(return_to: &str) -> Option<&str> {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
    let is_path = return_to.starts_with('/') && !return_to.starts_with("//");
    (is_path && return_to.len() <= 2048 && return_to.bytes().all(plain)).then_some(return_to)
}

/// Sends the browser to a page that puts something right, and back to where it was going afterwards.
/// A form is not sent twice, so from one the way leads to the account.
pub(crate) fn detour(page: &str, method: &Method, uri: &Uri) -> Response {
    let target = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let back = stays_here(target).filter(|_| crate::request::is_safe(method));
    see_other(&view::link(page, back))
}

/// A time for a person: "today, 14:05 UTC", or with its day.
fn moment(at: UnixTime, now: UnixTime) -> Moment {
    let machine = at.to_string();
    let (day, clock) = (&machine[..10], &machine[11..16]);
    let text = if now.to_string()[..10] == *day {
        format!("today, {clock} UTC")
    } else {
        format!("{day}, {clock} UTC")
    };
    Moment { text, machine }
}

/// Whether a problem is that the queue is full, so that a form can say it in its place.
fn is_busy(problem: &Problem) -> bool {
    problem.code == "busy"
}

/// Sends the browser on.
pub(crate) fn see_other(path: &str) -> Response {
    // 303, so that the browser never sends the form again (RFC 9700, section 4.12).
    Redirect::to(path).into_response()
}

/// Asks the browser to forget what our own pages left behind.
fn clear_site_data(headers: &mut HeaderMap) {
    crate::edge::set(
        headers,
        header::HeaderName::from_static("clear-site-data"),
        "\"cookies\", \"storage\"",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_of_our_own_is_a_way_back() {
        for good in ["/", "/account", "/oauth/authorize?client_id=a&x=%0d%0a"] {
            assert_eq!(stays_here(good), Some(good));
        }
        for evil in [
            "",
            "//evil",
            "/\\evil",
            "https:evil",
            "https://evil",
            "\t//evil",
            "/\t/evil",
            "/a\r\nSet-Cookie: x=y",
            "javascript:alert(1)",
            "account",
            "/é",
        ] {
            assert_eq!(stays_here(evil), None, "{evil:?}");
        }
        assert_eq!(stays_here(&format!("/{}", "a".repeat(5000))), None);
    }

    #[test]
    fn a_time_of_today_is_told_without_its_day() {
        let noon = UnixTime(1_763_899_200);
        assert_eq!(moment(noon, noon).text, "today, 12:00 UTC");
        assert_eq!(moment(noon, UnixTime(noon.0 + 86_400)).text, "2025-11-23, 12:00 UTC");
    }
}
