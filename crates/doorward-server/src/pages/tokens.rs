//! `/account/tokens`: personal access tokens, made, shown once, listed and revoked.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use doorward_core::personal::PersonalToken;
use doorward_wire::TokenId;
use doorward_wire::personal::write;
use http::StatusCode;

use super::view::{self, PersonalRow, ServiceChoice, TokensPage, Visitor};
use super::{is_drawn_for, moment, page, see_other};
use crate::App;
use crate::answer::Problem;
use crate::flow::identify::Caller;
use crate::flow::personal::{self, MakeError, Wish};
use crate::request::{Form, From, MaybeCaller, MaybeSent, SameOrigin};

/// This page.
const HERE: &str = "/account/tokens";

/// A day, in seconds.
const DAY: u64 = 24 * 60 * 60;

/// What a page shows beside the tokens.
#[derive(Default)]
struct Telling<'a> {
    new: Option<&'a str>,
    problem: Option<&'a str>,
    wish: (&'a str, &'a str, &'a str),
}

/// `GET /account/tokens`.
pub async fn show(
    State(app): State<App>,
    MaybeCaller(caller): MaybeCaller,
) -> Result<Response, Problem> {
    let Some(caller) = signed_in(caller) else { return Ok(to_login()) };
    draw(&app, &caller, StatusCode::OK, Telling::default()).await
}

/// `POST /account/tokens`: makes one, and shows it.
pub async fn make(
    State(app): State<App>,
    _: SameOrigin,
    From(from): From,
    MaybeSent(caller, form): MaybeSent<Form>,
) -> Result<Response, Problem> {
    let Some(caller) = signed_in(caller) else { return Ok(to_login()) };
    if !is_drawn_for(&form, &caller) {
        return another_account(&app, &caller).await;
    }
    let (name, scope, audience) = (form.text("name"), form.text("scope"), form.text("audience"));
    let days: u64 = form.text("days").parse().unwrap_or(0);
    let wish = Wish {
        name: name.to_owned(),
        scope: scope.split_whitespace().collect::<Vec<_>>().join(" "),
        audience: audience.to_owned(),
        life: Duration::from_secs(days.saturating_mul(DAY)),
    };
    let problem = match personal::make(&app, &caller, wish, &from).await {
        Ok((_, secret)) => {
            let text = write(&secret);
            let telling = Telling { new: Some(&text), ..Telling::default() };
            return draw(&app, &caller, StatusCode::CREATED, telling).await;
        }
        Err(MakeError::TooLongAgo) => {
            return Ok(see_other(&view::link("/account/confirm", Some(HERE))));
        }
        Err(MakeError::Nobody | MakeError::NotInPerson) => return Ok(to_login()),
        Err(error @ MakeError::Store(_)) => return Err(error.into()),
        Err(MakeError::Name) => "Give it a name of 1 to 64 characters.",
        Err(MakeError::Scope) => "It may not do one of these things: look at the scopes again.",
        Err(MakeError::Audience) => "There is no such service.",
        Err(MakeError::Life) => "Choose how long it is good for.",
        Err(MakeError::TooMany) => {
            "You have fifty tokens, and that is all there may be. Revoke one first."
        }
    };
    let telling = Telling { problem: Some(problem), wish: (name, scope, audience), new: None };
    draw(&app, &caller, StatusCode::UNPROCESSABLE_ENTITY, telling).await
}

/// `POST /account/tokens/end`: ends one.
pub async fn end(
    State(app): State<App>,
    _: SameOrigin,
    From(from): From,
    MaybeSent(caller, form): MaybeSent<Form>,
) -> Result<Response, Problem> {
    let Some(caller) = signed_in(caller) else { return Ok(to_login()) };
    if !is_drawn_for(&form, &caller) {
        return another_account(&app, &caller).await;
    }
    let id: TokenId = form.text("id").parse().map_err(|_| Problem::not_found())?;
    // Ended meanwhile, in another tab say: what the button promises is true.
    personal::end(&app, &caller, id, &from).await?;
    Ok(see_other(HERE))
}

/// `GET /account/tokens/end`: where the button's page is loaded again.
pub async fn to_tokens(MaybeCaller(caller): MaybeCaller) -> Response {
    if signed_in(caller).is_some() { see_other(HERE) } else { to_login() }
}

fn signed_in(caller: Option<Caller>) -> Option<Caller> {
    caller.filter(|caller| caller.live().account().is_some())
}

fn to_login() -> Response {
    see_other(&view::link("/login", Some(HERE)))
}

async fn another_account(app: &App, caller: &Caller) -> Result<Response, Problem> {
    let problem = "That page was another account’s, so nothing was done.";
    let telling = Telling { problem: Some(problem), ..Telling::default() };
    draw(app, caller, StatusCode::CONFLICT, telling).await
}

async fn draw(
    app: &App,
    caller: &Caller,
    status: StatusCode,
    telling: Telling<'_>,
) -> Result<Response, Problem> {
    let account = caller.live().account().ok_or_else(Problem::unauthenticated)?;
    let (id, now) = (account.id.to_string(), app.ambient.now());
    let own = app.settings.site.issuer();
    let service = |audience: &str| if audience.is_empty() { own } else { audience }.to_owned();
    let row = |token: &PersonalToken| PersonalRow {
        id: token.id.to_string(),
        name: token.name.as_str().to_owned(),
        service: service(&token.grant.audience),
        scope: token.grant.scope.clone(),
        made: moment(token.created_at, now),
        used: token.used_at.map(|at| moment(at, now)),
        ends: moment(token.expires_at, now),
    };
    let tokens = personal::list(app, caller).await?;
    let own_service = ServiceChoice { value: String::new(), text: "Doorward itself".to_owned() };
    let others = app.settings.audiences.iter().map(|audience| audience.name.clone());
    let sites = app.settings.sites.now();
    let sites = sites.iter().map(|site| site.origin.to_string());
    let others = others.chain(sites.filter(|origin| !origin.contains('*')));
    let others = others.map(|name| ServiceChoice { value: name.clone(), text: name });
    let (name, scope, audience) = telling.wish;
    let template = TokensPage {
        visitor: Visitor { username: account.username.as_str(), account: &id },
        new: telling.new,
        problem: telling.problem,
        tokens: tokens.iter().map(row).collect(),
        services: std::iter::once(own_service).chain(others).collect(),
        name,
        scope,
        audience,
    };
    Ok(page(status, &template))
}
