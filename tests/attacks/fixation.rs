//! Fixation: a session whose secret somebody else knows.
//!
//! A secret is always drawn by us, anew at every rise of privilege. The one before it dies in the
//! same act at a login and at a change of password. After a new proof it reads for ten seconds what it
//! could read before, and changes nothing.

use doorward_server::flow::setup;
use serde_json::json;

use super::Clean;
use crate::harness::{Browser, OTHER_PASSWORD, PASSWORD, Reply, Server};

/// A value in the form of a secret, of an attacker's own choice.
const CHOSEN: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A browser into which an attacker has planted a cookie of this value.
fn planted(server: &Server, value: &str) -> Browser {
    let cookie = format!("{}={value}", server.cookie_name());
    let client = server.client().always("cookie", cookie);
    Browser::new(client, &server.origin)
}

/// Asks who the owner of a secret is, as its thief would.
async fn ask_with(server: &Server, secret: &str) -> Reply {
    let cookie = format!("{}={secret}", server.cookie_name());
    server.client().get("/api/v1/session").cookie(cookie).await.clean()
}

/// The secret that an answer sets, which must be new and not the planted one.
#[track_caller]
fn fresh_secret(reply: &Reply, planted: &str) -> String {
    let set = reply.set_cookie().unwrap_or_else(|| panic!("no cookie: {}", reply.describe()));
    assert!(!set.clears(), "{}", reply.describe());
    assert_ne!(set.value, planted, "the planted value was adopted");
    set.value
}

/// Attack 1 (ASVS 5.0, 7.2.4): a cookie of one's own choice, planted before the login.
#[tokio::test]
async fn a_secret_that_an_attacker_chose_never_becomes_a_session() {
    let server = Server::start().await;
    let link = setup::draw_link(&*server.store, &server.app.ambient).await.unwrap();
    let code = format!("{}{}", setup::PREFIX, link.expose().as_str());
    server.member("alice").await;

    for chosen in [CHOSEN, "evil", "", "ses_00000000000000000000000000"] {
        let victim = || planted(&server, chosen);
        let shown = victim().get("/login").await.clean().must_be(200);
        assert_eq!(shown.set_cookie(), None, "a visit sets nothing");
        assert_eq!(server.rows().session, 0, "and keeps nothing");
        let login = json!({"username": "alice", "password": PASSWORD, "carrier": "cookie"});
        let by_api = victim().post_json("/api/v1/login", &login).await.clean().must_be(200);
        let form = [("username", "alice"), ("password", PASSWORD)];
        let by_page = victim().post_form("/login", &form).await.clean().must_be(303);
        let anonymous = victim().post("/api/v1/session").await.clean().must_be(201);
        for reply in [&by_api, &by_page, &anonymous] {
            let secret = fresh_secret(reply, chosen);
            ask_with(&server, &secret).await.must_be(200);
        }
        ask_with(&server, chosen).await.must_be_problem(401, "unauthenticated");
        let alice = planted(&server, &fresh_secret(&by_api, chosen));
        alice.delete("/api/v1/sessions").await.must_be(204);
        planted(&server, &fresh_secret(&anonymous, chosen)).post("/api/v1/logout").await;
        assert_eq!(server.rows().session, 0);
    }

    let victim = || planted(&server, CHOSEN);
    let form = [("username", "bob"), ("password", PASSWORD)];
    let registered = victim().post_form("/register", &form).await.clean().must_be(303);
    let form = [("code", code.as_str()), ("username", "root"), ("password", PASSWORD)];
    let set_up = victim().post_form("/setup", &form).await.clean().must_be(303);
    for reply in [&registered, &set_up] {
        let secret = fresh_secret(reply, CHOSEN);
        ask_with(&server, &secret).await.must_be(200);
    }
    ask_with(&server, CHOSEN).await.must_be_problem(401, "unauthenticated");
}

