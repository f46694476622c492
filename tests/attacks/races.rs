//! Races: what counts once, asked for a hundred times at once.

use doorward_core::event::EventKind;
use doorward_server::flow::setup;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::Clean;
use crate::harness::client::Request;
use crate::harness::{Member, PASSWORD, Reply, Server, Tokens};

/// How many ask at once.
const RACERS: usize = 100;

/// Sends all of these at once.
async fn race(requests: impl IntoIterator<Item = Request>) -> Vec<Reply> {
    let mut racing = JoinSet::new();
    for request in requests {
        racing.spawn(async move { request.await });
    }
    racing.join_all().await
}

/// One was let in, and the others were told: by the rule, or that there were too many at once.
#[track_caller]
fn assert_one(replies: &[Reply], won: u16, lost: &[u16]) {
    assert_eq!(replies.len(), RACERS);
    let statuses: Vec<u16> = replies.iter().map(|reply| reply.status.as_u16()).collect();
    let winners = statuses.iter().filter(|status| **status == won).count();
    assert_eq!(winners, 1, "{statuses:?}");
    for reply in replies.iter().filter(|reply| reply.status != won) {
        let reply = reply.clone();
        let status = reply.status.as_u16();
        assert!(status == 503 || lost.contains(&status), "{}", reply.describe());
        assert!(reply.set_cookie().is_none_or(|set| set.clears()), "{}", reply.describe());
        if status == 503 {
            assert_eq!(reply.header("retry-after"), Some("1"), "{}", reply.describe());
        } else {
            reply.clean();
        }
    }
}

/// Attack 30: the link for the first administrator.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_with_the_setup_link_one_becomes_administrator() {
    let server = Server::start().await;
    let link = setup::draw_link(&*server.store, &server.app.ambient).await.unwrap();
    let code = format!("{}{}", setup::PREFIX, link.expose().as_str());
    let replies = race((0..RACERS).map(|racer| {
        let name = format!("racer{racer}");
        let form = [("code", code.as_str()), ("username", &name), ("password", PASSWORD)];
        server.browser().request("POST", "/setup").form(&form)
    }))
    .await;
    assert_one(&replies, 303, &[403]);
    let rows = server.rows();
    assert_eq!((rows.account, rows.session), (1, 1));
    assert_eq!(server.events(EventKind::SetupCompleted).await.len(), 1);
}

/// Attack 30: one name.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_who_want_one_name_one_has_it() {
    let server = Server::start().await;
    let body = json!({"username": "alice", "password": PASSWORD});
    let replies =
        race((0..RACERS).map(|_| server.client().post_json("/api/v1/accounts", &body))).await;
    assert_one(&replies, 201, &[409]);
    assert_eq!(server.rows().account, 1);
}

/// Attack 30 (and 59): a refresh token. Whoever asks in the same moment gets the same successor, so
/// that a lost answer costs nobody their session; there is never a second one.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_refreshes_at_once_all_get_the_one_successor() {
    let server = Server::start().await;
    let tokens = server.tokens(&server.member("alice").await).await;
    let body = json!({"refresh_token": tokens.refresh});
    let replies =
        race((0..RACERS).map(|_| server.client().post_json("/api/v1/refresh", &body))).await;
    let mut successors: Vec<String> =
        replies.into_iter().map(|reply| Tokens::read(&reply.must_be(200)).refresh).collect();
    successors.dedup();
    assert_eq!(successors.len(), 1);
    assert_ne!(successors[0], tokens.refresh);
    assert_eq!(server.rows().refresh_token, 2, "the one that was used, and the one that counts");
    // A thief who was among them is found out as soon as both have gone on.
    server.refresh(&successors[0]).await.clean().must_be(200);
    server.refresh(&tokens.refresh).await.clean().must_be(401);
    server.refresh(&successors[0]).await.clean().must_be(401);
    assert_eq!(server.rows().session, 0);
}

/// Attack 30: a hundred changes of one password, each to another.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_password_changes_at_once_one_counts() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let browser = server.sign_in(&alice).await;
    let new = |racer: usize| format!("{racer} quiet lanterns burning low");
    let change =
        |racer| json!({"current": PASSWORD, "new": new(racer), "keep_other_sessions": true});
    let replies = race(
        (0..RACERS)
            .map(|racer| browser.request("POST", "/api/v1/account/password").json(&change(racer))),
    )
    .await;
    assert_one(&replies, 200, &[401]);
    let winner = replies.iter().find(|reply| reply.status == 200).unwrap();
    let secret = winner.set_cookie().unwrap().value;
    let mine = server.client().get("/api/v1/session").cookie(format!("doorward={secret}"));
    mine.await.clean().must_be(200);
    assert_eq!(server.events(EventKind::PasswordChanged).await.len(), 1);
    let mut working = 0;
    for password in (0..RACERS).map(new).chain([PASSWORD.to_owned()]) {
        let login = Member { password, ..alice.clone() };
        let body = crate::harness::server::login_body(&login, "token", json!({}));
        let reply = server.client().post_json("/api/v1/login", &body).await;
        working += u32::from(reply.status == 200);
    }
    assert_eq!(working, 1, "there is one password");
}

/// Attack 30: a hundred new proofs in one session.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_proofs_at_once_one_renews_the_session() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let path = "/api/v1/session/reauthenticate";
    let proof: Value = json!({"password": PASSWORD});

    let browser = server.sign_in(&alice).await;
    let by_cookie = race((0..RACERS).map(|_| browser.request("POST", path).json(&proof))).await;
    assert_one(&by_cookie, 200, &[401]);
    let tokens = server.tokens(&alice).await;
    let by_token =
        (0..RACERS).map(|_| server.client().post_json(path, &proof).bearer(&tokens.access));
    assert_one(&race(by_token).await, 200, &[401]);
    assert_eq!(server.rows().session, 2, "still one of each");
    assert_eq!(server.events(EventKind::SessionReauthenticated).await.len(), 2);
}

/// Attack 30: a hundred ends of one session, of which one is true and the others find it so.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_logouts_at_once_one_is_written() {
    let server = Server::start().await;
    let browser = server.sign_in(&server.member("alice").await).await;
    let replies = race((0..RACERS).map(|_| browser.request("POST", "/api/v1/logout"))).await;
    for reply in replies {
        let reply = reply.clean();
        assert!(matches!(reply.status.as_u16(), 204 | 401), "{}", reply.describe());
    }
    assert!(!browser.is_signed_in().await);
    assert_eq!(server.events(EventKind::SessionEnded).await.len(), 1);
    assert_eq!(server.revocations().await.len(), 1);
}
