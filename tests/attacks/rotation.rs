//! Rotation: a hundred requests on their way while the secret that they carry gives way to another.
//!
//! Nobody honest is signed out by it, and the secret before is worth nothing once its time is up:
//! at once after a login, a switch of account and a change of password; within ten seconds, and
//! only to read, after a new proof. See `docs/why/new-secrets.md`.

use doorward_core::event::EventKind;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::Clean;
use crate::harness::client::Request;
use crate::harness::server::login_body;
use crate::harness::wait::PATIENCE;
use crate::harness::{Browser, OTHER_PASSWORD, PASSWORD, Reply, Server, within};

/// How many requests are on their way.
const ON_THEIR_WAY: usize = 100;

/// What came of them.
struct Crossing {
    /// The answer of the request that gave the session its new secret.
    renewed: Reply,
    /// The answers of those that only read.
    reads: Vec<Reply>,
    /// The answers of those that would have written.
    writes: Vec<Reply>,
}

/// Sends a hundred requests with the cookie that the browser has now, and `renew` among them. Every
/// answer may set or clear the browser's cookie, in the order in which they come.
async fn cross(browser: &Browser, renew: Request) -> Crossing {
    let mut sending = JoinSet::new();
    for number in 0..=ON_THEIR_WAY {
        let request = match number {
            50 => renew.clone(),
            _ if number % 5 == 0 => {
                browser.request("PUT", "/api/v1/session/data/basket").json(&json!(number))
            }
            _ if number % 5 == 1 => browser.request("GET", "/account"),
            _ => browser.request("GET", "/api/v1/session"),
        };
        let browser = browser.clone();
        sending.spawn(async move { (number, browser.send(request).await) });
    }
    let mut answers = sending.join_all().await;
    answers.sort_by_key(|(number, _)| *number);
    let (_, renewed) = answers.remove(50);
    let (writes, reads): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|(number, _)| number % 5 == 0);
    let replies = |answers: Vec<(usize, Reply)>| answers.into_iter().map(|(_, it)| it).collect();
    let crossing = Crossing { renewed, reads: replies(reads), writes: replies(writes) };
    assert_eq!(crossing.reads.len() + crossing.writes.len(), ON_THEIR_WAY);
    for reply in crossing.reads.iter().chain(&crossing.writes) {
        assert!(reply.set_cookie().is_none(), "it took the cookie: {}", reply.describe());
        let status = reply.status.as_u16();
        assert!(matches!(status, 200 | 201 | 303 | 401), "{}", reply.describe());
    }
    crossing
}

/// What the old secret is worth by itself.
async fn old(server: &Server, secret: &str, method: &str, path: &str) -> u16 {
    let cookie = format!("{}={secret}", server.cookie_name());
    let request = server.client().request(method, path).cookie(cookie).from_origin(&server.origin);
    request.await.clean().status.as_u16()
}

/// Attack 15: a login over an anonymous session, and over somebody else's.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_requests_across_a_login_sign_nobody_out_and_the_old_secret_is_dead_at_once() {
    let server = Server::start().await;
    let (alice, bob) = (server.member("alice").await, server.member("bob").await);
    let browser = server.browser();
    browser.post("/api/v1/session").await.must_be(201);
    for (member, before) in [(&alice, "nobody"), (&bob, "alice")] {
        let (secret, sid) = (browser.secret(), browser.sid().await);
        let login = login_body(member, "cookie", json!({}));
        let renew = browser.request("POST", "/api/v1/login").json(&login);
        let crossing = cross(&browser, renew).await;
        crossing.renewed.clean().must_be(200);

        let mine = browser.get("/api/v1/session").await.clean().must_be(200).json();
        assert_eq!(mine["account"]["username"], *member.username, "over {before}");
        assert_ne!(mine["session"]["sid"], *sid, "another session, not the old one raised");
        // Who read with the old secret read as who they were; nobody was raised by it.
        for read in &crossing.reads {
            assert!(!read.text().contains(&member.username), "{}", read.describe());
        }
        for _ in 0..3 {
            assert_eq!(old(&server, &secret, "GET", "/api/v1/session").await, 401, "at once");
            assert_eq!(old(&server, &secret, "POST", "/api/v1/logout").await, 401);
            server.clock.advance_seconds(6);
        }
        assert!(browser.is_signed_in().await, "and a late one ends nothing");
    }
    assert_eq!(server.rows().session, 1);
}