/// Attack 2 (ASVS 5.0, 7.2.4): an anonymous session that an attacker opened, kept by the login.
#[tokio::test]
async fn an_anonymous_session_ends_with_the_login_over_it() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let browser = server.browser();
    browser.post("/api/v1/session").await.clean().must_be(201);
    let basket = json!(["tea", "milk"]);
    browser.put_json("/api/v1/session/data/basket", &basket).await.clean().must_be(201);
    browser.put_json("/api/v1/session/data/trap", &json!("planted")).await.must_be(201);
    let (before, sid) = (browser.secret(), browser.sid().await);

    let carry = json!({"carry": ["basket"]});
    let login = server.sign_in_with(&browser, &alice, carry).await.clean().must_be(200);

    assert_ne!(browser.secret(), before);
    assert_ne!(login.json()["session"]["sid"], *sid, "a new session, not the old one raised");
    ask_with(&server, &before).await.must_be_problem(401, "unauthenticated");
    let data = browser.get("/api/v1/session/data").await.clean().must_be(200).json();
    assert_eq!(data["data"]["basket"]["value"], basket);
    assert!(data["data"].get("trap").is_none(), "only what was named goes over: {data}");
    assert_eq!(server.rows().session, 1);
}

/// Attack 2, shown end to end on two other servers: the attacker plants the cookie of his own
/// signed-in session, the victim logs in over it, and the attacker's cookie is the victim's.
#[tokio::test]
async fn a_login_over_the_attackers_session_does_not_make_it_the_victims() {
    let server = Server::start().await;
    let (mallory, alice) = (server.member("mallory").await, server.member("alice").await);
    for page in [false, true] {
        let attacker = server.sign_in(&mallory).await;
        let trap = json!("planted by mallory");
        attacker.put_json("/api/v1/session/data/cart", &trap).await.must_be(201);
        let planted = attacker.secret();
        let victim = attacker.copy();

        if page {
            let form = [("username", "alice"), ("password", PASSWORD)];
            victim.post_form("/login", &form).await.clean().must_be(303);
        } else {
            let carry = json!({"carry": ["cart"]});
            server.sign_in_with(&victim, &alice, carry).await.clean().must_be(200);
        }

        assert_ne!(victim.secret(), planted);
        let mine = victim.get("/api/v1/session").await.clean().must_be(200).json();
        assert_eq!(mine["account"]["username"], "alice");
        assert_eq!(mine["session"]["data"], json!({}), "nothing of another's session goes over");
        ask_with(&server, &planted).await.must_be_problem(401, "unauthenticated");
        assert!(!attacker.is_signed_in().await, "the attacker's own session has ended too");
    }
}

/// Attack 2 (Django 5.2 and glewlwyd keep the id): a second login while signed in already.
#[tokio::test]
async fn a_second_login_of_the_same_account_gets_a_new_secret_and_the_old_one_dies() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let browser = server.sign_in(&alice).await;
    let before = browser.copy();
    server.sign_in_with(&browser, &alice, json!({})).await.clean().must_be(200);
    assert_ne!(browser.secret(), before.secret());
    assert!(browser.is_signed_in().await);
    assert!(!before.is_signed_in().await);
    assert_eq!(server.rows().session, 1);
}

/// Attack 2 (NIST SP 800-63B-4, section 5.1): making an account while another one is signed in.
#[tokio::test]
async fn registering_over_a_live_session_ends_it_and_gets_a_new_secret() {
    let server = Server::start().await;
    let mallory = server.member("mallory").await;
    let attacker = server.sign_in(&mallory).await;
    let victim = attacker.copy();
    let form = [("username", "alice"), ("password", PASSWORD)];
    victim.post_form("/register", &form).await.clean().must_be(303);
    assert_ne!(victim.secret(), attacker.secret());
    assert!(!attacker.is_signed_in().await);
    let account = victim.get("/api/v1/account").await.clean().must_be(200).json();
    assert_eq!(account["username"], "alice");
}

