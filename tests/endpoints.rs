//! The table of endpoints: what anybody, a visitor, a member and an administrator get from each.
//!
//! The router is built from `doorward_server::routes::table()` and from nothing else. A row there
//! without an expectation here fails, and so does an expectation without a row.

use std::collections::BTreeSet;

use doorward_server::flow::issue;
use doorward_server::routes::{self, Who};
use serde_json::{Value, json};

use crate::harness::{Browser, PASSWORD, Server};

/// What a sample request sends.
enum Body {
    Nothing,
    Json(fn(&Sample) -> Value),
    Form(fn(&Sample) -> Vec<(&'static str, String)>),
}

/// What samples are made of: something fresh for every request.
struct Sample {
    /// A name that no account has.
    name: String,
    /// A refresh token that counts.
    refresh: String,
}

/// What one route answers to a sample request of its own kind.
struct Expectation {
    method: &'static str,
    path: &'static str,
    /// The path of the sample, when it has variable parts.
    sample: &'static str,
    body: Body,
    /// The status for nobody, a visitor (an anonymous session), a member, an administrator.
    statuses: [u16; 4],
}

const fn row(method: &'static str, path: &'static str, statuses: [u16; 4]) -> Expectation {
    Expectation { method, path, sample: path, body: Body::Nothing, statuses }
}

impl Expectation {
    const fn at(self, sample: &'static str) -> Self {
        Self { sample, ..self }
    }

    const fn json(self, body: fn(&Sample) -> Value) -> Self {
        Self { body: Body::Json(body), ..self }
    }

    const fn form(self, fields: fn(&Sample) -> Vec<(&'static str, String)>) -> Self {
        Self { body: Body::Form(fields), ..self }
    }
}

fn account(sample: &Sample) -> Vec<(&'static str, String)> {
    vec![("username", sample.name.clone()), ("password", PASSWORD.to_owned())]
}

/// A session id that is well formed and nobody's.
const NOBODYS: &str = "/api/v1/sessions/ses_00000000000000000000000000";

fn change(_: &Sample) -> Value {
    json!({ "current": PASSWORD, "new": "another good password" })
}

fn expectations() -> Vec<Expectation> {
    let ours = shared().into_iter().chain(own_pages()).chain(personal_tokens());
    ours.chain(oauth()).chain(signals()).chain(administrators()).collect()
}

/// Shared signals. With a client's token: `journeys::signals`.
fn signals() -> Vec<Expectation> {
    let stream = |method| row(method, "/ssf/stream", [401; 4]);
    vec![
        row("GET", "/.well-known/ssf-configuration", [200; 4]),
        stream("POST"),
        stream("GET"),
        stream("PATCH"),
        stream("PUT"),
        stream("DELETE"),
        row("GET", "/ssf/status", [401; 4]),
        row("POST", "/ssf/status", [401; 4]),
        row("POST", "/ssf/verify", [401; 4]),
        row("POST", "/ssf/poll/{stream}", [401; 4]).at("/ssf/poll/str_00000000000000000000000000"),
    ]
}

/// What OAuth clients ask.
fn oauth() -> Vec<Expectation> {
    vec![
        // With a client's secret: `journeys::clients`.
        row("POST", "/oauth/token", [400; 4]).form(|_| vec![("grant_type", "none".to_owned())]),
        row("POST", "/oauth/introspect", [401; 4]).form(|_| vec![("token", "x".to_owned())]),
        row("POST", "/oauth/revoke", [401; 4]).form(|_| vec![("token", "x".to_owned())]),
        // No client is named: nobody is sent anywhere.
        row("GET", "/oauth/authorize", [400; 4]),
        row("GET", "/.well-known/oauth-authorization-server", [200; 4]),
    ]
}

/// Personal access tokens, in the API and on their page.
fn personal_tokens() -> Vec<Expectation> {
    vec![
        row("GET", "/api/v1/account/tokens", [401, 401, 200, 200]),
        row("POST", "/api/v1/account/tokens", [401, 401, 201, 201])
            .json(|_| json!({ "name": "a program" })),
        row("DELETE", "/api/v1/account/tokens/{id}", [401, 401, 404, 404])
            .at("/api/v1/account/tokens/tok_00000000000000000000000000"),
        row("GET", "/account/tokens", [303, 303, 200, 200]),
        row("POST", "/account/tokens", [303, 303, 422, 422]).form(|_| vec![]),
        row("GET", "/account/tokens/end", [303; 4]),
        row("POST", "/account/tokens/end", [303; 4])
            .form(|_| vec![("id", "tok_00000000000000000000000000".to_owned())]),
    ]
}

/// What administrators look after.
fn administrators() -> Vec<Expectation> {
    const SITE: &str = "/api/v1/admin/sites/{origin}";
    const WIKI: &str = "/api/v1/admin/sites/https%3A%2F%2Fwiki.example.com";
    vec![
        row("GET", "/api/v1/admin/sites", [401, 401, 403, 200]),
        row("GET", SITE, [401, 401, 403, 404]).at(WIKI),
        row("PUT", SITE, [401, 401, 403, 201]).at(WIKI).json(|_| json!({})),
        row("DELETE", SITE, [401, 401, 403, 404]).at(WIKI),
        row("POST", "/api/v1/admin/sites/check", [401, 401, 403, 200])
            .json(|_| json!({ "method": "GET", "url": "http://localhost/" })),
    ]
}

/// The pages of one's own account.
fn own_pages() -> Vec<Expectation> {
    vec![
        row("GET", "/account", [303, 303, 200, 200]),
        row("GET", "/account/activity", [303, 303, 200, 200]),
        row("GET", "/account/notices", [303; 4]),
        row("POST", "/account/notices", [303; 4]).form(|_| {
            let id = "evt_00000000000000000000000000".to_owned();
            vec![("id", id), ("was_me", "1".to_owned())]
        }),
        row("GET", "/account/sessions/end", [303; 4]),
        row("POST", "/account/sessions/end", [303; 4])
            .form(|_| vec![("sid", NOBODYS.trim_start_matches("/api/v1/sessions/").to_owned())]),
        row("GET", "/account/sessions/end-others", [303; 4]),
        row("POST", "/account/sessions/end-others", [303; 4]),
        row("GET", "/account/confirm", [303, 303, 200, 200]),
        row("POST", "/account/confirm", [303; 4]).form(|_| vec![("password", PASSWORD.to_owned())]),
        row("GET", "/account/sessions/end-all", [303; 4]),
        row("POST", "/account/sessions/end-all", [303; 4]),
        row("GET", "/account/password", [303; 4]),
        row("POST", "/account/password", [303; 4]).form(|_| {
            vec![
                ("current", PASSWORD.to_owned()),
                ("new", "another good password".to_owned()),
                ("end_other_sessions", "1".to_owned()),
            ]
        }),
    ]
}

fn shared() -> Vec<Expectation> {
    let login =
        |_: &Sample| json!({ "username": "ada", "password": PASSWORD, "carrier": "cookie" });
    vec![
        // The API.
        row("POST", "/api/v1/accounts", [201; 4])
            .json(|sample| json!({ "username": sample.name, "password": PASSWORD })),
        row("POST", "/api/v1/login", [200; 4]).json(login),
        row("POST", "/api/v1/refresh", [200; 4])
            .json(|sample| json!({ "refresh_token": sample.refresh })),
        row("POST", "/api/v1/logout", [401, 204, 204, 204]),
        row("POST", "/api/v1/session", [201; 4]),
        row("GET", "/api/v1/session", [401, 200, 200, 200]),
        row("POST", "/api/v1/session/reauthenticate", [401, 401, 200, 200])
            .json(|_| json!({ "password": PASSWORD })),
        row("GET", "/api/v1/session/data", [401, 200, 200, 200]),
        row("PUT", "/api/v1/session/data/{key}", [401, 201, 201, 201])
            .at("/api/v1/session/data/basket")
            .json(|_| json!(["tea"])),
        row("DELETE", "/api/v1/session/data/{key}", [401, 204, 204, 204])
            .at("/api/v1/session/data/basket"),
        row("GET", "/api/v1/sessions", [401, 401, 200, 200]),
        row("DELETE", "/api/v1/sessions", [401, 401, 204, 204]),
        // Nobody ends somebody else's: `journeys::ending` has the sessions that are there.
        row("DELETE", "/api/v1/sessions/{sid}", [401, 401, 404, 404]).at(NOBODYS),
        // With a token of its scope: `journeys::revocations`.
        row("GET", "/api/v1/revocations", [401, 403, 403, 403]),
        row("GET", "/api/v1/account", [401, 401, 200, 200]),
        row("GET", "/api/v1/account/events", [401, 401, 200, 200]),
        row("GET", "/api/v1/account/notices", [401, 401, 200, 200]),
        // Nobody has this one: `journeys::portal` has those that are there.
        row("POST", "/api/v1/account/notices/{id}", [401, 401, 404, 404])
            .at("/api/v1/account/notices/evt_00000000000000000000000000")
            .json(|_| json!({ "was_me": true })),
        row("POST", "/api/v1/account/password", [401, 401, 200, 200]).json(change),
        // What a browser with a device's key sends. In development no session is bound:
        // `journeys::bound` has those that are.
        row("POST", "/dbsc/register", [401, 401, 403, 403]),
        row("POST", "/dbsc/refresh", [401; 4]),
        // What other programs look for.
        row("GET", "/.well-known/jwks.json", [200; 4]),
        row("GET", "/.well-known/change-password", [303; 4]),
        row("GET", "/livez", [200; 4]),
        row("GET", "/readyz", [200; 4]),
        row("GET", "/healthz", [200; 4]),
        // Pages.
        row("GET", "/", [303; 4]),
        row("GET", "/assets/{version}/{name}", [200; 4]).at("/assets/any/style.css"),
        row("GET", "/login", [200; 4]),
        row("POST", "/login", [303; 4])
            .form(|_| vec![("username", "ada".to_owned()), ("password", PASSWORD.to_owned())]),
        row("GET", "/register", [200; 4]),
        row("POST", "/register", [303; 4]).form(account),
        row("GET", "/setup", [200; 4]),
        // Without the link nobody sets anything up, an administrator neither.
        row("POST", "/setup", [403; 4]).form(account),
        row("GET", "/continue", [303; 4]),
        // On a site of another domain: `journeys::far`.
        row("GET", "/.doorward/start", [404; 4]),
        row("GET", "/.doorward/callback", [404; 4]),
        row("GET", "/status-lists", [200; 4]),
        row("GET", "/status-lists/{number}", [404; 4]).at("/status-lists/0"),
        row("GET", "/oauth2/sign_in", [303; 4]),
        row("GET", "/oauth2/sign_out", [303; 4]),
        // A proxy says what it asks about.
        row("GET", "/api/authz/forward-auth", [400; 4]),
        row("GET", "/api/authz/auth-request", [400; 4]),
        row("GET", "/api/authz/ext-authz/{path}", [401, 401, 200, 200])
            .at("/api/authz/ext-authz/x"),
        row("GET", "/api/verify", [400; 4]),
        row("GET", "/oauth2/auth", [400; 4]),
        row("GET", "/logout", [303, 303, 200, 200]),
        row("POST", "/logout", [303; 4]),
        row("GET", "/inspect/cookie", [200; 4]),
        row("GET", "/inspect/token", [200; 4]),
        row("POST", "/inspect/token", [200; 4]).form(|_| vec![("token", "a.b.c".to_owned())]),
        row("POST", "/inspect/cookie", [200; 4]).form(|_| vec![("line", "a=1".to_owned())]),
    ]
}

/// Where a page sends whoever is not signed in.
const DOOR: &str = "/login";

#[test]
fn every_route_has_an_expectation_and_every_expectation_a_route() {
    let served: BTreeSet<(String, &str)> =
        routes::table().iter().map(|route| (route.method.to_string(), route.path)).collect();
    let expected: BTreeSet<(String, &str)> =
        expectations().iter().map(|row| (row.method.to_owned(), row.path)).collect();
    let (missing, gone): (Vec<_>, Vec<_>) =
        (served.difference(&expected).collect(), expected.difference(&served).collect());
    assert!(missing.is_empty(), "served, and nobody says who may: {missing:?}");
    assert!(gone.is_empty(), "expected, and not served: {gone:?}");
    assert_eq!(expectations().len(), served.len(), "each row once");
    assert_eq!(routes::table().len(), served.len(), "each route once");
}

#[test]
fn what_a_row_lets_in_is_what_it_says() {
    for route in routes::table() {
        let rows = expectations();
        let row = rows.iter().find(|row| row.path == route.path && route.method == row.method);
        let [nobody, visitor, member, administrator] = row.unwrap().statuses;
        let what = format!("{} {}", route.method, route.path);
        let shut_out = |status: u16| [401, 303].contains(&status);
        match route.who {
            Who::Anybody => assert_ne!(nobody, 401, "{what}"),
            Who::Session => {
                assert_eq!(nobody, 401, "{what}");
                assert!((200..300).contains(&visitor), "{what}");
            }
            Who::Member => assert!(shut_out(nobody) && shut_out(visitor), "{what}"),
            // The cookies of these rows are nobody's grant.
            Who::Client => assert_eq!([nobody, visitor, member], [401; 3], "{what}"),
            Who::Administrator => {
                assert_eq!([nobody, visitor, member], [401, 401, 403], "{what}");
                assert!(administrator != 401 && administrator != 403, "{what}");
            }
            Who::Scope => assert_eq!([nobody, visitor, member], [401, 403, 403], "{what}"),
            Who::Proxy => assert!([400, 401].contains(&nobody) && nobody == visitor, "{what}"),
        }
        if route.who != Who::Administrator {
            assert_eq!(member, administrator, "an administrator is a member: {what}");
        }
    }
}

async fn status(server: &Server, browser: &Browser, row: &Expectation) -> (u16, String) {
    let sample = sample(server).await;
    let request = browser.request(row.method, row.sample);
    let request = match row.body {
        Body::Nothing if row.path.starts_with("/account/") || row.path == "/logout" => {
            if row.method == "POST" { request.form(&[]) } else { request }
        }
        Body::Nothing => request,
        Body::Json(body) => request.json(&body(&sample)),
        Body::Form(fields) => {
            let fields = fields(&sample);
            let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, &**value)).collect();
            request.form(&fields)
        }
    };
    let reply = browser.send(request).await;
    (reply.status.as_u16(), reply.header("location").unwrap_or_default().to_owned())
}

async fn sample(server: &Server) -> Sample {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("fresh{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let owner = server.member(&format!("{name}-owner")).await;
    Sample { name, refresh: server.tokens(&owner).await.refresh }
}

#[tokio::test]
async fn everybody_gets_from_each_route_what_the_table_says() {
    for row in expectations() {
        // A server of its own: many of these end sessions or change passwords.
        let server = Server::start().await;
        let (ada, root) = (server.member("ada").await, server.administrator("root.account").await);
        let visitor = server.browser();
        visitor.post("/api/v1/session").await.must_be(201);
        let callers = [
            ("nobody", server.browser()),
            ("a visitor", visitor),
            ("a member", server.sign_in(&ada).await),
            ("an administrator", server.sign_in(&root).await),
        ];
        for ((who, browser), expected) in callers.iter().zip(row.statuses) {
            let (status, location) = status(&server, browser, &row).await;
            let what = format!("{who}: {} {}", row.method, row.path);
            assert_eq!(status, expected, "{what}");
            let is_door = row.path.starts_with("/account") && *who != "a member";
            if is_door && *who != "an administrator" && status == 303 {
                assert!(location.starts_with(DOOR), "{what} leads to {location}");
            }
        }
    }
}

#[tokio::test]
async fn a_token_gets_from_the_api_what_a_cookie_gets() {
    for row in expectations().into_iter().filter(|row| row.path.starts_with("/api/")) {
        let server = Server::start().await;
        let ada = server.member("ada").await;
        let (tokens, sample) = (server.tokens(&ada).await, sample(&server).await);
        let request = server.client().request(row.method, row.sample).bearer(&tokens.access);
        let request = match row.body {
            Body::Json(body) => request.json(&body(&sample)),
            Body::Nothing | Body::Form(_) => request,
        };
        let reply = request.await;
        let what = format!("{} {}", row.method, row.path);
        // A key for a year is made in person, and by no program.
        let is_in_person = row.method == "POST" && row.path == "/api/v1/account/tokens";
        let expected = if is_in_person { 403 } else { row.statuses[2] };
        assert_eq!(reply.status.as_u16(), expected, "{what}: {}", reply.describe());
    }
}

#[tokio::test]
async fn a_get_has_its_head_and_neither_changes_anything() {
    let server = Server::start().await;
    // As at the start of the program.
    issue::make_keys(&server.app).await.unwrap();
    let browser = server.sign_in(&server.member("ada").await).await;
    let before = server.rows();
    for row in expectations().into_iter().filter(|row| row.method == "GET") {
        let get = browser.send(browser.request("GET", row.sample)).await;
        let head = browser.send(browser.request("HEAD", row.sample)).await;
        assert_eq!(head.status, get.status, "HEAD {}", row.path);
        assert!(head.body.is_empty(), "HEAD {}", row.path);
        assert_eq!(get.set_cookie(), None, "GET {}", row.path);
    }
    assert_eq!(server.rows(), before, "nothing unsafe ever happens on GET");
    assert!(browser.is_signed_in().await);
}
