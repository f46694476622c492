//! Refresh tokens: one successor, honest races forgiven, thieves told apart.

use doorward_core::event::EventKind;
use doorward_core::revocation::Revoked;

use crate::harness::{Server, Tokens};

#[tokio::test]
async fn a_refresh_token_gives_way_to_its_successor() {
    let server = Server::start().await;
    let mut tokens = server.tokens(&server.member("ada").await).await;
    for _ in 0..5 {
        server.clock.advance_seconds(240);
        let fresh = Tokens::read(&server.refresh(&tokens.refresh).await.must_be(200));
        assert_ne!(fresh.refresh, tokens.refresh);
        assert_ne!(fresh.access, tokens.access);
        server.whoami(&fresh.access).await.must_be(200);
        tokens = fresh;
    }
}

#[tokio::test]
async fn the_same_token_again_within_ten_seconds_gets_the_same_successor() {
    let server = Server::start().await;
    let tokens = server.tokens(&server.member("ada").await).await;
    let first = Tokens::read(&server.refresh(&tokens.refresh).await.must_be(200));
    server.clock.advance_seconds(9);
    let again = Tokens::read(&server.refresh(&tokens.refresh).await.must_be(200));
    assert_eq!(again.refresh, first.refresh);
    assert_ne!(again.access, first.access, "the access token is a fresh one");
    server.whoami(&first.access).await.must_be(200);
    server.whoami(&again.access).await.must_be(200);
    server.refresh(&first.refresh).await.must_be(200);
    assert_eq!(server.events(EventKind::TokenReuseDetected).await, []);
}

#[tokio::test]
async fn a_reuse_after_ten_seconds_ends_the_whole_session() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let (tokens, other) = (server.tokens(&ada).await, server.tokens(&ada).await);
    let fresh = Tokens::read(&server.refresh(&tokens.refresh).await.must_be(200));
    server.clock.advance_seconds(10);
    server.refresh(&tokens.refresh).await.must_be_problem(401, "invalid-refresh-token");

    server.whoami(&tokens.access).await.must_be_problem(401, "invalid_token");
    server.whoami(&fresh.access).await.must_be_problem(401, "invalid_token");
    server.refresh(&fresh.refresh).await.must_be_problem(401, "invalid-refresh-token");
    let events = server.events(EventKind::TokenReuseDetected).await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0].session.unwrap().to_string(), tokens.sid);
    let revoked = server.revocations().await;
    assert_eq!(revoked.len(), 1);
    let Revoked::Session(sid) = revoked[0].revocation.revoked else { panic!("{revoked:?}") };
    assert_eq!(sid.to_string(), tokens.sid);
    server.whoami(&other.access).await.must_be(200).json();
}

#[tokio::test]
async fn a_reuse_once_the_successor_was_used_ends_the_session_at_once() {
    let server = Server::start().await;
    let tokens = server.tokens(&server.member("ada").await).await;
    let second = Tokens::read(&server.refresh(&tokens.refresh).await.must_be(200));
    let third = Tokens::read(&server.refresh(&second.refresh).await.must_be(200));
    server.refresh(&tokens.refresh).await.must_be_problem(401, "invalid-refresh-token");
    for refresh in [&second.refresh, &third.refresh] {
        server.refresh(refresh).await.must_be_problem(401, "invalid-refresh-token");
    }
    server.whoami(&third.access).await.must_be(401);
    assert_eq!(server.events(EventKind::TokenReuseDetected).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_at_once_get_one_successor() {
    let server = Server::start().await;
    let tokens = server.tokens(&server.member("ada").await).await;
    let body = serde_json::json!({ "refresh_token": tokens.refresh });
    let racers: Vec<_> = (0..20)
        .map(|_| tokio::spawn(server.client().post_json("/api/v1/refresh", &body).attempt()))
        .collect();
    let mut successors = Vec::new();
    for racer in racers {
        let reply = racer.await.unwrap().unwrap().must_be(200);
        successors.push(Tokens::read(&reply).refresh);
    }
    successors.dedup();
    assert_eq!(successors.len(), 1, "there is never more than one living branch");
    assert_eq!(server.rows().refresh_token, 2);
    server.refresh(&successors[0]).await.must_be(200);
}

#[tokio::test]
async fn nothing_but_a_refresh_token_refreshes() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let (tokens, browser) = (server.tokens(&ada).await, server.sign_in(&ada).await);
    let secret = tokens.refresh.trim_start_matches("dwr_").to_owned();
    let upper = tokens.refresh.to_ascii_uppercase();
    for text in [
        "",
        "dwr_",
        &secret,
        &format!("dwr_{}", browser.secret()),
        &format!("{} ", tokens.refresh),
        &format!("{}=", tokens.refresh),
        &format!("dwr_{}", "A".repeat(43)),
        &upper,
        &tokens.access,
    ] {
        server.refresh(text).await.must_be_problem(401, "invalid-refresh-token");
    }
    // A guess is no reuse: the owner is not logged out by it.
    server.refresh(&tokens.refresh).await.must_be(200);
    assert!(browser.is_signed_in().await);
}

#[tokio::test]
async fn the_database_alone_leads_to_no_refresh_token() {
    let server = Server::start().await;
    let tokens = server.tokens(&server.member("ada").await).await;
    let browser = server.browser();
    browser.post("/api/v1/session").await.must_be(201);
    let fresh = Tokens::read(&server.refresh(&tokens.refresh).await.must_be(200));
    let mut kept = Vec::new();
    for suffix in ["", "-wal"] {
        let mut path = server.database().into_os_string();
        path.push(suffix);
        kept.extend(std::fs::read(path).unwrap_or_default());
    }
    let is_kept = |text: &str| kept.windows(text.len()).any(|window| window == text.as_bytes());
    for secret in [&tokens.refresh, &fresh.refresh, &fresh.access, &browser.secret()] {
        assert!(!is_kept(secret.trim_start_matches("dwr_")));
    }
    assert!(is_kept("session"), "the control: what is there is found");
}
