//! A visitor: a session before login, its data, and what goes over.

use serde_json::{Value, json};

use crate::harness::{Browser, Reply, Server};

const DATA: &str = "/api/v1/session/data";

async fn visitor(server: &Server) -> Browser {
    let browser = server.browser();
    browser.post_json("/api/v1/session", &json!({})).await.must_be(201);
    browser
}

async fn put(browser: &Browser, key: &str, value: &Value, condition: (&str, &str)) -> Reply {
    let request = browser.request("PUT", &format!("{DATA}/{key}")).json(value);
    browser.send(request.header(condition.0, condition.1)).await
}

#[tokio::test]
async fn a_basket_goes_over_at_login_under_a_new_secret() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let browser = visitor(&server).await;
    let shown = browser.get("/api/v1/session").await.must_be(200).json();
    assert_eq!(shown["account"], Value::Null);
    assert_eq!(shown["session"]["account"], Value::Null);
    assert_eq!(shown["session"]["amr"], json!([]));
    browser.get("/api/v1/account").await.must_be_problem(401, "unauthenticated");
    browser.get("/api/v1/sessions").await.must_be_problem(401, "unauthenticated");

    browser.put_json(&format!("{DATA}/basket"), &json!(["tea"])).await.must_be(201);
    browser.put_json(&format!("{DATA}/campaign"), &json!("spring")).await.must_be(201);
    let before = browser.copy();
    let more = json!({ "carry": ["basket", "nothing"] });
    let reply = server.sign_in_with(&browser, &ada, more).await.must_be(200);
    assert_eq!(reply.json()["session"]["data"], json!({ "basket": ["tea"] }));
    assert_ne!(browser.secret(), before.secret());
    assert!(!before.is_signed_in().await, "the anonymous secret is dead");
    let shown = browser.get("/api/v1/session").await.must_be(200).json();
    assert_eq!(shown["session"]["data"], json!({ "basket": ["tea"] }), "only what was asked for");
    assert_eq!(server.rows().session_datum, 1);
}

#[tokio::test]
async fn nothing_goes_over_from_a_session_that_was_somebodys() {
    let server = Server::start().await;
    let (ada, bob) = (server.member("ada").await, server.member("bob").await);
    let browser = server.sign_in(&ada).await;
    browser.put_json(&format!("{DATA}/notes"), &json!("private")).await.must_be(201);
    let more = json!({ "carry": ["notes"] });
    let reply = server.sign_in_with(&browser, &bob, more).await.must_be(200);
    assert_eq!(reply.json()["session"]["data"], json!({}));
    assert_eq!(server.rows().session_datum, 0);
}

#[tokio::test]
async fn opening_an_anonymous_session_never_takes_over_what_the_browser_had() {
    let server = Server::start().await;
    let browser = server.sign_in(&server.member("ada").await).await;
    let before = browser.copy();
    browser.post_json("/api/v1/session", &json!({})).await.must_be(201);
    assert_ne!(browser.secret(), before.secret());
    assert!(!before.is_signed_in().await);
    let shown = browser.get("/api/v1/session").await.must_be(200).json();
    assert_eq!(shown["account"], Value::Null);
}

#[tokio::test]
async fn a_visitor_can_end_their_session() {
    let server = Server::start().await;
    let browser = visitor(&server).await;
    let before = browser.copy();
    browser.post("/api/v1/logout").await.must_be(204);
    assert!(!before.is_signed_in().await);
    assert_eq!(server.rows().session, 0);
}

