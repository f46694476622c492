//! Enumeration: who has an account, a session or a token is told to nobody.

use doorward_core::event::EventKind;
use doorward_server::flow::setup;
use serde_json::json;

use super::Clean;
use crate::harness::{Member, OTHER_PASSWORD, PASSWORD, Reply, Server};

/// Everything of an answer that an attacker could compare: status, header fields, body. What is
/// different in any two answers is left out: the time, the request's reference, and of a page the
/// name that was typed.
fn face(reply: &Reply, typed: &str) -> String {
    use std::fmt::Write;
    let mut text = format!("{}\n", reply.status);
    for (name, value) in &reply.headers {
        if name != "date" && name != "x-request-id" {
            writeln!(text, "{name}: {}", value.to_str().unwrap()).unwrap();
        }
    }
    let reference = reply.header("x-request-id").unwrap();
    let body = reply.text().replace(reference, "(reference)");
    text + &body.replace(&format!("value=\"{typed}\""), "value=\"(typed)\"")
}

/// Disables an account. There is no request for that yet, so it is done in the database.
async fn disable(server: &Server, member: &Member) {
    let name = &member.username;
    let disable = format!("UPDATE account SET disabled = 1 WHERE username = '{name}'");
    server.write_from_outside(&disable).await;
}

/// Attack 27 (ASVS 5.0, 6.3.8): an unknown name, a wrong password, a disabled account, and a name
/// that nobody could have, by every way to log in.
#[tokio::test]
async fn a_refused_login_says_the_same_of_every_account() {
    let server = Server::start().await;
    server.member("alice").await;
    let gone = server.member("gonee").await;
    disable(&server, &gone).await;
    // Names of one length: a page that shows it again is as long as the other.
    let attempts = [
        ("alice", OTHER_PASSWORD),
        ("nobdy", OTHER_PASSWORD),
        ("gonee", OTHER_PASSWORD),
        ("gonee", PASSWORD),
        ("nobdy", PASSWORD),
        ("no dy", PASSWORD),
        ("..dy.", PASSWORD),
        ("a@b.c", PASSWORD),
        ("alice", ""),
        ("nobdy", ""),
    ];
    for carrier in ["cookie", "token"] {
        let mut faces = Vec::new();
        for (username, password) in attempts {
            let body = json!({"username": username, "password": password, "carrier": carrier});
            let request = server.client().post_json("/api/v1/login", &body);
            let reply = request.await.clean().must_be_problem(401, "wrong-credentials");
            assert!(reply.set_cookie().is_none());
            faces.push((username, face(&reply, username)));
        }
        for (username, other) in &faces {
            assert_eq!(other, &faces[0].1, "{carrier}: {username}");
        }
    }
    let mut faces = Vec::new();
    for (username, password) in attempts {
        let form = [("username", username), ("password", password)];
        let request = server.client().post_form("/login", &form).from_origin(&server.origin);
        let reply = request.await.clean().must_be(401);
        assert!(reply.set_cookie().is_none());
        faces.push((username, face(&reply, username)));
    }
    for (username, other) in &faces {
        assert_eq!(other, &faces[0].1, "page: {username}");
    }

    // The owner gets in, and the audit log knows what the outside was not told.
    let body = json!({"username": "alice", "password": PASSWORD, "carrier": "token"});
    server.client().post_json("/api/v1/login", &body).await.clean().must_be(200);
    let mut told = server.events(EventKind::LoginFailed).await;
    told.retain(|event| event.reason.as_deref() == Some("account-disabled"));
    assert!(!told.is_empty());
}

/// Attack 27: a disabled account's sessions are refused as if there were none.
#[tokio::test]
async fn the_sessions_of_a_disabled_account_end_without_a_word_about_it() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let (browser, tokens) = (server.sign_in(&alice).await, server.tokens(&alice).await);
    server.whoami(&tokens.access).await.clean().must_be(200);
    let ask = |cookie: String| server.client().get("/api/v1/session").cookie(cookie);
    let unknown = ask(format!("doorward={}", "A".repeat(43))).await.clean();
    let unknown_token = server.refresh(&format!("dwr_{}", "A".repeat(43))).await.clean();

    disable(&server, &alice).await;

    let refused = ask(browser.cookie().unwrap()).await.clean();
    assert_eq!(face(&refused, ""), face(&unknown, ""));
    refused.must_be_problem(401, "unauthenticated");
    let whoami = server.whoami(&tokens.access).await.clean();
    whoami.must_be_problem(401, "invalid_token");
    let refused = server.refresh(&tokens.refresh).await.clean();
    assert_eq!(face(&refused, ""), face(&unknown_token, ""));
    refused.must_be_problem(401, "invalid-refresh-token");
}

