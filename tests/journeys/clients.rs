//! Clients: tokens of their own, questions about tokens, and the command line that makes them.

use doorward_core::event::EventKind;
use doorward_guard::{Credential, Denied, Guard};
use doorward_wire::UnixTime;
use serde_json::{Value, json};

use crate::harness::client::percent;
use crate::harness::oauth::Known;
use crate::harness::wait::PATIENCE;
use crate::harness::{Process, Server, Tokens, eventually, report, within};

#[tokio::test]
async fn a_client_gets_a_token_of_its_own_and_follows_the_revocations_with_it() {
    let server = Server::start().await;
    let client = Known::follower(&server).await;
    let granted = client.own_token(&[]).await.must_be(200).json();
    assert_eq!(granted["token_type"], "Bearer");
    assert_eq!(granted["expires_in"], 300);
    assert_eq!(granted["scope"], "doorward.revocations");
    assert!(granted["refresh_token"].is_null());
    let access = granted["access_token"].as_str().unwrap();
    server.client().get("/api/v1/revocations").bearer(access).await.must_be(200);
    // It is nobody: no account, no session.
    for path in ["/api/v1/session", "/api/v1/account", "/api/v1/sessions"] {
        server.client().get(path).bearer(access).await.must_be_problem(401, "invalid_token");
    }
    // A narrower token is narrower.
    let narrow = client.own_token(&[("scope", "")]).await.must_be(200).json();
    assert_eq!(narrow["scope"], "");
    let narrow = narrow["access_token"].as_str().unwrap();
    let refused = server.client().get("/api/v1/revocations").bearer(narrow).await;
    refused.must_be_problem(403, "insufficient_scope");
}