/// Attack 15: a new proof. What only reads is answered as before, all of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_requests_across_a_new_proof_are_read_and_the_old_secret_dies_in_ten_seconds() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let browser = server.sign_in(&alice).await;
    let (secret, sid) = (browser.secret(), browser.sid().await);
    let proof = json!({"password": PASSWORD});
    let renew = browser.request("POST", "/api/v1/session/reauthenticate").json(&proof);
    let crossing = cross(&browser, renew).await;
    crossing.renewed.clean().must_be(200);

    for read in crossing.reads {
        read.clean().must_be(200);
    }
    let written = crossing.writes.iter().filter(|reply| reply.status != 401).count();
    assert_ne!(browser.secret(), secret);
    assert_eq!(browser.sid().await, sid, "the same session");
    // What was refused is sent again by the page, and done.
    browser
        .put_json("/api/v1/session/data/basket", &json!("again"))
        .await
        .must_be(if written == 0 { 201 } else { 200 });

    server.clock.advance_seconds(9);
    assert_eq!(old(&server, &secret, "GET", "/api/v1/session").await, 200, "the control");
    assert_eq!(old(&server, &secret, "DELETE", "/api/v1/session/data/basket").await, 401);
    assert_eq!(old(&server, &secret, "POST", "/api/v1/logout").await, 401, "nor does it end it");
    assert!(browser.is_signed_in().await);
    server.clock.advance_seconds(1);
    assert_eq!(old(&server, &secret, "GET", "/api/v1/session").await, 401);
    server.event(EventKind::SecretReuseDetected).await;
    assert!(!browser.is_signed_in().await, "it was a copy: the session ends for both");
}

/// Attack 15: the same without a copy. The honest browser forgets the old secret and goes on.
#[tokio::test(flavor = "multi_thread")]
async fn who_forgets_the_old_secret_is_signed_in_long_after_its_window() {
    let server = Server::start().await;
    let browser = server.sign_in(&server.member("alice").await).await;
    for _ in 0..3 {
        let proof = json!({"password": PASSWORD});
        let renew = browser.request("POST", "/api/v1/session/reauthenticate").json(&proof);
        cross(&browser, renew).await.renewed.clean().must_be(200);
        assert!(browser.is_signed_in().await);
        server.clock.advance_seconds(60);
        assert!(browser.is_signed_in().await);
    }
    assert!(server.events(EventKind::SecretReuseDetected).await.is_empty());
    assert_eq!(server.rows().session, 1);
}

/// Attack 15: a change of password. Somebody else may have the old secret: it is dead at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_requests_across_a_password_change_sign_nobody_out_and_the_old_secret_is_dead() {
    for page in [false, true] {
        let server = Server::start().await;
        let browser = server.sign_in(&server.member("alice").await).await;
        let (secret, sid) = (browser.secret(), browser.sid().await);
        let renew = if page {
            let form =
                [("current", PASSWORD), ("new", OTHER_PASSWORD), ("end_other_sessions", "1")];
            browser.request("POST", "/account/password").form(&form)
        } else {
            let change = json!({"current": PASSWORD, "new": OTHER_PASSWORD});
            browser.request("POST", "/api/v1/account/password").json(&change)
        };
        let crossing = cross(&browser, renew).await;
        crossing.renewed.clean().must_be(if page { 303 } else { 200 });

        assert_ne!(browser.secret(), secret);
        assert_eq!(browser.sid().await, sid);
        assert_eq!(old(&server, &secret, "GET", "/api/v1/session").await, 401, "at once");
        server.clock.advance_seconds(9);
        assert_eq!(old(&server, &secret, "GET", "/api/v1/session").await, 401);
        assert!(browser.is_signed_in().await, "a late request of the browser's own ends nothing");
        server.clock.advance_seconds(1);
        assert_eq!(old(&server, &secret, "GET", "/api/v1/session").await, 401);
        assert!(!browser.is_signed_in().await, "a copy ends it");
    }
}