/// Attack 27, for tokens: unknown, garbage, spent and ended refresh tokens look alike.
#[tokio::test]
async fn a_refused_refresh_token_says_the_same_whatever_became_of_it() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let ended = server.tokens(&alice).await;
    server.client().post("/api/v1/logout").bearer(&ended.access).await.clean().must_be(204);
    let spent = server.tokens(&alice).await;
    server.refresh(&spent.refresh).await.clean().must_be(200);
    server.clock.advance_seconds(11);
    let nobodys = format!("dwr_{}", "A".repeat(43));
    let tokens = [
        nobodys.as_str(),
        &ended.refresh,
        &spent.refresh,
        &spent.access,
        "",
        "dwr_",
        "garbage",
        &nobodys[..46],
        "dwp_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "dwr_\u{0}",
        "dwr_ünïcödé",
    ];
    let mut faces = Vec::new();
    for token in tokens {
        let reply = server.refresh(token).await.clean();
        faces.push(face(&reply.must_be_problem(401, "invalid-refresh-token"), ""));
    }
    for (index, other) in faces.iter().enumerate() {
        assert_eq!(other, &faces[0], "{index}");
    }
    let honest = server.tokens(&alice).await;
    server.refresh(&honest.refresh).await.clean().must_be(200);
}

/// Attack 27, for sessions: another's, an ended one and one that never was look alike.
#[tokio::test]
async fn another_s_session_looks_like_one_that_never_was() {
    let server = Server::start().await;
    let (alice, bob) = (server.member("alice").await, server.member("bob").await);
    let (mine, mine_too) = (server.sign_in(&alice).await, server.sign_in(&alice).await);
    let (theirs, ended) = (server.sign_in(&bob).await, server.sign_in(&alice).await);
    let ended_sid = ended.sid().await;
    ended.post("/api/v1/logout").await.must_be(204);
    let mut faces = Vec::new();
    for sid in [
        theirs.sid().await.as_str(),
        &ended_sid,
        "ses_00000000000000000000000000",
        "ses_garbage",
        "..%2f..%2fetc",
        bob.id.as_str(),
    ] {
        let reply = mine.delete(&format!("/api/v1/sessions/{sid}")).await.clean();
        faces.push(face(&reply.must_be_problem(404, "not-found"), ""));
    }
    for (index, other) in faces.iter().enumerate() {
        assert_eq!(other, &faces[0], "{index}");
    }
    assert!(theirs.is_signed_in().await);
    let sid = mine_too.sid().await;
    mine.delete(&format!("/api/v1/sessions/{sid}")).await.clean().must_be(204);
    assert!(!mine_too.is_signed_in().await);
}

/// Attack 27, for the setup page: without its link it says nothing of the names in use.
#[tokio::test]
async fn a_wrong_setup_code_tells_nothing_of_the_names_in_use() {
    let server = Server::start().await;
    server.member("alice").await;
    let rows = server.rows();
    let wrong = format!("{}{}", setup::PREFIX, "A".repeat(43));
    let submit = |code: &str, username: &str| {
        let form = [("code", code), ("username", username), ("password", PASSWORD)];
        server.client().post_form("/setup", &form).from_origin(&server.origin)
    };
    let taken = submit(&wrong, "alice").await.clean().must_be(403);
    let free = submit(&wrong, "nobdy").await.clean().must_be(403);
    assert_eq!(face(&taken, "alice"), face(&free, "nobdy"));
    assert_eq!(server.rows(), rows);
    let link = setup::draw_link(&*server.store, &server.app.ambient).await.unwrap();
    let code = format!("{}{}", setup::PREFIX, link.expose().as_str());
    submit(&code, "nobdy").await.clean().must_be(303);
    submit(&code, "again").await.clean().must_be(403);
}
