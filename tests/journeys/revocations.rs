//! The revocation feed: what counts no longer, told to whoever verifies elsewhere.

use std::time::{Duration, Instant};

use doorward_server::Settings;
use doorward_server::feed::READERS_MAX;
use doorward_wire::jose::{Algorithm, KeySet};
use doorward_wire::json;
use doorward_wire::revocation::{Bulletin, Revoked};
use doorward_wire::sse::Event;
use serde_json::{Value, json};

use crate::harness::client::Request;
use crate::harness::server::login_body;
use crate::harness::stream::Stream;
use crate::harness::{Member, PASSWORD, Process, Server, Tokens, eventually, report};

const FEED: &str = "/api/v1/revocations";

/// A server, somebody who may follow it, and an ordinary member.
struct Scene {
    server: Server,
    follower: Tokens,
    member: Tokens,
    keys: KeySet,
}

impl Scene {
    async fn start() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let server = Server::with(change).await;
        let root = server.administrator("root").await;
        let scope = json!({ "scope": "doorward.revocations" });
        let follower = server.tokens_with(&root, scope).await;
        let member = server.tokens(&server.member("ada").await).await;
        let published = server.client().get("/.well-known/jwks.json").await.must_be(200);
        let keys = KeySet::from_jwks(&json::strict(&published.body).unwrap()).unwrap();
        Self { server, follower, member, keys }
    }

    fn get(&self, target: &str) -> Request {
        self.server.client().get(target).bearer(&self.follower.access)
    }

    async fn stream(&self, after: u64) -> Stream {
        let request = self.get(&format!("{FEED}?after={after}"));
        request.header("accept", "text/event-stream").stream().await
    }

    fn read(&self, text: &str) -> Bulletin {
        Bulletin::verify(text, &self.keys, &self.server.origin, &[Algorithm::EdDsa]).unwrap()
    }

    /// The next bulletin of a stream.
    async fn next(&self, stream: &mut Stream) -> Bulletin {
        let event = stream.next().await.expect("the stream has ended");
        self.read_event(&event)
    }

    fn read_event(&self, event: &Event) -> Bulletin {
        assert_eq!(event.name.as_deref(), Some("bulletin"));
        let bulletin = self.read(&event.text);
        assert_eq!(event.id.as_deref(), Some(bulletin.seq.to_string().as_str()));
        bulletin
    }

    /// The next bulletin that tells something.
    async fn news(&self, stream: &mut Stream) -> Bulletin {
        loop {
            let bulletin = self.next(stream).await;
            if !bulletin.entries.is_empty() {
                return bulletin;
            }
        }
    }

    /// Opens a session and ends it.
    async fn end_one(&self) -> String {
        let tokens = self.server.tokens(&Self::member()).await;
        self.server.client().post("/api/v1/logout").bearer(&tokens.access).await.must_be(204);
        tokens.sid
    }

    fn member() -> Member {
        Member { id: String::new(), username: "ada".into(), password: PASSWORD.into() }
    }
}

fn ended(sid: &str) -> Revoked {
    Revoked::Session(sid.parse().unwrap())
}

#[tokio::test]
async fn an_end_is_told_at_once_and_silence_is_told_too() {
    let scene = Scene::start().await;
    let mut stream = scene.stream(0).await;
    assert_eq!(stream.head.status, 200);
    assert_eq!(stream.head.header("content-type"), Some("text/event-stream"));
    assert_eq!(stream.head.header("cache-control"), Some("no-store"));
    assert_eq!(stream.head.header("x-accel-buffering"), Some("no"));
    let first = scene.next(&mut stream).await;
    assert_eq!((first.after, first.seq, first.head), (0, 0, 0));
    let mut took = Vec::new();
    for n in 1..=20 {
        let sid = scene.end_one().await;
        let acknowledged = Instant::now();
        let told = scene.news(&mut stream).await;
        took.push(acknowledged.elapsed());
        assert_eq!((told.after, told.seq, told.head), (n - 1, n, n));
        assert_eq!(told.entries[0].revocation.revoked, ended(&sid));
        assert_eq!((&told.log, &told.run), (&first.log, &first.run));
    }
    took.sort();
    report(&format!("acknowledged end to bulletin: median {:?}, most {:?}", took[10], took[19]));
    let (one, two) = (scene.next(&mut stream).await, scene.next(&mut stream).await);
    assert!(one.entries.is_empty() && two.entries.is_empty() && two.seq == 20);
    assert!(two.ms - one.ms <= 1000, "a heartbeat at least once a second: {one:?} {two:?}");
}

