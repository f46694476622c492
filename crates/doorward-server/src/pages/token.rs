//! `/inspect/token`: why a token is refused.
//!
//! The same answer as `doorward token verify` gives beside the server. The token is posted, because a
//! person will paste one that counts; it is read, answered, and kept nowhere. Whoever has a token can
//! find out by using it whether it counts, so this tells nobody more than they have.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::page;
use super::view::Field;
use super::view::token::{CheckRow, TokenAnswer, TokenPage};
use crate::App;
use crate::answer::Problem;
use crate::flow::inspect::inspect;
use crate::request::{Form, SameOrigin};

/// The most bytes of a token that is looked at: more than any token has.
const TOKEN_MAX: usize = 16 * 1024;

/// `GET /inspect/token`.
pub async fn show() -> Response {
    draw(StatusCode::OK, None, None)
}

/// `POST /inspect/token`: answers, and keeps nothing. The token is not shown again.
pub async fn explain(
    State(app): State<App>,
    _: SameOrigin,
    mut form: Form,
) -> Result<Response, Problem> {
    let token = form.take("token");
    let token = token.trim();
    let problem = match token.len() {
        0 => Some("Paste a token."),
        length if length > TOKEN_MAX => Some("No token has more than 8 KiB."),
        _ => None,
    };
    if problem.is_some() {
        return Ok(draw(StatusCode::UNPROCESSABLE_ENTITY, problem, None));
    }
    let inspected = inspect(&app, token).await?;
    let pretty = |value: &serde_json::Value| serde_json::to_string_pretty(value).ok();
    let answer = TokenAnswer {
        verdict: if inspected.is_good() {
            "This token counts."
        } else if inspected.explained.verified().is_ok() {
            "This token was good, and its session has ended."
        } else {
            "This token is refused."
        },
        kind: inspected.said.kind,
        audience: inspected.audience.clone(),
        checks: inspected.checks().into_iter().map(CheckRow::from).collect(),
        header: inspected.said.header.as_ref().and_then(pretty),
        claims: inspected.said.claims.as_ref().and_then(pretty),
    };
    Ok(draw(StatusCode::OK, None, Some(answer)))
}

fn draw(status: StatusCode, problem: Option<&str>, answer: Option<TokenAnswer>) -> Response {
    page(status, &TokenPage { answer, token: Field { value: "", problem } })
}