/// Attack 2 (ASVS 5.0, 7.2.4; NIST SP 800-63B-4, section 5.1): every new proof, a new secret.
#[tokio::test]
async fn a_new_proof_gives_the_cookie_a_new_secret_and_the_old_one_changes_nothing() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let browser = server.sign_in(&alice).await;
    let sid = browser.sid().await;

    let before = browser.copy();
    let proof = json!({"password": PASSWORD});
    let path = "/api/v1/session/reauthenticate";
    browser.post_json(path, &proof).await.clean().must_be(200);
    assert_ne!(browser.secret(), before.secret());
    assert_eq!(browser.sid().await, sid, "the same session");
    changes_nothing(&before).await;
    assert!(browser.is_signed_in().await, "nobody is signed out by a late request");

    // A wrong proof changes nothing: the secret in use must not be lost to a typo or a guess.
    let before = browser.copy();
    let wrong = json!({"password": OTHER_PASSWORD});
    let refused = browser.post_json(path, &wrong).await.clean();
    refused.must_be_problem(401, "wrong-credentials");
    assert!(before.is_signed_in().await);

    let change = json!({"current": PASSWORD, "new": OTHER_PASSWORD});
    browser.post_json("/api/v1/account/password", &change).await.clean().must_be(200);
    assert_ne!(browser.secret(), before.secret());
    assert!(browser.is_signed_in().await);
    assert!(!before.is_signed_in().await);

    let before = browser.copy();
    let form = [("current", OTHER_PASSWORD), ("new", PASSWORD), ("end_other_sessions", "on")];
    browser.post_form("/account/password", &form).await.clean().must_be(303);
    assert_ne!(browser.secret(), before.secret());
    assert!(browser.is_signed_in().await);
    assert!(!before.is_signed_in().await);
}

/// Whoever has only the secret from before the last proof reads, and does nothing.
async fn changes_nothing(before: &Browser) {
    let session = before.get("/api/v1/session").await.clean().must_be(200);
    assert!(session.set_cookie().is_none(), "least of all does it get the new secret");
    let written = before.put_json("/api/v1/session/data/basket", &json!(1)).await.clean();
    written.must_be_problem(401, "unauthenticated");
    for (path, body) in [
        ("/api/v1/session/reauthenticate", json!({"password": PASSWORD})),
        ("/api/v1/account/password", json!({"current": PASSWORD, "new": OTHER_PASSWORD})),
        ("/api/v1/logout", json!({})),
    ] {
        let refused = before.post_json(path, &body).await.clean();
        refused.must_be_problem(401, "unauthenticated");
    }
    before.delete("/api/v1/sessions").await.clean().must_be_problem(401, "unauthenticated");
    before.post("/account/sessions/end-others").await.must_be(303);
}

/// Attack 2: at a login there is no window at all, nor for whoever shared the session before it.
#[tokio::test]
async fn the_secret_from_before_a_login_does_not_read_for_a_moment() {
    let server = Server::start().await;
    let (alice, bob) = (server.member("alice").await, server.member("bob").await);
    let browser = server.browser();
    browser.post_json("/api/v1/session", &json!({})).await.must_be(201);
    // From nobody to Alice, from Alice to Alice, from Alice to Bob.
    for member in [&alice, &alice, &bob] {
        let before = browser.copy();
        server.sign_in_with(&browser, member, json!({})).await.clean().must_be(200);
        assert!(!before.is_signed_in().await);
        assert!(browser.is_signed_in().await, "and its late request ends nothing");
    }
}

/// Attack 2: the same for a session that tokens carry. Its secret is the refresh token.
#[tokio::test]
async fn a_new_proof_gives_a_new_refresh_token_and_the_old_one_dies() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let client = server.client();
    for change in [false, true] {
        let tokens = server.tokens(&alice).await;
        server.clock.advance_seconds(1);
        let (path, body) = if change {
            let body = json!({"current": PASSWORD, "new": OTHER_PASSWORD});
            ("/api/v1/account/password", body)
        } else {
            ("/api/v1/session/reauthenticate", json!({"password": PASSWORD}))
        };
        let reply = client.post_json(path, &body).bearer(&tokens.access).await.clean();
        let renewed = crate::harness::Tokens::read(&reply.must_be(200));
        assert_eq!(renewed.sid, tokens.sid);
        assert_ne!(renewed.refresh, tokens.refresh);
        // Nor is the access token from before worth anything: it may have been stolen with it.
        server.whoami(&tokens.access).await.clean().must_be_problem(401, "invalid_token");
        let old = server.refresh(&tokens.refresh).await.clean();
        old.must_be_problem(401, "invalid-refresh-token");
        server.whoami(&renewed.access).await.clean().must_be(200);
        server.refresh(&renewed.refresh).await.clean().must_be(200);
    }
}
