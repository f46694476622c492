//! Cross-origin reads: a script of another origin that wants to know what we answer.
//!
//! What a browser makes of it is in `chromium::foreign`.

use doorward_server::cors::Origins;
use doorward_server::routes::{self, Who};
use serde_json::json;

use super::Clean;
use crate::harness::server::PRODUCTION;
use crate::harness::{Browser, Reply, Server, Tokens};

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
const PUBLISHED: [&str; 4] = [
    "/.well-known/jwks.json",
    "/.well-known/oauth-authorization-server",
    "/.well-known/ssf-configuration",
    "/status-lists",
];

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
    assert_eq!(read, 2 * 4 * 11, "the control: what is published is there for all of them");
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
                // A proxy is answered whatever its method, and a browser learns nothing by it.
                let is_no = reply.status == 405 || route.who == Who::Proxy;
                assert!(is_no, "{}", reply.describe());
                let what = format!("preflight of {} from {origin}", route.path);
                assert_kept(&reply, "", &what);
            }
        }
    }
}

/// An origin that is allowed in what follows.
const APP: &str = "https://app.example.com";

/// Nearly that one.
const NEARLY: [&str; 12] = [
    "https://app.example.com.evil.example",
    "https://evil-app.example.com",
    "https://app.example.com.",
    "https://app.example.com/",
    "https://app.example.com:443",
    "https://app.example.com:8443",
    "https://APP.example.com",
    "http://app.example.com",
    "https://example.com",
    "https://app.example.com, https://evil.example",
    "null",
    "*",
];

async fn with_app() -> Server {
    Server::production(|settings| settings.cors = Origins::parse([APP]).unwrap()).await
}

fn permission(reply: &Reply) -> Option<&str> {
    // Never, to nobody.
    assert_eq!(reply.header("access-control-allow-credentials"), None, "{}", reply.describe());
    reply.header("access-control-allow-origin")
}

#[tokio::test]
async fn an_app_of_an_allowed_origin_uses_the_api_with_a_token() {
    let server = with_app().await;
    let ada = server.member("ada").await;
    let client = server.client().always("origin", APP).always("sec-fetch-site", "cross-site");
    let body = crate::harness::server::login_body(&ada, "token", json!({}));
    let login = client.post_json("/api/v1/login", &body).await.must_be(200);
    assert_eq!(permission(&login), Some(APP));
    let tokens = Tokens::read(&login);
    let read = client.get("/api/v1/session").bearer(&tokens.access).await.must_be(200);
    assert_eq!(permission(&read), Some(APP));
    assert!(read.header("access-control-expose-headers").unwrap().contains("etag"));
    let vary = read.headers.get_all("vary").iter().map(|value| value.to_str().unwrap());
    assert!(vary.collect::<Vec<_>>().join(", ").contains("Origin"));
    let body = json!({ "refresh_token": tokens.refresh });
    let renewed = client.post_json("/api/v1/refresh", &body).await.must_be(200);
    assert_eq!(permission(&renewed), Some(APP));
    // An error is for its script, too.
    let refused = client.get("/api/v1/session").bearer("a.b.c").await.must_be(401);
    assert_eq!(permission(&refused), Some(APP));
}

#[tokio::test]
async fn a_preflight_names_the_methods_that_are_there_and_no_others() {
    let server = with_app().await;
    let ask = async |path: &str, origin: &str| {
        let request = server.client().request("OPTIONS", path).header("origin", origin);
        request.header("access-control-request-method", "PUT").await
    };
    for (path, methods) in [
        ("/api/v1/session", "GET,HEAD,POST"),
        ("/api/v1/session/data/basket", "PUT,DELETE"),
        ("/oauth/token", "POST"),
    ] {
        let reply = ask(path, APP).await.must_be(204);
        assert_eq!(permission(&reply), Some(APP));
        let mut allowed: Vec<_> =
            reply.header("access-control-allow-methods").unwrap().split(',').collect();
        let mut expected: Vec<_> = methods.split(',').collect();
        allowed.sort_unstable();
        expected.sort_unstable();
        assert_eq!(allowed, expected, "{path}");
        let headers = reply.header("access-control-allow-headers").unwrap();
        for name in ["authorization", "content-type", "if-match", "dpop"] {
            assert!(headers.contains(name), "{headers}");
        }
        assert!(reply.body.is_empty());
        for origin in NEARLY {
            let reply = ask(path, origin).await.must_be(405);
            assert_eq!(permission(&reply), None, "{origin}");
        }
    }
    // A path that is not there, a page, and a question that is no preflight.
    assert_eq!(permission(&ask("/account", APP).await.must_be(405)), None);
    let missing = ask("/api/v1/nothing", APP).await.must_be(404);
    assert_eq!(missing.header("access-control-allow-methods"), None);
    let bare = server.client().request("OPTIONS", "/api/v1/session").header("origin", APP).await;
    assert_eq!(bare.must_be(405).header("access-control-allow-methods"), None);
}

#[tokio::test]
async fn an_origin_that_is_nearly_allowed_is_not() {
    let server = with_app().await;
    let tokens = server.tokens(&server.member("ada").await).await;
    let read = async |origin: &str| {
        let request = server.client().get("/api/v1/session").bearer(&tokens.access);
        request.header("origin", origin).await.must_be(200)
    };
    assert_eq!(permission(&read(APP).await), Some(APP), "the control");
    for origin in NEARLY.into_iter().chain(ORIGINS).filter(|origin| *origin != APP) {
        assert_eq!(permission(&read(origin).await), None, "{origin}");
    }
}

#[tokio::test]
async fn the_cookie_opens_nothing_for_an_allowed_origin() {
    let server = with_app().await;
    let browser = server.sign_in(&server.member("ada").await).await;
    let cookie = browser.cookie().unwrap();
    let client = server.client().always("cookie", cookie).always("origin", APP);
    let client = client.always("sec-fetch-site", "same-site");
    let read = client.get("/api/v1/session").await;
    assert_eq!(permission(&read), None);
    for request in [
        client.post("/api/v1/logout"),
        client.put_json("/api/v1/session/data/a", &json!(1)),
        client.delete("/api/v1/sessions"),
    ] {
        let reply = request.await;
        assert_eq!(permission(&reply), None);
        reply.must_be_problem(403, "csrf-rejected");
    }
    // Nor does a login that would set one.
    let ada = crate::harness::Member {
        id: String::new(),
        username: "ada".into(),
        password: crate::harness::PASSWORD.into(),
    };
    let body = crate::harness::server::login_body(&ada, "cookie", json!({}));
    let login = server.client().post_json("/api/v1/login", &body);
    let login = login.header("origin", APP).header("sec-fetch-site", "same-site").await;
    login.must_be_problem(403, "csrf-rejected");
    assert!(browser.is_signed_in().await);
}
