//! An app on another domain than Doorward's: see `README.md`.
#![expect(clippy::print_stdout, reason = "it says where it is")]
#![expect(clippy::disallowed_methods, reason = "its settings are in the environment")]

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use doorward_guard::{Credential, Guard, system_clock};
use parking_lot::Mutex;
use serde::Deserialize;

use crate::oauth::{Doorward, Tokens, random};

mod oauth;

/// What the app knows of its browsers, by the value of a cookie.
struct App {
    doorward: Doorward,
    guard: Guard,
    /// Those on their way to Doorward: their `state` and PKCE verifier.
    going: Mutex<HashMap<String, (String, String)>>,
    signed_in: Mutex<HashMap<String, Tokens>>,
}

#[derive(Deserialize)]
struct Returned {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
}

fn cookie(headers: &HeaderMap) -> Option<String> {
    let sent = headers.get(COOKIE)?.to_str().ok()?;
    sent.split("; ").find_map(|pair| pair.strip_prefix("app=")).map(str::to_owned)
}

/// On to an address, with a new cookie: nobody can have planted it.
fn go(to: &str, id: &str) -> Response {
    let set = format!("app={id}; Path=/; HttpOnly; SameSite=Lax");
    ([(SET_COOKIE, set)], Redirect::to(to)).into_response()
}

impl App {
    fn check(&self, tokens: &Tokens) -> Option<String> {
        let bearer = format!("Bearer {}", tokens.access_token);
        let who = self.guard.check(Some(&bearer), system_clock());
        who.ok().map(|identity| identity.account().to_string())
    }

    /// Who is there. Every request asks whether the token still counts; the guard knows by itself.
    async fn who(&self, headers: &HeaderMap) -> Option<String> {
        let cookie = cookie(headers)?;
        let tokens = self.signed_in.lock().get(&cookie)?.clone();
        if let Some(account) = self.check(&tokens) {
            return Some(account);
        }
        // Its five minutes are over, or its session is.
        let tokens = self.doorward.renew(&tokens.refresh_token).await.ok()?;
        let account = self.check(&tokens)?;
        self.signed_in.lock().insert(cookie, tokens);
        Some(account)
    }
}

async fn home(State(app): State<Arc<App>>, headers: HeaderMap) -> Html<String> {
    let body = match app.who(&headers).await {
        Some(account) => format!(
            r#"<p>You are <b>{account}</b> here, too.</p>
            <form method="post" action="/logout"><button>Sign out</button></form>"#
        ),
        None => r#"<p>Nobody is signed in.</p><p><a href="/login">Sign in</a></p>"#.to_owned(),
    };
    let head = r#"<!doctype html><html lang="en"><title>App</title><h1>App</h1>"#;
    Html(format!("{head}<main>{body}</main>"))
}

async fn login(State(app): State<Arc<App>>) -> Response {
    let (id, state, verifier) = (random(), random(), random());
    let way_in = app.doorward.way_in(&state, &verifier);
    app.going.lock().insert(id.clone(), (state, verifier));
    go(&way_in, &id)
}

async fn callback(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Query(back): Query<Returned>,
) -> Response {
    let going = cookie(&headers).and_then(|id| app.going.lock().remove(&id));
    let Some((state, verifier)) = going else { return Redirect::to("/").into_response() };
    let is_ours = back.state == Some(state) && back.iss.as_ref() == Some(&app.doorward.issuer);
    let Some(code) = back.code.filter(|_| is_ours) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let Ok(tokens) = app.doorward.redeem(&code, &verifier).await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let id = random();
    app.signed_in.lock().insert(id.clone(), tokens);
    go("/", &id)
}

/// Signs out of both: what the app has is given back, and the browser goes on to Doorward's page.
async fn logout(State(app): State<Arc<App>>, headers: HeaderMap) -> Redirect {
    let tokens = cookie(&headers).and_then(|id| app.signed_in.lock().remove(&id));
    if let Some(tokens) = tokens {
        // If Doorward does not hear it, they end with the session.
        let _ = app.doorward.give_back(&tokens.refresh_token).await;
    }
    Redirect::to(&format!("{}/logout", app.doorward.issuer))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let setting = |name, usual: &str| std::env::var(name).unwrap_or_else(|_| usual.to_owned());
    let needed = |name| std::env::var(name).with_context(|| format!("{name}: see README.md"));
    let port = setting("PORT", "7301");
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    let origin = format!("http://127.0.0.1:{}", listener.local_addr()?.port());
    let issuer = setting("ISSUER", "http://localhost:7117");
    let client = (needed("CLIENT_ID")?, needed("CLIENT_SECRET")?);
    let credential = Credential::client(&*client.0, &*client.1);
    let guard = Guard::follow(&issuer, &issuer, credential).start()?;
    let doorward = Doorward { issuer, redirect_uri: format!("{origin}/callback"), client };
    println!("{origin}/");
    let (going, signed_in) = (Mutex::default(), Mutex::default());
    let routes = Router::new()
        .route("/", get(home))
        .route("/login", get(login))
        .route("/callback", get(callback))
        .route("/logout", post(logout))
        .with_state(Arc::new(App { doorward, guard, going, signed_in }));
    Ok(axum::serve(listener, routes).await?)
}