#[tokio::test]
async fn a_new_proof_is_told_with_the_time_from_which_tokens_count() {
    let scene = Scene::start().await;
    let mut stream = scene.stream(0).await;
    let body = json!({ "password": PASSWORD });
    let again = scene.server.client().post_json("/api/v1/session/reauthenticate", &body);
    let fresh = Tokens::read(&again.bearer(&scene.member.access).await.must_be(200));
    let told = scene.news(&mut stream).await.entries[0].revocation;
    assert_eq!(told.revoked, Revoked::Proof(scene.member.sid.parse().unwrap()));
    let proved_at = fresh.body["session"]["proved_at"].as_str().unwrap();
    assert_eq!(told.not_before.to_string(), proved_at);
}

#[tokio::test]
async fn who_comes_back_goes_on_from_where_it_was_and_a_stranger_gets_all_that_counts() {
    let scene = Scene::start().await;
    let mut sids = Vec::new();
    for _ in 0..95 {
        sids.push(scene.end_one().await);
    }
    for known in [0, 1, 39, 40, 94, 95] {
        let after = known as u64;
        let mut stream = scene.stream(after).await;
        let mut told = Vec::new();
        let mut position = after;
        loop {
            let bulletin = scene.next(&mut stream).await;
            assert!(bulletin.after <= position, "a gap: {bulletin:?}");
            told.extend(bulletin.entries.iter().filter(|entry| entry.seq > position).copied());
            position = bulletin.seq;
            if position == bulletin.head {
                break;
            }
        }
        let expected: Vec<_> = sids[known..].iter().map(|sid| ended(sid)).collect();
        let told: Vec<_> = told.iter().map(|entry| entry.revocation.revoked).collect();
        assert_eq!(told, expected, "after {after}");
    }
    let resumed =
        scene.get(FEED).header("accept", "text/event-stream").header("last-event-id", "94");
    let mut stream = resumed.stream().await;
    assert_eq!(scene.next(&mut stream).await.after, 94);
}

