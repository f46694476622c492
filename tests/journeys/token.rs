//! An API client: tokens, what they say, and their end.

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};

use crate::harness::{PASSWORD, Server};

/// Verifies an access token as somebody else's service would: with `jsonwebtoken` and our JWKS.
async fn claims(server: &Server, access: &str, audience: &str, algorithm: Algorithm) -> Value {
    let header = decode_header(access).unwrap();
    assert_eq!(header.alg, algorithm);
    assert_eq!(header.typ.as_deref(), Some("at+jwt"));
    let published = server.client().get("/.well-known/jwks.json").await.must_be(200);
    let set: JwkSet = serde_json::from_slice(&published.body).unwrap();
    let jwk = set.find(&header.kid.unwrap()).expect("the key that signed is published");
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&[audience]);
    validation.set_issuer(&[&server.origin]);
    // The server's clock is moved by hand, and this library asks the machine's.
    validation.validate_exp = false;
    decode::<Value>(access, &DecodingKey::from_jwk(jwk).unwrap(), &validation).unwrap().claims
}

#[tokio::test]
async fn a_program_logs_in_and_out_by_token_and_refreshes_in_between() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let body = json!({ "username": "ada", "password": PASSWORD, "carrier": "token" });
    let reply = server.client().post_json("/api/v1/login", &body).await.must_be(200);
    assert_eq!(reply.set_cookie(), None, "tokens need no cookie");
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let tokens = crate::harness::Tokens::read(&reply);
    assert_eq!(tokens.body["token_type"], "Bearer");
    assert_eq!(tokens.body["expires_in"], 300);
    assert_eq!(tokens.body["account"]["id"], ada.id.as_str());
    assert_eq!(tokens.body["session"]["carrier"], "token");
    let secret = tokens.refresh.strip_prefix("dwr_").unwrap();
    assert_eq!(secret.len(), 43);

    let shown = server.whoami(&tokens.access).await.must_be(200).json();
    assert_eq!(shown["carrier"], "token");
    assert_eq!(shown["account"]["username"], "ada");
    assert_eq!(shown["session"]["sid"], tokens.sid.as_str());

    let reply = server.refresh(&tokens.refresh).await.must_be(200);
    let fresh = crate::harness::Tokens::read(&reply);
    assert_eq!(fresh.sid, tokens.sid, "a refresh stays in its session");
    assert_ne!(fresh.refresh, tokens.refresh);
    server.whoami(&fresh.access).await.must_be(200);

    let logout = server.client().post("/api/v1/logout").bearer(&fresh.access);
    let reply = logout.await.must_be(204);
    assert_eq!(reply.set_cookie(), None);
    for access in [&tokens.access, &fresh.access] {
        let reply = server.whoami(access).await.must_be_problem(401, "invalid_token");
        let challenge = reply.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("Bearer") && challenge.contains("error=\"invalid_token\""));
    }
    for refresh in [&tokens.refresh, &fresh.refresh] {
        server.refresh(refresh).await.must_be_problem(401, "invalid-refresh-token");
    }
    assert_eq!(server.rows().session, 0);
    assert_eq!(server.rows().refresh_token, 0);
}

#[tokio::test]
async fn a_client_whose_access_token_has_expired_logs_out_by_its_refresh_token() {
    let server = Server::start().await;
    let tokens = server.tokens(&server.member("ada").await).await;
    server.clock.advance_seconds(600);
    server.whoami(&tokens.access).await.must_be(401);
    let body = json!({ "refresh_token": tokens.refresh });
    server.client().post_json("/api/v1/logout", &body).await.must_be(204);
    server.refresh(&tokens.refresh).await.must_be_problem(401, "invalid-refresh-token");
    assert_eq!(server.rows().session, 0);
    // Whoever asks again, or with garbage, is told nothing (RFC 7009, section 2.2).
    server.client().post_json("/api/v1/logout", &body).await.must_be(204);
}

#[tokio::test]
async fn an_access_token_says_what_rfc_9068_asks_for() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let tokens = server.tokens_with(&ada, json!({ "scope": "profile email" })).await;
    let said = claims(&server, &tokens.access, &server.origin, Algorithm::EdDSA).await;
    let now = server.clock.time().0;
    assert_eq!(said["iss"], server.origin.as_str());
    assert_eq!(said["sub"], ada.id.as_str());
    assert_eq!(said["exp"], now + 300);
    assert_eq!(said["iat"], now);
    assert_eq!(said["auth_time"], now);
    assert_eq!(said["sid"], tokens.sid.as_str());
    assert_eq!(said["acr"], "aal1");
    assert_eq!(said["amr"], json!(["pwd"]));
    assert_eq!(said["scope"], "profile email");
    assert!(said["client_id"].is_string());
    assert!(said["jti"].as_str().unwrap().starts_with("tok_"));
    for forbidden in ["username", "email", "password", "groups", "cnf"] {
        assert_eq!(said.get(forbidden), None, "{forbidden} is not granted: {said}");
    }
}

