//! `/setup`: the first administrator.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::login::enter;
use super::page;
use super::register::{Words, Written, empty};
use super::view::{Field, SetupPage};
use crate::App;
use crate::answer::Problem;
use crate::flow::account::{Entry, RegisterError};
use crate::flow::setup;
use crate::request::{Before, Form, From, SameOrigin};

/// `GET /setup`. The secret is in the link's fragment, which a browser sends to nobody.
pub async fn show(State(app): State<App>) -> Response {
    let written = Written { username: String::new(), email: String::new() };
    let words = Words::default();
    let form = words.form(&app, &written);
    page(StatusCode::OK, &SetupPage { code: Field::default(), form })
}

/// The form, for whoever sent one that was refused for where it came from.
pub(super) fn stale(app: &App) -> Option<String> {
    SetupPage { code: Field::default(), form: empty(app) }.render().ok()
}

/// `POST /setup`: spends the link, makes the administrator and signs them in.
pub async fn submit(
    State(app): State<App>,
    _: SameOrigin,
    From(device): From,
    Before(before): Before,
    mut form: Form,
) -> Result<Response, Problem> {
    let code = form.take("code");
    let (written, password) = Written::take(&mut form);
    let application = written.application(password, &device);
    let entry = Entry { before, device };
    let error = match setup::set_up(&app, &code, application, entry).await {
        Ok(welcome) => return Ok(enter(&app, &welcome, "/account?said=welcome")),
        Err(error) => error,
    };
    let (status, words, problem) = if matches!(error, RegisterError::LinkSpent) {
        let problem = Problem::from(error);
        (problem.status, Words::default(), Some(problem.detail))
    } else {
        let (status, words) = Words::of(error)?;
        (status, words, None)
    };
    let code = Field { value: &code, problem: problem.as_deref() };
    Ok(page(status, &SetupPage { code, form: words.form(&app, &written) }))
}
