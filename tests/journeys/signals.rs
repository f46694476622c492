//! Shared signals: receivers of others are told that sessions have ended, and lose nothing.

use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};
use doorward_core::signal::SIGNALS_SCOPE;
use doorward_wire::jose::{Compact, JwkSet, KeySet};
use doorward_wire::secevent::{EVENT_TYPE, SESSION_REVOKED, VERIFICATION};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::client::Request;
use crate::harness::oauth::Known;
use crate::harness::{Reply, Server, within};

const POLL: &str = "urn:ietf:rfc:8936";

/// A receiver: a client with the scope, and a token of its own.
struct Receiver<'a> {
    server: &'a Server,
    client: Known<'a>,
    token: String,
}

impl<'a> Receiver<'a> {
    async fn of(server: &'a Server) -> Self {
        let client = Known::with(server, &[SIGNALS_SCOPE], &[]).await;
        let token = client.own_token(&[]).await.must_be(200).json();
        let token = token["access_token"].as_str().unwrap().to_owned();
        Self { server, client, token }
    }

    fn request(&self, method: &str, path: &str) -> Request {
        self.server.client().request(method, path).bearer(&self.token)
    }

    async fn post(&self, path: &str, body: Value) -> Reply {
        self.request("POST", path).json(&body).await
    }

    /// Makes its stream, to be fetched, and says where from.
    async fn stream(&self) -> String {
        let made = self.post("/ssf/stream", json!({ "delivery": { "method": POLL } })).await;
        let made = made.must_be(201).json();
        assert_eq!(made["aud"], json!(self.client.id));
        let url = made["delivery"]["endpoint_url"].as_str().unwrap();
        url.strip_prefix(&self.server.origin).unwrap().to_owned()
    }

    /// What it is told now: the claims of each event, verified, by their names.
    async fn poll(&self, path: &str, body: Value) -> Vec<(String, Value)> {
        let mut asked = json!({ "returnImmediately": true });
        asked.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        let said = self.post(path, asked).await.must_be(200).json();
        let jwks = self.server.client().get("/.well-known/jwks.json").await.must_be(200).json();
        let jwks: JwkSet = serde_json::from_value(jwks).unwrap();
        let keys = KeySet::from_jwks(&jwks).unwrap();
        let sets = said["sets"].as_object().unwrap();
        let read = |(name, text): (&String, &Value)| {
            let token = Compact::parse(text.as_str().unwrap()).unwrap();
            assert_eq!(token.typ(), Some(EVENT_TYPE));
            let key = keys.get(token.kid().unwrap()).unwrap();
            assert_eq!(key.algorithm().name(), "RS256");
            let claims: Value = serde_json::from_slice(token.verify(key).unwrap()).unwrap();
            assert_eq!((&claims["jti"], &claims["aud"]), (&json!(name), &json!(self.client.id)));
            assert_eq!(claims["iss"], json!(self.server.origin));
            assert!(claims.get("sub").is_none() && claims.get("exp").is_none(), "{claims}");
            (name.clone(), claims)
        };
        sets.iter().map(read).collect()
    }
}

#[tokio::test]
async fn a_receiver_hears_of_each_end_until_it_says_so() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let receiver = Receiver::of(&server).await;
    let before = server.sign_in(&ada).await;
    before.post_json("/api/v1/logout", &json!({})).await.must_be(204);
    let path = receiver.stream().await;
    assert!(receiver.poll(&path, json!({})).await.is_empty(), "what was before is not told");

    let tokens = server.tokens(&ada).await;
    let browser = server.sign_in(&ada).await;
    server.client().post("/api/v1/logout").bearer(&tokens.access).await.must_be(204);
    let told = receiver.poll(&path, json!({})).await;
    assert_eq!(told.len(), 1, "{told:?}");
    let (name, event) = &told[0];
    assert_eq!(event["sub_id"]["session"], json!({ "format": "opaque", "id": tokens.sid }));
    let happened = &event["events"][SESSION_REVOKED]["event_timestamp"];
    assert_eq!(*happened, json!(server.clock.time()));
    // Unheard, it is told again by the same name, by another node too.
    server.clock.advance(Duration::from_hours(1));
    let node = server.again(|_| {}).await;
    let again = Receiver { server: &node, ..Receiver::of(&server).await };
    assert!(node.client().post(&path).bearer(&again.token).await.status.is_client_error());
    let token = receiver.client.own_token(&[]).await.must_be(200).json();
    let receiver =
        Receiver { token: token["access_token"].as_str().unwrap().to_owned(), ..receiver };
    assert_eq!(receiver.poll(&path, json!({})).await[0].0, *name);
    assert!(receiver.poll(&path, json!({ "ack": [name], "maxEvents": 0 })).await.is_empty());
    assert!(receiver.poll(&path, json!({})).await.is_empty());

    // All at once, in order, in pages, and what it cannot use goes, too.
    server.tokens(&ada).await;
    let later = server.tokens(&ada).await;
    server.client().delete("/api/v1/sessions").bearer(&later.access).await.must_be(204);
    let body = json!({ "returnImmediately": true, "maxEvents": 1 });
    let page = receiver.post(&path, body).await.must_be(200).json();
    assert_eq!(
        (page["sets"].as_object().unwrap().len(), &page["moreAvailable"]),
        (1, &json!(true))
    );
    let all = receiver.poll(&path, json!({})).await;
    assert!(all.len() >= 2, "{all:?}");
    let errors: serde_json::Map<String, Value> =
        all.iter().map(|(name, _)| (name.clone(), json!({ "err": "invalid_request" }))).collect();
    assert!(receiver.poll(&path, json!({ "setErrs": errors })).await.is_empty());
    browser.get("/api/v1/session").await;
}

