//! Somebody's own app with a guard in front: who is asking, and how they are answered.

mod asserted;
mod beside;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use doorward_core::data::DataKey;
use doorward_guard::{Answer, Guard, NoServer};
use doorward_wire::UnixTime;
use http::Request;
use serde_json::{Value, json};

use crate::harness::client::Request as Asking;
use crate::harness::shop::{clock, in_process, routes};
use crate::harness::{Browser, Member, Reply, Shop};

/// What a person's browser sends for a page.
fn page(request: Asking) -> Asking {
    request.header("accept", "text/html,*/*;q=0.8").header("sec-fetch-mode", "navigate")
}

async fn sign_in(shop: &Shop, member: &Member) -> Browser {
    let browser = shop.browser();
    let body = json!({
        "username": member.username, "password": member.password, "carrier": "cookie",
    });
    browser.post_json("/api/v1/login", &body).await.must_be(200);
    browser
}

fn code(reply: &Reply) -> Value {
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    reply.json()["code"].clone()
}

#[tokio::test]
async fn whoever_is_a_stranger_is_told_so_in_a_way_that_they_can_follow() {
    let (shop, _server) = Shop::embedded(|_| {}).await;
    let reply = shop.client().get("/").await.must_be(200);
    assert_eq!(reply.text(), "hello, stranger");

    let reply = page(shop.client().get("/orders?from=May&to=July")).await.must_be(303);
    let login = "/login?return_to=%2Forders%3Ffrom%3DMay%26to%3DJuly";
    assert_eq!(reply.header("location"), Some(&*format!("{}{login}", shop.origin)));
    let reply = shop.client().get("/orders").await.must_be(401);
    assert_eq!(code(&reply), "unauthenticated");
    assert_eq!(reply.header("www-authenticate"), Some("Bearer"));

    // A form of the shop's own, sent after its sender was signed out: back to the page it stood on.
    let sent = page(shop.client().post("/orders")).header("origin", &shop.origin);
    let reply = sent.header("referer", format!("{}/checkout?step=2", shop.origin)).await;
    let back = "/login?return_to=%2Fcheckout%3Fstep%3D2";
    let location = reply.must_be(303).header("location").map(str::to_owned);
    assert_eq!(location, Some(format!("{}{back}", shop.origin)));
    // Only a page of the shop's own is one to come back to.
    let elsewhere = page(shop.client().post("/orders")).header("origin", &shop.origin);
    let from = format!("{}.evil.example/x", shop.origin);
    let reply = elsewhere.header("referer", from).await.must_be(303);
    assert!(reply.header("location").unwrap().ends_with("/login?return_to=%2F"));

    let part = shop.client().get("/orders").header("hx-request", "true");
    let reply = part.header("hx-current-url", format!("{}/shelf", shop.origin)).await.must_be(204);
    assert!(reply.header("hx-redirect").unwrap().ends_with("/login?return_to=%2Fshelf"));
    // A script that fetches is told, and not sent to a page.
    let script = shop.client().get("/orders").header("sec-fetch-mode", "cors");
    script.header("accept", "text/html").await.must_be(401);
}

#[tokio::test]
async fn whoever_has_signed_in_is_known_by_name_until_the_session_ends() {
    let (shop, server) = Shop::embedded(|_| {}).await;
    let browser = sign_in(&shop, &server.member("ada").await).await;
    assert_eq!(browser.get("/").await.must_be(200).text(), "hello, ada");
    assert_eq!(browser.get("/orders").await.must_be(200).text(), "orders of ada");
    // An owner in person is not limited by scopes.
    browser.get("/refunds").await.must_be(200);

    let thief = browser.copy();
    browser.post("/api/v1/logout").await.must_be(204);
    assert_eq!(thief.get("/").await.must_be(200).text(), "hello, stranger");
    thief.get("/orders").await.must_be(401);
}

