//! Production behind nginx: who is believed about what, and what leaves towards the browser.

use serde_json::{Value, json};

use crate::harness::nginx::{self, Plan};
use crate::harness::server::{PRODUCTION, login_body};
use crate::harness::{Member, Server};

/// The configuration in `docs/how-to/behind-a-proxy.md`, where TLS has ended before this nginx.
fn behind_tls() -> String {
    let documented = nginx::documented();
    assert!(documented.contains("X-Forwarded-Proto $scheme"), "{documented}");
    documented.replace("X-Forwarded-Proto $scheme", "X-Forwarded-Proto https")
}

#[tokio::test]
async fn the_documented_configuration_makes_a_whole_production_site() {
    let server = Server::behind(PRODUCTION).await;
    let ada = server.member("ada").await;
    let nginx = Plan::plain().start(server.address, &behind_tls()).await;
    let browser = nginx.browser(PRODUCTION);

    let reply = browser.post_json("/api/v1/login", &login(&ada)).await.must_be(200);
    let cookie = reply.set_cookie().unwrap();
    assert_eq!(cookie.name, "__Host-Http-doorward");
    for attribute in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.has(attribute), "{attribute}: {cookie:?}");
    }
    let hsts = reply.header("strict-transport-security").unwrap();
    assert!(hsts.starts_with("max-age=31536000"), "{hsts}");
    assert_eq!(reply.header("cache-control"), Some("no-store"));

    let session = browser.get("/api/v1/session").await.must_be(200).json();
    assert_eq!(session["session"]["device"]["ip"], "127.0.0.1", "the browser's own address");
    browser.post("/api/v1/logout").await.must_be(204);
    assert!(!browser.is_signed_in().await);
    assert!(nginx.access_log().contains("POST /api/v1/login"), "it went through nginx");
}

#[tokio::test]
async fn what_a_client_says_of_itself_is_replaced_by_what_nginx_knows() {
    let server = Server::behind(PRODUCTION).await;
    let ada = server.member("ada").await;
    let nginx = Plan::plain().start(server.address, &behind_tls()).await;
    let request = nginx
        .client("id.example.com")
        .post_json("/api/v1/login", &login(&ada))
        .from_origin(PRODUCTION)
        .header("x-forwarded-for", "192.0.2.66")
        .header("x-forwarded-proto", "http");
    let reply = request.await.must_be(200).json();
    assert_eq!(reply["session"]["device"]["ip"], "127.0.0.1");
}

#[tokio::test]
async fn a_request_that_came_to_nginx_in_the_clear_is_refused() {
    let server = Server::behind(PRODUCTION).await;
    let nginx = Plan::plain().start(server.address, &nginx::documented()).await;
    let client = nginx.client("id.example.com");
    client.get("/api/v1/session").await.must_be_problem(403, "https-required");
    // Nor does it help to say otherwise: nginx says what it has seen.
    let claimed = client.get("/api/v1/session").header("x-forwarded-proto", "https").await;
    claimed.must_be_problem(403, "https-required");
    client.get("/livez").await.must_be(200);
}

fn login(member: &Member) -> Value {
    login_body(member, "cookie", json!({}))
}
