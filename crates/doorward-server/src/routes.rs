//! Routes: every path, its methods, and who may use it, in one table.
//!
//! The router is built from [`table`] and from nothing else, so a route cannot be served without
//! standing in it; the tests hold the table against what anybody, a member and an administrator
//! really get.

pub mod account;
pub mod authorize;
pub mod binding;
pub mod data;
pub(crate) mod forward;
pub mod health;
pub mod login;
pub mod oauth;
pub mod page;
pub mod personal;
pub mod revocation;
pub mod session;
pub mod shape;
pub mod signal;
pub mod site;
pub mod status;
pub mod well_known;

use axum::Router;
use axum::routing::{MethodRouter, delete, get, patch, post, put};
use doorward_wire::dbsc::{REFRESH_PATH, REGISTER_PATH};
use http::Method;

use crate::App;
use crate::answer::Problem;
use crate::pages;

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Whoever can reach the server.
    Anybody,
    /// Whoever has a live session, an anonymous one too.
    Session,
    /// Whoever is signed in.
    Member,
    /// An administrator.
    Administrator,
    /// Whoever has an access token of the scope that it needs.
    Scope,
    /// A client that shows who it is.
    Client,
    /// A proxy, that asks about somebody else's request to an app.
    Proxy,
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, with `{names}` for its variable parts.
    pub path: &'static str,
    /// Who may use it.
    pub who: Who,
}