#[tokio::test]
async fn who_waits_hears_at_once() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let receiver = Receiver::of(&server).await;
    let path = receiver.stream().await;
    let tokens = server.tokens(&ada).await;
    let waiting = tokio::spawn(IntoFuture::into_future(
        server.client().post_json(&path, &json!({})).bearer(&receiver.token),
    ));
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.client().post("/api/v1/logout").bearer(&tokens.access).await.must_be(204);
    let said = waiting.await.unwrap().must_be(200).json();
    assert_eq!(said["sets"].as_object().unwrap().len(), 1);
}

#[tokio::test]
async fn a_stream_is_made_shown_switched_verified_and_deleted_by_its_client() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let (receiver, other) = (Receiver::of(&server).await, Receiver::of(&server).await);
    let known = server.client().get("/.well-known/ssf-configuration").await.must_be(200).json();
    assert_eq!((&known["spec_version"], &known["issuer"]), (&json!("1_0"), &json!(server.origin)));
    assert_eq!(receiver.request("GET", "/ssf/stream").await.must_be(200).json(), json!([]));
    let path = receiver.stream().await;
    let id = path.rsplit('/').next().unwrap().to_owned();
    let again = receiver.post("/ssf/stream", json!({})).await;
    again.must_be_problem(409, "stream-taken");
    let named = format!("/ssf/stream?stream_id={id}");
    let shown = receiver.request("GET", &named).await.must_be(200).json();
    assert_eq!(shown["events_delivered"], json!([SESSION_REVOKED]));
    // It is nobody else's.
    for (method, path) in [("GET", &*named), ("DELETE", &*named), ("POST", &*path)] {
        let request = other.request(method, path);
        let request = if method == "POST" { request.json(&json!({})) } else { request };
        request.await.must_be(404);
    }
    // Says that it works, and what it was told to say.
    receiver.post("/ssf/verify", json!({ "stream_id": id, "state": "VGhpcw" })).await.must_be(204);
    let told = receiver.poll(&path, json!({})).await;
    assert_eq!(told[0].1["events"][VERIFICATION], json!({ "state": "VGhpcw" }));
    assert_eq!(told[0].1["sub_id"], json!({ "format": "opaque", "id": id }));
    receiver.poll(&path, json!({ "ack": [told[0].0] })).await;
    // Switched off it gathers nothing.
    let off = json!({ "stream_id": id, "status": "disabled" });
    receiver.post("/ssf/status", off).await.must_be(200);
    let browser = server.sign_in(&ada).await;
    browser.post_json("/api/v1/logout", &json!({})).await.must_be(204);
    assert!(receiver.poll(&path, json!({})).await.is_empty());
    let status = receiver.request("GET", "/ssf/status").await.must_be(200).json();
    assert_eq!(status["status"], "disabled");
    receiver.request("DELETE", &named).await.must_be(204);
    receiver.request("DELETE", &named).await.must_be(404);
    receiver.post(&path, json!({})).await.must_be(404);
}

