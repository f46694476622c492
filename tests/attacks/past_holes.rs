//! Past holes: what was found in other servers, and is refused here. Each test names where.

use std::collections::BTreeSet;
use std::time::Duration;

use doorward_core::event::EventKind;
use serde_json::json;
use tokio::task::JoinSet;

use super::Clean;
use crate::harness::{OTHER_PASSWORD, PASSWORD, Server, Tokens};

/// Rauthy 0.35: the session's id was kept at login, and handed to every client as `sid`.
#[tokio::test]
async fn what_a_client_is_told_of_a_session_does_not_open_it() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let (browser, tokens) = (server.sign_in(&alice).await, server.tokens(&alice).await);
    let secret = browser.secret();
    let shown = browser.get("/api/v1/session").await.clean().must_be(200);
    let listed = browser.get("/api/v1/sessions").await.clean().must_be(200);
    let page = browser.get("/account").await.clean().must_be(200);
    for reply in [&shown, &listed, &page] {
        for hidden in [&secret, &tokens.refresh, &tokens.access] {
            assert!(!reply.text().contains(hidden.as_str()), "{}", reply.describe());
        }
    }
    let sid = shown.json()["session"]["sid"].as_str().unwrap().to_owned();
    for told in [&sid, &sid[4..], &tokens.sid] {
        let request = server.client().get("/api/v1/session").cookie(format!("doorward={told}"));
        request.await.clean().must_be_problem(401, "unauthenticated");
        server.whoami(told).await.clean().must_be_problem(401, "invalid_token");
    }
}

/// Rauthy 0.35: a replayed refresh token forked the family, and a later replay did not end it.
#[tokio::test]
async fn a_replayed_refresh_token_forks_nothing_and_ends_everything() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let first = server.tokens(&alice).await;
    let second = Tokens::read(&server.refresh(&first.refresh).await.clean().must_be(200));
    assert_ne!(second.refresh, first.refresh);
    // An honest client whose answer was lost: the same successor, and a fresh access token.
    let again = Tokens::read(&server.refresh(&first.refresh).await.clean().must_be(200));
    assert_eq!(again.refresh, second.refresh);
    assert_ne!(again.access, second.access);
    let third = Tokens::read(&server.refresh(&second.refresh).await.clean().must_be(200));
    server.whoami(&third.access).await.clean().must_be(200);

    // The first again, though its ten seconds are not over: its successor was used.
    let replay = server.refresh(&first.refresh).await.clean();
    replay.must_be_problem(401, "invalid-refresh-token");
    for access in [&first.access, &second.access, &again.access, &third.access] {
        server.whoami(access).await.clean().must_be_problem(401, "invalid_token");
    }
    for refresh in [&first.refresh, &second.refresh, &third.refresh] {
        server.refresh(refresh).await.clean().must_be_problem(401, "invalid-refresh-token");
    }
    let event = server.event(EventKind::TokenReuseDetected).await;
    assert_eq!(event.session.map(|sid| sid.to_string()), Some(first.sid));
    assert_eq!(server.rows().session, 0);
}

/// Rauthy 0.35, and the contract's ten seconds: a replay after the window, the successor unused.
#[tokio::test]
async fn a_refresh_token_replayed_after_its_window_ends_the_session() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    for (seconds, lives) in [(9, true), (10, false), (60, false)] {
        let first = server.tokens(&alice).await;
        let other = server.tokens(&alice).await;
        let second = Tokens::read(&server.refresh(&first.refresh).await.clean().must_be(200));
        server.clock.advance_seconds(seconds);
        let replay = server.refresh(&first.refresh).await.clean();
        assert_eq!(replay.status, if lives { 200 } else { 401 }, "{seconds}");
        let successor = server.refresh(&second.refresh).await.clean();
        assert_eq!(successor.status, if lives { 200 } else { 401 }, "{seconds}");
        let access = server.whoami(&second.access).await.clean();
        assert_eq!(access.status, if lives { 200 } else { 401 }, "{seconds}");
        server.whoami(&other.access).await.clean().must_be(200);
    }
}