type Row = (Method, &'static str, Who, MethodRouter<App>);

/// What a browser sends by itself for a session that is bound to its device.
fn device_rows() -> [Row; 2] {
    [
        (Method::POST, REGISTER_PATH, Who::Member, post(binding::register)),
        (Method::POST, REFRESH_PATH, Who::Member, post(binding::refresh)),
    ]
}

/// Personal access tokens.
fn personal_rows() -> [Row; 7] {
    [
        (Method::GET, "/api/v1/account/tokens", Who::Member, get(personal::list)),
        (Method::POST, "/api/v1/account/tokens", Who::Member, post(personal::make)),
        (Method::DELETE, "/api/v1/account/tokens/{id}", Who::Member, delete(personal::end)),
        (Method::GET, "/account/tokens", Who::Member, get(pages::tokens::show)),
        (Method::POST, "/account/tokens", Who::Member, post(pages::tokens::make)),
        (Method::GET, "/account/tokens/end", Who::Member, get(pages::tokens::to_tokens)),
        (Method::POST, "/account/tokens/end", Who::Member, post(pages::tokens::end)),
    ]
}

/// What administrators look after.
fn administrators_rows() -> [Row; 5] {
    const SITE: &str = "/api/v1/admin/sites/{origin}";
    [
        (Method::GET, "/api/v1/admin/sites", Who::Administrator, get(site::list)),
        (Method::GET, SITE, Who::Administrator, get(site::show)),
        (Method::PUT, SITE, Who::Administrator, put(site::keep)),
        (Method::DELETE, SITE, Who::Administrator, delete(site::remove)),
        (Method::POST, "/api/v1/admin/sites/check", Who::Administrator, post(site::check)),
    ]
}

/// Shared signals, for receivers of others.
fn signal_rows() -> [Row; 10] {
    [
        (Method::GET, "/.well-known/ssf-configuration", Who::Anybody, get(signal::configuration)),
        (Method::POST, "/ssf/stream", Who::Client, post(signal::create)),
        (Method::GET, "/ssf/stream", Who::Client, get(signal::show)),
        (Method::PATCH, "/ssf/stream", Who::Client, patch(signal::change)),
        (Method::PUT, "/ssf/stream", Who::Client, put(signal::change)),
        (Method::DELETE, "/ssf/stream", Who::Client, delete(signal::delete)),
        (Method::GET, "/ssf/status", Who::Client, get(signal::status)),
        (Method::POST, "/ssf/status", Who::Client, post(signal::switch)),
        (Method::POST, "/ssf/verify", Who::Client, post(signal::verify)),
        (Method::POST, "/ssf/poll/{stream}", Who::Client, post(signal::poll)),
    ]
}

/// What clients ask, in the words of OAuth 2.0.
fn oauth_rows() -> [Row; 5] {
    [
        (Method::GET, "/oauth/authorize", Who::Anybody, get(authorize::show)),
        (Method::POST, "/oauth/token", Who::Anybody, post(oauth::token)),
        (Method::POST, "/oauth/introspect", Who::Client, post(oauth::introspect)),
        (Method::POST, "/oauth/revoke", Who::Client, post(oauth::revoke)),
        (
            Method::GET,
            "/.well-known/oauth-authorization-server",
            Who::Anybody,
            get(oauth::metadata),
        ),
    ]
}

/// What other programs look for.
fn open_rows() -> [Row; 7] {
    [
        (Method::GET, "/.well-known/jwks.json", Who::Anybody, get(well_known::jwks)),
        (
            Method::GET,
            "/.well-known/change-password",
            Who::Anybody,
            get(well_known::change_password),
        ),
        (Method::GET, "/status-lists", Who::Anybody, get(status::lists)),
        (Method::GET, "/status-lists/{number}", Who::Anybody, get(status::list)),
        (Method::GET, "/livez", Who::Anybody, get(health::live)),
        (Method::GET, "/readyz", Who::Anybody, get(health::ready)),
        (Method::GET, "/healthz", Who::Anybody, get(health::ready)),
    ]
}

fn rows() -> Vec<Row> {
    let api = [
        (Method::POST, "/api/v1/accounts", Who::Anybody, post(account::register)),
        (Method::POST, "/api/v1/login", Who::Anybody, post(login::login)),
        (Method::POST, "/api/v1/refresh", Who::Anybody, post(login::refresh)),
        (Method::POST, "/api/v1/logout", Who::Session, post(login::logout)),
        (Method::POST, "/api/v1/session", Who::Anybody, post(session::open)),
        (Method::GET, "/api/v1/session", Who::Session, get(session::show)),
        (
            Method::POST,
            "/api/v1/session/reauthenticate",
            Who::Member,
            post(session::reauthenticate),
        ),
        (Method::GET, "/api/v1/session/data", Who::Session, get(data::list)),
        (Method::PUT, "/api/v1/session/data/{key}", Who::Session, put(data::write)),
        (Method::DELETE, "/api/v1/session/data/{key}", Who::Session, delete(data::remove)),
        (Method::GET, "/api/v1/sessions", Who::Member, get(session::list)),
        (Method::DELETE, "/api/v1/sessions", Who::Member, delete(session::end_many)),
        (Method::DELETE, "/api/v1/sessions/{sid}", Who::Member, delete(session::end_one)),
        (Method::GET, "/api/v1/revocations", Who::Scope, get(revocation::read)),
        (Method::GET, "/api/v1/account", Who::Member, get(account::show)),
        (Method::GET, "/api/v1/account/events", Who::Member, get(account::events)),
        (Method::GET, "/api/v1/account/notices", Who::Member, get(account::notices)),
        (Method::POST, "/api/v1/account/notices/{id}", Who::Member, post(account::answer)),
        (Method::POST, "/api/v1/account/password", Who::Member, post(account::change_password)),
    ];
    let pages = [
        (Method::GET, "/", Who::Anybody, get(pages::home)),
        (Method::GET, "/assets/{version}/{name}", Who::Anybody, get(pages::asset)),
        (Method::GET, "/login", Who::Anybody, get(pages::login::show)),
        (Method::POST, "/login", Who::Anybody, post(pages::login::submit)),
        (Method::GET, "/register", Who::Anybody, get(pages::register::show)),
        (Method::POST, "/register", Who::Anybody, post(pages::register::submit)),
        (Method::GET, "/setup", Who::Anybody, get(pages::setup::show)),
        (Method::POST, "/setup", Who::Anybody, post(pages::setup::submit)),
        (Method::GET, "/continue", Who::Member, get(pages::onward::show)),
        (Method::GET, "/.doorward/start", Who::Anybody, get(pages::far::start)),
        (Method::GET, "/.doorward/callback", Who::Anybody, get(pages::far::back)),
        (Method::GET, "/oauth2/sign_in", Who::Anybody, get(pages::onward::sign_in)),
        (Method::GET, "/oauth2/sign_out", Who::Anybody, get(pages::onward::sign_out)),
        (Method::GET, "/logout", Who::Anybody, get(pages::logout::show)),
        (Method::POST, "/logout", Who::Anybody, post(pages::logout::submit)),
        (Method::GET, "/inspect/cookie", Who::Anybody, get(pages::cookie::show)),
        (Method::GET, "/inspect/token", Who::Anybody, get(pages::token::show)),
        (Method::POST, "/inspect/token", Who::Anybody, post(pages::token::explain)),
        (Method::POST, "/inspect/cookie", Who::Anybody, post(pages::cookie::explain)),
    ];
    api.into_iter()
        .chain(device_rows())
        .chain(personal_rows())
        .chain(administrators_rows())
        .chain(signal_rows())
        .chain(open_rows())
        .chain(oauth_rows())
        .chain(pages)
        .chain(own_pages())
        .collect()
}

/// The pages of one's own account.
fn own_pages() -> [Row; 14] {
    [
        (Method::GET, "/account", Who::Member, get(pages::account::show)),
        (Method::GET, "/account/activity", Who::Member, get(pages::activity::show)),
        (Method::GET, "/account/notices", Who::Member, get(pages::account::to_account)),
        (Method::POST, "/account/notices", Who::Member, post(pages::account::answer)),
        (Method::GET, "/account/sessions/end", Who::Member, get(pages::account::to_account)),
        (Method::POST, "/account/sessions/end", Who::Member, post(pages::account::end_one)),
        (Method::GET, "/account/sessions/end-others", Who::Member, get(pages::account::to_account)),
        (
            Method::POST,
            "/account/sessions/end-others",
            Who::Member,
            post(pages::account::end_others),
        ),
        (Method::GET, "/account/sessions/end-all", Who::Member, get(pages::account::to_account)),
        (Method::POST, "/account/sessions/end-all", Who::Member, post(pages::account::end_all)),
        (Method::GET, "/account/password", Who::Member, get(pages::account::to_password)),
        (Method::POST, "/account/password", Who::Member, post(pages::account::change_password)),
        (Method::GET, "/account/confirm", Who::Member, get(pages::confirm::show)),
        (Method::POST, "/account/confirm", Who::Member, post(pages::confirm::submit)),
    ]
}

/// Every route that is served.
#[must_use]
pub fn table() -> Vec<Route> {
    let routed = rows().into_iter().map(|(method, path, who, _)| Route { method, path, who });
    // Answered before the router, whatever their method.
    let asked = forward::paths().map(|(method, path)| Route { method, path, who: Who::Proxy });
    routed.chain(asked).collect()
}

/// Builds the router from the table.
pub(crate) fn router(app: &App) -> Router {
    rows()
        .into_iter()
        .fold(Router::new(), |router, (_, path, _, handler)| router.route(path, handler))
        .fallback(async || Problem::not_found())
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .with_state(app.clone())
}
