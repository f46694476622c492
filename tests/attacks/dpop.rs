//! Tokens that are bound to a key (RFC 9449): stolen ones, stolen proofs, and one kind used as the other.

use std::time::Duration;

use doorward_wire::jose::Algorithm;
use serde_json::{Value, json};

use crate::harness::dpop::{Holder, shown};
use crate::harness::oauth::Known;
use crate::harness::server::{Tokens, login_body};
use crate::harness::{Reply, Server};

const SESSION: &str = "/api/v1/session";

/// A server, a member's bound tokens, and the program that has the key.
async fn bound() -> (Server, Holder, Tokens) {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let holder = Holder::new();
    let tokens = holder.tokens(&server, &ada, json!({})).await;
    (server, holder, tokens)
}

#[track_caller]
fn refused(reply: Reply, status: u16, code: &str) {
    let reply = reply.must_be(status);
    let body = reply.json();
    let said = body["code"].as_str().or(body["error"].as_str());
    assert_eq!(said, Some(code), "{body}");
    if status == 401 && code != "invalid-refresh-token" {
        let challenge = reply.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("DPoP ") && challenge.contains(code), "{challenge}");
        assert!(challenge.contains("algs=\"ES256 EdDSA RS256\""), "{challenge}");
    }
    assert!(reply.header("dpop-nonce").is_some(), "the nonce for the next proof");
    assert_eq!(reply.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn tokens_are_bound_by_a_proof_with_a_nonce_and_counted_with_one() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256] {
        let holder = Holder::by(algorithm);
        // As a program that knows nothing yet: it is given the nonce.
        let mut claims = holder.claims(&server, ("POST", "/api/v1/login"), None);
        claims.as_object_mut().unwrap().remove("nonce");
        let login = |proof: &str| {
            let body = login_body(&ada, "token", json!({}));
            server.client().post_json("/api/v1/login", &body).header("dpop", proof)
        };
        let told = login(&holder.key.token(&holder.header(), &claims)).await;
        let nonce = told.header("dpop-nonce").unwrap().to_owned();
        refused(told, 400, "use_dpop_nonce");
        claims["nonce"] = nonce.into();
        let welcome = login(&holder.key.token(&holder.header(), &claims)).await.must_be(200);
        assert_eq!(welcome.json()["token_type"], "DPoP");
        let tokens = Tokens::read(&welcome);
        let seen = holder.get(&server, SESSION, &tokens.access).await.must_be(200);
        assert!(seen.header("dpop-nonce").is_some());
        assert_eq!(seen.json()["session"]["sid"], tokens.sid);
        let mut lower = holder.get(&server, SESSION, &tokens.access).without("authorization");
        lower = lower.header("authorization", format!("dpop {}", tokens.access));
        lower.await.must_be(200);
    }
}

#[tokio::test]
async fn neither_kind_of_token_is_taken_for_the_other() {
    let (server, holder, tokens) = bound().await;
    // A thief has no key, and leaves the proof away.
    let stolen = server.whoami(&tokens.access).await.must_be(401);
    assert_eq!(stolen.json()["code"], "invalid_token");
    let proof = holder.proof(&server, ("GET", SESSION), Some(&tokens.access));
    let stolen = server.client().get(SESSION).bearer(&tokens.access).header("dpop", &proof).await;
    stolen.must_be(401);
    shown(server.client().get(SESSION), &tokens.access, &proof).await.must_be(200);
    // Nor does a plain token become better by a proof.
    let ada = server.member("bob").await;
    let plain = server.tokens(&ada).await;
    refused(holder.get(&server, SESSION, &plain.access).await, 401, "invalid_token");
    server.whoami(&plain.access).await.must_be(200);
    // Nor a cookie, a refresh token, or nothing.
    for text in [&*tokens.refresh, "x", ""] {
        let reply = holder.get(&server, SESSION, text).await;
        reply.must_be(401);
    }
}

