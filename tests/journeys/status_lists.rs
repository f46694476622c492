//! Status lists: one bit for each token, for verifiers that know nothing of our feed.

use base64ct::Encoding;
use doorward_wire::jose::{Algorithm, JwkSet, KeySet};
use doorward_wire::status_list::{MEDIA_TYPE, StatusList};
use serde_json::{Value, json};

use crate::harness::Server;
use crate::harness::oauth::Known;

/// What a token says of where its status is told.
fn place(token: &str) -> (u64, String) {
    let payload = token.split('.').nth(1).unwrap();
    let payload = base64ct::Base64UrlUnpadded::decode_vec(payload).unwrap();
    let claims: Value = serde_json::from_slice(&payload).unwrap();
    let status = &claims["status"]["status_list"];
    (status["idx"].as_u64().unwrap(), status["uri"].as_str().unwrap().to_owned())
}

/// Fetches a list and verifies it, as a service of somebody's would.
async fn fetch(server: &Server, uri: &str) -> StatusList {
    let path = uri.strip_prefix(&server.origin).unwrap();
    let reply = server.client().get(path).header("accept", MEDIA_TYPE).await.must_be(200);
    assert_eq!(reply.header("content-type"), Some(MEDIA_TYPE));
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    assert_eq!(reply.header("cache-control"), Some("public, max-age=5"));
    let jwks = server.client().get("/.well-known/jwks.json").await.must_be(200).json();
    let jwks: JwkSet = serde_json::from_value(jwks).unwrap();
    let keys = KeySet::from_jwks(&jwks).unwrap();
    let names = (&*server.origin, uri);
    let now = server.clock.time();
    StatusList::verify(reply.text(), &keys, names, &[Algorithm::EdDsa], now).unwrap()
}

#[tokio::test]
async fn a_token_whose_session_ends_is_marked_and_no_other() {
    let server = Server::with(|settings| settings.status_list = true).await;
    let (ada, bob) = (server.member("ada").await, server.member("bob").await);
    let client = Known::follower(&server).await;
    let (first, second) = (server.tokens(&ada).await, server.tokens(&bob).await);
    let own = client.own_token(&[]).await.must_be(200).json();
    let own = own["access_token"].as_str().unwrap();
    let places = [place(&first.access), place(&second.access), place(own)];
    assert_eq!(places.each_ref().map(|(number, _)| *number), [0, 1, 2], "each its own");
    let uri = places[0].1.clone();
    let marks = async || {
        let list = fetch(&server, &uri).await;
        [0, 1, 2].map(|number| list.is_revoked(number).unwrap())
    };
    assert_eq!(marks().await, [false; 3]);
    server.client().post("/api/v1/logout").bearer(&first.access).await.must_be(204);
    // The clock of the test stands still, and a list is made once a second.
    server.clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(marks().await, [true, false, false]);
    client.revoke_tokens().await;
    server.clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(marks().await, [true, false, true]);
    // A token that was renewed has another place than the one before.
    let renewed = server.refresh(&second.refresh).await.must_be(200).json();
    assert_eq!(place(renewed["access_token"].as_str().unwrap()).0, 3);
    let lists = server.client().get("/status-lists").await.must_be(200).json();
    assert_eq!(lists, json!({ "status_lists": [uri] }));
}

#[tokio::test]
async fn what_is_not_there_is_not_made_up() {
    let server = Server::with(|settings| settings.status_list = true).await;
    server.client().get("/status-lists/0").await.must_be(404);
    server.tokens(&server.member("ada").await).await;
    server.client().get("/status-lists/0").await.must_be(200);
    for path in [
        "/status-lists/1",
        "/status-lists/-1",
        "/status-lists/x",
        "/status-lists/99999999999999999999",
    ] {
        server.client().get(path).await.must_be(404);
    }
    server.client().get("/status-lists/0?time=1700000000").await.must_be(501);
    let cbor =
        server.client().get("/status-lists/0").header("accept", "application/statuslist+cwt");
    cbor.await.must_be(406);
    // Off, tokens say nothing of it.
    let server = Server::start().await;
    let tokens = server.tokens(&server.member("ada").await).await;
    let payload = tokens.access.split('.').nth(1).unwrap().to_owned();
    let payload = base64ct::Base64UrlUnpadded::decode_vec(&payload).unwrap();
    assert!(!String::from_utf8(payload).unwrap().contains("status"));
    server.client().get("/status-lists/0").await.must_be(404);
}
