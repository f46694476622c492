//! The keys that verify our tokens, as anybody may read them.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use base64ct::{Base64UrlUnpadded, Encoding};
use doorward_core::event::EventKind;
use doorward_guard::{Credential, Denied, Guard};
use doorward_server::settings::Audience;
use doorward_wire::UnixTime;
use doorward_wire::jose::Algorithm;
use doorward_wire::token::TokenRefusal;
use serde_json::json;

use crate::harness::oauth::Known;
use crate::harness::wait::PATIENCE;
use crate::harness::{PASSWORD, Process, Server, Tokens, eventually, report, within};

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

/// Lets time pass in steps in which the server looks after its keys, as it does all the time.
async fn pass(server: &Server, hours: u64) {
    for _ in 0..hours {
        server.clock.advance_seconds(3600);
        server.app.keys.turn(&*server.store, &server.app.ambient).await.unwrap();
    }
}

/// A verifier that keeps the published keys for five minutes, as it is told to.
struct Cache {
    etag: String,
    guard: Guard,
    read_at: UnixTime,
}

impl Cache {
    async fn read(server: &Server) -> Self {
        let reply = server.client().get("/.well-known/jwks.json").await.must_be(200);
        let keys = doorward_wire::json::strict(&reply.body).unwrap();
        let guard = Guard::offline(&server.origin, &server.origin, &keys).unwrap();
        let etag = reply.header("etag").unwrap().to_owned();
        Self { etag, guard, read_at: server.clock.time() }
    }

    async fn check(&mut self, server: &Server, access: &str) {
        let now = server.clock.time();
        if now.since(self.read_at) >= Duration::from_mins(5) {
            let known = server.client().get("/.well-known/jwks.json");
            let reply = known.header("if-none-match", &self.etag).await;
            if reply.status == 304 {
                assert_eq!(reply.header("etag"), Some(&*self.etag));
                self.read_at = now;
            } else {
                *self = Self::read(server).await;
            }
        }
        let said = self.guard.check(Some(&format!("Bearer {access}")), now);
        assert!(said.is_ok(), "{said:?} at {now}");
    }
}

fn signed_by(access: &str) -> String {
    let header = access.split('.').next().unwrap();
    let header = Base64UrlUnpadded::decode_vec(header).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

fn stages(server: &Server) -> Vec<&'static str> {
    let standings = server.app.keys.standings(server.clock.time());
    standings.iter().map(|standing| standing.stage.name()).collect()
}

#[tokio::test]
async fn keys_follow_each_other_and_no_good_token_is_refused() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let mut tokens = server.tokens(&ada).await;
    let mut cache = Cache::read(&server).await;
    let (mut kids, mut checks) = (vec![signed_by(&tokens.access)], 0);
    // Nearly three lives of a key: idle days, and around each turn minutes under load.
    for idle in [89 * 24 - 1, 89 * 24 - 2, 89 * 24 - 2] {
        pass(&server, idle).await;
        let before = server.tokens(&ada).await;
        assert_eq!(&signed_by(&before.access), kids.last().unwrap());
        assert_eq!(stages(&server), ["active"]);
        let mut good: Vec<(UnixTime, String)> = Vec::new();
        for minute in 0..26 * 60 {
            server.clock.advance_seconds(60);
            server.app.keys.turn(&*server.store, &server.app.ambient).await.unwrap();
            let now = server.clock.time();
            if minute % 240 == 0 {
                tokens = server.tokens(&ada).await;
            } else {
                tokens = Tokens::read(&server.refresh(&tokens.refresh).await.must_be(200));
            }
            good.push((now, tokens.access.clone()));
            // To the last of their five minutes, and not into the leeway for other clocks.
            good.retain(|(issued_at, _)| now.since(*issued_at) < Duration::from_mins(5));
            if !(120..23 * 60).contains(&minute) {
                for (_, access) in &good {
                    server.whoami(access).await.must_be(200);
                    cache.check(&server, access).await;
                    checks += 1;
                }
            }
        }
        kids.push(signed_by(&tokens.access));
        assert_eq!(stages(&server), ["active"], "the one before has ended, and is gone");
    }
    kids.dedup();
    assert_eq!(kids.len(), 4, "three turns");
    report(&format!("three turns of the key: {checks} checks of good tokens, none refused"));
    let created = server.events(EventKind::KeyCreated).await;
    assert_eq!((created.len(), server.events(EventKind::KeyGone).await.len()), (4, 3));
}

