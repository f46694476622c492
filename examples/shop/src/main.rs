//! A shop with Doorward in the same process, on one port: `cargo run -p example-shop`.
#![expect(clippy::print_stdout, reason = "it says where it is")]

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Path, Request};
use axum::http::{Response, StatusCode};
use axum::response::{Html, Redirect};
use axum::routing::{get, post};
use bytes::Bytes;
use doorward::config::Config;
use doorward::serve::Embedded;
use doorward_guard::{
    Answer, AppExtensions, DataKey, Guard, NoServer, Session, User, system_clock,
};
use http_body_util::BodyExt;

/// What is for sale.
const GOODS: [&str; 3] = ["tea", "milk", "honey"];

/// What is in the basket. `[session] carry` takes it over at login.
const BASKET: DataKey<Vec<String>> = DataKey::new("basket");

async fn shelf(user: Option<User>, session: Session) -> Result<Html<String>, StatusCode> {
    let basket = session.get(BASKET).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let basket = basket.unwrap_or_default().join(", ");
    let who = match user.as_ref().and_then(|user| user.username()) {
        Some(name) => format!(r#"<a href="/account">{}</a>"#, escaped(name)),
        None => r#"<a href="/login?return_to=/">Sign in</a>"#.to_owned(),
    };
    let button = |name: &str| {
        format!(r#"<form method="post" action="/basket/{name}"><button>{name}</button></form>"#)
    };
    let goods: String = GOODS.into_iter().map(button).collect();
    Ok(page(&format!(
        r#"<p>{who}</p><h1>Shop</h1>{goods}<p id="basket">In your basket: {basket}</p>
        <form method="post" action="/orders"><button id="order">Order</button></form>"#
    )))
}

async fn put(session: Session, Path(name): Path<String>) -> Result<Redirect, StatusCode> {
    let name = GOODS.into_iter().find(|good| *good == name).ok_or(StatusCode::NOT_FOUND)?;
    let failed = |_| StatusCode::INTERNAL_SERVER_ERROR;
    let mut basket = session.get(BASKET).map_err(failed)?.unwrap_or_default();
    basket.push(name.to_owned());
    session.insert(BASKET, &basket).map_err(failed)?;
    Ok(Redirect::to("/"))
}

/// Nobody orders who has not signed in: a visitor is led to the login page, and back to the shelf.
async fn order(user: User, session: Session) -> Result<Html<String>, StatusCode> {
    let failed = |_| StatusCode::INTERNAL_SERVER_ERROR;
    let basket = session.get(BASKET).map_err(failed)?.unwrap_or_default().join(", ");
    session.remove(BASKET);
    let name = escaped(user.username().unwrap_or("you"));
    Ok(page(&format!(r#"<h1>Thank you, {name}</h1><p id="order">On its way: {basket}</p>"#)))
}

fn page(body: &str) -> Html<String> {
    Html(format!(r#"<!doctype html><html lang="en"><title>Shop</title><main>{body}</main>"#))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

/// What the guard asks the server goes to it directly.
async fn ask(server: &Embedded, request: Request<Bytes>) -> Result<Response<Bytes>, NoServer> {
    let app = request.extensions().get::<AppExtensions>();
    let peer = app.and_then(|app| app.get::<ConnectInfo<SocketAddr>>());
    let peer = peer.ok_or_else(|| NoServer::new("the caller's address is not known"))?.0;
    let (head, body) = server.answer(peer, request.map(Body::from)).await.into_parts();
    let body = body.collect().await.map_err(NoServer::new)?.to_bytes();
    Ok(Response::from_parts(head, body))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().unwrap_or_else(|| "7118".to_owned());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    let mut config = Config::default();
    config.server.data = Some(arguments.next().unwrap_or_else(|| "shop-data".to_owned()).into());
    config.session.carry = vec![BASKET.name().to_owned()];
    let server = Embedded::open(&config, listener.local_addr()?.port()).await;
    let server = Arc::new(server.context("opening Doorward")?);

    let asked = Arc::clone(&server);
    let guard = Guard::beside(server.issuer(), move |request| -> Answer {
        let server = Arc::clone(&asked);
        Box::pin(async move { ask(&server, request).await })
    });
    println!("{}/", server.issuer());
    if let Some(link) = server.setup_link() {
        println!("the first administrator: {link}");
    }
    let rest = move |ConnectInfo(peer): ConnectInfo<SocketAddr>, request: Request| async move {
        server.answer(peer, request).await
    };
    let app = Router::new()
        .route("/", get(shelf))
        .route("/basket/{name}", post(put))
        .route("/orders", post(order))
        .layer(guard.protect(system_clock))
        // Everything else is Doorward's: /login, /account, /api.
        .fallback(rest);
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let stop = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    axum::serve(listener, app).with_graceful_shutdown(stop).await?;
    Ok(())
}
