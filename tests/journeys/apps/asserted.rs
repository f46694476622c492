//! An app behind a proxy that asserts who is there.

use std::time::Duration;

use doorward_guard::{Credential, Guard};
use doorward_wire::token::ASSERTION_HEADER;
use serde_json::json;

use super::{code, page};
use crate::harness::client::Request;
use crate::harness::shop::{clock, routes};
use crate::harness::wait::PATIENCE;
use crate::harness::{Browser, Member, PASSWORD, Server, Shop, eventually, within};

const WIKI: &str = "http://wiki.localhost:8080";

/// A server, and an app behind a proxy that is not there: each test says what it would.
async fn scene() -> (Server, Shop, Guard) {
    let server = Server::start().await;
    server.administrator("root").await;
    let root = Member { id: String::new(), username: "root".into(), password: PASSWORD.into() };
    let scope = json!({ "scope": "doorward.revocations" });
    let credential = Credential::token(server.tokens_with(&root, scope).await.access);
    let guard = Guard::follow(&server.origin, WIKI, credential).by_way_of(server.address);
    let guard = guard.start().unwrap().behind_proxy(WIKI);
    within(PATIENCE, "a guard that is ready", guard.ready()).await;
    let shop = Shop::serve(routes().layer(guard.protect(clock)), WIKI).await;
    (server, shop, guard)
}

/// What the server says to a proxy of a browser that asks for a site.
async fn assertion(server: &Server, browser: &Browser, host: &str) -> String {
    let asked = browser.request("GET", "/api/authz/forward-auth").header("x-forwarded-host", host);
    let asked = asked.header("x-forwarded-method", "GET").header("x-forwarded-uri", "/");
    let reply = asked.header("x-forwarded-proto", "http").await.must_be(200);
    assert!(server.origin.starts_with("http"));
    reply.header(ASSERTION_HEADER).unwrap().to_owned()
}

#[tokio::test]
async fn an_app_takes_the_issuers_word_and_not_the_proxys() {
    let (server, shop, _) = scene().await;
    let ada = server.sign_in(&server.member("ada").await).await;
    let said = assertion(&server, &ada, "wiki.localhost:8080").await;
    let get = |path: &str| -> Request { shop.client().get(path) };

    let reply = get("/").header(ASSERTION_HEADER, &said).await.must_be(200);
    assert_eq!(reply.text(), "hello, ada");
    get("/refunds").header(ASSERTION_HEADER, &said).await.must_be(200);
    get("/staff").header(ASSERTION_HEADER, &said).await.must_be(403);
    get("/money").header(ASSERTION_HEADER, &said).await.must_be(200);

    // What anybody can write is worth nothing.
    let spoofed = get("/").header("remote-user", "ada").header("x-auth-request-user", "ada");
    assert_eq!(spoofed.await.must_be(200).text(), "hello, stranger");
    assert_eq!(get("/").header(ASSERTION_HEADER, "").await.text(), "hello, stranger");

    let other = assertion(&server, &ada, "blog.localhost:8080").await;
    let token = server.tokens(&server.member("bob").await).await.access;
    for bad in [other.as_str(), &token, "junk", &said[..said.len() - 2]] {
        for path in ["/", "/orders"] {
            let reply = get(path).header(ASSERTION_HEADER, bad).await.must_be(401);
            assert_eq!(code(&reply), "invalid-token");
        }
    }
    let twice = get("/").header(ASSERTION_HEADER, &said).header(ASSERTION_HEADER, &said);
    twice.await.must_be(401);
    // It is no token, and a token that is sent on purpose counts alone.
    get("/").bearer(&said).await.must_be(401);
    get("/").bearer("junk").header(ASSERTION_HEADER, &said).await.must_be(401);
}

#[tokio::test]
async fn a_visitor_is_led_to_the_login_page_and_back_to_the_app() {
    let (server, shop, _) = scene().await;
    let reply = page(shop.client().get("/orders?page=2")).await.must_be(303);
    let back = "http%3A%2F%2Fwiki.localhost%3A8080%2Forders%3Fpage%3D2";
    let location = format!("{}/login?rd={back}", server.origin);
    assert_eq!(reply.header("location"), Some(&*location));
    // The server knows the way.
    let path = location.strip_prefix(&server.origin).unwrap();
    server.browser().get(path).await.must_be(200);
    shop.client().get("/orders").await.must_be(401);
}

#[tokio::test]
async fn a_form_of_a_sibling_site_changes_nothing() {
    let (server, shop, _) = scene().await;
    let ada = server.sign_in(&server.member("ada").await).await;
    let said = assertion(&server, &ada, "wiki.localhost:8080").await;
    let post = |from: &str, site: Option<&str>| {
        let request = shop.client().post("/orders").header(ASSERTION_HEADER, &said);
        let request = request.header("origin", from);
        match site {
            Some(site) => request.header("sec-fetch-site", site),
            None => request,
        }
    };
    post(WIKI, None).await.must_be(200);
    post(WIKI, Some("same-origin")).await.must_be(200);
    for (from, site) in
        [("http://blog.localhost:8080", None), ("http://blog.localhost:8080", Some("same-site"))]
    {
        assert_eq!(code(&post(from, site).await.must_be(403)), "csrf-rejected");
    }
}

#[tokio::test]
async fn an_assertion_ends_with_its_session_and_after_a_minute() {
    let (server, shop, _) = scene().await;
    let member = server.member("ada").await;
    let (ada, again) = (server.sign_in(&member).await, server.sign_in(&member).await);
    let said = assertion(&server, &ada, "wiki.localhost:8080").await;
    let other = assertion(&server, &again, "wiki.localhost:8080").await;
    let ask = async |said: &str| {
        shop.client().get("/orders").header(ASSERTION_HEADER, said).await.status.as_u16()
    };
    assert_eq!((ask(&said).await, ask(&other).await), (200, 200));
    ada.post("/api/v1/logout").await.must_be(204);
    eventually("the end of an assertion", || async { (ask(&said).await == 401).then_some(()) })
        .await;
    assert_eq!(ask(&other).await, 200);
    // A minute, and half of one for clocks.
    server.clock.advance(Duration::from_secs(91));
    eventually("the end of another", || async { (ask(&other).await == 401).then_some(()) }).await;
}
