//! Proving oneself again, and changing the password.

use doorward_core::event::EventKind;
use serde_json::{Value, json};

use crate::harness::{OTHER_PASSWORD, PASSWORD, Server, Tokens};

fn change(keep_other_sessions: bool) -> Value {
    json!({
        "current": PASSWORD,
        "new": OTHER_PASSWORD,
        "keep_other_sessions": keep_other_sessions,
    })
}

#[tokio::test]
async fn a_password_change_ends_the_other_sessions_and_renews_this_one() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let (here, there) = (server.sign_in(&ada).await, server.sign_in(&ada).await);
    let (tokens, before) = (server.tokens(&ada).await, here.copy());
    let sid = here.sid().await;

    let change = json!({ "current": PASSWORD, "new": OTHER_PASSWORD });
    here.post_json("/api/v1/account/password", &change).await.must_be(200);
    assert_ne!(here.secret(), before.secret());
    assert_eq!(here.sid().await, sid, "the same session under a new secret");
    assert!(!before.is_signed_in().await, "the secret before is dead");
    assert!(!there.is_signed_in().await);
    server.whoami(&tokens.access).await.must_be_problem(401, "invalid_token");
    server.refresh(&tokens.refresh).await.must_be_problem(401, "invalid-refresh-token");

    let old = json!({ "username": "ada", "password": PASSWORD, "carrier": "token" });
    let reply = server.client().post_json("/api/v1/login", &old).await;
    reply.must_be_problem(401, "wrong-credentials");
    server.sign_in(&ada.with_other_password()).await;
    assert_eq!(server.events(EventKind::PasswordChanged).await.len(), 1);
}

#[tokio::test]
async fn a_password_change_may_leave_the_other_sessions_alone() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let (here, there) = (server.sign_in(&ada).await, server.sign_in(&ada).await);
    let (tokens, before) = (server.tokens(&ada).await, here.copy());
    here.post_json("/api/v1/account/password", &change(true)).await.must_be(200);
    assert!(here.is_signed_in().await);
    assert!(!before.is_signed_in().await, "this one has a new secret all the same");
    assert!(there.is_signed_in().await);
    server.whoami(&tokens.access).await.must_be(200);
    server.refresh(&tokens.refresh).await.must_be(200);
}

/// A page has no way to hand new tokens over, and the old ones would be lost.
#[tokio::test]
async fn a_page_does_not_change_the_password_of_whoever_shows_a_token() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let tokens = server.tokens(&ada).await;
    let form = [("current", PASSWORD), ("new", OTHER_PASSWORD)];
    let request = server.client().post_form("/account/password", &form);
    request.bearer(&tokens.access).await.must_be(303);
    server.whoami(&tokens.access).await.must_be(200);
    server.refresh(&tokens.refresh).await.must_be(200);
    server.sign_in(&ada).await;
}

#[tokio::test]
async fn a_password_change_by_token_gives_new_tokens_and_ends_the_rest() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let browser = server.sign_in(&ada).await;
    let tokens = server.tokens_with(&ada, json!({ "scope": "profile" })).await;
    let request = server.client().post_json("/api/v1/account/password", &change(false));
    let fresh = Tokens::read(&request.bearer(&tokens.access).await.must_be(200));
    assert_eq!(fresh.sid, tokens.sid);
    assert_eq!(fresh.body["scope"], "profile", "a change of password widens nothing");
    assert!(!browser.is_signed_in().await);
    server.refresh(&tokens.refresh).await.must_be_problem(401, "invalid-refresh-token");
    server.whoami(&fresh.access).await.must_be(200);
    server.refresh(&fresh.refresh).await.must_be(200);
}

#[tokio::test]
async fn a_stolen_access_token_dies_with_the_password_it_came_from() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let tokens = server.tokens(&ada).await;
    server.clock.advance_seconds(1);
    let request = server.client().post_json("/api/v1/account/password", &change(false));
    let fresh = Tokens::read(&request.bearer(&tokens.access).await.must_be(200));
    server.whoami(&fresh.access).await.must_be(200);
    server.whoami(&tokens.access).await.must_be_problem(401, "invalid_token");
}

#[tokio::test]
async fn a_wrong_current_password_changes_nothing() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let here = server.sign_in(&ada).await;
    let secret = here.secret();
    for (current, new, status, code) in [
        ("not the password", OTHER_PASSWORD, 401, "wrong-credentials"),
        (PASSWORD, "too short", 422, "password-too-short"),
        (PASSWORD, "passwordpassword", 422, "password-common"),
    ] {
        let body = json!({ "current": current, "new": new });
        let reply = here.post_json("/api/v1/account/password", &body).await;
        let reply = reply.must_be_problem(status, code);
        assert_eq!(reply.set_cookie(), None);
    }
    assert_eq!(here.secret(), secret);
    assert!(here.is_signed_in().await);
    server.sign_in(&ada).await;
}

