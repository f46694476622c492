//! An API on an origin of its own, and a page on a third that calls it with a token: see `README.md`.
#![expect(clippy::print_stdout, reason = "it says where it is")]
#![expect(clippy::disallowed_methods, reason = "its settings are in the environment")]

use anyhow::Context;
use axum::Router;
use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ORIGIN, VARY,
};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use doorward_guard::{Credential, Guard, RequireScope, scope, system_clock};
use tokio::net::TcpListener;

scope!(OrdersRead = "orders.read");
scope!(OrdersWrite = "orders.write");

async fn orders(asked: RequireScope<OrdersRead>) -> String {
    format!("the orders of {}", asked.user.account())
}

async fn order(_: RequireScope<OrdersWrite>, what: String) -> String {
    format!("ordered {what}")
}

/// Lets scripts of one origin read the answers, and never with a cookie.
async fn cors(page: axum::extract::State<HeaderValue>, request: Request, next: Next) -> Response {
    let is_page = request.headers().get(ORIGIN) == Some(&page.0);
    let mut response = match request.method() {
        &Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("Origin"));
    if is_page {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, page.0);
        let methods = HeaderValue::from_static("GET, POST");
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
        let sent = HeaderValue::from_static("authorization, content-type");
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, sent);
    }
    response
}

fn setting(name: &str) -> anyhow::Result<String> {
    std::env::var(name).with_context(|| format!("{name} is not set: see examples/api/README.md"))
}

async fn listen(port: u16) -> anyhow::Result<(TcpListener, String)> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let origin = format!("http://localhost:{}", listener.local_addr()?.port());
    Ok((listener, origin))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let issuer = std::env::var("ISSUER").unwrap_or_else(|_| "http://localhost:7117".to_owned());
    let ports = std::env::var("PORTS").unwrap_or_else(|_| "7201,7202".to_owned());
    let (api_port, page_port) = ports.split_once(',').context("PORTS is two numbers")?;
    let (api_listener, api) = listen(api_port.parse()?).await?;
    let (page_listener, page) = listen(page_port.parse()?).await?;

    let credential = Credential::client(setting("CLIENT_ID")?, setting("CLIENT_SECRET")?);
    let guard = Guard::follow(&issuer, &api, credential).start()?;
    let service = Router::new()
        .route("/orders", get(orders).post(order))
        .layer(guard.protect(system_clock))
        .layer(from_fn_with_state(HeaderValue::from_str(&page)?, cors));

    let settings = serde_json::json!({ "issuer": issuer, "api": api }).to_string();
    let html = include_str!("page.html").replace("SETTINGS", &settings);
    let front = Router::new().route("/", get(|| async move { Html(html) }));

    println!("{page}/ calls {api}");
    tokio::select! {
        ended = axum::serve(api_listener, service) => ended?,
        ended = axum::serve(page_listener, front) => ended?,
    }
    Ok(())
}
