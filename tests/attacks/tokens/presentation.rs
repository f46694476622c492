//! Presentation: where a token counts, and what else does not count in its place.

use doorward_wire::jose::Algorithm;
use serde_json::json;

use super::Forge;
use crate::attacks::Clean;
use crate::harness::Tokens;

/// Attack 50 (RFC 6750, section 2; OAuth 2.1, section 5.2.1): a token in an address is in every log
/// and every `Referer`, and a token in a body of GET is nowhere.
#[tokio::test]
async fn a_token_counts_in_its_header_and_nowhere_else() {
    let forge = Forge::of(Algorithm::EdDsa).await;
    let (client, token) = (forge.server.client(), forge.tokens.access.as_str());
    client.get("/api/v1/session").bearer(token).await.clean().must_be(200);
    for name in ["access_token", "token", "bearer_token", "authorization", "jwt", "id_token"] {
        let target = format!("/api/v1/session?{name}={token}");
        client.get(&target).await.clean().must_be_problem(401, "unauthenticated");
        let form = [(name, token)];
        let request = client.get("/api/v1/session").form(&form);
        request.await.clean().must_be_problem(401, "unauthenticated");
        let request = client.get("/api/v1/session").json(&json!({name: token}));
        request.await.clean().must_be_problem(401, "unauthenticated");
        let request = client.post_form("/api/v1/logout", &form);
        assert!(matches!(request.await.clean().status.as_u16(), 401 | 415));
        let request = client.post(&format!("/api/v1/logout?{name}={token}"));
        request.await.clean().must_be_problem(401, "unauthenticated");
        let request = client.get("/api/v1/session").cookie(format!("{name}={token}"));
        request.await.clean().must_be_problem(401, "unauthenticated");
        let request = client.get("/api/v1/session").header(&name.replace('_', "-"), token);
        let code = request.await.clean().problem_code();
        // `Authorization: <token>` is that header, without a scheme.
        assert_eq!(code == "invalid_token", name == "authorization", "{name}: {code}");
    }
    let request = client.get("/api/v1/session").cookie(format!("doorward={token}"));
    request.await.clean().must_be(401);
    forge.passes(token, "and was not ended by any of this").await;
    // A token in the query beside the one in the header is ignored, not believed.
    let target = "/api/v1/session?access_token=garbage";
    client.get(target).bearer(token).await.clean().must_be(200);
}

/// Attack 50 (RFC 9110, section 11.1; RFC 6750, section 2.1): the scheme is compared without regard
/// to case, one space follows it, and nothing follows the token.
#[tokio::test]
async fn the_authorization_header_is_read_strictly() {
    let forge = Forge::of(Algorithm::EdDsa).await;
    let (client, token) = (forge.server.client(), forge.tokens.access.as_str());
    let ask = |value: &str| client.get("/api/v1/session").header("authorization", value);
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        ask(&format!("{scheme} {token}")).await.clean().must_be(200);
    }
    for evil in [
        format!("Bearer  {token}"),
        format!("Bearer\t{token}"),
        format!("Bearer \t{token}"),
        format!("Bearer{token}"),
        format!("Bearer={token}"),
        format!("Bearer: {token}"),
        format!("Bearer token={token}"),
        format!("Bearer \"{token}\""),
        format!("Bearer {token},"),
        format!("Bearer {token} x"),
        format!("Bearer {token}, Bearer {token}"),
        format!("Basic {token}"),
        format!("Token {token}"),
        format!("JWT {token}"),
        token.to_owned(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer null".to_owned(),
        "Bearer undefined".to_owned(),
        String::new(),
        "Basic YWxpY2U6cGFzc3dvcmQ=".to_owned(),
        format!("Bearer {}", forge.tokens.refresh),
        format!("Bearer {}", forge.tokens.sid),
    ] {
        let reply = ask(&evil).await.clean();
        let challenge = reply.header("www-authenticate").map(str::to_owned);
        reply.must_be_problem(401, "invalid_token");
        let expected = "Bearer realm=\"doorward\", error=\"invalid_token\"";
        assert_eq!(challenge.as_deref(), Some(expected), "{evil}");
    }
    // Without any proof there is no error to name (RFC 6750, section 3.1).
    let bare = client.get("/api/v1/session").await.clean();
    assert_eq!(bare.header("www-authenticate"), Some("Bearer realm=\"doorward\""));
    bare.must_be_problem(401, "unauthenticated");
}