#[tokio::test]
async fn a_guard_follows_with_a_clients_secret_for_as_long_as_the_client_is_there() {
    let server = Server::start().await;
    let client = Known::follower(&server).await;
    let credential = Credential::client(client.id.clone(), client.secret.clone());
    let guard = Guard::follow(&server.origin, &server.origin, credential).start().unwrap();
    within(PATIENCE, "a guard that is ready", guard.ready()).await;
    let tokens = server.tokens(&server.member("ada").await).await;
    let bearer = format!("Bearer {}", tokens.access);
    assert!(guard.check(Some(&bearer), UnixTime(0)).is_ok());
    // A token of a client is nobody's for a guard.
    let own = client.own_token(&[]).await.must_be(200).json();
    let own = format!("Bearer {}", own["access_token"].as_str().unwrap());
    assert!(matches!(guard.check(Some(&own), UnixTime(0)), Err(Denied::Refused(_))));
    client.delete().await;
    eventually("a guard that is deaf", || async {
        (guard.check(Some(&bearer), UnixTime(0)) == Err(Denied::Stale)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_was_issued_to_a_client_ends_when_it_is_revoked_or_deleted() {
    let server = Server::start().await;
    let client = Known::follower(&server).await;
    let token = async || {
        let granted = client.own_token(&[]).await.must_be(200).json();
        granted["access_token"].as_str().unwrap().to_owned()
    };
    let follow =
        async |access: &str| server.client().get("/api/v1/revocations").bearer(access).await;
    let (first, second) = (token().await, token().await);
    // One switch: a token that is revoked takes what was issued before with it (RFC 7009).
    client.ask("/oauth/revoke", &[("token", &first)]).await.must_be(200);
    for access in [&first, &second] {
        follow(access).await.must_be_problem(401, "invalid_token");
    }
    let third = token().await;
    follow(&third).await.must_be(200);
    let entries = server.revocations().await;
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].revocation.revoked.kind(), "client");
    assert_eq!(server.events(EventKind::ClientRevoked).await.len(), 1);
    client.delete().await;
    follow(&third).await.must_be_problem(401, "invalid_token");
    client.own_token(&[]).await.must_be(401);
}

#[tokio::test]
async fn a_service_asks_about_the_tokens_that_people_bring_it() {
    let server = Server::start().await;
    let client = Known::serving(&server, &[&server.origin]).await;
    let ada = server.member("ada").await;
    let tokens = server.tokens_with(&ada, json!({ "scope": "profile" })).await;
    let active = client.introspect(&tokens.access).await;
    assert_eq!(active["active"], true);
    let claims = &tokens.body;
    for (member, expected) in [
        ("username", json!("ada")),
        ("sub", json!(ada.id)),
        ("sid", json!(tokens.sid)),
        ("scope", json!("profile")),
        ("client_id", json!("doorward")),
        ("iss", json!(server.origin)),
        ("aud", json!(server.origin)),
        ("token_type", json!("Bearer")),
        ("acr", json!("aal1")),
        ("amr", json!(["pwd"])),
    ] {
        assert_eq!(active[member], expected, "{member}: {claims}");
    }
    let lasts = active["exp"].as_u64().unwrap() - active["iat"].as_u64().unwrap();
    assert_eq!(lasts, 300);
    // Asking changes nothing, and an end is known at once.
    assert_eq!(client.introspect(&tokens.access).await, active);
    server.client().post("/api/v1/logout").bearer(&tokens.access).await.must_be(204);
    assert_eq!(client.introspect(&tokens.access).await, json!({ "active": false }));
}

#[tokio::test]
async fn programs_that_know_only_oauth_refresh_and_sign_out() {
    let server = Server::start().await;
    let tokens = server.tokens(&server.member("ada").await).await;
    let post =
        async |path: &str, pairs: &[(&str, &str)]| server.client().post_form(path, pairs).await;
    let own = ("client_id", "doorward");
    let renewed = [own, ("grant_type", "refresh_token"), ("refresh_token", &tokens.refresh)];
    let fresh = post("/oauth/token", &renewed).await.must_be(200).json();
    let (access, refresh) = (fresh["access_token"].as_str().unwrap(), &fresh["refresh_token"]);
    server.whoami(access).await.must_be(200);
    // The same again within ten seconds: the same successor.
    let again = post("/oauth/token", &renewed).await.must_be(200).json();
    assert_eq!(&again["refresh_token"], refresh);
    // A scope is not widened, and asking for one uses nothing up.
    let refresh = refresh.as_str().unwrap();
    let wider = [
        own,
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh),
        ("scope", "doorward.admin"),
    ];
    assert_eq!(post("/oauth/token", &wider).await.must_be(400).json()["error"], "invalid_scope");
    post("/oauth/revoke", &[own, ("token", refresh), ("token_type_hint", "refresh_token")])
        .await
        .must_be(200);
    server.whoami(access).await.must_be_problem(401, "invalid_token");
    let gone = [own, ("grant_type", "refresh_token"), ("refresh_token", refresh)];
    assert_eq!(post("/oauth/token", &gone).await.must_be(400).json()["error"], "invalid_grant");

    // By the access token, too.
    let tokens = server.tokens(&server.member("bob").await).await;
    post("/oauth/revoke", &[own, ("token", &tokens.access)]).await.must_be(200);
    server.whoami(&tokens.access).await.must_be_problem(401, "invalid_token");
    server.refresh(&tokens.refresh).await.must_be(401);
}

#[tokio::test]
async fn a_reused_refresh_token_ends_the_session_here_as_elsewhere() {
    let server = Server::start().await;
    let tokens = server.tokens(&server.member("ada").await).await;
    let form = [
        ("client_id", "doorward"),
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens.refresh.as_str()),
    ];
    let post = async || server.client().post_form("/oauth/token", &form).await;
    let fresh = post().await.must_be(200).json();
    server.clock.advance_seconds(11);
    assert_eq!(post().await.must_be(400).json()["error"], "invalid_grant");
    server.whoami(fresh["access_token"].as_str().unwrap()).await.must_be(401);
    assert_eq!(server.events(EventKind::TokenReuseDetected).await.len(), 1);
}