#[tokio::test]
async fn what_is_sent_on_purpose_counts_alone() {
    let (shop, server) = Shop::embedded(|_| {}).await;
    let (ada, bob) = (server.member("ada").await, server.member("bob").await);
    let browser = sign_in(&shop, &ada).await;
    let tokens = server.tokens_with(&bob, json!({ "scope": "profile" })).await;

    let both = browser.request("GET", "/orders").bearer(&tokens.access);
    assert_eq!(browser.send(both).await.must_be(200).text(), format!("orders of {}", bob.id));
    for credential in ["Bearer junk", "Bearer ", "Basic YWRhOng=", "DPoP x", ""] {
        for path in ["/", "/orders"] {
            let bad = browser.request("GET", path).header("authorization", credential);
            let reply = browser.send(bad).await.must_be(401);
            assert_eq!(code(&reply), "invalid-token", "{credential}");
        }
    }
    let twice = browser.request("GET", "/").bearer(&tokens.access).bearer(&tokens.access);
    assert_ne!(browser.send(twice).await.status, 200);
}

#[tokio::test]
async fn a_token_does_what_its_scope_says_and_no_more() {
    let (shop, server) = Shop::embedded(|_| {}).await;
    let ada = server.member("ada").await;
    let tokens = server.tokens_with(&ada, json!({ "scope": "profile" })).await;
    let get = |path| shop.client().get(path).bearer(&tokens.access);
    assert_eq!(get("/profile").await.must_be(200).text(), ada.id);
    // Signed in, and not allowed: told, and led nowhere, page or not.
    let reply = page(get("/refunds")).await.must_be(403);
    assert_eq!(code(&reply), "insufficient-scope");
    let challenge = "Bearer error=\"insufficient_scope\", scope=\"shop.refunds\"";
    assert_eq!(reply.header("www-authenticate"), Some(challenge));

    server.client().post("/api/v1/logout").bearer(&tokens.access).await.must_be(204);
    let reply = get("/profile").await.must_be(401);
    assert_eq!(code(&reply), "invalid-token");
}

#[tokio::test]
async fn a_route_can_ask_for_a_role_and_for_a_proof_that_is_not_long_ago() {
    let (shop, server) = Shop::embedded(|_| {}).await;
    let ada = sign_in(&shop, &server.member("ada").await).await;
    let root = sign_in(&shop, &server.administrator("root").await).await;
    let reply = ada.send(page(ada.request("GET", "/staff"))).await.must_be(403);
    assert_eq!(code(&reply), "not-allowed");
    root.get("/staff").await.must_be(200);
    shop.client().get("/staff").await.must_be(401);

    ada.get("/money").await.must_be(200);
    let later = || UnixTime(clock().0 + 601);
    let guard = Guard::beside(&shop.origin, in_process(&server));
    let routes = routes().layer(guard.protect(later));
    let same = Shop::serve(routes, &shop.origin).await.browser().with_cookie_of(&ada);
    same.get("/orders").await.must_be(200);
    let reply = same.get("/money").await.must_be(401);
    assert_eq!(code(&reply), "reauthentication-required");
    let challenge = "Bearer error=\"insufficient_user_authentication\", max_age=\"600\"";
    assert_eq!(reply.header("www-authenticate"), Some(challenge));

    // A level that nobody here can reach yet.
    let reply = ada.get("/vault").await.must_be(401);
    assert_eq!(code(&reply), "reauthentication-required");
    let challenge = reply.header("www-authenticate").unwrap().to_owned();
    assert!(challenge.contains("acr_values=\"aal2\""), "{challenge}");
    let reply = ada.send(page(ada.request("GET", "/vault"))).await.must_be(303);
    let confirm = format!("{}/account/confirm?return_to=%2Fvault", shop.origin);
    assert_eq!(reply.header("location"), Some(&*confirm));
}

#[tokio::test]
async fn a_form_of_another_site_changes_nothing() {
    let (shop, server) = Shop::embedded(|_| {}).await;
    let browser = sign_in(&shop, &server.member("ada").await).await;
    browser.post("/orders").await.must_be(200);
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
    ] {
        let bare = |path| {
            let request = browser.request("POST", path).without("sec-fetch-site").without("origin");
            request.header(name, value)
        };
        for path in ["/orders", "/basket/tea"] {
            let reply = browser.send(bare(path)).await.must_be(403);
            assert_eq!(code(&reply), "csrf-rejected", "{name}: {value}");
        }
    }
    let silent = browser.request("POST", "/orders").without("sec-fetch-site").without("origin");
    browser.send(silent).await.must_be(403);
    assert_eq!(server.rows().session_datum, 0);
}

