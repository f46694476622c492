//! Hosts: a request that says it is for somebody else's name, so that what we answer, or write into
//! a link, a token or a mail, names them.

use doorward_server::routes;
use http::Method;
use serde_json::{Value, json};

use super::Clean;
use crate::harness::server::{PRODUCTION, login_body};
use crate::harness::{Reply, Server, Tokens};

/// Header fields in which some server somewhere looks for its own name, or for the real path.
const CLAIMS: [(&str, &str); 12] = [
    ("x-forwarded-host", "evil.example"),
    ("x-forwarded-host", "evil.example, id.example.com"),
    ("x-forwarded-server", "evil.example"),
    ("x-forwarded-port", "666"),
    ("x-forwarded-prefix", "//evil.example"),
    ("x-host", "evil.example"),
    ("x-original-host", "evil.example"),
    ("x-http-host-override", "evil.example"),
    ("forwarded", "for=192.0.2.1;host=evil.example;proto=https"),
    ("x-original-url", "//evil.example/account"),
    ("x-rewrite-url", "//evil.example/account"),
    ("referer", "https://evil.example/"),
];

#[track_caller]
fn assert_not_named(reply: &Reply, what: &str) {
    assert!(!reply.describe().contains("evil"), "{what}: {}", reply.describe());
    let whole = String::from_utf8_lossy(&reply.body);
    assert!(!whole.contains("evil") && !whole.contains(":666"), "{what}: {whole}");
}

/// Attack 25 (RFC 9110, section 7.2), and DNS rebinding: a page of a name that was pointed at this
/// machine finds nobody at home.
#[tokio::test]
async fn in_development_a_request_for_another_name_is_turned_away() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let browser = server.sign_in(&alice).await;
    let rows = server.rows();
    let port = server.address.port();
    for evil in [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        format!("localhost.evil.example:{port}"),
        format!("127.0.0.1.evil.example:{port}"),
        format!("localhost:{port}:evil.example"),
        format!("localhost:{port}@evil.example"),
        format!("evil.example/localhost:{port}"),
        "10.0.0.1".to_owned(),
        "0.0.0.0".to_owned(),
        "[::2]".to_owned(),
        "localhost.".to_owned(),
        String::new(),
    ] {
        let request = || browser.request("POST", "/api/v1/logout").without("host");
        let reply = request().header("host", &evil).await.clean();
        reply.must_be_problem(421, "unknown-host");
        let rebound = request().without("origin").without("sec-fetch-site");
        let rebound = rebound.header("host", &evil).header("origin", format!("http://{evil}"));
        rebound.await.clean().must_be_problem(421, "unknown-host");
        // The target in absolute form has the last word, and this is its name.
        let absolute = format!("http://{evil}/api/v1/session");
        if !evil.is_empty() && !evil.contains(['@', '/']) && evil.matches(':').count() < 2 {
            let reply = browser.request("GET", &absolute).await.clean();
            reply.must_be_problem(421, "unknown-host");
        }
    }
    assert_eq!(server.rows(), rows);
    for honest in ["localhost".to_owned(), format!("127.0.0.1:{port}"), "app.localhost".to_owned()]
    {
        let request = browser.request("GET", "/api/v1/session").without("host");
        request.header("host", &honest).await.clean().must_be(200);
    }
}

/// Attack 25 (RFC 9700, section 4.13): in production no answer names what a request called us.
#[tokio::test]
async fn in_production_no_answer_names_the_host_that_a_request_claimed() {
    let server = Server::production(|_| {}).await;
    let alice = server.member("alice").await;
    for route in routes::table().into_iter().filter(|route| route.method == Method::GET) {
        for signed_in in [false, true] {
            let browser = if signed_in { server.sign_in(&alice).await } else { server.browser() };
            let ask = || browser.request("GET", route.path);
            let honest = ask().await;
            let hosts = [("host", "evil.example"), ("host", "evil.example:666")];
            for (name, value) in CLAIMS.into_iter().chain(hosts) {
                let what = format!("{} with {name}: {value}", route.path);
                let request = if name == "host" { ask().without("host") } else { ask() };
                let reply = request.header(name, value).await;
                assert_not_named(&reply, &what);
                assert_eq!(reply.status, honest.status, "{what}");
                assert_eq!(reply.header("location"), honest.header("location"), "{what}");
            }
            let absolute = browser.request("GET", &format!("https://evil.example{}", route.path));
            assert_not_named(&absolute.await, route.path);
        }
    }
}

/// Attack 25: the issuer of a token and the cookie's name and reach are the site's own.
#[tokio::test]
async fn in_production_tokens_and_cookies_are_of_the_site_whatever_the_host_says() {
    let server = Server::production(|_| {}).await;
    let alice = server.member("alice").await;
    let hosts = [("host", "evil.example")];
    for (name, value) in CLAIMS.into_iter().chain(hosts) {
        let log_in = |carrier: &str| {
            let request = server.browser().request("POST", "/api/v1/login");
            let request = if name == "host" { request.without("host") } else { request };
            request.header(name, value).json(&login_body(&alice, carrier, json!({})))
        };
        let tokens = log_in("token").await.clean().must_be(200);
        assert_not_named(&tokens, name);
        assert_eq!(issuer(&Tokens::read(&tokens).access), PRODUCTION, "{name}");
        let cookie = log_in("cookie").await.clean().must_be(200);
        let set = cookie.header("set-cookie").unwrap();
        assert!(set.starts_with("__Host-Http-doorward=") && !set.contains("Domain"), "{set}");
        // Nor does a name in the request make a foreign page one of ours.
        let foreign = log_in("cookie").without("origin").without("sec-fetch-site");
        let foreign = foreign.header("origin", "https://evil.example").await.clean();
        foreign.must_be_problem(403, "csrf-rejected");
    }
}

fn issuer(jwt: &str) -> String {
    use base64ct::{Base64UrlUnpadded, Encoding};
    let claims = Base64UrlUnpadded::decode_vec(jwt.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    claims["iss"].as_str().unwrap().to_owned()
}

/// Attack 25 (RFC 9112, section 3.2): no name, two names, or what cannot be one.
#[tokio::test]
async fn a_request_must_say_once_and_clearly_whom_it_is_for() {
    let server = Server::production(|_| {}).await;
    let ask = || server.client().get("/api/v1/session").without("host");
    ask().header("host", "id.example.com").await.clean().must_be_problem(401, "unauthenticated");
    ask().await.clean().must_be_problem(400, "malformed-request");
    let two = ask().header("host", "id.example.com").header("host", "evil.example");
    two.await.clean().must_be_problem(400, "malformed-request");
    for none in [
        "",
        "id.example.com, evil.example",
        "id.example.com evil.example",
        "id.example.com@evil.example",
        "id.example.com/evil",
        "id.example.com:443:443",
        "id.example.com:port",
        "id.example.com?",
        "<script>",
        "[::1",
    ] {
        let reply = ask().header("host", none).await.clean();
        assert_eq!(reply.status, 400, "{none:?}: {}", reply.describe());
        reply.must_be_problem(400, "malformed-request");
    }
    // HTTP/1.0 knows no Host, and a check of health may speak it.
    let old = server.client().raw("GET /livez HTTP/1.0\r\n\r\n").await;
    assert_eq!(old.status, 200, "{}", old.describe());
}
