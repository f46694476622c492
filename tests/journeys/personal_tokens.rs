//! Personal access tokens: made in person, shown by programs, seen and ended by their owner.

use std::time::Duration;

use doorward_core::event::EventKind;
use doorward_core::revocation::Revoked;
use doorward_server::settings::Audience;
use doorward_wire::jose::Algorithm;
use serde_json::{Value, json};

use super::forward_auth::{WIKI, about, with_wiki};
use crate::harness::oauth::Known;
use crate::harness::{Browser, PASSWORD, Server, eventually};

const HERE: &str = "/api/v1/account/tokens";
const ORDERS: &str = "https://orders.example";

async fn with_orders() -> Server {
    Server::with(|settings| {
        settings.audiences = vec![Audience {
            name: ORDERS.to_owned(),
            algorithm: Algorithm::EdDsa,
            scopes: vec!["orders.read".to_owned(), "orders.write".to_owned()],
        }];
    })
    .await
}

async fn make(browser: &Browser, more: Value) -> Value {
    let mut body = json!({ "name": "nightly backup" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    browser.post_json(HERE, &body).await.must_be(201).json()
}

fn text(made: &Value) -> &str {
    made["token"].as_str().unwrap()
}

#[tokio::test]
async fn a_token_is_made_used_listed_and_revoked() {
    let server = with_orders().await;
    let ada = server.member("ada").await;
    let browser = server.sign_in(&ada).await;
    let made = make(&browser, json!({ "scope": "profile" })).await;
    let token = text(&made);
    assert!(token.starts_with("dwp_") && token.len() == 53, "{token}");
    let account = server.client().get("/api/v1/account").bearer(token).await.must_be(200).json();
    assert_eq!((&account["id"], &account["username"]), (&json!(ada.id), &json!("ada")));

    let used = eventually("a use that is written", async || {
        let listed = browser.get(HERE).await.must_be(200).json();
        assert!(!listed.to_string().contains(token), "it is shown once");
        listed["data"][0]["used_at"].is_string().then(|| listed["data"][0].clone())
    })
    .await;
    assert_eq!(used["name"], "nightly backup");
    assert_eq!(used["scope"], "profile");
    assert_eq!(used["audience"], json!(server.origin));
    let id = used["id"].as_str().unwrap();

    // Somebody else's is nobody's.
    let eve = server.member("eve").await;
    let eve = server.sign_in(&eve).await;
    eve.delete(&format!("{HERE}/{id}")).await.must_be(404);
    eve.delete(&format!("{HERE}/x")).await.must_be(404);
    browser.delete(&format!("{HERE}/{id}")).await.must_be(204);
    browser.delete(&format!("{HERE}/{id}")).await.must_be(404);
    server.client().get("/api/v1/account").bearer(token).await.must_be(401);
    let last = server.revocations().await.pop().unwrap();
    assert!(matches!(last.revocation.revoked, Revoked::Token(_)), "{last:?}");
    server.event(EventKind::PersonalTokenRevoked).await;
    let events = browser.get("/api/v1/account/events").await.must_be(200).text().to_owned();
    assert!(events.contains("personal_token.created") && events.contains("personal_token.revoked"));
}

#[tokio::test]
async fn a_token_does_what_it_says_and_nothing_that_needs_its_owner() {
    let server = with_orders().await;
    let ada = server.member("ada").await;
    let browser = server.sign_in(&ada).await;
    let profile = make(&browser, json!({ "scope": "profile" })).await;
    let bare = make(&browser, json!({})).await;
    let refused = server.client().get("/api/v1/account").bearer(text(&bare)).await.must_be(403);
    assert_eq!(refused.json()["code"], "insufficient_scope");
    for (method, path, body) in [
        ("GET", "/api/v1/session", Value::Null),
        ("GET", "/api/v1/sessions", Value::Null),
        ("DELETE", "/api/v1/sessions", Value::Null),
        ("GET", HERE, Value::Null),
        ("POST", HERE, json!({ "name": "another" })),
        ("POST", "/api/v1/logout", json!({})),
        ("GET", "/api/v1/revocations", Value::Null),
        ("POST", "/api/v1/session/reauthenticate", json!({ "password": PASSWORD })),
        (
            "POST",
            "/api/v1/account/password",
            json!({ "current": PASSWORD, "new": "a new one it is" }),
        ),
    ] {
        let request = server.client().request(method, path).bearer(text(&profile));
        let request = if body.is_null() { request } else { request.json(&body) };
        let reply = request.await;
        assert!(
            [401, 403].contains(&reply.status.as_u16()),
            "{method} {path}: {}",
            reply.describe()
        );
    }
    server.sign_in(&ada).await;
}

#[tokio::test]
async fn a_service_asks_about_a_token_that_is_for_it() {
    let server = with_orders().await;
    let ada = server.member("ada").await;
    let browser = server.sign_in(&ada).await;
    let made = make(&browser, json!({ "scope": "orders.read", "audience": ORDERS })).await;
    let (orders, other) = (
        Known::serving(&server, &[ORDERS]).await,
        Known::serving(&server, &["https://other.example"]).await,
    );
    let said = orders.introspect(text(&made)).await;
    assert_eq!((&said["active"], &said["scope"]), (&json!(true), &json!("orders.read")));
    assert_eq!((&said["sub"], &said["aud"]), (&json!(ada.id), &json!(ORDERS)));
    assert_eq!((&said["jti"], &said["username"]), (&made["id"], &json!("ada")));
    assert_eq!(other.introspect(text(&made)).await, json!({ "active": false }));
    // For orders it opens nothing of ours.
    server.client().get("/api/v1/account").bearer(text(&made)).await.must_be(401);
    // Whoever finds it may end it (RFC 7009), as a program that knows no more than the token.
    let form = [("client_id", "doorward"), ("token", text(&made))];
    server.client().post_form("/oauth/revoke", &form).await.must_be(200);
    assert_eq!(orders.introspect(text(&made)).await, json!({ "active": false }));
}

#[tokio::test]
async fn a_token_for_a_site_opens_it_behind_its_proxy() {
    let server = Server::production(with_wiki).await;
    let ada = server.member("ada").await;
    let browser = server.sign_in(&ada).await;
    let wiki = make(&browser, json!({ "audience": WIKI })).await;
    let own = make(&browser, json!({ "scope": "profile" })).await;
    let let_in = about(&server, "GET", "/notes").bearer(text(&wiki)).await.must_be(200);
    assert_eq!(let_in.header("remote-user"), Some("ada"));
    about(&server, "GET", "/admin").bearer(text(&wiki)).await.must_be(403);
    about(&server, "GET", "/notes").bearer(text(&own)).await.must_be(401);
    let open = about(&server, "GET", "/public").bearer(text(&own)).await.must_be(200);
    assert_eq!(open.header("remote-user"), Some(""));
    server.client().get("/api/v1/account").bearer(text(&wiki)).await.must_be(401);
}

#[tokio::test]
async fn a_token_ends_with_its_time_and_with_everything() {
    let server = with_orders().await;
    let ada = server.member("ada").await;
    let browser = server.sign_in(&ada).await;
    let ask = async |made: &Value| {
        server.client().get("/api/v1/account").bearer(text(made)).await.status.as_u16()
    };
    let short = make(&browser, json!({ "scope": "profile", "expires_in": 60 })).await;
    let long = make(&browser, json!({ "scope": "profile", "expires_in": 31_622_400 })).await;
    server.clock.advance(Duration::from_secs(59));
    assert_eq!(ask(&short).await, 200);
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(ask(&short).await, 401);
    assert_eq!(ask(&long).await, 200);
    // Its session does not take it along, and the other switch does.
    browser.post_json("/api/v1/logout", &json!({})).await.must_be(204);
    assert_eq!(ask(&long).await, 200);
    let browser = server.sign_in(&ada).await;
    browser.delete("/api/v1/sessions?except=current").await.must_be(204);
    assert_eq!(ask(&long).await, 401);
    assert_eq!(browser.get(HERE).await.must_be(200).json()["data"], json!([]));
    let made = make(&browser, json!({ "scope": "profile" })).await;
    let body = json!({ "current": PASSWORD, "new": "another good password" });
    browser.post_json("/api/v1/account/password", &body).await.must_be(200);
    assert_eq!(ask(&made).await, 401);
}

#[tokio::test]
async fn bad_wishes_are_told_and_nothing_is_made() {
    let server = with_orders().await;
    let ada = server.member("ada").await;
    let browser = server.sign_in(&ada).await;
    for (body, status, code) in [
        (json!({ "name": "" }), 422, "malformed-name"),
        (json!({ "name": "a\nb" }), 422, "malformed-name"),
        (json!({ "name": "x".repeat(65) }), 422, "malformed-name"),
        (json!({ "name": "x", "scope": "everything" }), 422, "malformed-scope"),
        (json!({ "name": "x", "scope": "doorward.admin" }), 422, "malformed-scope"),
        (json!({ "name": "x", "scope": "a\"b" }), 422, "malformed-scope"),
        (json!({ "name": "x", "audience": "https://nobody" }), 422, "unknown-audience"),
        (json!({ "name": "x", "expires_in": 59 }), 422, "out-of-range"),
        (json!({ "name": "x", "expires_in": 31_622_401 }), 422, "out-of-range"),
        (json!({ "name": "x", "expires_in": -1 }), 422, "wrong-type"),
        (json!({ "name": "x", "token": "dwp_mine" }), 422, "unknown-member"),
        (json!({}), 422, "missing-member"),
    ] {
        let reply = browser.post_json(HERE, &body).await;
        assert_eq!(reply.status, status, "{body}: {}", reply.describe());
        assert_eq!(reply.json()["code"], code, "{body}");
    }
    for number in 0..50 {
        make(&browser, json!({ "name": number.to_string() })).await;
    }
    let body = json!({ "name": "one more" });
    browser.post_json(HERE, &body).await.must_be_problem(409, "too-many");
    // It outlives the session, so whoever makes it must just have been there.
    server.clock.advance(Duration::from_mins(15));
    let late = browser.post_json(HERE, &json!({ "name": "later" })).await;
    late.must_be_problem(401, "reauthentication-required");
    server.browser().post_json(HERE, &body).await.must_be(401);
    // What a program holds for five minutes must not become a key for a year.
    let tokens = server.tokens_with(&ada, json!({ "scope": "profile email" })).await;
    let asked = server.client().post_json(HERE, &json!({ "name": "x" })).bearer(&tokens.access);
    asked.await.must_be_problem(403, "in-person-only");
}
