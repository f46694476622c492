//! Logout: what somebody kept from a session whose owner has signed out.

use doorward_server::routes::{self, Who};
use serde_json::json;

use super::Clean;
use crate::harness::{Browser, PASSWORD, Reply, Server};

/// Every route that asks who is there, as a request that would do its work for an owner. What ends
/// sessions comes last.
fn asking_who() -> Vec<(String, String)> {
    let mut asking: Vec<(String, String)> = routes::table()
        .into_iter()
        // What proxies ask is about other requests: `forward` tries it.
        .filter(|route| ![Who::Anybody, Who::Proxy].contains(&route.who))
        .map(|route| (route.method.to_string(), route.path.to_owned()))
        .collect();
    asking.sort_by_key(|(method, path)| (method == "DELETE", path.clone()));
    asking
}

/// Asks with everything that was kept, everywhere. Nobody is there.
async fn assert_dead(server: &Server, kept: &Browser) {
    for (method, path) in asking_who() {
        let path = path.replace("{sid}", "ses_00000000000000000000000000").replace("{key}", "a");
        let request = kept.request(&method, &path);
        let is_api = path.starts_with("/api/");
        let request = match method.as_str() {
            "PUT" => request.json(&json!("x")),
            "POST" if !is_api => request.form(&[]),
            "POST" if path != "/api/v1/logout" => request.json(&json!({"password": PASSWORD})),
            _ => request,
        };
        let reply = request.await.clean();
        assert_refused(&reply, &format!("{method} {path}"));
    }
    let home = kept.get("/").await.clean().must_be(303);
    assert_eq!(home.location(), "/login", "to the door, not in");
    assert_eq!(server.rows().session, 1, "only the bystander's");
}

#[track_caller]
fn assert_refused(reply: &Reply, what: &str) {
    match reply.status.as_u16() {
        401 => {}
        303 => assert!(reply.location().starts_with("/login"), "{what}: {}", reply.describe()),
        // A body that is judged before its sender says nothing of anybody.
        422 => assert!(!reply.describe().contains("alice"), "{what}: {}", reply.describe()),
        _ => panic!("{what}: {}", reply.describe()),
    }
}

/// Attack 10 (ASVS 5.0, 7.4.1): the cookie, replayed at every route after its owner signed out.
#[tokio::test]
async fn a_cookie_from_before_the_logout_opens_nothing_anywhere() {
    for page in [false, true] {
        let server = Server::production(|_| {}).await;
        let (alice, bob) = (server.member("alice").await, server.member("bob").await);
        let (browser, bystander) = (server.sign_in(&alice).await, server.sign_in(&bob).await);
        let kept = browser.copy();
        assert!(kept.is_signed_in().await, "the control: until then it counts");
        let out = if page {
            browser.post_form("/logout", &[]).await.clean().must_be(303)
        } else {
            browser.post("/api/v1/logout").await.clean().must_be(204)
        };
        assert!(out.set_cookie().is_some_and(|set| set.clears()), "{}", out.describe());
        if page {
            let cleared = out.header("clear-site-data");
            assert_eq!(cleared, Some("\"cookies\", \"storage\""), "{}", out.describe());
        }
        assert_dead(&server, &kept).await;
        // Nor does it come back with time, or with a login beside it.
        server.clock.advance_seconds(60);
        server.sign_in(&bob).await.post("/api/v1/logout").await.must_be(204);
        assert!(!kept.is_signed_in().await);
        assert!(bystander.is_signed_in().await);
    }
}

/// Attack 10 (RFC 9700, section 4.14): the access token and the refresh token of the session.
#[tokio::test]
async fn tokens_from_before_the_logout_are_worth_nothing_whichever_of_them_signed_out() {
    for by_refresh in [false, true] {
        let server = Server::start().await;
        let alice = server.member("alice").await;
        let (kept, other) = (server.tokens(&alice).await, server.tokens(&alice).await);
        server.whoami(&kept.access).await.clean().must_be(200);
        let request = server.client().post("/api/v1/logout");
        let request = if by_refresh {
            request.json(&json!({"refresh_token": kept.refresh}))
        } else {
            request.bearer(&kept.access)
        };
        request.await.clean().must_be(204);

        server.whoami(&kept.access).await.clean().must_be_problem(401, "invalid_token");
        let refreshed = server.refresh(&kept.refresh).await.clean();
        refreshed.must_be_problem(401, "invalid-refresh-token");
        for (method, path) in asking_who() {
            if !path.starts_with("/api/") || path.contains('{') {
                continue;
            }
            let request = server.client().request(&method, &path).bearer(&kept.access);
            let request = if path.ends_with("/account/tokens") && method == "POST" {
                request.json(&json!({"name": "x"}))
            } else if path.ends_with("/sites/check") {
                request.json(&json!({"method": "GET", "url": "http://localhost/"}))
            } else if path.ends_with("/password") || path.ends_with("/reauthenticate") {
                request.json(&json!({"password": "x", "current": "x", "new": "x"}))
            } else {
                request
            };
            assert_refused(&request.await.clean(), &format!("{method} {path}"));
        }
        // The control: the owner's other session goes on.
        server.whoami(&other.access).await.clean().must_be(200);
        server.refresh(&other.refresh).await.clean().must_be(200);
    }
}

/// Attack 10: two clicks, two tabs, and a logout that somebody repeats with the dead cookie.
#[tokio::test]
async fn signing_out_with_a_dead_cookie_ends_nobody_elses_session() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let (browser, bystander) = (server.sign_in(&alice).await, server.sign_in(&alice).await);
    let tab = browser.copy();
    browser.post_form("/logout", &[]).await.clean().must_be(303);
    let again = tab.post_form("/logout", &[]).await.clean().must_be(303);
    assert_eq!(again.location(), "/login?said=signed-out", "no dead end");
    assert!(again.set_cookie().is_some_and(|set| set.clears()));
    assert!(bystander.is_signed_in().await);
    assert_eq!(server.rows().session, 1);
}