/// What a thief, or a careless program, changes of an honest proof.
enum Change {
    Claim(&'static str, Value),
    NoClaim(&'static str),
    Header(&'static str, Value),
}

/// Changed proofs, and what is said of them.
fn changes(server: &Server, holder: &Holder) -> Vec<(Change, &'static str)> {
    use Change::{Claim, Header, NoClaim};
    let (now, origin) = (server.clock.time().0, &server.origin);
    let mut private = holder.key.jwk();
    private["d"] = "AAAA".into();
    let stale = server.app.keys.nonces().nonce(doorward_wire::UnixTime(now - 600));
    let secure = origin.replace("http:", "https:");
    let wrong = [
        Claim("htm", json!("POST")),
        Claim("htu", json!(format!("{origin}/api/v1/account"))),
        Claim("htu", json!(format!("http://evil.example{SESSION}"))),
        Claim("htu", json!(format!("http://localhost:1{SESSION}"))),
        Claim("htu", json!(format!("{secure}{SESSION}"))),
        Claim("iat", json!(now - 600)),
        Claim("iat", json!(now + 600)),
        NoClaim("iat"),
        NoClaim("jti"),
        Claim("ath", json!("AAAA")),
        NoClaim("ath"),
        Header("jwk", private),
        Header("jwk", Holder::new().key.jwk()),
        Header("alg", json!("none")),
        Header("alg", json!("HS256")),
        Header("typ", json!("JWT")),
    ];
    let old = [
        NoClaim("nonce"),
        Claim("nonce", json!(stale)),
        Claim("nonce", json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
    ];
    let wrong = wrong.into_iter().map(|change| (change, "invalid_dpop_proof"));
    wrong.chain(old.into_iter().map(|change| (change, "use_dpop_nonce"))).collect()
}

/// Attack 60, at a protected route.
#[tokio::test]
async fn a_proof_counts_for_one_request_one_token_and_one_time() {
    let (server, holder, tokens) = bound().await;
    let show = async |proof: &str| shown(server.client().get(SESSION), &tokens.access, proof).await;
    let good = || holder.proof(&server, ("GET", SESSION), Some(&tokens.access));
    for (change, code) in changes(&server, &holder) {
        let mut header = holder.header();
        let mut claims = holder.claims(&server, ("GET", SESSION), Some(&tokens.access));
        match change {
            Change::Claim(name, value) => claims[name] = value,
            Change::NoClaim(name) => drop(claims.as_object_mut().unwrap().remove(name)),
            Change::Header(name, value) => header[name] = value,
        }
        refused(show(&holder.key.token(&header, &claims)).await, 401, code);
        show(&good()).await.must_be(200);
    }
    for text in [&*tokens.access, "garbage", ""] {
        refused(show(text).await, 401, "invalid_dpop_proof");
    }
    let other = Holder::new().proof(&server, ("GET", SESSION), Some(&tokens.access));
    refused(show(&other).await, 401, "invalid_token");
    // The query is no part of it.
    let path = format!("{SESSION}?x=y");
    shown(server.client().get(&path), &tokens.access, &good()).await.must_be(200);
}

#[tokio::test]
async fn a_proof_counts_once_and_alone() {
    let (server, holder, tokens) = bound().await;
    let show = async |proof: &str| shown(server.client().get(SESSION), &tokens.access, proof).await;
    let good = || holder.proof(&server, ("GET", SESSION), Some(&tokens.access));
    let once = good();
    show(&once).await.must_be(200);
    refused(show(&once).await, 401, "invalid_dpop_proof");
    let two = shown(server.client().get(SESSION), &tokens.access, &good()).header("dpop", good());
    refused(two.await, 401, "invalid_dpop_proof");
    let none = server.client().get(SESSION);
    let none = none.header("authorization", format!("DPoP {}", tokens.access)).await.must_be(401);
    assert_eq!(none.json()["code"], "invalid_dpop_proof");
    // A bound token ends with its session, too.
    server.clock.advance(Duration::from_mins(2));
    show(&good()).await.must_be(200);
    let proof = holder.proof(&server, ("POST", "/api/v1/logout"), Some(&tokens.access));
    shown(server.client().post("/api/v1/logout"), &tokens.access, &proof).await.must_be(204);
    refused(show(&good()).await, 401, "invalid_token");
}

#[tokio::test]
async fn a_proof_that_one_node_has_seen_is_old_on_another() {
    let (server, holder, tokens) = bound().await;
    let node = server.again(|_| {}).await;
    let proof = holder.proof(&server, ("GET", SESSION), Some(&tokens.access));
    shown(server.client().get(SESSION), &tokens.access, &proof).await.must_be(200);
    refused(
        shown(node.client().get(SESSION), &tokens.access, &proof).await,
        401,
        "invalid_dpop_proof",
    );
    let proof = holder.proof(&server, ("GET", SESSION), Some(&tokens.access));
    shown(node.client().get(SESSION), &tokens.access, &proof).await.must_be(200);
}

#[tokio::test]
async fn of_one_proof_shown_by_twenty_at_once_one_counts() {
    let (server, holder, tokens) = bound().await;
    let proof = holder.proof(&server, ("GET", SESSION), Some(&tokens.access));
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..20 {
        all.spawn(IntoFuture::into_future(shown(
            server.client().get(SESSION),
            &tokens.access,
            &proof,
        )));
    }
    let replies = all.join_all().await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 1);
}

#[tokio::test]
async fn a_bound_refresh_token_turns_for_its_key_alone() {
    let (server, holder, tokens) = bound().await;
    let thief = Holder::new();
    for _ in 0..2 {
        server.refresh(&tokens.refresh).await.must_be(401);
        refused(thief.refreshing(&server, &tokens.refresh).await, 401, "invalid-refresh-token");
    }
    let next = holder.refreshing(&server, &tokens.refresh).await.must_be(200);
    assert_eq!(next.json()["token_type"], "DPoP");
    let next = Tokens::read(&next);
    // The answer was lost: the same successor, by a new proof of the same key.
    let again = Tokens::read(&holder.refreshing(&server, &tokens.refresh).await.must_be(200));
    assert_eq!(again.refresh, next.refresh);
    // Much later a thief who has the old one, and no key, ends nothing.
    server.clock.advance(Duration::from_mins(1));
    server.refresh(&tokens.refresh).await.must_be(401);
    thief.refreshing(&server, &tokens.refresh).await.must_be(401);
    holder.get(&server, SESSION, &next.access).await.must_be(200);
    holder.get(&server, SESSION, &again.access).await.must_be(200);
    // A plain one is not bound by showing a key.
    let bob = server.member("bob").await;
    let plain = server.tokens(&bob).await;
    holder.refreshing(&server, &plain.refresh).await.must_be(401);
    server.refresh(&plain.refresh).await.must_be(200);
}

#[tokio::test]
async fn a_new_proof_of_the_owner_keeps_the_key() {
    let (server, holder, tokens) = bound().await;
    let path = "/api/v1/session/reauthenticate";
    let proof = holder.proof(&server, ("POST", path), Some(&tokens.access));
    let request = server.client().post_json(path, &json!({ "password": crate::harness::PASSWORD }));
    let renewed = shown(request, &tokens.access, &proof).await.must_be(200);
    assert_eq!(renewed.json()["token_type"], "DPoP");
    let renewed = Tokens::read(&renewed);
    server.whoami(&renewed.access).await.must_be(401);
    holder.get(&server, SESSION, &renewed.access).await.must_be(200);
    server.refresh(&renewed.refresh).await.must_be(401);
    holder.refreshing(&server, &renewed.refresh).await.must_be(200);
}

#[tokio::test]
async fn a_clients_own_token_is_bound_too() {
    let server = Server::start().await;
    let client = Known::follower(&server).await;
    let holder = Holder::new();
    let path = "/oauth/token";
    let ask = |proof: &str| {
        let request = server.client().post_form(path, &[("grant_type", "client_credentials")]);
        request.header("authorization", client.basic()).header("dpop", proof)
    };
    let mut claims = holder.claims(&server, ("POST", path), None);
    claims["nonce"] = "x".into();
    let told = ask(&holder.key.token(&holder.header(), &claims)).await;
    refused(told, 400, "use_dpop_nonce");
    let proof = holder.proof(&server, ("POST", path), None);
    let given = ask(&proof).await.must_be(200).json();
    assert_eq!(given["token_type"], "DPoP");
    let token = given["access_token"].as_str().unwrap();
    refused(ask(&proof).await, 400, "invalid_dpop_proof");
    let feed = "/api/v1/revocations";
    server.client().get(feed).bearer(token).await.must_be(401);
    holder.get(&server, feed, token).await.must_be(200);
    Holder::new().get(&server, feed, token).await.must_be(401);
    // Whoever asks about it hears which key it is bound to.
    let about = client.introspect(token).await;
    assert_eq!((&about["active"], &about["token_type"]), (&json!(true), &json!("DPoP")));
    assert!(about["cnf"]["jkt"].is_string(), "{about}");
    let metadata = server.client().get("/.well-known/oauth-authorization-server").await.json();
    assert_eq!(metadata["dpop_signing_alg_values_supported"], json!(["ES256", "EdDSA", "RS256"]));
}