/// Rauthy 0.35: refreshed tokens survived logout. Zitadel #12637, Casdoor #5737: so did refresh
/// tokens. Keycloak: "sign out everywhere" left access tokens valid.
#[tokio::test]
async fn every_token_of_a_session_ends_with_it_however_it_ends() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    for turn in 0..6 {
        let first = server.tokens(&alice).await;
        let second = Tokens::read(&server.refresh(&first.refresh).await.clean().must_be(200));
        let third = Tokens::read(&server.refresh(&second.refresh).await.clean().must_be(200));
        let browser = server.sign_in(&alice).await;
        let client = server.client();
        match turn {
            // By the oldest access token, by a refresh token, and from another device.
            0 => client.post("/api/v1/logout").bearer(&first.access).await.must_be(204),
            1 => {
                let body = json!({"refresh_token": third.refresh});
                client.post_json("/api/v1/logout", &body).await.must_be(204)
            }
            2 => browser.delete(&format!("/api/v1/sessions/{}", first.sid)).await.must_be(204),
            3 => browser.delete("/api/v1/sessions?except=current").await.must_be(204),
            4 => browser.delete("/api/v1/sessions").await.must_be(204),
            _ => {
                let form = [("sid", first.sid.as_str())];
                browser.post_form("/account/sessions/end", &form).await.must_be(303)
            }
        };
        for tokens in [&first, &second, &third] {
            let refused = server.whoami(&tokens.access).await.clean();
            refused.must_be_problem(401, "invalid_token");
            let refused = server.refresh(&tokens.refresh).await.clean();
            refused.must_be_problem(401, "invalid-refresh-token");
        }
        assert_eq!(browser.is_signed_in().await, turn != 4, "{turn}");
    }
}

/// Django REST simplejwt: three of ten parallel refreshes succeeded with successors of their own.
/// oidc-provider, better-auth, django-oauth-toolkit: the reuse protection killed the winner too.
#[tokio::test]
async fn ten_parallel_refreshes_have_one_successor_and_it_lives() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    for _ in 0..5 {
        let first = server.tokens(&alice).await;
        let mut refreshing = JoinSet::new();
        for _ in 0..10 {
            let client = server.client();
            let body = json!({"refresh_token": first.refresh});
            refreshing.spawn(async move { client.post_json("/api/v1/refresh", &body).await });
        }
        let renewed: Vec<Tokens> = refreshing
            .join_all()
            .await
            .into_iter()
            .map(|reply| Tokens::read(&reply.clean().must_be(200)))
            .collect();
        let successors: BTreeSet<&str> =
            renewed.iter().map(|tokens| tokens.refresh.as_str()).collect();
        assert_eq!(successors.len(), 1);
        for tokens in &renewed {
            server.whoami(&tokens.access).await.clean().must_be(200);
        }
        let next = server.refresh(successors.first().unwrap()).await.clean().must_be(200);
        server.whoami(&Tokens::read(&next).access).await.clean().must_be(200);
    }
    assert!(server.events(EventKind::TokenReuseDetected).await.is_empty());
}

/// Rauthy 0.35: an unknown client gave 404 "no rows returned", and garbage was answered 500 or 200.
#[tokio::test]
async fn an_unknown_or_garbage_token_is_refused_and_nothing_of_the_store_is_told() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let honest = server.tokens(&alice).await;
    for garbage in ["", "x", "a.b.c", "null", "dwr_", "dwp_x", "{}", &"x".repeat(8000), "é.è.ê"]
    {
        let reply = server.whoami(garbage).await.clean();
        reply.must_be_problem(401, "invalid_token");
        let reply = server.refresh(garbage).await.clean();
        reply.must_be_problem(401, "invalid-refresh-token");
        let cookie = format!("doorward={garbage}");
        let reply = server.client().get("/api/v1/session").cookie(cookie).await.clean();
        reply.must_be_problem(401, "unauthenticated");
    }
    server.whoami(&honest.access).await.clean().must_be(200);
}

