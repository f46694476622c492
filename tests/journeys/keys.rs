//! The keys that verify our tokens, as anybody may read them.

use std::collections::HashSet;

use doorward_server::settings::Audience;
use doorward_wire::jose::Algorithm;
use serde_json::json;

use crate::harness::{Server, Tokens};

#[tokio::test]
async fn the_published_keys_hold_no_private_member() {
    let server = Server::with(|settings| {
        let audience = |name: &str, algorithm| Audience {
            name: name.to_owned(),
            algorithm,
            scopes: Vec::new(),
        };
        settings.audiences = vec![
            audience("es", Algorithm::Es256),
            audience("rs", Algorithm::Rs256),
            audience("hs", Algorithm::Hs256),
        ];
    })
    .await;
    let ada = server.member("ada").await;
    for audience in ["", "es", "rs", "hs"] {
        server.tokens_with(&ada, json!({ "audience": audience })).await;
    }
    assert_eq!(server.rows().signing_key, 4);
    let reply = server.client().get("/.well-known/jwks.json").await.must_be(200);
    assert_eq!(reply.header("content-type"), Some("application/jwk-set+json"));
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    assert!(reply.header("cache-control").unwrap().contains("max-age"));
    let body = reply.json();
    let keys = body["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 3, "EdDSA, ES256 and RS256; never the shared secret: {body}");
    let mut kids = HashSet::new();
    for key in keys {
        for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            assert_eq!(key.get(private), None, "{key}");
        }
        assert_eq!(key["use"], "sig");
        assert!(key["alg"].is_string());
        assert_ne!(key["kty"], "oct");
        assert!(kids.insert(key["kid"].as_str().unwrap()), "{body}");
    }
}

#[tokio::test]
async fn a_key_is_made_on_first_need_and_once() {
    let server = Server::start().await;
    assert_eq!(server.rows().signing_key, 0);
    let published = server.client().get("/.well-known/jwks.json").await.must_be(200).json();
    assert_eq!(published, json!({ "keys": [] }));
    let ada = server.member("ada").await;
    let (one, two, three) =
        tokio::join!(server.tokens(&ada), server.tokens(&ada), server.tokens(&ada));
    for Tokens { access, .. } in [one, two, three] {
        server.whoami(&access).await.must_be(200);
    }
    assert_eq!(server.rows().signing_key, 1, "three first tokens at once, one key");
}

#[tokio::test]
async fn tokens_count_across_a_restart_and_the_keys_rest_sealed() {
    use crate::harness::{PASSWORD, Process};
    let process = Process::start(&[]).await;
    let client = process.client();
    let body = json!({ "username": "ada", "password": PASSWORD });
    client.post_json("/api/v1/accounts", &body).await.must_be(201);
    let body = json!({ "username": "ada", "password": PASSWORD, "carrier": "token" });
    let tokens = Tokens::read(&client.post_json("/api/v1/login", &body).await.must_be(200));
    let port = process.address.port().to_string();
    let data = process.stop().await;

    // The issuer has the port in it, so the same one is asked for again.
    let listen = format!("127.0.0.1:{port}");
    let process = data.start_at(&listen, &[]).await;
    let request = process.client().get("/api/v1/session").bearer(&tokens.access);
    request.await.must_be(200);
    process.stop().await;

    let kept = std::fs::read(data.database()).unwrap();
    let pkcs8_ed25519 = [0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    let found = kept.windows(pkcs8_ed25519.len()).any(|window| window == pkcs8_ed25519);
    assert!(!found, "no private key lies open in the database");
}
