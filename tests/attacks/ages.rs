//! Ages: a cookie that was stolen long ago, or that its thief keeps alive.

use std::time::Duration;

use serde_json::json;

use super::Clean;
use crate::harness::{Browser, Server, eventually};

const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;

/// Waits until the store knows that a session was used just now: that write waits for nobody.
async fn seen_now(server: &Server, browser: &Browser) {
    let sid = browser.sid().await.parse().unwrap();
    eventually("the last use in the store", async || {
        let found = server.store.session(sid).await.unwrap()?;
        (found.session.seen_at == server.clock.time()).then_some(())
    })
    .await;
}

/// Dead for a program and for a person.
async fn assert_over(browser: &Browser) {
    browser.get("/api/v1/session").await.clean().must_be_problem(401, "unauthenticated");
    let page = browser.get("/account").await.clean().must_be(303);
    assert_eq!(page.location(), "/login?return_to=/account");
}

/// Attack 11 (ASVS 5.0, 7.3.1; NIST SP 800-63B-4, section 2.1.3): silence, with the cookie kept by
/// a client that knows no end.
#[tokio::test]
async fn a_cookie_that_lay_still_for_too_long_is_refused_by_the_server() {
    for (remember, idle) in [(false, HOUR), (true, 14 * DAY)] {
        let server = Server::start().await;
        let alice = server.member("alice").await;
        let sign_in = async || {
            let browser = server.browser();
            let wish = json!({"remember": remember});
            server.sign_in_with(&browser, &alice, wish).await.must_be(200);
            browser
        };
        let (honest, stolen) = (sign_in().await, sign_in().await);
        server.clock.advance_seconds(idle - 1);
        honest.get("/account").await.clean().must_be(200);
        seen_now(&server, &honest).await;
        server.clock.advance_seconds(2);
        assert_over(&stolen).await;
        assert!(honest.is_signed_in().await, "one second of use is enough");
        // Nobody brings it back by asking often, nor once the clock has moved on.
        for _ in 0..20 {
            assert_over(&stolen).await;
        }
        server.clock.advance_seconds(DAY);
        assert_over(&stolen).await;
    }
}

/// Attack 11 (ASVS 5.0, 7.3.2): a thief who asks every few minutes keeps nothing alive for ever.
#[tokio::test]
async fn a_cookie_that_is_kept_busy_still_ends_at_its_age() {
    for (remember, age, step) in [(false, DAY, HOUR / 2), (true, 30 * DAY, 6 * DAY)] {
        let server = Server::start().await;
        let alice = server.member("alice").await;
        let thief = server.browser();
        let wish = json!({"remember": remember});
        server.sign_in_with(&thief, &alice, wish).await.must_be(200);
        for _ in 0..age / step - 1 {
            server.clock.advance_seconds(step);
            seen_now(&server, &thief).await;
        }
        server.clock.advance_seconds(step - 1);
        assert!(thief.is_signed_in().await, "the control: a second before its end");
        server.clock.advance_seconds(1);
        assert_over(&thief).await;
    }
}

/// Attack 11: what the browser was told of the cookie's life is the browser's own affair. A client
/// that keeps it for 400 days, or says attributes back to us, gets no more.
#[tokio::test]
async fn no_max_age_that_a_client_claims_makes_a_session_longer() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let browser = server.sign_in(&alice).await;
    let secret = browser.secret();
    let claims = [
        format!("doorward={secret}"),
        format!("doorward={secret}; Max-Age=34560000"),
        format!("doorward={secret}; $Max-Age=34560000; $Path=/"),
        format!("Max-Age=34560000; doorward={secret}; Expires=Fri, 31 Dec 2099 23:59:59 GMT"),
    ];
    let ask = async |cookie: &str| {
        let request = server.client().get("/api/v1/session").cookie(cookie);
        request.await.clean().status.as_u16()
    };
    for cookie in &claims {
        assert_eq!(ask(cookie).await, 200, "the control: {cookie}");
    }
    let session = browser.get("/api/v1/session").await.json();
    server.clock.advance(Duration::from_secs(HOUR));
    for cookie in &claims {
        assert_eq!(ask(cookie).await, 401, "{cookie}");
    }
    assert!(session["session"]["idle_expires_at"].as_str().unwrap().starts_with("2026-01-05T10:0"));
}
