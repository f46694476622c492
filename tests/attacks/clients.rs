//! Clients that are none, that show too much, or ask about what is not theirs.

use doorward_server::settings::Audience;
use doorward_wire::jose::Algorithm;
use serde_json::{Value, json};

use crate::harness::client::percent;
use crate::harness::oauth::Known;
use crate::harness::{Reply, Server};

const ASKED: [&str; 3] = ["/oauth/token", "/oauth/introspect", "/oauth/revoke"];
const SHOP: &str = "https://shop.example";

/// What each endpoint needs besides a client.
const FORM: [(&str, &str); 2] = [("grant_type", "client_credentials"), ("token", "a.b.c")];

#[track_caller]
fn must_be_unknown(reply: Reply, what: &str) {
    let reply = reply.must_be(401);
    assert_eq!(reply.json()["error"], "invalid_client", "{what}");
    let challenge = reply.header("www-authenticate").unwrap_or_default();
    assert!(challenge.starts_with("Basic "), "{what}: {challenge}");
    assert_eq!(reply.header("cache-control"), Some("no-store"), "{what}");
}

#[tokio::test]
async fn whoever_is_not_a_client_is_refused_alike() {
    let server = Server::start().await;
    let client = Known::with(&server, &["doorward.revocations"], &[&server.origin]).await;
    let other = Known::follower(&server).await;
    let wrong = format!("dwc_{}", "A".repeat(43));
    let nobody = "cli_00000000000000000000000000";
    let mut bodies: Vec<Value> = Vec::new();
    for path in ASKED {
        for (id, secret) in [
            (client.id.as_str(), wrong.as_str()),
            (client.id.as_str(), other.secret.as_str()),
            (client.id.as_str(), ""),
            (client.id.as_str(), &client.secret[4..]),
            (client.id.as_str(), &client.secret[..46]),
            (nobody, client.secret.as_str()),
            ("doorward", client.secret.as_str()),
            ("", client.secret.as_str()),
            ("' OR 1=1 --", client.secret.as_str()),
        ] {
            let what = format!("{path} {id:?} {secret:?}");
            let basic = client.basic_of(id, secret);
            let request = server.client().post_form(path, &FORM).header("authorization", basic);
            let reply = request.await;
            bodies.push(reply.json());
            must_be_unknown(reply, &what);
            if !secret.is_empty() && !id.is_empty() {
                let form = [&FORM[..], &[("client_id", id), ("client_secret", secret)]].concat();
                let reply = server.client().post_form(path, &form).await;
                must_be_unknown(reply, &what);
            }
        }
        // Nothing at all.
        must_be_unknown(server.client().post_form(path, &FORM).await, path);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "which of them was wrong is not told: {bodies:?}");
}

#[tokio::test]
async fn a_secret_counts_in_one_place_and_in_one_way() {
    let server = Server::start().await;
    let client = Known::with(&server, &["doorward.revocations"], &[&server.origin]).await;
    let (id, secret) = (client.id.as_str(), client.secret.as_str());
    for path in ASKED {
        // In the address it would stand in every log on the way.
        let query = format!("{path}?client_id={id}&client_secret={}", percent(secret));
        must_be_unknown(server.client().post_form(&query, &FORM).await, &query);
        // Twice, the second time wrong or right.
        for other in [secret, "dwc_other"] {
            let form = [&FORM[..], &[("client_id", id), ("client_secret", other)]].concat();
            let request = server.client().post_form(path, &form);
            must_be_unknown(request.header("authorization", client.basic()).await, path);
        }
        // One name in the header, another in the form.
        let form = [&FORM[..], &[("client_id", "doorward")]].concat();
        let request = server.client().post_form(path, &form);
        must_be_unknown(request.header("authorization", client.basic()).await, path);
        // Another scheme, and what is no base64.
        for value in
            [format!("Bearer {secret}"), "Basic".into(), "Basic !!!".into(), "Basic Og==".into()]
        {
            let request = server.client().post_form(path, &FORM).header("authorization", &value);
            must_be_unknown(request.await, &value);
        }
        let twice = format!("client_id={id}&client_secret={secret}&client_secret={secret}&token=x");
        let request = server.client().post(path);
        let reply = request.body("application/x-www-form-urlencoded", twice).await.must_be(400);
        assert_eq!(reply.json()["error"], "invalid_request");
        let json = server.client().post_json(path, &json!({ "token": "x" })).await;
        assert_eq!(json.must_be(415).json()["error"], "invalid_request");
        server.client().get(path).await.must_be_problem(405, "method-not-allowed");
    }
}

