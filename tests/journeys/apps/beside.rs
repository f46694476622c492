//! An app on the server's own origin, in another process: the session's cookie counts there.

use std::time::{Duration, Instant};

use doorward_guard::{Credential, Guard};
use serde_json::json;

use crate::harness::relay::{Relay, Wire};
use crate::harness::server::PRODUCTION;
use crate::harness::shop::{clock, routes};
use crate::harness::wait::PATIENCE;
use crate::harness::{Browser, Member, PASSWORD, Server, Shop, report, within};

/// A server and an app behind one proxy, and the wire between them.
async fn scene() -> (Server, Shop, Relay) {
    let server = Server::production(|_| {}).await;
    let relay = Relay::to(server.address).await;
    server.administrator("root").await;
    let root = Member { id: String::new(), username: "root".into(), password: PASSWORD.into() };
    let scope = json!({ "scope": "doorward.revocations" });
    let credential = Credential::token(server.tokens_with(&root, scope).await.access);
    let guard = Guard::follow(PRODUCTION, PRODUCTION, credential).beside(relay.address);
    let guard = guard.start().unwrap();
    within(PATIENCE, "a guard that is ready", guard.ready()).await;
    let shop = Shop::serve(routes().layer(guard.protect(clock)), PRODUCTION).await;
    (server, shop, relay)
}

/// The same browser at the app.
fn at(shop: &Shop, browser: &Browser) -> Browser {
    shop.browser().with_cookie_of(browser)
}

#[tokio::test]
async fn the_sessions_cookie_counts_in_an_app_beside_the_server() {
    let (server, shop, _relay) = scene().await;
    let browser = server.sign_in(&server.member("ada").await).await;
    let ada = at(&shop, &browser);
    assert_eq!(ada.get("/").await.must_be(200).text(), "hello, ada");
    ada.post("/basket/tea").await.must_be(303);
    assert_eq!(ada.get("/basket").await.must_be(200).text(), "tea");
    let shown = browser.get("/api/v1/session").await.must_be(200).json();
    assert_eq!(shown["session"]["data"], json!({ "basket": ["tea"] }));
    // A visitor's basket opens a session, whose cookie is a browser's on that origin.
    let visitor = shop.browser();
    visitor.post("/basket/milk").await.must_be(303);
    assert!(visitor.cookie().unwrap().starts_with("__Host-Http-doorward="));
    assert_eq!(visitor.get("/basket").await.must_be(200).text(), "milk");
    assert_eq!(visitor.get("/").await.text(), "hello, stranger");
    // Tokens that are for the issuer are verified here.
    let tokens = server.tokens(&server.member("bob").await).await;
    shop.client().get("/orders").bearer(&tokens.access).await.must_be(200);
}

#[tokio::test]
async fn what_was_said_of_a_cookie_is_not_used_after_its_session_has_ended() {
    let (server, shop, _relay) = scene().await;
    let member = server.member("ada").await;
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        let browser = server.sign_in(&member).await;
        let ada = at(&shop, &browser);
        ada.get("/orders").await.must_be(200);
        browser.post("/api/v1/logout").await.must_be(204);
        let ended = Instant::now();
        while ada.copy().get("/orders").await.status == 200 {
            assert!(ended.elapsed() < PATIENCE, "an ended session goes on");
        }
        slowest = slowest.max(ended.elapsed());
    }
    report(&format!("a cookie that ended, refused by an app beside within {slowest:?}"));
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
}

#[tokio::test]
async fn an_app_that_has_lost_the_server_lets_nobody_in_after_a_second() {
    let (server, shop, relay) = scene().await;
    let browser = server.sign_in(&server.member("ada").await).await;
    let ada = at(&shop, &browser);
    ada.get("/orders").await.must_be(200);
    relay.set(Wire::Cut);
    browser.post("/api/v1/logout").await.must_be(204);
    let ended = Instant::now();
    loop {
        let reply = ada.copy().get("/orders").await;
        if reply.status == 503 {
            break;
        }
        assert_eq!(reply.status, 200);
        assert!(ended.elapsed() < Duration::from_millis(1500), "nobody knows, and it goes on");
    }
    assert_eq!(shop.client().get("/").await.must_be(200).text(), "hello, stranger");
}
