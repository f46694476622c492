//! A browser: an account, a login, a cookie, and its end.

use doorward_core::event::EventKind;
use doorward_core::revocation::Revoked;
use serde_json::json;

use crate::harness::{PASSWORD, Server};

#[tokio::test]
async fn an_account_is_made_and_logs_in_and_out_by_cookie() {
    let server = Server::start().await;
    let browser = server.browser();

    let application =
        json!({ "username": "ada", "email": "ada@example.com", "password": PASSWORD });
    let reply = browser.post_json("/api/v1/accounts", &application).await.must_be(201);
    let account = reply.json();
    assert_eq!(account["username"], "ada");
    assert_eq!(account["email"], "ada@example.com");
    assert!(account["id"].as_str().unwrap().starts_with("acc_"), "{account}");
    assert_eq!(reply.set_cookie(), None, "an account is not a login");
    assert!(!reply.text().contains(PASSWORD));

    let login = json!({ "username": "ada", "password": PASSWORD, "carrier": "cookie" });
    let reply = browser.post_json("/api/v1/login", &login).await.must_be(200);
    let welcome = reply.json();
    assert_eq!(welcome["account"], account);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let secret = browser.secret();
    assert!(!reply.text().contains(&secret), "the secret is in the cookie and nowhere else");

    let shown = browser.get("/api/v1/session").await.must_be(200).json();
    assert_eq!(shown["account"], account);
    assert_eq!(shown["carrier"], "cookie");
    assert_eq!(shown["session"]["sid"], welcome["session"]["sid"]);

    let reply = browser.post("/api/v1/logout").await.must_be(204);
    assert!(reply.set_cookie().unwrap().clears());
    assert_eq!(reply.header("cache-control"), Some("no-store"));

    let cookie = format!("doorward={secret}");
    server
        .client()
        .get("/api/v1/session")
        .cookie(&cookie)
        .await
        .must_be_problem(401, "unauthenticated");
    let again = server.client().post("/api/v1/logout").cookie(&cookie).from_origin(&server.origin);
    again.await.must_be_problem(401, "unauthenticated");
    assert_eq!(server.rows().session, 0, "what has ended is gone from the disk too");
}

#[tokio::test]
async fn a_session_shows_every_field_of_the_contract() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let browser = server.sign_in(&ada).await;
    let shown = browser.get("/api/v1/session").await.must_be(200).json();
    let session = &shown["session"];

    let sid = session["sid"].as_str().unwrap();
    let digits = sid.strip_prefix("ses_").unwrap();
    assert_eq!(digits.len(), 26, "{sid}");
    assert!(digits.bytes().all(|b| b"0123456789abcdefghjkmnpqrstvwxyz".contains(&b)), "{sid}");
    let now = server.clock.time();
    let after = |hours: u64| json!(doorward_wire::UnixTime(now.0 + hours * 3600).to_string());
    assert_eq!(session["account"], ada.id.as_str());
    assert_eq!(session["carrier"], "cookie");
    for member in ["opened_at", "seen_at", "proved_at"] {
        assert_eq!(session[member], after(0), "{member}");
    }
    assert_eq!(session["idle_expires_at"], after(1));
    assert_eq!(session["expires_at"], after(24));
    assert_eq!(session["amr"], json!(["pwd"]));
    assert_eq!(session["acr"], "aal1");
    assert_eq!(session["data"], json!({}));
    for member in ["user_agent", "label", "ip"] {
        assert!(session["device"][member].is_string(), "{session}");
    }
    assert_eq!(session["device"]["ip"], "127.0.0.1");
}

#[tokio::test]
async fn the_development_cookie_has_every_attribute_but_secure() {
    let server = Server::start().await;
    let browser = server.browser();
    let reply = server.sign_in_with(&browser, &server.member("ada").await, json!({})).await;
    let cookie = reply.must_be(200).set_cookie().unwrap();
    assert_eq!(cookie.name, "doorward");
    assert_eq!(cookie.value.len(), 43);
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.has(attribute), "{cookie:?}");
    }
    assert_eq!(cookie.attributes.len(), 3, "nothing else: no Domain, no Max-Age: {cookie:?}");
    let cleared = browser.post("/api/v1/logout").await.set_cookie().unwrap();
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=0"] {
        assert!(cleared.has(attribute), "cleared with the same attributes: {cleared:?}");
    }
}

#[tokio::test]
async fn the_production_cookie_is_host_only_and_secure() {
    let server = Server::production(|_| {}).await;
    let ada = server.member("ada").await;
    let browser = server.browser();
    let reply = server.sign_in_with(&browser, &ada, json!({ "remember": true })).await.must_be(200);
    let cookie = reply.set_cookie().unwrap();
    assert_eq!(cookie.name, "__Host-Http-doorward");
    for attribute in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=2592000"] {
        assert!(cookie.has(attribute), "{cookie:?}");
    }
    assert_eq!(cookie.attributes.len(), 5, "{cookie:?}");
    assert!(reply.header("strict-transport-security").unwrap().starts_with("max-age=31536000"));
    let shown = browser.get("/api/v1/session").await.must_be(200).json();
    assert_eq!(shown["session"]["device"]["ip"], "203.0.113.7", "the proxy says who is asking");

    // The same secret under the development name is nothing here.
    let other = format!("doorward={}", cookie.value);
    server.client().get("/api/v1/session").cookie(other).await.must_be(401);
}

