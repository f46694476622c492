//! Methods: a safe one that changes something, one that pretends to be another, a body that
//! pretends to be harmless.

use std::collections::{BTreeMap, BTreeSet};

use doorward_server::routes::{self, Who};
use http::Method;
use serde_json::json;

use super::Clean;
use crate::harness::{PASSWORD, Server};

/// Every path with the methods it answers to.
fn paths() -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut paths: BTreeMap<&'static str, BTreeSet<String>> = BTreeMap::new();
    // What proxies ask is answered whatever the method.
    for route in routes::table().into_iter().filter(|route| route.who != Who::Proxy) {
        let methods = paths.entry(route.path).or_default();
        methods.insert(route.method.to_string());
        if route.method == Method::GET {
            methods.insert("HEAD".to_owned());
        }
    }
    paths
}

/// Attack 19 (ASVS 5.0, 3.5.3): a link or an image that does what only a button may.
#[tokio::test]
async fn get_and_head_change_nothing_anywhere() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let (browser, other) = (server.sign_in(&alice).await, server.sign_in(&alice).await);
    browser.put_json("/api/v1/session/data/kept", &json!(1)).await.must_be(201);
    // The first who asks for the public keys finds them made.
    browser.get("/.well-known/jwks.json").await.must_be(200);
    let (sid, rows) = (other.sid().await, server.rows());
    for (path, methods) in paths() {
        let target = path.replace("{sid}", &sid).replace("{key}", "kept");
        let query = format!(
            "username=eve&password={0}&current={0}&new=another-one-of-them&sid={sid}&except=current",
            PASSWORD.replace(' ', "+")
        );
        for target in [target.clone(), format!("{target}?{query}")] {
            for method in ["GET", "HEAD"] {
                let reply = browser.send(browser.request(method, &target)).await;
                assert!(reply.status.as_u16() < 500, "{method} {target}: {}", reply.describe());
                assert!(reply.set_cookie().is_none(), "{method} {target}");
                let allowed = methods.contains(method);
                assert_eq!(reply.status == 405, !allowed, "{method} {target}");
                assert_eq!(server.rows(), rows, "{method} {target}");
            }
        }
    }
    assert!(browser.is_signed_in().await && other.is_signed_in().await);
    // The control: the button.
    let request = browser.request("POST", "/account/sessions/end").form(&[("sid", &sid)]);
    browser.send(request).await.clean().must_be(303);
    assert!(!other.is_signed_in().await);
}

/// Attack 19 (RFC 9110, section 15.5.6): a method that a path does not know is told which it knows.
#[tokio::test]
async fn an_unknown_method_is_refused_and_told_the_known_ones() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let browser = server.sign_in(&alice).await;
    let rows = server.rows();
    for (path, methods) in paths() {
        let target = path.replace("{sid}", "ses_00000000000000000000000000").replace("{key}", "k");
        for method in
            ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "post"]
        {
            if methods.contains(method) {
                continue;
            }
            let reply = browser.send(browser.request(method, &target)).await.clean();
            assert!(reply.header("access-control-allow-origin").is_none(), "{method} {target}");
            assert_eq!(reply.status, 405, "{method} {target}: {}", reply.describe());
            let allow = reply.header("allow").unwrap_or_else(|| panic!("no Allow: {target}"));
            let allow: BTreeSet<String> =
                allow.split(',').map(|method| method.trim().to_owned()).collect();
            assert_eq!(allow, methods, "{method} {target}");
            if path.starts_with("/api/") {
                reply.must_be_problem(405, "method-not-allowed");
            }
        }
    }
    assert_eq!(server.rows(), rows);
    assert!(browser.is_signed_in().await);
}

/// Attack 19: a method in a field, in a query or in a form is not a method.
#[tokio::test]
async fn a_method_cannot_be_overridden() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let (browser, other) = (server.sign_in(&alice).await, server.sign_in(&alice).await);
    let rows = server.rows();
    let one = format!("/api/v1/sessions/{}", other.sid().await);
    for path in ["/api/v1/sessions", "/api/v1/sessions?except=current", one.as_str()] {
        for header in ["x-http-method-override", "x-http-method", "x-method-override", "_method"] {
            for method in ["GET", "POST"] {
                let request = browser.request(method, path).header(header, "DELETE");
                let reply = browser.send(request).await.clean();
                let status = reply.status.as_u16();
                assert!(matches!(status, 200 | 405), "{method} {path}: {}", reply.describe());
            }
        }
        let sign = if path.contains('?') { '&' } else { '?' };
        let target = format!("{path}{sign}_method=DELETE&method=DELETE");
        for method in ["GET", "POST"] {
            let request = browser.request(method, &target);
            let request =
                if method == "POST" { request.form(&[("_method", "DELETE")]) } else { request };
            let reply = browser.send(request).await.clean();
            assert!(matches!(reply.status.as_u16(), 200 | 405), "{}", reply.describe());
        }
    }
    assert_eq!(server.rows(), rows);
    assert!(browser.is_signed_in().await && other.is_signed_in().await);
    browser.delete(&one).await.clean().must_be(204);
    assert!(!other.is_signed_in().await);
}

/// Attack 19 (ASVS 5.0, 3.5.2): JSON under a type that a foreign page may send without asking
/// first.
#[tokio::test]
async fn json_under_a_form_s_type_is_not_read() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let browser = server.sign_in(&alice).await;
    let rows = server.rows();
    let login = json!({"username": "alice", "password": PASSWORD, "carrier": "token"});
    let new = json!({"username": "eve", "password": PASSWORD});
    let requests = [
        ("POST", "/api/v1/login", login),
        ("POST", "/api/v1/accounts", new),
        ("POST", "/api/v1/session/reauthenticate", json!({"password": PASSWORD})),
        ("POST", "/api/v1/session", json!({})),
        ("PUT", "/api/v1/session/data/basket", json!("evil")),
        ("POST", "/api/v1/logout", json!({})),
    ];
    for (method, path, body) in &requests {
        for media_type in [
            "text/plain",
            "text/plain; charset=utf-8",
            "text/plain; application/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "text/json",
            "application/jsonp",
            "application/json-patch+json",
            "application/json, text/plain",
            "",
        ] {
            let request = browser.request(method, path).body(media_type, body.to_string());
            let reply = browser.send(request).await.clean();
            reply.must_be_problem(415, "unsupported-media-type");
        }
        let untyped = browser.request(method, path).untyped_body(body.to_string());
        browser.send(untyped).await.clean().must_be_problem(415, "unsupported-media-type");
    }
    assert_eq!(server.rows(), rows);
    assert!(browser.is_signed_in().await);
    for (method, path, body) in &requests {
        let request = browser.request(method, path).json(body);
        let status = browser.send(request).await.clean().status.as_u16();
        assert!((200..300).contains(&status), "{path}: {status}");
    }
}
