//! Attacks on the authorization code flow (RFC 9700): none sends anybody, or any code, to a stranger.

use std::time::Duration;

use doorward_core::event::EventKind;
use doorward_server::settings::Audience;
use doorward_wire::jose::Algorithm;
use serde_json::json;

use crate::harness::code::{
    CALLBACK, VERIFIER, authorize, code, redeem, returned, returned_one, tokens,
};
use crate::harness::oauth::Known;
use crate::harness::{Browser, Reply, Server};

const API: &str = "https://api.shop.example";

async fn scene() -> (Server, Browser) {
    let server = Server::with(|settings| {
        settings.audiences = vec![Audience {
            name: API.to_owned(),
            algorithm: Algorithm::EdDsa,
            scopes: vec!["orders.read".to_owned()],
        }];
    })
    .await;
    let browser = server.sign_in(&server.member("ada").await).await;
    (server, browser)
}

fn invalid_grant(reply: &Reply) {
    assert_eq!(
        (reply.status.as_u16(), reply.json()["error"].as_str()),
        (400, Some("invalid_grant"))
    );
}

#[tokio::test]
async fn a_code_gives_tokens_of_the_session_that_the_browser_has() {
    let (server, browser) = scene().await;
    let shop = Known::app(&server, CALLBACK, |client| client.audience = API.to_owned()).await;
    let reply =
        browser.get(&authorize(&shop, &[("scope", "orders.read email")])).await.must_be(303);
    assert_eq!(returned_one(&reply, "iss"), server.origin);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
    let code = returned_one(&reply, "code");
    let said = redeem(&shop, &code, &[]).await.must_be(200);
    assert_eq!(said.header("cache-control"), Some("no-store"));
    let said = said.json();
    assert_eq!((&said["token_type"], &said["scope"]), (&json!("Bearer"), &json!("orders.read")));
    let session = browser.sid().await;
    let guard = Known::serving(&server, &[API]).await;
    let access = said["access_token"].as_str().unwrap();
    let known = guard.introspect(access).await;
    assert_eq!((&known["active"], &known["sid"]), (&json!(true), &json!(session)));
    assert_eq!((&known["client_id"], &known["aud"]), (&json!(shop.id), &json!(API)));

    // They turn for their client, and end with the session: one switch.
    let renew = async |token: &str| {
        let pairs = [("grant_type", "refresh_token"), ("refresh_token", token)];
        shop.ask("/oauth/token", &pairs).await
    };
    let refresh = said["refresh_token"].as_str().unwrap();
    let next = renew(refresh).await.must_be(200).json();
    assert_eq!(next["scope"], "orders.read");
    browser.post("/api/v1/logout").await.must_be(204);
    assert_eq!(guard.introspect(access).await, json!({ "active": false }));
    invalid_grant(&renew(next["refresh_token"].as_str().unwrap()).await);
    invalid_grant(&renew(refresh).await);
}

#[tokio::test]
async fn nobody_is_sent_to_an_address_that_is_not_the_clients() {
    let (server, browser) = scene().await;
    let shop = Known::app(&server, CALLBACK, |_| {}).await;
    for evil in [
        "https://evil.example/callback",
        "https://shop.example/callback/../evil",
        "https://shop.example/callback?x",
        "https://shop.example/callback/",
        "https://shop.example:443/callback",
        "https://shop.example.evil/callback",
        "https://shop.example@evil/callback",
        "http://shop.example/callback",
        "//shop.example/callback",
        "javascript:alert(1)",
        "data:text/html,x",
    ] {
        let reply = browser.get(&authorize(&shop, &[("redirect_uri", evil)])).await.must_be(400);
        assert_eq!(reply.header("location"), None, "{evil}");
        assert!(reply.header("content-type").unwrap().starts_with("text/html"));
        assert!(!reply.text().contains("evil"), "what it was sent is not told again");
    }
    for client in ["", "cli_00000000000000000000000000", "doorward", "'"] {
        let reply = browser.get(&authorize(&shop, &[("client_id", client)])).await.must_be(400);
        assert_eq!(reply.header("location"), None, "{client}");
    }
    // A client of no people, and one whose only address needs not be said.
    let service = Known::follower(&server).await;
    browser.get(&authorize(&service, &[])).await.must_be(400);
    browser.get(&authorize(&service, &[("redirect_uri", "")])).await.must_be(400);
    let reply = browser.get(&authorize(&shop, &[("redirect_uri", "")])).await.must_be(303);
    let code = returned_one(&reply, "code");
    redeem(&shop, &code, &[("redirect_uri", "")]).await.must_be(200);
}

