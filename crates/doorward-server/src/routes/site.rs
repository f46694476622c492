//! `/api/v1/admin/sites`: who may open what behind a proxy, looked after by administrators.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use doorward_core::site::{OriginPattern, Verdict};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use crate::App;
use crate::answer::Problem;
use crate::flow::site;
use crate::request::{Administrator, From, Json, Path, Sent};
use crate::sites::SiteDocument;

/// `GET /api/v1/admin/sites`: all of them, those of the configuration first. There are a thousand at the most
/// beside those, so it is one page.
pub async fn list(State(app): State<App>, _: Administrator) -> Response {
    let sites = app.settings.sites.now();
    let data: Vec<_> = sites.iter().map(|site| app.settings.sites.document(site)).collect();
    axum::Json(json!({ "data": data, "next_cursor": null })).into_response()
}

/// `GET /api/v1/admin/sites/{origin}`: one of them.
pub async fn show(
    State(app): State<App>,
    _: Administrator,
    Path(origin): Path<String>,
) -> Result<Response, Problem> {
    let sites = app.settings.sites.now();
    let origin = OriginPattern::parse(&origin).map_err(|_| Problem::not_found())?;
    let site = sites.of_pattern(&origin).ok_or_else(Problem::not_found)?;
    Ok(axum::Json(app.settings.sites.document(site)).into_response())
}

/// `PUT /api/v1/admin/sites/{origin}`: keeps one, in the place of the one before.
pub async fn keep(
    State(app): State<App>,
    From(from): From,
    Path(origin): Path<String>,
    Sent(caller, Json(document)): Sent<Json<SiteDocument>>,
) -> Result<Response, Problem> {
    let administrator = Administrator::of(caller)?;
    let (site, is_new) =
        site::keep(&app, administrator.caller(), (&origin, &document), &from).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, axum::Json(app.settings.sites.document(&site))).into_response())
}

/// `DELETE /api/v1/admin/sites/{origin}`: removes one.
pub async fn remove(
    State(app): State<App>,
    From(from): From,
    administrator: Administrator,
    Path(origin): Path<String>,
) -> Result<Response, Problem> {
    site::remove(&app, administrator.caller(), &origin, &from).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// What `POST /api/v1/admin/sites/check` reads.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckBody {
    account: Option<String>,
    method: String,
    url: String,
}

/// `POST /api/v1/admin/sites/check`: says whether somebody would be let in, and by which rule.
pub async fn check(
    State(app): State<App>,
    Sent(caller, Json(body)): Sent<Json<CheckBody>>,
) -> Result<Response, Problem> {
    Administrator::of(caller)?;
    let request = (body.method.as_str(), body.url.as_str());
    let tried = site::try_out(&app, body.account.as_deref(), request).await?;
    let answer = json!({
        "site": tried.site.to_string(),
        "allowed": tried.verdict == Verdict::Allowed,
        "answer": tried.verdict.words(),
        "rule": tried.rule,
        "by": tried.reason,
    });
    Ok(axum::Json(answer).into_response())
}