#[tokio::test]
async fn a_token_counts_for_five_minutes_and_the_leeway() {
    let server = Server::start().await;
    let tokens = server.tokens(&server.member("ada").await).await;
    server.clock.advance_seconds(329);
    server.whoami(&tokens.access).await.must_be(200);
    server.clock.advance_seconds(1);
    server.whoami(&tokens.access).await.must_be_problem(401, "invalid_token");
}

#[tokio::test]
async fn each_audience_gets_tokens_of_its_own_algorithm() {
    use doorward_server::settings::Audience;
    use doorward_wire::jose::Algorithm as Ours;
    let audience = |name: &str, algorithm| Audience {
        name: name.to_owned(),
        algorithm,
        scopes: vec!["orders".to_owned()],
    };
    let server = Server::with(|settings| {
        settings.audiences = vec![
            audience("https://es.example", Ours::Es256),
            audience("https://rs.example", Ours::Rs256),
            audience("https://hs.example", Ours::Hs256),
        ];
    })
    .await;
    let ada = server.member("ada").await;
    for (name, algorithm) in
        [("https://es.example", Algorithm::ES256), ("https://rs.example", Algorithm::RS256)]
    {
        let more = json!({ "audience": name, "scope": "orders profile" });
        let tokens = server.tokens_with(&ada, more).await;
        let said = claims(&server, &tokens.access, name, algorithm).await;
        assert_eq!(said["scope"], "orders", "only what that audience offers");
        // A token for somebody else is none for us, though we signed it.
        server.whoami(&tokens.access).await.must_be_problem(401, "invalid_token");
        let reply = server.refresh(&tokens.refresh).await.must_be(200);
        let fresh = crate::harness::Tokens::read(&reply);
        claims(&server, &fresh.access, name, algorithm).await;
    }
    let tokens = server.tokens_with(&ada, json!({ "audience": "https://hs.example" })).await;
    assert_eq!(decode_header(&tokens.access).unwrap().alg, Algorithm::HS256);
    let kid = decode_header(&tokens.access).unwrap().kid.unwrap();
    let published = server.client().get("/.well-known/jwks.json").await.must_be(200);
    assert!(!published.text().contains(&kid), "a shared secret is never published");
    server.whoami(&tokens.access).await.must_be_problem(401, "invalid_token");

    let body = json!({
        "username": "ada", "password": PASSWORD, "carrier": "token",
        "audience": "https://other.example",
    });
    let reply = server.client().post_json("/api/v1/login", &body).await;
    reply.must_be_problem(422, "unknown-audience");
}

#[tokio::test]
async fn our_own_api_takes_the_algorithm_it_was_given_and_no_other() {
    use doorward_wire::jose::Algorithm as Ours;
    for (ours, theirs) in [
        (Ours::Es256, Algorithm::ES256),
        (Ours::Rs256, Algorithm::RS256),
        (Ours::Hs256, Algorithm::HS256),
    ] {
        let server = Server::with(|settings| settings.algorithm = ours).await;
        let tokens = server.tokens(&server.member("ada").await).await;
        assert_eq!(decode_header(&tokens.access).unwrap().alg, theirs);
        server.whoami(&tokens.access).await.must_be(200);
    }
}

#[tokio::test]
async fn only_an_administrator_is_granted_the_administrators_scope() {
    let server = Server::start().await;
    let (ada, root) = (server.member("ada").await, server.administrator("root.account").await);
    let asked = json!({ "scope": "profile doorward.admin" });
    let tokens = server.tokens_with(&ada, asked.clone()).await;
    assert_eq!(tokens.body["scope"], "profile");
    let tokens = server.tokens_with(&root, asked).await;
    assert_eq!(tokens.body["scope"], "profile doorward.admin");
    let said = claims(&server, &tokens.access, &server.origin, Algorithm::EdDSA).await;
    assert_eq!(said["roles"], json!(["administrator"]));
}

#[tokio::test]
async fn an_authorization_header_wins_over_a_cookie_and_a_bad_one_never_falls_back() {
    let server = Server::start().await;
    let (ada, bob) = (server.member("ada").await, server.member("bob").await);
    let browser = server.sign_in(&ada).await;
    let tokens = server.tokens(&bob).await;
    let both = browser.request("GET", "/api/v1/session").bearer(&tokens.access);
    assert_eq!(both.await.must_be(200).json()["account"]["username"], "bob");
    for bad in ["Bearer garbage", "Bearer ", "Basic YTpi", "", "garbage"] {
        let request = browser.request("GET", "/api/v1/session").header("authorization", bad);
        let reply = request.await;
        assert_eq!(reply.status, 401, "{bad:?}: {}", reply.describe());
    }
}