#[tokio::test]
async fn only_a_client_that_may_has_a_stream_and_bad_wishes_are_told() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let receiver = Receiver::of(&server).await;
    let body = json!({ "delivery": { "method": POLL } });
    server.client().post_json("/ssf/stream", &body).await.must_be(401);
    let tokens = server.tokens(&ada).await;
    let person = server.client().post_json("/ssf/stream", &body).bearer(&tokens.access).await;
    assert!(person.status.is_client_error());
    let follower = Known::follower(&server).await.own_token(&[]).await.must_be(200).json();
    let request = server.client().post_json("/ssf/stream", &body);
    let refused = request.bearer(follower["access_token"].as_str().unwrap()).await;
    refused.must_be_problem(403, "insufficient_scope");
    let push =
        |url: &str| json!({ "delivery": { "method": "urn:ietf:rfc:8935", "endpoint_url": url } });
    for (body, code) in [
        (json!({ "delivery": { "method": "urn:x" } }), "unsupported"),
        (json!({ "delivery": { "method": "urn:ietf:rfc:8935" } }), "missing-member"),
        (push("http://example.com/"), "malformed-endpoint"),
        (push("file:///etc/passwd"), "malformed-endpoint"),
        (push("https://user@example.com/"), "malformed-endpoint"),
        (push("gopher://example.com/"), "malformed-endpoint"),
        (json!({ "events_requested": ["urn:other"] }), "unsupported"),
    ] {
        let reply = receiver.post("/ssf/stream", body.clone()).await;
        assert_eq!(reply.status, 422, "{body}: {}", reply.describe());
        assert_eq!(reply.json()["code"], code, "{body}");
    }
    let path = receiver.stream().await;
    let long = json!({ "state": "x".repeat(1025) });
    receiver.post("/ssf/verify", long).await.must_be_problem(422, "too-long");
    for _ in 0..10 {
        receiver.post("/ssf/verify", json!({})).await.must_be(204);
    }
    receiver.post("/ssf/verify", json!({})).await.must_be_problem(429, "too-many");
    // Names that are none of its events are passed over.
    let odd = json!({ "ack": ["", "x", "1", "é", Base64UrlUnpadded::encode_string(b"x")] });
    assert_eq!(receiver.poll(&path, odd).await.len(), 10);
}

#[tokio::test]
async fn signals_are_pushed_again_until_they_are_taken() {
    let server = Server::start().await;
    let pusher = tokio::spawn(doorward_server::push::run(server.app.clone()));
    let ada = server.member("ada").await;
    let receiver = Receiver::of(&server).await;
    let post = Post::open().await;
    let delivery = json!({ "method": "urn:ietf:rfc:8935", "endpoint_url": post.url });
    receiver.post("/ssf/stream", json!({ "delivery": delivery })).await.must_be(201);
    let tokens = server.tokens(&ada).await;
    post.answer_with(503);
    server.client().post("/api/v1/logout").bearer(&tokens.access).await.must_be(204);
    let first = post.next().await;
    assert!(first.0.contains("content-type: application/secevent+jwt"), "{}", first.0);
    assert!(first.0.starts_with("POST /events?of=doorward HTTP/1.1"), "{}", first.0);
    post.answer_with(202);
    let second = post.next().await;
    let name = |text: &str| {
        let payload = text.split('.').nth(1).unwrap();
        let claims = Base64UrlUnpadded::decode_vec(payload).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        (claims["jti"].clone(), claims["sub_id"]["session"]["id"].clone())
    };
    assert_eq!(name(&first.1), name(&second.1), "the same event");
    assert_eq!(name(&second.1).1, json!(tokens.sid));
    // It was taken: what comes next is the next.
    receiver.post("/ssf/verify", json!({})).await.must_be(204);
    assert_ne!(name(&post.next().await.1).0, name(&second.1).0);
    pusher.abort();
}

/// Where events are pushed to.
struct Post {
    url: String,
    status: std::sync::Arc<std::sync::atomic::AtomicU16>,
    came: tokio::sync::Mutex<tokio::sync::mpsc::Receiver<(String, String)>>,
}

impl Post {
    async fn open() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/events?of=doorward", listener.local_addr().unwrap());
        let status = std::sync::Arc::new(std::sync::atomic::AtomicU16::new(202));
        let (sender, came) = tokio::sync::mpsc::channel(16);
        let said = std::sync::Arc::clone(&status);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let status = said.load(std::sync::atomic::Ordering::SeqCst);
                if let Some(read) = take(stream, status).await {
                    let _ = sender.send(read).await;
                }
            }
        });
        Self { url, status, came: tokio::sync::Mutex::new(came) }
    }

    fn answer_with(&self, status: u16) {
        self.status.store(status, std::sync::atomic::Ordering::SeqCst);
    }

    async fn next(&self) -> (String, String) {
        let mut came = self.came.lock().await;
        within(Duration::from_secs(10), "a pushed event", came.recv()).await.unwrap()
    }
}

/// Reads one request, and answers with a status.
async fn take(mut stream: tokio::net::TcpStream, status: u16) -> Option<(String, String)> {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
            if body.len() >= length.parse().ok()? {
                let said = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
                stream.write_all(said.as_bytes()).await.ok()?;
                return Some((head.to_owned(), body.to_owned()));
            }
        }
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    }
}