/// Rauthy 0.35 sent its JWKS `no-store`, so that every verifier fetched it for every token.
#[tokio::test]
async fn the_published_keys_may_be_cached_and_hold_nothing_private() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    server.tokens(&alice).await;
    let jwks = server.client().get("/.well-known/jwks.json").await.must_be(200);
    let cache = jwks.header("cache-control").unwrap();
    assert!(cache.contains("public") && cache.contains("max-age=300"), "{cache}");
    assert!(!cache.contains("no-store"), "{cache}");
    assert!(jwks.set_cookie().is_none());
    let keys = jwks.json()["keys"].as_array().unwrap().clone();
    assert_eq!(keys.len(), 1);
    for key in keys {
        for private in ["d", "p", "q", "dp", "dq", "qi", "k", "oth"] {
            assert!(key.get(private).is_none(), "{private}");
        }
    }
    // A request with a tossed cookie clears it, and such an answer is nobody else's.
    let tossed = "doorward=a; doorward=b";
    let jwks = server.client().get("/.well-known/jwks.json").cookie(tossed).await.must_be(200);
    assert_eq!(jwks.header("cache-control"), Some("no-store"));
}

/// Rauthy 0.35 reported a missing `User-Agent` as a wrong password.
#[tokio::test]
async fn a_missing_user_agent_is_no_wrong_password() {
    let server = Server::start().await;
    server.member("alice").await;
    for carrier in ["cookie", "token"] {
        let login = json!({"username": "alice", "password": PASSWORD, "carrier": carrier});
        let request = server.client().post_json("/api/v1/login", &login).without("user-agent");
        let reply = request.await.clean().must_be(200).json();
        assert_eq!(reply["session"]["device"]["label"], "Unknown device");
    }
    let form = [("username", "alice"), ("password", PASSWORD)];
    let request = server.client().post_form("/login", &form).from_origin(&server.origin);
    request.await.clean().must_be(303);
}

/// Rauthy 0.35 kept a row on disk for every anonymous visit.
#[tokio::test]
async fn a_visit_keeps_nothing() {
    let server = Server::start().await;
    let rows = server.rows();
    for path in ["/", "/login", "/register", "/setup", "/logout", "/account", "/nothing", "/livez"]
    {
        for cookie in ["a=b", "doorward=evil", &format!("doorward={}", "A".repeat(43))] {
            let reply = server.client().get(path).cookie(cookie).await.clean();
            assert_eq!(reply.set_cookie(), None, "{path}");
        }
    }
    assert_eq!(server.rows(), rows);
}

/// Django 5.2, express-session, glewlwyd: a cross-origin `POST /logout` was obeyed.
#[tokio::test]
async fn nobody_is_logged_out_from_another_site() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let browser = server.sign_in(&alice).await;
    for path in ["/logout", "/api/v1/logout"] {
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "same-site"),
        ] {
            let request = browser.request("POST", path).without("origin").without("sec-fetch-site");
            let reply = request.header(name, value).await.clean().must_be(403);
            assert!(reply.set_cookie().is_none());
            assert!(reply.header("clear-site-data").is_none());
        }
        for method in ["GET", "HEAD"] {
            browser.send(browser.request(method, path)).await;
        }
        assert!(browser.is_signed_in().await, "{path}");
    }
    let reply = browser.post("/logout").await.clean().must_be(303);
    assert_eq!(reply.header("clear-site-data"), Some("\"cookies\", \"storage\""));
    assert!(!browser.is_signed_in().await);
}

/// better-auth: other sessions lived on after a new password. Here they end, tokens and all, and
/// the secret from before is no good.
#[tokio::test]
async fn a_new_password_ends_the_other_sessions_and_the_old_secret() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let (browser, thief) = (server.sign_in(&alice).await, server.sign_in(&alice).await);
    let (stolen, tokens) = (browser.copy(), server.tokens(&alice).await);
    let remembered = server.browser();
    server.sign_in_with(&remembered, &alice, json!({"remember": true})).await.must_be(200);

    let change = json!({"current": PASSWORD, "new": OTHER_PASSWORD});
    browser.post_json("/api/v1/account/password", &change).await.clean().must_be(200);

    assert!(browser.is_signed_in().await);
    for dead in [&stolen, &thief, &remembered] {
        assert!(!dead.is_signed_in().await);
    }
    server.whoami(&tokens.access).await.clean().must_be_problem(401, "invalid_token");
    server.refresh(&tokens.refresh).await.clean().must_be(401);
    let login = json!({"username": "alice", "password": PASSWORD, "carrier": "token"});
    server.client().post_json("/api/v1/login", &login).await.clean().must_be(401);
    server.sign_in(&alice.with_other_password()).await;
}

