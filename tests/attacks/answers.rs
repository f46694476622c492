//! Every answer: the header fields that tell a browser what may be done with it, on pages, on data
//! and on errors alike.

use doorward_server::routes;

use crate::harness::{PASSWORD, Reply, Server};

/// What a page may load, and where it may stand and send to.
const PAGE: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
                    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What anything that is no page may do in a browser.
const DATA: &str = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'";

/// Names that say what we are made of, and where the next hole would be.
const TALKATIVE: [&str; 6] =
    ["server", "x-powered-by", "via", "x-aspnet-version", "x-runtime", "x-generator"];

/// Answers of every route, and of requests that are none: as somebody who is signed in, and not.
async fn answers(server: &Server) -> Vec<(String, Reply)> {
    let mut answers = Vec::new();
    let alice = server.member("alice").await;
    for signed_in in [false, true] {
        for route in routes::table() {
            let browser = if signed_in { server.sign_in(&alice).await } else { server.browser() };
            let path = route.path.replace("{version}", "any").replace("{name}", "style.css");
            let what = format!("{} {path}, signed in: {signed_in}", route.method);
            let request = browser.request(route.method.as_str(), &path);
            answers.push((format!("{what}, as it is"), request.clone().await));
            answers.push((format!("{what}, a form"), request.clone().form(&[]).await));
            let foreign = request.without("sec-fetch-site").header("sec-fetch-site", "cross-site");
            answers.push((format!("{what}, from elsewhere"), foreign.await));
        }
    }
    let (client, browser) = (server.client(), server.browser());
    let wrong = [("username", "alice"), ("password", "not it")];
    let faulty = [("username", "two words"), ("password", PASSWORD)];
    let long = format!("/login?return_to={}", "x".repeat(5000));
    for (what, reply) in [
        ("no such page", client.get("/no-such-page").await),
        ("no such path of the API", client.get("/api/v1/nothing").await),
        ("no such method", client.request("BREW", "/login").await),
        ("options", client.request("OPTIONS", "/login").await),
        ("a wrong password", browser.post_form("/login", &wrong).await),
        ("faults in a form", browser.post_form("/register", &faulty).await),
        ("a long address", client.get(&long).await),
        ("large cookies", client.get("/login").cookie("x".repeat(9000)).await),
        ("two hosts", client.get("/login").header("host", "two.example").await),
        ("a large body", browser.post_form("/login", &[("password", &"x".repeat(70_000))]).await),
        ("another type", client.post("/login").from_origin(&server.origin).body("a/b", "x").await),
        ("a head", client.request("HEAD", "/login").await),
    ] {
        answers.push((what.to_owned(), reply));
    }
    answers
}

/// Attacks 21 and 23 (ASVS 5.0, 3.4.1 to 3.4.8): every answer there is, errors too.
#[tokio::test]
async fn every_answer_carries_every_header_field_that_protects_it() {
    for server in [Server::start().await, Server::production(|_| {}).await] {
        let is_production = server.origin.starts_with("https://");
        let (mut pages, mut data, mut refused) = (0, 0, 0);
        for (what, reply) in answers(&server).await {
            let says = |name: &str| reply.header(name).unwrap_or_default().to_owned();
            let is_page = says("content-type").starts_with("text/html");
            let policy = if is_page { PAGE } else { DATA };
            for (name, expected) in [
                ("content-security-policy", policy),
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "no-referrer"),
                ("cross-origin-opener-policy", "same-origin"),
            ] {
                assert_eq!(says(name), expected, "{name}, {what}: {}", reply.describe());
            }
            let resource = says("cross-origin-resource-policy");
            assert!(["same-origin", "cross-origin"].contains(&resource.as_str()), "{what}");
            assert_eq!(
                resource == "cross-origin",
                reply.headers.contains_key("access-control-allow-origin"),
                "{what}"
            );
            assert!(!says("cache-control").is_empty(), "{what}: {}", reply.describe());
            let hsts = says("strict-transport-security");
            assert_eq!(hsts.starts_with("max-age=31536000"), is_production, "{what}: {hsts:?}");
            for name in TALKATIVE {
                assert_eq!(reply.header(name), None, "{what}: {}", reply.describe());
            }
            if !reply.body.is_empty() {
                assert!(!says("content-type").is_empty(), "{what}: {}", reply.describe());
            }
            pages += u32::from(is_page);
            data += u32::from(!is_page);
            refused += u32::from(reply.status.as_u16() >= 400);
        }
        // The control: all kinds were among them.
        assert!(pages > 20 && data > 20 && refused > 20, "{pages}, {data}, {refused}");
    }
}

/// Attack 23: what hyper answers by itself, before anything of ours is asked, tells nothing either.
#[tokio::test]
async fn an_answer_to_what_is_no_request_tells_nothing() {
    let server = Server::production(|_| {}).await;
    for bytes in [
        &b"GARBAGE\r\n\r\n"[..],
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad name: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ] {
        let reply = server.client().raw(bytes).await;
        assert_eq!(reply.status, 400, "{}", reply.describe());
        assert!(reply.body.is_empty(), "{}", reply.describe());
        for name in TALKATIVE {
            assert_eq!(reply.header(name), None, "{}", reply.describe());
        }
    }
    server.client().get("/livez").await.must_be(200);
}