#[tokio::test]
async fn a_parameter_that_is_there_twice_is_refused_and_sends_nobody_anywhere() {
    let (server, browser) = scene().await;
    let shop = Known::app(&server, CALLBACK, |_| {}).await;
    for twice in [
        "client_id=cli_x",
        "redirect_uri=https%3A%2F%2Fevil.example%2F",
        "state=2",
        "code_challenge=x",
        "scope=a",
        "response_type=code",
        "whatever=1&whatever=2",
    ] {
        let reply = browser.get(&format!("{}&{twice}", authorize(&shop, &[]))).await.must_be(400);
        assert_eq!(reply.header("location"), None, "{twice}");
    }
    let twice = "grant_type=authorization_code&code=a&code=b&code_verifier=x";
    let reply =
        server.client().post("/oauth/token").body("application/x-www-form-urlencoded", twice);
    reply.header("authorization", shop.basic()).await.must_be(400);
}

#[tokio::test]
async fn what_a_client_asks_wrongly_it_is_told_and_gets_no_code() {
    let (server, browser) = scene().await;
    let shop = Known::app(&server, CALLBACK, |_| {}).await;
    for (changed, error) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("response_type", "code id_token"), "unsupported_response_type"),
        (("response_type", ""), "invalid_request"),
        (("response_mode", "fragment"), "invalid_request"),
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge", VERIFIER), "invalid_request"),
        (("code_challenge_method", ""), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("scope", "pro\"file"), "invalid_scope"),
        (("max_age", "-1"), "invalid_request"),
        (("max_age", "soon"), "invalid_request"),
        (("prompt", "create"), "invalid_request"),
        (("request", "eyJhbGciOiJub25lIn0.e30."), "request_not_supported"),
        (("request_uri", "https://evil.example/"), "request_not_supported"),
    ] {
        // A verifier is a challenge in form, so that one is another's.
        if changed == ("code_challenge", VERIFIER) {
            let code = code(&shop, &browser, &[changed]).await;
            invalid_grant(&redeem(&shop, &code, &[]).await);
            continue;
        }
        let reply = browser.get(&authorize(&shop, &[changed])).await.must_be(303);
        assert_eq!(returned_one(&reply, "error"), error, "{changed:?}");
        let all = returned(&reply);
        assert!(all.iter().all(|(name, _)| name != "code"), "{changed:?}");
        assert_eq!(returned_one(&reply, "state"), "xyz&1");
        assert_eq!(returned_one(&reply, "iss"), server.origin);
    }
    let long = "x".repeat(1025);
    let reply = browser.get(&authorize(&shop, &[("state", &long)])).await.must_be(303);
    assert_eq!(returned_one(&reply, "error"), "invalid_request");
}