#[tokio::test]
async fn a_client_is_told_nothing_of_tokens_that_are_not_for_what_it_serves() {
    let server = Server::with(|settings| {
        settings.audiences =
            vec![Audience { name: SHOP.to_owned(), algorithm: Algorithm::Es256, scopes: vec![] }];
    })
    .await;
    let shop = Known::serving(&server, &[SHOP]).await;
    let nothing = Known::serving(&server, &[]).await;
    let follower = Known::follower(&server).await;
    let ada = server.member("ada").await;
    let own = server.tokens(&ada).await;
    let for_shop = server.tokens_with(&ada, json!({ "audience": SHOP })).await;
    let client_token = follower.own_token(&[]).await.json();
    let client_token = client_token["access_token"].as_str().unwrap();
    assert_eq!(shop.introspect(&for_shop.access).await["active"], true);
    assert_eq!(follower.introspect(client_token).await["active"], true);
    let silence = json!({ "active": false });
    for (client, token) in [
        (&shop, own.access.as_str()),
        (&nothing, &own.access),
        (&nothing, &for_shop.access),
        (&follower, &own.access),
        (&shop, client_token),
        (&shop, &own.refresh),
        (&shop, &for_shop.refresh),
        (&shop, &shop.secret),
    ] {
        assert_eq!(client.introspect(token).await, silence, "{token}");
        // Nor can it end them.
        client.ask("/oauth/revoke", &[("token", token)]).await.must_be(200);
    }
    server.whoami(&own.access).await.must_be(200);
    assert_eq!(shop.introspect(&for_shop.access).await["active"], true);
    server.refresh(&own.refresh).await.must_be(200);
    // A wrong hint changes nothing.
    let hinted = [("token", for_shop.access.as_str()), ("token_type_hint", "refresh_token")];
    assert_eq!(shop.ask("/oauth/introspect", &hinted).await.json()["active"], true);
}

#[tokio::test]
async fn garbage_is_inactive_and_costs_little() {
    let server = Server::start().await;
    let client = Known::serving(&server, &[&server.origin]).await;
    let tokens = server.tokens(&server.member("ada").await).await;
    let (before, silence) = (server.rows(), json!({ "active": false }));
    let mut garbage =
        vec!["x".repeat(9000), "..".into(), "a.b.c".into(), "\u{0}".into(), "dwr_".into()];
    garbage.extend((0..200).map(|n| {
        let mut forged = tokens.access.clone();
        let at = forged.len() - 1 - n % 80;
        let letter = if &forged[at..=at] == "A" { "B" } else { "A" };
        forged.replace_range(at..=at, letter);
        forged
    }));
    for token in &garbage {
        assert_eq!(client.introspect(token).await, silence, "{token}");
        client.ask("/oauth/revoke", &[("token", token)]).await.must_be(200);
    }
    assert_eq!(server.rows(), before);
    server.whoami(&tokens.access).await.must_be(200);
    for path in ["/oauth/introspect", "/oauth/revoke"] {
        for form in [&[][..], &[("token", "")]] {
            let reply = client.ask(path, form).await.must_be(400);
            assert_eq!(reply.json()["error"], "invalid_request");
        }
    }
}

#[tokio::test]
async fn what_a_client_may_not_have_it_does_not_get() {
    let server = Server::start().await;
    let client = Known::follower(&server).await;
    for scope in ["doorward.admin", "profile", "doorward.revocations doorward.admin", "*"] {
        let reply = client.own_token(&[("scope", scope)]).await.must_be(400);
        assert_eq!(reply.json()["error"], "invalid_scope", "{scope}");
    }
    for grant in ["password", "implicit", "urn:x", "CLIENT_CREDENTIALS"] {
        let reply = client.ask("/oauth/token", &[("grant_type", grant)]).await.must_be(400);
        assert_eq!(reply.json()["error"], "unsupported_grant_type", "{grant}");
    }
    // Somebody else's refresh token, by a client that is not its program: it stays good.
    let tokens = server.tokens(&server.member("ada").await).await;
    let form = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh.as_str())];
    let reply = client.ask("/oauth/token", &form).await.must_be(400);
    assert_eq!(reply.json()["error"], "invalid_grant");
    server.refresh(&tokens.refresh).await.must_be(200);
}