#[tokio::test]
async fn remember_me_outlives_the_browser_and_the_ordinary_limits() {
    const DAY: u64 = 24 * 60 * 60;
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let browser = server.browser();
    let reply = server.sign_in_with(&browser, &ada, json!({ "remember": true })).await.must_be(200);
    assert_eq!(reply.set_cookie().unwrap().max_age(), Some(30 * DAY));

    server.clock.advance_seconds(14 * DAY - 1);
    assert!(browser.is_signed_in().await, "just under 14 idle days");
    // A renewed cookie is told only what is left of the 30 days.
    let proof = json!({ "password": PASSWORD });
    let reply = browser.post_json("/api/v1/session/reauthenticate", &proof).await.must_be(200);
    assert_eq!(reply.set_cookie().unwrap().max_age(), Some(16 * DAY + 1));
}

#[tokio::test]
async fn logging_in_again_ends_the_session_the_browser_had() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let browser = server.sign_in(&ada).await;
    let before = browser.copy();
    server.sign_in_with(&browser, &ada, json!({})).await.must_be(200);
    assert_ne!(browser.secret(), before.secret());
    assert!(browser.is_signed_in().await);
    assert!(!before.is_signed_in().await, "a login never leaves the secret before it alive");
    assert_eq!(server.rows().session, 1);
}

#[tokio::test]
async fn switching_accounts_ends_the_session_of_the_account_before() {
    let server = Server::start().await;
    let (ada, bob) = (server.member("ada").await, server.member("bob").await);
    let browser = server.sign_in(&ada).await;
    let before = browser.copy();
    server.sign_in_with(&browser, &bob, json!({})).await.must_be(200);
    let shown = browser.get("/api/v1/session").await.must_be(200).json();
    assert_eq!(shown["account"]["username"], "bob");
    assert!(!before.is_signed_in().await);
}

#[tokio::test]
async fn a_login_and_a_logout_are_written_down_with_the_act() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let browser = server.sign_in(&ada).await;
    let sid = browser.sid().await;
    let opened = server.events(EventKind::LoginSucceeded).await;
    assert_eq!(opened.len(), 1);
    assert_eq!(opened[0].session.unwrap().to_string(), sid);
    assert_eq!(opened[0].account.unwrap().to_string(), ada.id);

    browser.post("/api/v1/logout").await.must_be(204);
    let ended = server.events(EventKind::SessionEnded).await;
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0].reason.as_deref(), Some("logout"));
    let revoked: Vec<_> = server.revocations().await;
    assert_eq!(revoked.len(), 1);
    let Revoked::Session(gone) = revoked[0].revocation.revoked else { panic!("{revoked:?}") };
    assert_eq!(gone.to_string(), sid);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_get_one_and_the_same_answer() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let attempt = |username: &str| {
        let body =
            json!({ "username": username, "password": "not the password", "carrier": "token" });
        let request = server.client().post_json("/api/v1/login", &body);
        request.header("x-request-id", "a-request-to-compare")
    };
    let known = attempt(&ada.username).await.must_be_problem(401, "wrong-credentials");
    let unknown = attempt("nobody").await.must_be_problem(401, "wrong-credentials");
    assert_eq!(known.text(), unknown.text());
    assert_eq!(known.headers, unknown.headers);
    let written = async || server.events(EventKind::LoginFailed).await.len();
    crate::harness::eventually("both refusals in the log", async || {
        (written().await == 2).then_some(())
    })
    .await;
    assert_eq!(server.rows().session, 0);
}

#[tokio::test]
async fn a_name_taken_or_alike_is_refused_and_the_account_stays_as_it_was() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    for name in ["ada", "ADA", "Ada"] {
        let body = json!({ "username": name, "password": "another good long password" });
        let reply = server.client().post_json("/api/v1/accounts", &body).await;
        reply.must_be_problem(409, "username-taken");
    }
    assert_eq!(server.rows().account, 1);
    server.sign_in(&ada).await;
}

#[tokio::test]
async fn a_password_that_cannot_be_accepted_is_refused_with_its_reason() {
    let server = Server::start().await;
    let long = "é".repeat(129);
    for (password, code) in [
        ("fourteen chars", "password-too-short"),
        (long.as_str(), "password-too-long"),
        ("passwordpassword", "password-common"),
        ("grace.hopper.1906", "password-context"),
    ] {
        let body = json!({ "username": "grace.hopper.1906", "password": password });
        let reply = server.client().post_json("/api/v1/accounts", &body).await;
        let reply = reply.must_be_problem(422, code);
        let errors = reply.json()["errors"].clone();
        assert_eq!(errors[0]["pointer"], "/password", "{errors}");
        assert_eq!(errors[0]["code"], code);
    }
    assert_eq!(server.rows().account, 0);
}

#[tokio::test]
async fn nobody_makes_an_account_where_registration_is_closed() {
    let server = Server::with(|settings| settings.registration_open = false).await;
    let body = json!({ "username": "ada", "password": PASSWORD });
    let reply = server.client().post_json("/api/v1/accounts", &body).await;
    reply.must_be_problem(403, "registration-closed");
    server.client().get("/register").await.must_be(403);
    assert_eq!(server.rows().account, 0);
}