#[tokio::test]
async fn a_code_is_worth_nothing_to_anybody_but_its_client() {
    let (server, browser) = scene().await;
    let shop = Known::app(&server, CALLBACK, |_| {}).await;
    let other = Known::app(&server, CALLBACK, |_| {}).await;
    let stolen = code(&shop, &browser, &[]).await;
    invalid_grant(&redeem(&other, &stolen, &[]).await);
    let wrong = VERIFIER.replace('d', "e");
    invalid_grant(&redeem(&shop, &stolen, &[("code_verifier", &wrong)]).await);
    let elsewhere = [("redirect_uri", "https://evil.example/callback")];
    invalid_grant(&redeem(&shop, &stolen, &elsewhere).await);
    for bad in ["", "short", &"x".repeat(129)] {
        let reply = redeem(&shop, &stolen, &[("code_verifier", bad)]).await;
        assert_eq!(reply.status, 400, "{bad}");
    }
    // Without the secret, and in a public client's way.
    let pairs = [
        ("grant_type", "authorization_code"),
        ("client_id", &*shop.id),
        ("code", &*stolen),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let reply = server.client().post_form("/oauth/token", &pairs).await.must_be(401);
    assert_eq!(reply.json()["error"], "invalid_client");
    for bad in ["dwa_", "dwr_x", &stolen[4..], &format!("{stolen}x"), "dwa_%00"] {
        assert_eq!(redeem(&shop, bad, &[]).await.status, 400, "{bad}");
    }
    // None of that took it from its client.
    redeem(&shop, &stolen, &[]).await.must_be(200);
    let late = code(&shop, &browser, &[]).await;
    server.clock.advance(Duration::from_mins(1));
    invalid_grant(&redeem(&shop, &late, &[]).await);
}

#[tokio::test]
async fn a_code_that_comes_twice_ends_what_came_of_it() {
    let (server, browser) = scene().await;
    let shop = Known::app(&server, CALLBACK, |_| {}).await;
    let code = code(&shop, &browser, &[]).await;
    let said = redeem(&shop, &code, &[]).await.must_be(200).json();
    let access = said["access_token"].as_str().unwrap();
    server.whoami(access).await.must_be(200);
    invalid_grant(&redeem(&shop, &code, &[]).await);
    server.whoami(access).await.must_be_problem(401, "invalid_token");
    let refresh = said["refresh_token"].as_str().unwrap();
    let pairs = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    invalid_grant(&shop.ask("/oauth/token", &pairs).await);
    assert!(browser.is_signed_in().await, "the browser goes on");
    let event = server.event(EventKind::TokenReuseDetected).await;
    assert_eq!(event.reason.as_deref(), Some("code-reused"));
}

#[tokio::test]
async fn of_fifty_redemptions_at_once_one_counts() {
    let (server, browser) = scene().await;
    let shop = Known::app(&server, CALLBACK, |_| {}).await;
    let code = code(&shop, &browser, &[]).await;
    let mut all = Vec::new();
    for _ in 0..50 {
        let pairs = [
            ("grant_type", "authorization_code"),
            ("code", &*code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        let request = server.client().post_form("/oauth/token", &pairs);
        all.push(tokio::spawn(request.header("authorization", shop.basic()).into_future()));
    }
    let mut good = 0;
    for reply in all {
        match reply.await.unwrap().status.as_u16() {
            200 => good += 1,
            status => assert_eq!(status, 400),
        }
    }
    assert_eq!(good, 1);
}

#[tokio::test]
async fn a_refresh_token_of_one_client_is_worth_nothing_to_another() {
    let (server, browser) = scene().await;
    let shop = Known::app(&server, CALLBACK, |_| {}).await;
    let other = Known::app(&server, CALLBACK, |_| {}).await;
    let said = tokens(&shop, &browser, &[]).await;
    let refresh = said["refresh_token"].as_str().unwrap();
    let pairs = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    invalid_grant(&other.ask("/oauth/token", &pairs).await);
    server.refresh(refresh).await.must_be_problem(401, "invalid-refresh-token");
    let own = [pairs[0], pairs[1], ("client_id", "doorward")];
    let reply = server.client().post_form("/oauth/token", &own).await;
    invalid_grant(&reply);
    shop.ask("/oauth/token", &pairs).await.must_be(200);
    // Nor is one of a login worth anything to a client.
    let login = server.tokens(&server.member("bob").await).await;
    let pairs = [("grant_type", "refresh_token"), ("refresh_token", &*login.refresh)];
    invalid_grant(&shop.ask("/oauth/token", &pairs).await);
    server.refresh(&login.refresh).await.must_be(200);
}

#[tokio::test]
async fn a_client_gives_back_what_it_has_of_a_session_and_nothing_of_another() {
    let (server, browser) = scene().await;
    let shop = Known::app(&server, CALLBACK, |_| {}).await;
    let other = Known::app(&server, CALLBACK, |_| {}).await;
    for kind in ["refresh_token", "access_token"] {
        let said = tokens(&shop, &browser, &[]).await;
        let access = said["access_token"].as_str().unwrap();
        let token = said[kind].as_str().unwrap();
        other.ask("/oauth/revoke", &[("token", token)]).await.must_be(200);
        server.whoami(access).await.must_be(200);
        shop.ask("/oauth/revoke", &[("token", token)]).await.must_be(200);
        server.whoami(access).await.must_be_problem(401, "invalid_token");
        let refresh = said["refresh_token"].as_str().unwrap();
        let pairs = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
        invalid_grant(&shop.ask("/oauth/token", &pairs).await);
        assert!(browser.is_signed_in().await);
    }
}

#[tokio::test]
async fn a_client_gets_no_more_than_it_was_made_for() {
    let (server, _) = scene().await;
    let root = server.sign_in(&server.administrator("root").await).await;
    let scope = ("scope", "profile doorward.admin doorward.revocations");
    let shop = Known::app(&server, CALLBACK, |_| {}).await;
    assert_eq!(tokens(&shop, &root, &[scope]).await["scope"], "profile");
    let console = Known::app(&server, CALLBACK, |client| {
        client.scopes = vec!["doorward.admin".to_owned()];
    })
    .await;
    assert_eq!(tokens(&console, &root, &[scope]).await["scope"], "profile doorward.admin");
    let ada = server.sign_in(&server.member("bob").await).await;
    assert_eq!(tokens(&console, &ada, &[scope]).await["scope"], "profile");
}

#[tokio::test]
async fn a_public_client_is_known_by_its_address_and_its_verifier() {
    let (server, browser) = scene().await;
    let native = "http://127.0.0.1/callback";
    let app = Known::app(&server, native, |client| client.is_public = true).await;
    let here = "http://127.0.0.1:51004/callback";
    let reply = browser.get(&authorize(&app, &[("redirect_uri", here)])).await.must_be(303);
    let location = reply.header("location").unwrap();
    let (address, query) = location.split_once('?').unwrap();
    assert_eq!(address, here);
    let code = query.split('&').find_map(|pair| pair.strip_prefix("code=")).unwrap();
    let pairs = [
        ("grant_type", "authorization_code"),
        ("client_id", &*app.id),
        ("code", code),
        ("redirect_uri", here),
        ("code_verifier", VERIFIER),
    ];
    let said = server.client().post_form("/oauth/token", &pairs).await.must_be(200).json();
    let refresh = said["refresh_token"].as_str().unwrap();
    let pairs =
        [("grant_type", "refresh_token"), ("client_id", &*app.id), ("refresh_token", refresh)];
    server.client().post_form("/oauth/token", &pairs).await.must_be(200);
    // It may ask about nothing, and has no tokens of its own.
    let pairs = [("grant_type", "client_credentials"), ("client_id", &*app.id)];
    server.client().post_form("/oauth/token", &pairs).await.must_be(401);
    let pairs = [("client_id", &*app.id), ("token", "x")];
    server.client().post_form("/oauth/introspect", &pairs).await.must_be(401);
}

#[tokio::test]
async fn whoever_is_not_signed_in_signs_in_first_and_is_back_afterwards() {
    let (server, _) = scene().await;
    let shop = Known::app(&server, CALLBACK, |_| {}).await;
    let target = authorize(&shop, &[]);
    let browser = server.browser();
    let reply = browser.get(&target).await.must_be(303);
    let login = reply.header("location").unwrap().to_owned();
    assert!(login.starts_with("/login?return_to=%2Foauth%2Fauthorize%3F"), "{login}");
    let page = browser.get(&login).await.must_be(200);
    // The form leads on to the client, and a browser asks the page's policy for each step.
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("form-action 'self' https://shop.example;"), "{policy}");
    let form =
        [("username", "ada"), ("password", crate::harness::PASSWORD), ("return_to", &*target)];
    let reply = browser.post_form("/login", &form).await.must_be(303);
    assert_eq!(reply.header("location"), Some(&*target));
    returned_one(&browser.get(&target).await.must_be(303), "code");
    // A page with a stranger's address leads nowhere, and names nobody.
    let strange = authorize(&shop, &[("redirect_uri", "https://evil.example/")]);
    let strange = format!("/login?return_to={}", crate::harness::client::percent(&strange));
    let page = server.browser().get(&strange).await.must_be(200);
    assert!(!page.header("content-security-policy").unwrap().contains("evil"));
}

#[tokio::test]
async fn a_silent_question_is_answered_without_a_page_and_an_old_proof_is_renewed() {
    let (server, browser) = scene().await;
    let shop = Known::app(&server, CALLBACK, |_| {}).await;
    let silent = authorize(&shop, &[("prompt", "none")]);
    let reply = server.browser().get(&silent).await.must_be(303);
    assert_eq!(returned_one(&reply, "error"), "login_required");
    returned_one(&browser.get(&silent).await.must_be(303), "code");

    for (name, value) in [("prompt", "login"), ("max_age", "60")] {
        let target = authorize(&shop, &[(name, value)]);
        server.clock.advance(Duration::from_secs(61));
        let reply = browser.get(&target).await.must_be(303);
        let confirm = reply.header("location").unwrap().to_owned();
        assert!(confirm.starts_with("/account/confirm?return_to=%2Foauth"), "{confirm}");
        let form = [("password", crate::harness::PASSWORD), ("return_to", &*target)];
        browser.post_form("/account/confirm", &form).await.must_be(303);
        returned_one(&browser.get(&target).await.must_be(303), "code");
    }
    server.clock.advance(Duration::from_secs(61));
    let both = authorize(&shop, &[("prompt", "none"), ("max_age", "60")]);
    let reply = browser.get(&both).await.must_be(303);
    assert_eq!(returned_one(&reply, "error"), "login_required");
}

#[tokio::test]
async fn nothing_but_the_owners_cookie_gives_a_code() {
    let (server, browser) = scene().await;
    let shop = Known::app(&server, CALLBACK, |_| {}).await;
    let target = authorize(&shop, &[]);
    let tokens = server.tokens(&server.member("bob").await).await;
    let reply = server.client().get(&target).bearer(&tokens.access).await;
    assert!(reply.header("location").is_none_or(|to| to.starts_with("/login")), "a token");
    // An anonymous session is nobody's.
    let visitor = server.browser();
    visitor.post_json("/api/v1/session", &json!({})).await.must_be(201);
    let reply = visitor.get(&target).await.must_be(303);
    assert!(reply.header("location").unwrap().starts_with("/login"));
    // A code is bound to the session that it was asked in, and goes with it.
    let code = code(&shop, &browser, &[]).await;
    browser.post("/api/v1/logout").await.must_be(204);
    invalid_grant(&redeem(&shop, &code, &[]).await);
}

#[tokio::test]
async fn a_deleted_client_has_no_tokens_any_more() {
    let (server, browser) = scene().await;
    for is_deleted in [true, false] {
        let shop = Known::app(&server, CALLBACK, |_| {}).await;
        let said = tokens(&shop, &browser, &[]).await;
        let access = said["access_token"].as_str().unwrap();
        server.whoami(access).await.must_be(200);
        if is_deleted {
            shop.delete().await;
        } else {
            shop.revoke_tokens().await;
        }
        server.whoami(access).await.must_be_problem(401, "invalid_token");
    }
}