/// tower-sessions 0.14: a session that was ended came back when a request in flight saved it, and
/// parallel requests lost each other's writes.
#[tokio::test]
async fn a_request_in_flight_never_brings_an_ended_session_back() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    for turn in 0..10 {
        let browser = server.sign_in(&alice).await;
        // Old enough that every request also writes that the session is in use.
        server.clock.advance(Duration::from_mins(2));
        let mut writing = JoinSet::new();
        for number in 0..20 {
            let tab = browser.copy();
            writing.spawn(async move {
                if number == 10 {
                    return tab.post("/api/v1/logout").await.status.as_u16();
                }
                let path = format!("/api/v1/session/data/key{number}");
                tab.put_json(&path, &json!(number)).await.status.as_u16()
            });
        }
        for status in writing.join_all().await {
            assert!(matches!(status, 201 | 204 | 401), "{turn}: {status}");
        }
        assert!(!browser.is_signed_in().await, "{turn}");
    }
    let rows = server.rows();
    assert_eq!((rows.session, rows.session_datum), (0, 0));

    let browser = server.sign_in(&alice).await;
    let mut writing = JoinSet::new();
    for number in 0..20 {
        let tab = browser.copy();
        writing.spawn(async move {
            let path = format!("/api/v1/session/data/key{number}");
            tab.put_json(&path, &json!(number)).await.clean().must_be(201);
        });
    }
    writing.join_all().await;
    assert_eq!(server.rows().session_datum, 20, "no write was lost");
}

/// axum-login 0.18: an anonymous `POST` was sent to the login page with its method kept (307), and
/// a person signed in without permission in a circle.
#[tokio::test]
async fn an_anonymous_post_is_sent_to_the_login_page_as_a_get() {
    let server = Server::start().await;
    let client = server.client();
    for path in ["/account/password", "/account/sessions/end", "/account/sessions/end-others"] {
        let request = client.post_form(path, &[("x", "y")]).from_origin(&server.origin);
        let reply = request.await.clean().must_be(303);
        assert!(reply.location().starts_with("/login"), "{}", reply.describe());
    }
    let login = client.get("/login").await.clean().must_be(200);
    assert!(login.header("location").is_none(), "and there it ends");
}

/// matrix-authentication-service: `expires_at < now` kept a token valid at its last instant.
#[tokio::test]
async fn a_limit_is_refused_when_it_is_reached() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let (browser, idle) = (server.sign_in(&alice).await, server.sign_in(&alice).await);
    server.clock.advance_seconds(3599);
    assert!(browser.is_signed_in().await);
    crate::harness::eventually("the use of a session is written", || async {
        let shown = browser.get("/api/v1/session").await.json();
        (shown["session"]["seen_at"] == server.clock.time().to_string()).then_some(())
    })
    .await;
    server.clock.advance_seconds(1);
    assert!(!idle.is_signed_in().await, "idle at its limit");
    assert!(browser.is_signed_in().await, "in use a second ago");
}

/// jsonwebtoken and others took the algorithm from the token; glewlwyd answered an existing name
/// later than a missing one. What a caller may not know is not in the time of day either: a request
/// that was refused says nothing of the account's other sessions.
#[tokio::test]
async fn a_refusal_carries_no_word_of_its_reason() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let reasons = ["expired", "signature", "revoked", "ended", "superseded", "disabled", "unknown"];
    let ended = server.tokens(&alice).await;
    server.client().post("/api/v1/logout").bearer(&ended.access).await.must_be(204);
    let old = server.tokens(&alice).await;
    server.clock.advance_seconds(331);
    for token in [ended.access.as_str(), &old.access, "garbage", &old.access[1..]] {
        let reply = server.whoami(token).await.clean();
        let text = reply.describe().to_lowercase();
        assert!(reasons.iter().all(|reason| !text.contains(reason)), "{text}");
        reply.must_be_problem(401, "invalid_token");
    }
    let again = server.tokens(&alice).await;
    server.whoami(&again.access).await.clean().must_be(200);
}