#[tokio::test]
async fn the_metadata_names_what_is_there() {
    let server = Server::start().await;
    let reply = server.client().get("/.well-known/oauth-authorization-server").await.must_be(200);
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    let metadata = reply.json();
    assert_eq!(metadata["issuer"], server.origin);
    for member in ["token_endpoint", "introspection_endpoint", "revocation_endpoint"] {
        let path = metadata[member].as_str().unwrap().strip_prefix(&server.origin).unwrap();
        let reply = server.client().post(path).await;
        assert!([400, 401, 415].contains(&reply.status.as_u16()), "{member}: {}", reply.describe());
    }
    let jwks = metadata["jwks_uri"].as_str().unwrap().strip_prefix(&server.origin).unwrap();
    server.client().get(jwks).await.must_be(200);
}

#[tokio::test]
async fn clients_are_made_shown_and_deleted_beside_the_running_server() {
    let process = Process::start(&[]).await;
    let run = async |words: &str, args: &[&str]| {
        let output = process.data().run(words, args).await;
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.code().unwrap(), text, String::from_utf8(output.stderr).unwrap())
    };
    let scope = ["--scope", "doorward.revocations", "--json", "shop"];
    let (code, made, complaint) = run("client add", &scope).await;
    assert_eq!(code, 0, "{complaint}");
    let made: Value = serde_json::from_str(&made).unwrap();
    let (id, secret) = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    assert!(id.starts_with("cli_") && secret.starts_with("dwc_") && secret.len() == 47);
    let grant = async |secret: &str| {
        let form =
            [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
        process.client().post_form("/oauth/token", &form).await
    };
    let granted = grant(secret).await.must_be(200).json();
    let (_, listed, _) = run("client list", &["--json"]).await;
    let listed: Value = serde_json::from_str(listed.trim()).unwrap();
    assert_eq!(listed["id"], id);
    assert_eq!(listed["scopes"], json!(["doorward.revocations"]));
    assert!(!listed.to_string().contains(&secret[4..]), "a secret is kept nowhere");
    let (code, shown, _) = run("client show", &[id]).await;
    assert!(code == 0 && shown.contains("shop"));

    let (code, rotated, _) = run("client rotate-secret", &[id, "--revoke"]).await;
    assert_eq!(code, 0);
    grant(secret).await.must_be(401);
    let access = granted["access_token"].as_str().unwrap();
    process.client().get("/api/v1/revocations").bearer(access).await.must_be(401);
    let fresh = grant(rotated.trim()).await.must_be(200).json();
    let access = fresh["access_token"].as_str().unwrap();
    process.client().get("/api/v1/revocations").bearer(access).await.must_be(200);

    // What cannot be taken back is asked for, and there is nobody to ask.
    let (code, _, complaint) = run("client delete", &[id]).await;
    assert!(code == 1 && complaint.contains("--yes"), "{complaint}");
    assert_eq!(run("client delete", &[id, "--yes"]).await.0, 0);
    assert_eq!(run("client delete", &[id, "--yes"]).await.0, 4);
    assert_eq!(run("client show", &[id]).await.0, 4);
    grant(rotated.trim()).await.must_be(401);
    for (args, word) in [
        (["--scope", "doorward.admin", "shop"], "cannot allow"),
        (["--serves", "https://nobody.example", "shop"], "no audience"),
    ] {
        let (code, _, complaint) = run("client add", &args).await;
        assert!(code == 1 && complaint.contains(word), "{complaint}");
    }
    assert_eq!(run("client add", &[""]).await.0, 1);
    assert_eq!(run("client show", &["acc_x"]).await.0, 2);
}

#[tokio::test]
async fn a_secret_in_basic_is_read_as_in_a_form() {
    let server = Server::start().await;
    let client = Known::follower(&server).await;
    // Whoever encodes more than it must is understood (RFC 6749, section 2.3.1).
    let encoded = |text: &str| percent(text).replace('_', "%5F");
    let basic = client.basic_of(&encoded(&client.id), &encoded(&client.secret));
    let form = [("grant_type", "client_credentials")];
    let request = server.client().post_form("/oauth/token", &form).header("authorization", basic);
    request.await.must_be(200);
    report("a client's secret in Basic, percent-encoded throughout, is understood");
    let tokens: Tokens = server.tokens(&server.member("ada").await).await;
    assert!(!tokens.access.is_empty());
}
