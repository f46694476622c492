//! Other sessions: whoever has one already, when the owner shuts the door on them.
//!
//! One process is a whole site here: there is no second node that could be late to hear of it.

use doorward_core::event::EventKind;
use serde_json::json;

use super::Clean;
use crate::harness::{Browser, Member, OTHER_PASSWORD, PASSWORD, Server, Tokens};

/// Three ways to have been in before.
struct Thieves {
    cookie: Browser,
    remembered: Browser,
    tokens: Tokens,
}

impl Thieves {
    async fn of(server: &Server, member: &Member) -> Self {
        let remembered = server.browser();
        let wish = json!({"remember": true});
        server.sign_in_with(&remembered, member, wish).await.must_be(200);
        Self {
            cookie: server.sign_in(member).await,
            remembered,
            tokens: server.tokens(member).await,
        }
    }

    async fn assert_in(&self, server: &Server) {
        assert!(self.cookie.is_signed_in().await && self.remembered.is_signed_in().await);
        server.whoami(&self.tokens.access).await.clean().must_be(200);
    }

    async fn assert_out(&self, server: &Server) {
        for browser in [&self.cookie, &self.remembered] {
            browser.get("/api/v1/session").await.clean().must_be_problem(401, "unauthenticated");
            let page = browser.get("/account").await.clean().must_be(303);
            assert!(page.location().starts_with("/login"));
        }
        let access = server.whoami(&self.tokens.access).await.clean();
        access.must_be_problem(401, "invalid_token");
        let refresh = server.refresh(&self.tokens.refresh).await.clean();
        refresh.must_be_problem(401, "invalid-refresh-token");
    }
}

/// Attack 12 (ASVS 5.0, 7.4.3; NIST SP 800-63B-4, section 5.1): a changed password ends what the
/// old one opened, at once, and the owner goes on under a new secret.
#[tokio::test]
async fn a_changed_password_ends_every_other_session_at_once_and_renews_this_one() {
    for page in [false, true] {
        let server = Server::start().await;
        let (alice, bob) = (server.member("alice").await, server.member("bob").await);
        let thieves = Thieves::of(&server, &alice).await;
        let (owner, bystander) = (server.sign_in(&alice).await, server.sign_in(&bob).await);
        thieves.assert_in(&server).await;
        let before = owner.copy();
        if page {
            let form =
                [("current", PASSWORD), ("new", OTHER_PASSWORD), ("end_other_sessions", "1")];
            owner.post_form("/account/password", &form).await.clean().must_be(303);
        } else {
            let change = json!({"current": PASSWORD, "new": OTHER_PASSWORD});
            owner.post_json("/api/v1/account/password", &change).await.clean().must_be(200);
        }
        thieves.assert_out(&server).await;
        assert_ne!(owner.secret(), before.secret());
        assert!(owner.is_signed_in().await && bystander.is_signed_in().await);
        assert!(!before.is_signed_in().await, "the secret before is not the owner's alone");
        assert_eq!(server.rows().session, 2);
        let old = crate::harness::server::login_body(&alice, "token", json!({}));
        let old = server.client().post_json("/api/v1/login", &old).await.clean();
        old.must_be_problem(401, "wrong-credentials");
        server.sign_in(&alice.with_other_password()).await;
    }
}

/// Attack 12 (ASVS 5.0, 7.4.5): the owner ends the others, or everything, without a new password.
#[tokio::test]
async fn ending_all_others_ends_them_all_at_once() {
    for (method, path) in [
        ("DELETE", "/api/v1/sessions?except=current"),
        ("POST", "/account/sessions/end-others"),
        ("DELETE", "/api/v1/sessions"),
    ] {
        let server = Server::start().await;
        let (alice, bob) = (server.member("alice").await, server.member("bob").await);
        let thieves = Thieves::of(&server, &alice).await;
        let (owner, bystander) = (server.sign_in(&alice).await, server.sign_in(&bob).await);
        thieves.assert_in(&server).await;
        let request = owner.request(method, path);
        let request = if method == "POST" { request.form(&[]) } else { request };
        let status = owner.send(request).await.clean().status.as_u16();
        assert!(matches!(status, 204 | 303), "{path}: {status}");
        thieves.assert_out(&server).await;
        assert!(bystander.is_signed_in().await, "{path}");
        let stays = path != "/api/v1/sessions";
        assert_eq!(owner.cookie().is_some(), stays, "{path}");
    }
}

/// Attack 12 (ASVS 5.0, 7.4.2): an account that is disabled. No route disables one yet, so the
/// store's own row is changed, which is what a route would come to.
#[tokio::test]
async fn a_disabled_account_is_out_everywhere_at_once_and_stays_out() {
    let server = Server::start().await;
    let (alice, bob) = (server.member("alice").await, server.member("bob").await);
    let thieves = Thieves::of(&server, &alice).await;
    let bystander = server.sign_in(&bob).await;
    thieves.assert_in(&server).await;
    let disable = "UPDATE account SET disabled = 1 WHERE username = 'alice'";
    server.write_from_outside(disable).await;

    thieves.assert_out(&server).await;
    assert!(bystander.is_signed_in().await, "the control: nobody else is");
    let login = crate::harness::server::login_body(&alice, "cookie", json!({}));
    let reply = server.browser().post_json("/api/v1/login", &login).await.clean();
    reply.must_be_problem(401, "wrong-credentials");
    let refused = server.event(EventKind::LoginFailed).await;
    assert_eq!(refused.reason.as_deref(), Some("account-disabled"), "the log says why");
}

/// Attack 12: whoever is in without the password cannot shut the owner out with it.
#[tokio::test]
async fn a_thief_without_the_password_changes_nothing() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let (owner, thief) = (server.sign_in(&alice).await, server.sign_in(&alice).await);
    for wrong in [OTHER_PASSWORD, "", "violet harbour tin whistl"] {
        let change = json!({"current": wrong, "new": "the thief's own password"});
        let reply = thief.post_json("/api/v1/account/password", &change).await.clean();
        reply.must_be_problem(401, "wrong-credentials");
        let form = [("current", wrong), ("new", "the thief's own password")];
        thief.post_form("/account/password", &form).await.clean().must_be(401);
    }
    assert!(owner.is_signed_in().await);
    server.sign_in(&alice).await;
}