#[tokio::test]
async fn each_value_has_a_version_that_a_writer_can_insist_on() {
    let server = Server::start().await;
    let browser = visitor(&server).await;
    let reply = put(&browser, "basket", &json!([1]), ("if-none-match", "*")).await.must_be(201);
    assert_eq!(reply.json()["version"], 1);
    assert_eq!(reply.header("etag"), Some("\"1\""));
    let reply = put(&browser, "basket", &json!([2]), ("if-none-match", "*")).await;
    reply.must_be_problem(409, "version-conflict");
    let reply = put(&browser, "basket", &json!([2]), ("if-match", "\"1\"")).await.must_be(200);
    assert_eq!(reply.json()["version"], 2);
    let reply = put(&browser, "basket", &json!([3]), ("if-match", "\"1\"")).await;
    let reply = reply.must_be_problem(409, "version-conflict");
    assert_eq!(reply.json()["current_version"], 2);
    assert_eq!(reply.header("etag"), Some("\"2\""));
    let remove = |version: &str| {
        browser.request("DELETE", &format!("{DATA}/basket")).header("if-match", version)
    };
    browser.send(remove("\"1\"")).await.must_be_problem(409, "version-conflict");
    let shown = browser.get(DATA).await.must_be(200).json();
    assert_eq!(shown["data"]["basket"], json!({ "value": [2], "version": 2 }));
    browser.send(remove("\"2\"")).await.must_be(204);
    assert_eq!(browser.get(DATA).await.must_be(200).json()["data"], json!({}));
    assert_eq!(server.rows().session_datum, 0);
    for condition in [("if-match", "two"), ("if-match", "*"), ("if-none-match", "\"1\"")] {
        let reply = put(&browser, "basket", &json!([2]), condition).await;
        reply.must_be_problem(422, "malformed-version");
    }
    // A second line does not go unseen beside one that would do.
    for (name, first, second) in [("if-match", "\"0\"", "\"7\""), ("if-none-match", "*", "*")] {
        let request = browser.request("PUT", &format!("{DATA}/basket")).json(&json!([2]));
        let reply = browser.send(request.header(name, first).header(name, second)).await;
        reply.must_be_problem(422, "malformed-version");
    }
    assert_eq!(server.rows().session_datum, 0);
}

#[tokio::test]
async fn of_many_writers_who_read_the_same_version_one_wins() {
    let server = Server::start().await;
    let browser = visitor(&server).await;
    put(&browser, "basket", &json!([0]), ("if-none-match", "*")).await.must_be(201);
    let writers: Vec<_> = (0..12)
        .map(|writer| {
            let browser = browser.clone();
            tokio::spawn(async move {
                put(&browser, "basket", &json!([writer]), ("if-match", "\"1\"")).await.status
            })
        })
        .collect();
    let mut statuses = Vec::new();
    for writer in writers {
        statuses.push(writer.await.unwrap().as_u16());
    }
    statuses.sort_unstable();
    assert_eq!(statuses[0], 200);
    assert!(statuses[1..].iter().all(|status| *status == 409), "{statuses:?}");
    assert_eq!(browser.get(DATA).await.json()["data"]["basket"]["version"], 2);
}

#[tokio::test]
async fn data_over_the_limit_is_refused_and_nothing_of_it_is_kept() {
    let server = Server::start().await;
    let browser = visitor(&server).await;
    let value = |length: usize| json!("x".repeat(length));
    browser.put_json(&format!("{DATA}/one"), &value(40 * 1024)).await.must_be(201);
    let reply = browser.put_json(&format!("{DATA}/two"), &value(30 * 1024)).await;
    reply.must_be_problem(413, "session-data-too-large");
    assert_eq!(server.rows().session_datum, 1);
    // Up to the last byte: 64 KiB of keys and JSON text, quotes too.
    let left = 64 * 1024 - ("one".len() + 40 * 1024 + 2) - ("two".len() + 2);
    let reply = browser.put_json(&format!("{DATA}/two"), &value(left + 1)).await;
    reply.must_be_problem(413, "session-data-too-large");
    browser.put_json(&format!("{DATA}/two"), &value(left)).await.must_be(201);
}

#[tokio::test]
async fn data_ends_with_its_session() {
    let server = Server::start().await;
    let browser = visitor(&server).await;
    browser.put_json(&format!("{DATA}/basket"), &json!(1)).await.must_be(201);
    let before = browser.copy();
    browser.post("/api/v1/logout").await.must_be(204);
    assert_eq!(server.rows().session_datum, 0);
    let late = before.put_json(&format!("{DATA}/basket"), &json!(2)).await;
    late.must_be_problem(401, "unauthenticated");
    assert_eq!(server.rows().session_datum, 0, "a late write never brings a session back");
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let server = Server::start().await;
    let browser = visitor(&server).await;
    for key in ["a%20b", "%C3%A9", "a%2Fb", "%00", &"k".repeat(65)] {
        let reply = browser.put_json(&format!("{DATA}/{key}"), &json!(1)).await;
        reply.must_be_problem(422, "malformed-key");
    }
    browser.put_json(&format!("{DATA}/{}", "k".repeat(64)), &json!(1)).await.must_be(201);
    assert_eq!(server.rows().session_datum, 1);
}
