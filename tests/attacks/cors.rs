//! Cross-origin reads: a script of another origin that wants to know what we answer.
//!
//! What a browser makes of it is in `chromium::foreign`.

use doorward_server::routes;

use super::Clean;
use crate::harness::server::PRODUCTION;
use crate::harness::{Browser, Reply, Server};

/// Origins that are not ours, some of them nearly.
const ORIGINS: [&str; 10] = [
    "https://evil.example",
    "null",
    "https://id.example.com.evil.example",
    "https://id.example.com%60.evil.example",
    "https://evil-id.example.com",
    "https://app.example.com",
    "http://id.example.com",
    "https://id.example.com:8443",
    "https://id.example.com@evil.example",
    "*",
];

/// Where anybody may read, without credentials: what is published for it.
const PUBLISHED: [&str; 2] = ["/.well-known/jwks.json", "/.well-known/oauth-authorization-server"];

#[track_caller]
fn assert_kept(reply: &Reply, path: &str, what: &str) {
    let allowed = reply.header("access-control-allow-origin");
    let expected = (PUBLISHED.contains(&path) && reply.status == 200).then_some("*");
    assert_eq!(allowed, expected, "{what}: {}", reply.describe());
    for name in ["credentials", "methods", "headers", "private-network", "max-age"] {
        let name = format!("access-control-allow-{name}");
        assert_eq!(reply.header(&name), None, "{what}: {}", reply.describe());
    }
    let resource = reply.header("cross-origin-resource-policy");
    let expected = if expected.is_some() { "cross-origin" } else { "same-origin" };
    assert_eq!(resource, Some(expected), "{what}: {}", reply.describe());
}

fn filled(path: &str) -> String {
    path.replace("{sid}", "ses_00000000000000000000000000")
        .replace("{key}", "basket")
        .replace("{version}", "any")
        .replace("{name}", "style.css")
}

/// Attack 20 (ASVS 5.0, 3.4.2): no answer may be read by another origin, signed in or not, whoever
/// asks; but what is published for everybody, by anybody, without credentials.
#[tokio::test]
async fn no_answer_may_be_read_by_another_origin_but_what_is_published() {
    let server = Server::production(|_| {}).await;
    let alice = server.member("alice").await;
    let (signed_in, nobody) = (server.sign_in(&alice).await, server.browser());
    server.tokens(&alice).await;
    let ask = async |browser: &Browser, method: &str, path: &str, origin: &str| {
        let request = browser.request(method, &filled(path));
        request.without("origin").without("sec-fetch-site").header("origin", origin).await
    };
    let mut read = 0;
    for route in routes::table() {
        for browser in [&signed_in, &nobody] {
            for origin in ORIGINS.into_iter().chain([PRODUCTION]) {
                let method = route.method.as_str();
                if method != "GET" && origin == PRODUCTION {
                    continue;
                }
                let reply = ask(browser, method, route.path, origin).await;
                assert!(reply.status.as_u16() < 500, "{}", reply.describe());
                assert_kept(&reply, route.path, &format!("{method} {} from {origin}", route.path));
                read += u32::from(reply.header("access-control-allow-origin").is_some());
            }
        }
    }
    assert_eq!(read, 2 * 2 * 11, "the control: what is published is there for all of them");
    // An error says no more to anybody than a page does.
    let missing = ask(&signed_in, "GET", "/no-such-page", "https://evil.example").await;
    assert_kept(&missing.must_be(404), "/no-such-page", "an error");
    assert!(signed_in.is_signed_in().await, "nobody was signed out by it");
}

/// Attack 20 (Fetch, section 4.8): a preflight asks whether a request with our own header fields or
/// methods may come. It may not, anywhere.
#[tokio::test]
async fn no_preflight_is_ever_answered_with_a_yes() {
    let server = Server::production(|_| {}).await;
    let alice = server.member("alice").await;
    let browser = server.sign_in(&alice).await;
    for route in routes::table() {
        for origin in ORIGINS.into_iter().chain([PRODUCTION]) {
            // A browser sends no cookie with a preflight; an attacker's program may.
            for client in
                [server.client(), server.client().always("cookie", browser.cookie().unwrap())]
            {
                let request = client
                    .request("OPTIONS", &filled(route.path))
                    .header("origin", origin)
                    .header("access-control-request-method", route.method.as_str())
                    .header("access-control-request-headers", "content-type, authorization")
                    .header("access-control-request-private-network", "true");
                let reply = request.await.clean();
                assert_eq!(reply.status, 405, "{}", reply.describe());
                let what = format!("preflight of {} from {origin}", route.path);
                assert_kept(&reply, "", &what);
            }
        }
    }
}
