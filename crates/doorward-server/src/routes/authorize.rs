//! `/oauth/authorize`: where a client sends people to sign in.

use axum::extract::State;
use axum::response::Response;
use doorward_core::site::Origin;
use http::Uri;

use crate::App;
use crate::answer::Problem;
use crate::flow::authorize::{self, Asked, AuthorizeError, Next, Wanted};
use crate::flow::identify::Recognised;
use crate::pages::{see_other, view};
use crate::request::{Form, MaybeCaller};

/// The path.
const PATH: &str = "/oauth/authorize";

/// `GET /oauth/authorize`.
pub async fn show(
    State(app): State<App>,
    MaybeCaller(shown): MaybeCaller<Recognised>,
    uri: Uri,
) -> Result<Response, Problem> {
    let query = uri.query().unwrap_or_default();
    let issuer = app.settings.site.issuer();
    match go_on(&app, shown, query).await {
        Ok(response) => Ok(response),
        Err(AuthorizeError::Stranger) => Err(Problem::unknown_app()),
        Err(AuthorizeError::Store(failure)) => Err(failure.into()),
        Err(AuthorizeError::Told { back, error, description }) => {
            tracing::info!(error, description, "a client was refused");
            let parameters = [("error", error), ("error_description", description)];
            Ok(see_other(&back.with(issuer, &parameters)))
        }
    }
}

async fn go_on(
    app: &App,
    shown: Option<Recognised>,
    query: &str,
) -> Result<Response, AuthorizeError> {
    let wanted = wanted(app, query).await?;
    let here = format!("{PATH}?{query}");
    let is_person = |it: &Recognised| {
        let caller = it.anyway();
        !caller.is_program() && caller.live().account().is_some()
    };
    let shown = shown.filter(is_person);
    let next = wanted.next(shown.as_ref(), app.ambient.now())?;
    match (next, shown.and_then(|shown| shown.unasked().ok())) {
        (Next::Code, Some(caller)) => {
            let code = authorize::give_code(app, &wanted, &caller).await?;
            let issuer = app.settings.site.issuer();
            Ok(see_other(&wanted.back().with(issuer, &[("code", &code)])))
        }
        (Next::ProveAgain, _) => Ok(see_other(&view::link("/account/confirm", Some(&here)))),
        (Next::SignIn | Next::Code, _) => Ok(see_other(&view::link("/login", Some(&here)))),
    }
}

async fn wanted(app: &App, query: &str) -> Result<Wanted, AuthorizeError> {
    // What is there twice says two things, of the client and its address too.
    let form = Form::of_query(query).map_err(|_| AuthorizeError::Stranger)?;
    let asked = Asked {
        client: form.text("client_id"),
        redirect_uri: form.given("redirect_uri"),
        response_type: form.given("response_type"),
        response_mode: form.given("response_mode"),
        state: form.given("state"),
        scope: form.given("scope"),
        challenge: form.given("code_challenge"),
        method: form.given("code_challenge_method"),
        prompt: form.given("prompt"),
        max_age: form.given("max_age"),
        has_request: form.given("request").or(form.given("request_uri")).is_some(),
    };
    authorize::read(app, asked).await
}

/// The origin of the client that a path of ours leads on to, if it does: a page's policy must name it.
pub(crate) async fn client_behind(app: &App, path: &str) -> Option<Origin> {
    let query = path.strip_prefix(PATH)?.strip_prefix('?')?;
    let wanted = wanted(app, query).await.ok()?;
    Origin::split(wanted.back().redirect_uri()).ok().map(|(origin, _)| origin)
}
