//! Limits: silence, age and epoch end a session, by either carrier, on the server's own clock.

use std::time::Duration;

use doorward_wire::SessionId;
use serde_json::json;

use crate::harness::{Server, Tokens, eventually};

const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;

/// Waits until the store knows that a session was used just now: that write waits for nobody.
async fn seen_now(server: &Server, sid: &str) {
    let sid: SessionId = sid.parse().unwrap();
    eventually("the last use in the store", async || {
        let found = server.store.session(sid).await.unwrap()?;
        (found.session.seen_at == server.clock.time()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn silence_ends_a_cookie_when_the_limit_is_reached_and_not_before() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let (early, late) = (server.sign_in(&ada).await, server.sign_in(&ada).await);
    server.clock.advance_seconds(HOUR - 1);
    assert!(early.is_signed_in().await);
    server.clock.advance_seconds(1);
    assert!(!late.is_signed_in().await);
    late.get("/api/v1/session").await.must_be_problem(401, "unauthenticated");
}

#[tokio::test]
async fn silence_ends_tokens_too() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let (early, late) = (server.tokens(&ada).await, server.tokens(&ada).await);
    server.clock.advance_seconds(HOUR - 1);
    server.refresh(&early.refresh).await.must_be(200);
    server.clock.advance_seconds(1);
    server.refresh(&late.refresh).await.must_be_problem(401, "invalid-refresh-token");
}

#[tokio::test]
async fn an_idle_session_is_refused_even_while_its_access_token_counts() {
    let server = Server::with(|settings| {
        settings.lifetimes.ordinary.idle = Duration::from_mins(2);
    })
    .await;
    let tokens = server.tokens(&server.member("ada").await).await;
    server.clock.advance_seconds(119);
    server.whoami(&tokens.access).await.must_be(200);
    seen_now(&server, &tokens.sid).await;
    server.clock.advance_seconds(120);
    server.whoami(&tokens.access).await.must_be_problem(401, "invalid_token");
    server.refresh(&tokens.refresh).await.must_be_problem(401, "invalid-refresh-token");
}

#[tokio::test]
async fn a_busy_cookie_still_ends_at_the_absolute_limit() {
    let server = Server::start().await;
    let browser = server.sign_in(&server.member("ada").await).await;
    let sid = browser.sid().await;
    for _ in 0..(DAY / (HOUR / 2) - 1) {
        server.clock.advance_seconds(HOUR / 2);
        assert!(browser.is_signed_in().await);
        seen_now(&server, &sid).await;
    }
    server.clock.advance_seconds(HOUR / 2 - 1);
    assert!(browser.is_signed_in().await, "a second before its end");
    server.clock.advance_seconds(1);
    assert!(!browser.is_signed_in().await);
}

#[tokio::test]
async fn busy_tokens_still_end_at_the_absolute_limit() {
    let server = Server::start().await;
    let mut tokens = server.tokens(&server.member("ada").await).await;
    for _ in 0..(DAY / (HOUR / 2) - 1) {
        server.clock.advance_seconds(HOUR / 2);
        tokens = Tokens::read(&server.refresh(&tokens.refresh).await.must_be(200));
    }
    server.clock.advance_seconds(HOUR / 2 - 100);
    let last = Tokens::read(&server.refresh(&tokens.refresh).await.must_be(200));
    assert_eq!(last.body["expires_in"], 100, "a token never outlives its session");
    server.clock.advance_seconds(100);
    server.refresh(&last.refresh).await.must_be_problem(401, "invalid-refresh-token");
    server.whoami(&last.access).await.must_be_problem(401, "invalid_token");
}

#[tokio::test]
async fn most_requests_write_nothing() {
    let server = Server::start().await;
    let browser = server.sign_in(&server.member("ada").await).await;
    let session =
        async || browser.get("/api/v1/session").await.must_be(200).json()["session"].clone();
    let opened = session().await["opened_at"].clone();
    server.clock.advance_seconds(59);
    session().await;
    server.clock.advance_seconds(1);
    assert_eq!(session().await["seen_at"], opened, "the minute was not over before");
    let sid = browser.sid().await;
    seen_now(&server, &sid).await;
}

#[tokio::test]
async fn ended_sessions_are_not_listed() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    server.sign_in(&ada).await;
    server.clock.advance_seconds(HOUR);
    let browser = server.sign_in(&ada).await;
    let listed = browser.get("/api/v1/sessions").await.must_be(200).json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn whatever_carries_another_epoch_is_refused_wherever_it_is_kept() {
    for change in ["epoch + 1", "epoch - 1"] {
        let server = Server::start().await;
        let ada = server.member("ada").await;
        server.write_from_outside("UPDATE account SET epoch = 5").await;
        let (browser, tokens) = (server.sign_in(&ada).await, server.tokens(&ada).await);
        // As another node would, or a backup that was restored: the sessions stay where they are.
        server.write_from_outside(&format!("UPDATE account SET epoch = {change}")).await;
        assert_eq!(server.rows().session, 2);
        assert!(!browser.is_signed_in().await, "{change}");
        server.whoami(&tokens.access).await.must_be_problem(401, "invalid_token");
        server.refresh(&tokens.refresh).await.must_be_problem(401, "invalid-refresh-token");
        server.sign_in(&ada).await;
    }
}

#[tokio::test]
async fn a_disabled_account_is_refused_everywhere_at_once() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let (browser, tokens) = (server.sign_in(&ada).await, server.tokens(&ada).await);
    server.write_from_outside("UPDATE account SET disabled = 1").await;
    assert!(!browser.is_signed_in().await);
    server.whoami(&tokens.access).await.must_be_problem(401, "invalid_token");
    server.refresh(&tokens.refresh).await.must_be_problem(401, "invalid-refresh-token");
    let body = crate::harness::server::login_body(&ada, "token", json!({}));
    let reply = server.client().post_json("/api/v1/login", &body).await;
    reply.must_be_problem(401, "wrong-credentials");
}