#[tokio::test]
async fn a_basket_is_kept_before_the_login_and_after_it() {
    let (shop, server) = Shop::embedded(|settings| {
        settings.carry = vec![DataKey::parse("basket").unwrap()];
    })
    .await;
    server.member("ada").await;
    let browser = shop.browser();
    assert_eq!(browser.get("/basket").await.must_be(200).text(), "");
    assert_eq!(browser.cookie(), None, "looking costs no session");
    browser.post("/basket/tea").await.must_be(303);
    browser.post("/basket/milk").await.must_be(303);
    assert_eq!(browser.get("/basket").await.text(), "tea,milk");
    let before = browser.copy();
    let form = [("username", "ada"), ("password", crate::harness::PASSWORD)];
    browser.post_form("/login", &form).await.must_be(303);
    assert_ne!(browser.secret(), before.secret());
    assert_eq!(browser.get("/basket").await.text(), "tea,milk");
    assert_eq!(before.get("/basket").await.text(), "", "the visitor's secret is dead");
    browser.delete("/basket").await.must_be(204);
    assert_eq!(browser.get("/basket").await.text(), "");
    assert_eq!(server.rows().session_datum, 0);
}

#[tokio::test]
async fn of_two_writers_of_one_key_one_is_told() {
    let (shop, server) = Shop::embedded(|_| {}).await;
    let browser = sign_in(&shop, &server.member("ada").await).await;
    browser.post("/basket/tea").await.must_be(303);
    let (slow, _) = tokio::join!(browser.post("/basket/slow"), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        browser.post("/basket/milk").await.must_be(303)
    });
    assert_eq!(code(&slow.must_be(409)), "version-conflict");
    assert_eq!(browser.get("/basket").await.text(), "tea,milk");
}

#[tokio::test]
async fn a_session_that_ends_in_the_middle_of_a_request_keeps_nothing() {
    let (shop, server) = Shop::embedded(|_| {}).await;
    let browser = sign_in(&shop, &server.member("ada").await).await;
    let (slow, _) = tokio::join!(browser.post("/basket/slow"), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        browser.copy().post("/api/v1/logout").await.must_be(204)
    });
    assert_eq!(code(&slow.must_be(401)), "unauthenticated");
    assert_eq!(server.rows().session_datum, 0);
    assert_eq!(server.rows().session, 0);
}

#[tokio::test]
async fn a_server_that_is_gone_lets_nobody_in() {
    let gone = |_: Request<bytes::Bytes>| -> Answer {
        Box::pin(async { Err(NoServer::new("the cable is out")) })
    };
    let guard = Guard::beside("http://localhost:1", gone);
    let shop = Shop::serve(routes().layer(guard.protect(clock)), "http://localhost:1").await;
    let cookie = format!("doorward={}", "A".repeat(43));
    for path in ["/", "/orders", "/basket"] {
        let reply = shop.client().get(path).cookie(&cookie).await.must_be(503);
        assert_eq!((code(&reply), reply.header("retry-after")), ("stale".into(), Some("1")));
        shop.client().get(path).bearer("x.y.z").await.must_be(503);
    }
    assert_eq!(shop.client().get("/").await.must_be(200).text(), "hello, stranger");
}

/// What is logged, kept.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_layer_that_was_forgotten_is_an_error_that_says_what_to_do() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _log = tracing::subscriber::set_default(subscriber);
    let shop = Shop::serve(routes(), "http://localhost:1").await;
    for path in ["/", "/orders", "/profile", "/basket", "/staff"] {
        assert_eq!(code(&shop.client().get(path).await.must_be(500)), "internal");
    }
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert_eq!(log.matches("router.layer(guard.protect(clock))").count(), 5, "{log}");
    assert!(log.contains("path=\"/staff\"") && log.contains("method=GET"), "{log}");
}