#[tokio::test]
async fn pages_say_the_same_as_the_stream() {
    let scene = Scene::start().await;
    let empty = scene.get(FEED).await.must_be(200).json();
    assert_eq!((&empty["data"], &empty["head"]), (&json!([]), &json!(0)));
    assert_eq!(empty["next_cursor"], Value::Null);
    for _ in 0..5 {
        scene.end_one().await;
    }
    let mut after = 0;
    for (expected, next) in [(2, json!("2")), (2, json!("4")), (1, Value::Null)] {
        let page = scene.get(&format!("{FEED}?after={after}&limit=2")).await.must_be(200).json();
        let data = page["data"].as_array().unwrap();
        assert_eq!(data.len(), expected);
        assert_eq!(page["next_cursor"], next);
        let bulletin = scene.read(page["bulletins"][0].as_str().unwrap());
        assert_eq!(json!(bulletin.entries), page["data"]);
        assert_eq!((bulletin.after, bulletin.head), (after, 5));
        after = bulletin.seq;
    }
    // What has expired is gone, and the bulletin says where what is left begins.
    scene.server.clock.advance_seconds(1000);
    scene.server.store.sweep_revocations(scene.server.clock.time(), 3).await.unwrap();
    let follower = scene.server.refresh(&scene.follower.refresh).await.must_be(200);
    let access = Tokens::read(&follower).access;
    let page = scene.server.client().get(FEED).bearer(&access).await.must_be(200).json();
    let bulletin = scene.read(page["bulletins"][0].as_str().unwrap());
    assert_eq!((bulletin.after, bulletin.seq), (3, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_passed_over_by_who_reads_while_sessions_end() {
    let scene = Scene::start().await;
    let ada = Scene::member();
    let mut ending = Vec::new();
    for _ in 0..200 {
        let tokens = scene.server.tokens(&ada).await;
        let logout = scene.server.client().post("/api/v1/logout").bearer(&tokens.access);
        ending.push(logout);
    }
    let ends = tokio::spawn(async move {
        for logout in ending {
            logout.await.must_be(204);
        }
    });
    // As fast as it can, each time from where the bulletin says.
    let (mut told, mut position) = (0, 0);
    while told < 200 {
        let page = scene.get(&format!("{FEED}?after={position}")).await.must_be(200).json();
        for text in page["bulletins"].as_array().unwrap() {
            let bulletin = scene.read(text.as_str().unwrap());
            assert_eq!(bulletin.after, position, "nothing has expired, so nothing is passed over");
            told += bulletin.entries.len();
            position = bulletin.seq;
        }
    }
    ends.await.unwrap();
    assert_eq!(position, 200);
}

#[tokio::test]
async fn the_feed_is_for_those_who_were_granted_it() {
    let scene = Scene::start().await;
    let client = scene.server.client();
    client.get(FEED).await.must_be_problem(401, "unauthenticated");
    let refused = client.get(FEED).bearer(&scene.member.access).await;
    refused.must_be_problem(403, "insufficient_scope");
    // A member is not granted it, however it is asked for.
    let bob = scene.server.member("bob").await;
    let asked = scene.server.tokens_with(&bob, json!({ "scope": "doorward.revocations" })).await;
    assert_eq!(asked.body["scope"], "");
    client.get(FEED).bearer(&asked.access).await.must_be_problem(403, "insufficient_scope");
    // A cookie is a person's, and goes along by itself.
    let root = Member { username: "root".into(), ..Scene::member() };
    let browser = scene.server.sign_in(&root).await;
    browser.get(FEED).await.must_be_problem(403, "insufficient_scope");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_a_word() {
    let scene = Scene::start().await;
    for (query, code) in [
        ("?after=-1", "malformed-query"),
        ("?after=x", "malformed-query"),
        ("?after=1&after=2", "malformed-query"),
        ("?before=1", "malformed-query"),
        ("?limit=0", "out-of-range"),
        ("?limit=201", "out-of-range"),
    ] {
        scene.get(&format!("{FEED}{query}")).await.must_be_problem(422, code);
    }
    for stream in [false, true] {
        let accept = if stream { "text/event-stream" } else { "application/json" };
        let ahead = scene.get(&format!("{FEED}?after=7")).header("accept", accept).await;
        ahead.must_be_problem(409, "ahead-of-log");
    }
    let odd = scene.get(FEED).header("accept", "text/event-stream").header("last-event-id", "x");
    odd.await.must_be_problem(422, "malformed-event-id");
}

#[tokio::test]
async fn a_stream_ends_with_the_session_or_the_token_of_its_reader() {
    let scene = Scene::start().await;
    let mut expiring = scene.stream(0).await;
    scene.server.clock.advance_seconds(331);
    while expiring.next().await.is_some() {}
    let scene = Scene::start().await;
    let mut ending = scene.stream(0).await;
    scene.server.client().post("/api/v1/logout").bearer(&scene.follower.access).await.must_be(204);
    while ending.next().await.is_some() {}
}

#[tokio::test]
async fn there_is_a_bound_to_how_many_read_and_a_place_that_is_left_is_free() {
    let scene = Scene::start().await;
    let mut readers = Vec::new();
    for _ in 0..READERS_MAX {
        let stream = scene.stream(0).await;
        assert_eq!(stream.head.status, 200);
        readers.push(stream);
    }
    let full = scene.get(FEED).header("accept", "text/event-stream").await;
    assert!(full.header("retry-after").is_some());
    full.must_be_problem(503, "too-many-readers");
    // Pages are for everybody.
    scene.get(FEED).await.must_be(200);
    drop(readers.pop());
    let again = eventually("a free place", || async {
        let stream = scene.stream(0).await;
        (stream.head.status == 200).then_some(stream)
    });
    let mut again = again.await;
    assert_eq!(scene.next(&mut again).await.seq, 0);
}

#[tokio::test]
async fn a_reader_that_does_not_read_holds_nobody_up() {
    let scene = Scene::start().await;
    // Never read from: what is sent to it fills the buffers of its connection and no more.
    let deaf = scene.stream(0).await;
    let mut listening = scene.stream(0).await;
    for _ in 0..10 {
        let sid = scene.end_one().await;
        let told = scene.news(&mut listening).await;
        assert_eq!(told.entries[0].revocation.revoked, ended(&sid));
    }
    drop(deaf);
}

#[tokio::test]
async fn a_server_that_stops_lets_its_readers_go() {
    let mut process = Process::start(&[]).await;
    let code = std::fs::read_to_string(process.data().path().join("setup-link")).unwrap();
    let fields = [("code", &*code), ("username", "root"), ("password", PASSWORD)];
    process.browser().post_form("/setup", &fields).await.must_be(303);
    let root = Member { username: "root".into(), id: String::new(), password: PASSWORD.into() };
    let body = login_body(&root, "token", json!({ "scope": "doorward.revocations" }));
    let login = process.client().post_json("/api/v1/login", &body).await.must_be(200);
    let access = Tokens::read(&login).access;
    let feed = process.client().get(FEED).header("accept", "text/event-stream").bearer(&access);
    let mut stream = feed.stream().await;
    assert_eq!(stream.head.status, 200);
    stream.next().await.unwrap();
    let began = Instant::now();
    process.terminate();
    assert_eq!(process.wait().await.code(), Some(0));
    report(&format!("asked to stop, with a stream open: {:?}", began.elapsed()));
    // Requests under way may take 25 s: a stream is not waited for.
    assert!(began.elapsed() < Duration::from_secs(20));
    while stream.next().await.is_some() {}
}