/// Attack 50 (RFC 6750, section 2): two headers, of which a proxy may read the one and we the
/// other.
#[tokio::test]
async fn two_authorization_headers_are_one_too_many() {
    let forge = Forge::of(Algorithm::EdDsa).await;
    let token = format!("Bearer {}", forge.tokens.access);
    for (one, other) in [
        (token.as_str(), token.as_str()),
        (&token, "Bearer garbage"),
        ("Bearer garbage", &token),
        (&token, "Basic YTpi"),
        (&token, ""),
        ("", &token),
    ] {
        let client = forge.server.client();
        for method in ["GET", "POST"] {
            let path = if method == "GET" { "/api/v1/session" } else { "/api/v1/logout" };
            let request = client.request(method, path);
            let request = request.header("authorization", one).header("Authorization", other);
            request.await.clean().must_be_problem(400, "malformed-request");
        }
    }
    forge.passes(&forge.tokens.access, "alone").await;
}

/// Attack 50 and the contract, section 4: the header always wins over the cookie, and a bad one
/// never falls back to it.
#[tokio::test]
async fn a_bad_token_never_falls_back_to_a_good_cookie() {
    let forge = Forge::of(Algorithm::EdDsa).await;
    let bob = forge.server.member("bob").await;
    let browser = forge.server.sign_in(&bob).await;
    let ask =
        |value: &str| browser.request("GET", "/api/v1/session").header("authorization", value);
    let good = ask(&format!("Bearer {}", forge.tokens.access)).await.clean().must_be(200).json();
    assert_eq!(good["account"]["username"], "alice");
    assert_eq!(good["carrier"], "token");
    for bad in ["Bearer garbage", "Bearer ", "Basic YTpi", "", "Bearer x.y.z"] {
        ask(bad).await.clean().must_be_problem(401, "invalid_token");
        let logout = browser.request("POST", "/api/v1/logout").header("authorization", bad);
        logout.await.clean().must_be_problem(401, "invalid_token");
        let page = browser.request("GET", "/account").header("authorization", bad);
        assert!(page.await.clean().must_be(303).location().starts_with("/login"));
    }
    assert!(browser.is_signed_in().await);
}

/// Attack 44 (RFC 9068, section 2.2; ASVS 5.0, 9.2.2): each proof in each other's place.
#[tokio::test]
async fn no_proof_counts_in_another_s_place() {
    let forge = Forge::of(Algorithm::EdDsa).await;
    let server = &forge.server;
    let secret = server.sign_in(&forge.alice).await.secret();
    let bare = forge.tokens.refresh.trim_start_matches("dwr_").to_owned();
    for other in [&forge.tokens.refresh, &bare, &secret, &forge.tokens.sid, &forge.alice.id] {
        forge.refuses(other, "as an access token").await;
    }
    for other in [&forge.tokens.access, &bare, &secret, &format!("dwr_{secret}"), &forge.tokens.sid]
    {
        let reply = server.refresh(other).await.clean();
        reply.must_be_problem(401, "invalid-refresh-token");
        // As a way to log out it is silent, and ends nothing.
        let body = json!({"refresh_token": other});
        server.client().post_json("/api/v1/logout", &body).await.clean().must_be(204);
    }
    for other in [&forge.tokens.refresh, &bare, &forge.tokens.access] {
        let request = server.client().get("/api/v1/session").cookie(format!("doorward={other}"));
        request.await.clean().must_be_problem(401, "unauthenticated");
    }
    forge.passes(&forge.tokens.access, "in its own place").await;
    let request = server.client().get("/api/v1/session").cookie(format!("doorward={secret}"));
    request.await.clean().must_be(200);
    let renewed = Tokens::read(&server.refresh(&forge.tokens.refresh).await.clean().must_be(200));
    forge.passes(&renewed.access, "renewed").await;
}
