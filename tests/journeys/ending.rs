//! Seeing one's sessions, and ending one, the others, or all.

use serde_json::Value;

use crate::harness::{Reply, Server};

fn sids(reply: &Reply) -> Vec<String> {
    let body = reply.json();
    let rows = body["data"].as_array().unwrap().iter();
    rows.map(|session| session["sid"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn ones_sessions_are_listed_whatever_carries_them_and_nobody_elses() {
    let server = Server::start().await;
    let (ada, bob) = (server.member("ada").await, server.member("bob").await);
    let browser = server.sign_in(&ada).await;
    server.clock.advance_seconds(1);
    let tokens = server.tokens(&ada).await;
    let bobs = server.sign_in(&bob).await;

    let reply = browser.get("/api/v1/sessions").await.must_be(200);
    let here = browser.sid().await;
    assert_eq!(sids(&reply), [tokens.sid.clone(), here.clone()], "newest first");
    let body = reply.json();
    assert_eq!(body["next_cursor"], Value::Null);
    let current: Vec<_> = body["data"].as_array().unwrap().iter().map(|s| &s["current"]).collect();
    assert_eq!(current, [false, true]);
    for secret in [browser.secret(), tokens.refresh, tokens.access.clone()] {
        assert!(!reply.text().contains(&secret), "a list shows no secret");
    }
    let by_token = server.client().get("/api/v1/sessions").bearer(&tokens.access).await;
    assert_eq!(sids(&by_token.must_be(200)), sids(&reply), "either carrier sees the same");
    assert_eq!(sids(&bobs.get("/api/v1/sessions").await.must_be(200)).len(), 1);
}

#[tokio::test]
async fn a_long_list_comes_in_pages_that_miss_and_repeat_nothing() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let browser = server.sign_in(&ada).await;
    for _ in 0..6 {
        server.clock.advance_seconds(1);
        server.tokens(&ada).await;
    }
    let all = sids(&browser.get("/api/v1/sessions?limit=200").await.must_be(200));
    assert_eq!(all.len(), 7);
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = browser.get(&format!("/api/v1/sessions?limit=3{cursor}")).await.must_be(200);
        seen.extend(sids(&page));
        match page.json()["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, all);
    for query in ["limit=0", "limit=201", "cursor=garbage", "cursor="] {
        let reply = browser.get(&format!("/api/v1/sessions?{query}")).await;
        assert_eq!(reply.status, 422, "{query}: {}", reply.describe());
    }
}

#[tokio::test]
async fn ending_one_session_ends_that_one_at_once_and_no_other() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let (here, there) = (server.sign_in(&ada).await, server.sign_in(&ada).await);
    let tokens = server.tokens(&ada).await;

    let path = format!("/api/v1/sessions/{}", there.sid().await);
    let reply = here.delete(&path).await.must_be(204);
    assert_eq!(reply.set_cookie(), None, "this browser keeps its cookie");
    assert!(!there.is_signed_in().await);

    here.delete(&format!("/api/v1/sessions/{}", tokens.sid)).await.must_be(204);
    server.whoami(&tokens.access).await.must_be_problem(401, "invalid_token");
    server.refresh(&tokens.refresh).await.must_be_problem(401, "invalid-refresh-token");
    assert!(here.is_signed_in().await);

    let own = format!("/api/v1/sessions/{}", here.sid().await);
    let before = here.copy();
    let reply = here.delete(&own).await.must_be(204);
    assert!(reply.set_cookie().unwrap().clears(), "ending one's own takes the cookie too");
    assert!(!before.is_signed_in().await);
    assert_eq!(server.rows().session, 0);
    assert_eq!(server.rows().revocation, 3);
}

#[tokio::test]
async fn somebody_elses_session_is_not_there_for_us_and_stays() {
    let server = Server::start().await;
    let (ada, bob) = (server.member("ada").await, server.member("bob").await);
    let (adas, bobs) = (server.sign_in(&ada).await, server.sign_in(&bob).await);
    let visitor = server.browser();
    visitor.post("/api/v1/session").await.must_be(201);

    let mut answers = Vec::new();
    for sid in [bobs.sid().await, visitor.sid().await, format!("ses_{}", "0".repeat(26))] {
        let request = adas.request("DELETE", &format!("/api/v1/sessions/{sid}"));
        let reply = request.header("x-request-id", "a-request-to-compare").await;
        answers.push(reply.must_be_problem(404, "not-found").text().to_owned());
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "one answer for all: {answers:?}");
    adas.delete("/api/v1/sessions/garbage").await.must_be_problem(404, "not-found");
    assert!(bobs.is_signed_in().await);
    assert!(visitor.is_signed_in().await);
}

#[tokio::test]
async fn ending_all_others_leaves_this_one_and_everybody_elses() {
    let server = Server::start().await;
    let (ada, bob) = (server.member("ada").await, server.member("bob").await);
    let (here, there) = (server.sign_in(&ada).await, server.sign_in(&ada).await);
    let (tokens, bobs) = (server.tokens(&ada).await, server.sign_in(&bob).await);

    let reply = here.delete("/api/v1/sessions?except=current").await.must_be(204);
    assert_eq!(reply.set_cookie(), None);
    assert!(here.is_signed_in().await);
    assert!(!there.is_signed_in().await);
    server.whoami(&tokens.access).await.must_be(401);
    server.refresh(&tokens.refresh).await.must_be(401);
    assert!(bobs.is_signed_in().await);
    assert_eq!(server.rows().session, 2);
}

#[tokio::test]
async fn ending_all_ends_this_one_too_and_takes_the_cookie() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let (here, there) = (server.sign_in(&ada).await, server.sign_in(&ada).await);
    let (tokens, before) = (server.tokens(&ada).await, here.copy());
    let reply = here.delete("/api/v1/sessions?wait=cluster").await.must_be(204);
    assert!(reply.set_cookie().unwrap().clears());
    assert!(!before.is_signed_in().await);
    assert!(!there.is_signed_in().await);
    server.whoami(&tokens.access).await.must_be(401);
    assert_eq!(server.rows().session, 0);
}

#[tokio::test]
async fn a_wish_that_is_not_understood_ends_nothing() {
    let server = Server::start().await;
    let here = server.sign_in(&server.member("ada").await).await;
    for query in ["except=others", "except=", "wait=1", "exept=current", "except=current&except="] {
        let reply = here.delete(&format!("/api/v1/sessions?{query}")).await;
        assert!(reply.status.is_client_error(), "{query}: {}", reply.describe());
        assert!(!reply.problem_code().is_empty());
    }
    assert!(here.is_signed_in().await);
}

#[tokio::test]
async fn of_two_logouts_at_once_both_are_true_and_one_is_written() {
    let server = Server::start().await;
    let browser = server.sign_in(&server.member("ada").await).await;
    let other = browser.copy();
    let (first, second) =
        tokio::join!(browser.post("/api/v1/logout"), other.post("/api/v1/logout"));
    for reply in [first, second] {
        assert!([204, 401].contains(&reply.status.as_u16()), "{}", reply.describe());
    }
    assert_eq!(server.rows().session, 0);
    assert_eq!(server.rows().revocation, 1);
}