#[tokio::test]
async fn a_new_proof_gives_a_new_secret_and_the_old_one_dies_in_ten_seconds() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let here = server.sign_in(&ada).await;
    let (before, sid) = (here.copy(), here.sid().await);
    server.clock.advance_seconds(600);
    let proof = json!({ "password": PASSWORD });
    let reply = here.post_json("/api/v1/session/reauthenticate", &proof).await.must_be(200);
    let session = reply.json()["session"].clone();
    assert_eq!(session["sid"], sid.as_str());
    assert_eq!(session["proved_at"], server.clock.time().to_string());
    assert_ne!(session["opened_at"], session["proved_at"], "it buys no longer life");
    assert_ne!(here.secret(), before.secret());
    assert!(here.is_signed_in().await);
    let read = before.get("/api/v1/session").await.must_be(200).json()["session"].clone();
    assert_eq!(read["proved_at"], read["opened_at"], "what it reads is from before the proof");

    let wrong = json!({ "password": "not the password" });
    let reply = here.post_json("/api/v1/session/reauthenticate", &wrong).await;
    reply.must_be_problem(401, "wrong-credentials");
    assert!(here.is_signed_in().await, "a wrong proof ends nothing");
}

#[tokio::test]
async fn a_new_proof_by_token_retires_the_refresh_tokens_before_it() {
    let server = Server::start().await;
    let tokens = server.tokens(&server.member("ada").await).await;
    server.clock.advance_seconds(60);
    let proof = json!({ "password": PASSWORD });
    let request = server.client().post_json("/api/v1/session/reauthenticate", &proof);
    let fresh = Tokens::read(&request.bearer(&tokens.access).await.must_be(200));
    assert_eq!(fresh.sid, tokens.sid);
    assert_ne!(fresh.refresh, tokens.refresh);
    server.refresh(&tokens.refresh).await.must_be_problem(401, "invalid-refresh-token");
    server.refresh(&fresh.refresh).await.must_be(200);
}

#[tokio::test]
async fn of_two_password_changes_at_once_one_wins_whole() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let (here, there) = (server.sign_in(&ada).await, server.sign_in(&ada).await);
    let body = |new: &str| json!({ "current": PASSWORD, "new": new });
    let (one, two) = (body("the first new password"), body("the second new password"));
    let (first, second) = tokio::join!(
        here.post_json("/api/v1/account/password", &one),
        there.post_json("/api/v1/account/password", &two),
    );
    let won: Vec<u16> = [&first, &second].map(|reply| reply.status.as_u16()).to_vec();
    assert!(won == [200, 401] || won == [401, 200], "{won:?}");
    let (winner, password) = match won[0] {
        200 => (here, "the first new password"),
        _ => (there, "the second new password"),
    };
    assert!(winner.is_signed_in().await);
    let member = crate::harness::Member { password: password.to_owned(), ..ada };
    server.sign_in(&member).await;
    assert_eq!(server.events(EventKind::PasswordChanged).await.len(), 1);
}

#[tokio::test]
async fn a_copy_of_a_retired_cookie_ends_the_session_and_a_late_honest_request_does_not() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let here = server.sign_in(&ada).await;
    let copy = here.copy();
    let proof = json!({ "password": PASSWORD });
    here.post_json("/api/v1/session/reauthenticate", &proof).await.must_be(200);

    // On its way while the secret changed: it reads, what would change something is refused by
    // itself, and nobody is signed out.
    server.clock.advance_seconds(9);
    assert!(copy.is_signed_in().await);
    copy.put_json("/api/v1/session/data/a", &json!(1)).await.must_be(401);
    assert!(here.is_signed_in().await);

    // Later only a thief has it.
    server.clock.advance_seconds(1);
    assert!(!copy.is_signed_in().await);
    assert!(!here.is_signed_in().await);
    let event = server.event(EventKind::SecretReuseDetected).await;
    assert_eq!(event.reason.as_deref(), Some("retired-secret-reused"));
    let told = server.revocations().await;
    let told: Vec<_> = told.iter().map(|entry| entry.revocation.revoked.kind()).collect();
    assert_eq!(told, ["proof", "session"]);
}