/// Attack 15: a request that had reached us before the new proof, and whose body comes slowly. It is
/// refused, and is nobody's copy of the cookie.
#[tokio::test]
async fn a_slow_body_that_was_on_its_way_before_the_new_proof_ends_nothing() {
    for (path, media_type, body) in [
        ("PUT /api/v1/session/data/basket", "application/json", "[\"tea\"]"),
        ("POST /account/sessions/end-others", "application/x-www-form-urlencoded", "account="),
    ] {
        let server = Server::start().await;
        let browser = server.sign_in(&server.member("alice").await).await;
        let fields = format!("{path} HTTP/1.1\r\nContent-Type: {media_type}");
        let slow = UnderWay::begin(&server, &browser, &fields, body).await;
        let proof = json!({"password": PASSWORD});
        let renewed = browser.post_json("/api/v1/session/reauthenticate", &proof).await;
        renewed.clean().must_be(200);
        server.clock.advance_seconds(12);
        let answer = slow.end().await;
        let expected = if path.starts_with("PUT") { "HTTP/1.1 401" } else { "HTTP/1.1 303" };
        assert!(answer.starts_with(expected), "{answer}");
        assert!(server.events(EventKind::SecretReuseDetected).await.is_empty(), "{path}");
        assert!(browser.is_signed_in().await, "{path}");
    }
}

/// A request that the server waits for the body of.
struct UnderWay<'a> {
    stream: TcpStream,
    body: &'a str,
}

impl<'a> UnderWay<'a> {
    async fn begin(server: &Server, browser: &Browser, fields: &str, body: &'a str) -> Self {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head = format!(
            "{fields}\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\nCookie: {}\r\n\
             Content-Length: {}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
            browser.cookie().unwrap(),
            body.len(),
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // The server says so once somebody in it waits for the body (RFC 9110, section 10.1.1).
        let mut said = [0; 25];
        within(PATIENCE, "100 Continue", stream.read_exact(&mut said)).await.unwrap();
        assert_eq!(&said, b"HTTP/1.1 100 Continue\r\n\r\n");
        Self { stream, body }
    }

    async fn end(mut self) -> String {
        self.stream.write_all(self.body.as_bytes()).await.unwrap();
        let mut answer = String::new();
        within(PATIENCE, "an answer", self.stream.read_to_string(&mut answer)).await.unwrap();
        answer
    }
}

/// Attack 2: the browser that shows the secret from before, at a login, had that session all the same:
/// the answer with its new secret was lost, or crossed the login on its way.
#[tokio::test]
async fn a_login_with_the_secret_from_before_a_new_proof_ends_that_session_too() {
    for seconds in [0, 60] {
        let server = Server::start().await;
        let (alice, bob) = (server.member("alice").await, server.member("bob").await);
        let browser = server.sign_in(&alice).await;
        let lost = browser.copy();
        let proof = json!({"password": PASSWORD});
        lost.post_json("/api/v1/session/reauthenticate", &proof).await.must_be(200);
        server.clock.advance_seconds(seconds);
        server.sign_in_with(&browser, &bob, json!({})).await.clean().must_be(200);
        assert!(!lost.is_signed_in().await, "Alice's session goes on at Bob's computer");
        assert!(browser.is_signed_in().await);
        assert_eq!(server.rows().session, 1);
    }
}

/// Attack 10: who is told that they are signed out, is.
#[tokio::test]
async fn a_sign_out_that_crosses_a_new_proof_does_not_leave_a_session_behind() {
    let server = Server::start().await;
    let browser = server.sign_in(&server.member("alice").await).await;
    let before = browser.copy();
    let proof = json!({"password": PASSWORD});
    browser.post_json("/api/v1/session/reauthenticate", &proof).await.must_be(200);
    let out = before.post_form("/logout", &[]).await.clean().must_be(303);
    let is_out = out.location() == "/login?said=signed-out";
    assert_eq!(is_out, !browser.is_signed_in().await, "{}", out.describe());
    assert_eq!(is_out, out.set_cookie().is_some_and(|set| set.clears()), "{}", out.describe());
}