#[tokio::test]
async fn a_key_retired_in_an_emergency_verifies_nothing_from_then_on() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let client = Known::follower(&server).await;
    let credential = Credential::client(client.id.clone(), client.secret.clone());
    let guard = Guard::follow(&server.origin, &server.origin, credential).start().unwrap();
    within(PATIENCE, "a guard that is ready", guard.ready()).await;
    let tokens = server.tokens(&ada).await;
    let bearer = format!("Bearer {}", tokens.access);
    assert!(guard.check(Some(&bearer), server.clock.time()).is_ok());
    let stolen = server.app.keys.standings(server.clock.time())[0].kid;
    let retire =
        async || server.app.keys.retire(stolen, &*server.store, &server.app.ambient).await.unwrap();
    assert!(retire().await && !retire().await);
    server.whoami(&tokens.access).await.must_be_problem(401, "invalid_token");
    let published =
        server.client().get("/.well-known/jwks.json").await.must_be(200).text().to_owned();
    assert!(!published.contains(&stolen.to_string()));
    // Sessions go on: a refresh token is no signature.
    let fresh = Tokens::read(&server.refresh(&tokens.refresh).await.must_be(200));
    assert_ne!(signed_by(&fresh.access), stolen.to_string());
    server.whoami(&fresh.access).await.must_be(200);
    // A guard that follows reads the keys again as soon as it hears that they are others.
    let refused = Err(Denied::Refused(TokenRefusal::Key));
    eventually("a guard that trusts the key no more", || async {
        (guard.check(Some(&bearer), server.clock.time()) == refused).then_some(())
    })
    .await;
    let bearer = format!("Bearer {}", fresh.access);
    eventually("a guard that knows the new key", || async {
        guard.check(Some(&bearer), server.clock.time()).ok()
    })
    .await;
    assert_eq!(server.events(EventKind::KeyRetired).await.len(), 1);
}

#[tokio::test]
async fn two_nodes_that_turn_at_once_make_one_successor() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    server.tokens(&ada).await;
    let nodes =
        [server.again(|_| {}).await, server.again(|_| {}).await, server.again(|_| {}).await];
    server.clock.advance_seconds(89 * 86_400 + 5);
    let turn = |node: &Server| {
        let (app, store) = (node.app.clone(), node.store.clone());
        tokio::spawn(async move { app.keys.turn(&*store, &app.ambient).await.unwrap() })
    };
    for turned in nodes.iter().map(turn).collect::<Vec<_>>() {
        turned.await.unwrap();
    }
    assert_eq!(server.rows().signing_key, 2);
    for node in &nodes {
        node.app.keys.turn(&*node.store, &node.app.ambient).await.unwrap();
        assert_eq!(node.app.keys.published().etag, nodes[0].app.keys.published().etag);
    }
}

#[tokio::test]
async fn keys_are_turned_and_retired_beside_the_running_server() {
    let process = Process::start(&[]).await;
    let client = process.client();
    let body = json!({ "username": "ada", "password": PASSWORD });
    client.post_json("/api/v1/accounts", &body).await.must_be(201);
    let body = json!({ "username": "ada", "password": PASSWORD, "carrier": "token" });
    let login = async || Tokens::read(&client.post_json("/api/v1/login", &body).await.must_be(200));
    let run = async |words: &str, args: &[&str]| {
        let output = process.data().run(words, args).await;
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.code().unwrap(), text, String::from_utf8(output.stderr).unwrap())
    };
    let list = async || {
        let (code, text, complaint) = run("key list", &["--json"]).await;
        assert_eq!(code, 0, "{complaint}");
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect::<Vec<serde_json::Value>>()
    };
    let old = login().await;
    let keys = list().await;
    assert_eq!((keys.len(), &keys[0]["stage"]), (1, &json!("active")));
    // Planned: announced, published at once, and not used yet.
    let (code, _, complaint) = run("key rotate", &[]).await;
    assert_eq!(code, 0, "{complaint}");
    let keys = list().await;
    assert_eq!((keys.len(), &keys[1]["stage"]), (2, &json!("announced")));
    let next = keys[1]["kid"].as_str().unwrap().to_owned();
    eventually("the next key, published", || async {
        let published = client.get("/.well-known/jwks.json").await.must_be(200).text().to_owned();
        published.contains(&next).then_some(())
    })
    .await;
    assert_eq!(signed_by(&login().await.access), signed_by(&old.access));
    assert!(run("key rotate", &[]).await.1.contains("announced already"));
    // In an emergency: at once.
    let stolen = signed_by(&old.access);
    let (code, _, complaint) = run("key retire", &[&stolen]).await;
    assert!(code == 1 && complaint.contains("--yes"), "{complaint}");
    assert_eq!(run("key retire", &[&stolen, "--yes"]).await.0, 0);
    let began = Instant::now();
    eventually("a token of a retired key, refused", || async {
        let reply = client.get("/api/v1/session").bearer(&old.access).await;
        (reply.status == 401).then_some(())
    })
    .await;
    report(&format!("key retire to refusal by the running server: {:?}", began.elapsed()));
    let fresh = login().await;
    assert_ne!(signed_by(&fresh.access), stolen);
    client.get("/api/v1/session").bearer(&fresh.access).await.must_be(200);
    assert_eq!(run("key retire", &[&stolen, "--yes"]).await.0, 4);
    assert_eq!(run("key retire", &["key_00000000000000000000000000", "--yes"]).await.0, 4);
    assert_eq!(run("key rotate", &["--algorithm", "none"]).await.0, 2);
}

#[tokio::test]
async fn the_published_keys_have_a_strong_etag() {
    let server = Server::start().await;
    server.tokens(&server.member("ada").await).await;
    let get = async |known: &str| {
        server.client().get("/.well-known/jwks.json").header("if-none-match", known).await
    };
    let reply = get("\"other\"").await.must_be(200);
    let etag = reply.header("etag").unwrap().to_owned();
    assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() > 20);
    for known in [etag.clone(), format!("\"other\", {etag}"), format!("W/{etag}"), "*".into()] {
        let reply = get(&known).await.must_be(304);
        assert!(reply.body.is_empty());
        assert_eq!(reply.header("cache-control"), Some("public, max-age=300"));
    }
}
