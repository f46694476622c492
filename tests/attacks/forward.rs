//! Attacks on what proxies ask: spoofed fields, other sites' passes, open redirects, paths with two
//! readings.

use doorward_core::site::OriginPattern;
use doorward_core::site::{Site, Sites};
use serde_json::json;

use crate::harness::Server;
use crate::harness::client::percent;
use crate::harness::server::PRODUCTION;
use crate::journeys::forward_auth::{FORWARD, WIKI, about, pass, with_wiki};

/// Addresses that a browser must not be sent to.
const ELSEWHERE: [&str; 20] = [
    "https://evil.example",
    "//evil.example",
    "/\\evil.example",
    "https:evil.example",
    "https://wiki.example.com@evil.example/",
    "https://wiki.example.com:x@evil.example/",
    "https://wiki.example.com.evil.example/",
    "https://evilwiki.example.com/",
    "https://wiki.example.com\\@evil.example",
    "https://wiki.example.com%00.evil.example/",
    "https://wiki.example.com%2f@evil.example/",
    "https://wiki.example.com:8443/",
    "http://wiki.example.com/",
    "javascript://wiki.example.com/%0aalert(1)",
    "data:text/html,x",
    "https://wiki.example.com/\r\nset-cookie: a=b",
    "https://wiki.example.com\t/",
    " https://wiki.example.com/",
    "https://[::1]/",
    "https://wiki.example.com#@evil.example/",
];

#[tokio::test]
async fn nobody_is_sent_to_an_address_that_is_no_sites() {
    let server = Server::production(with_wiki).await;
    let ada = server.member("ada").await;
    let browser = server.sign_in(&ada).await;
    for address in ELSEWHERE {
        let on = browser.get(&format!("/continue?rd={}", percent(address))).await.must_be(303);
        assert_eq!(on.header("location"), Some("/account"), "{address:?}");
        assert!(on.set_cookies().is_empty(), "{address:?}");
        let login = server.browser().get(&format!("/login?rd={}", percent(address))).await;
        let login = login.must_be(200);
        assert!(!login.text().contains("return_to"), "{address:?}");
        let policy = login.header("content-security-policy").unwrap();
        assert!(policy.contains("form-action 'self';"), "{address:?}: {policy}");
    }
    let on = browser.get(&format!("/continue?rd={}", percent(&format!("{WIKI}?a=b")))).await;
    assert_eq!(on.must_be(303).header("location"), Some(&*format!("{WIKI}/?a=b")));
}

#[tokio::test]
async fn what_is_told_twice_or_not_at_all_is_not_answered() {
    let server = Server::production(with_wiki).await;
    let ada = server.member("ada").await;
    let (_, pass) = pass(&server, &ada, "/").await;
    for (name, value) in [
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-uri", "/public"),
        ("x-forwarded-method", "GET"),
    ] {
        let asked = about(&server, "GET", "/admin").header(name, value).cookie(&pass);
        asked.await.must_be(400);
    }
    for (host, path, method) in [
        ("wiki.example.com, evil", "/", "GET"),
        ("", "/", "GET"),
        ("wiki.example.com", "", "get"),
        ("wiki.example.com", "x", "GET"),
        ("wiki.example.com", "/", "GET /x"),
        ("wiki.example.com", "/", ""),
        ("ada@wiki.example.com", "/", "GET"),
    ] {
        let asked = server.client().get(FORWARD).header("x-forwarded-host", host);
        let asked = asked.header("x-forwarded-uri", path).header("x-forwarded-method", method);
        asked.cookie(&pass).await.must_be(400);
    }
    server.client().get(FORWARD).cookie(&pass).await.must_be(400);
    // The query decides nothing, whoever passes it on.
    let query = format!("{FORWARD}?x-forwarded-host=wiki.example.com&rd={WIKI}&allow=1");
    server.client().get(&query).cookie(&pass).await.must_be(400);
}

#[tokio::test]
async fn only_a_trusted_proxy_is_answered() {
    let server = Server::production(|settings| {
        with_wiki(settings);
        settings.site = doorward_server::settings::Site::Production {
            origin: PRODUCTION.to_owned(),
            trusted_proxies: vec!["10.0.0.1/32".parse().unwrap()],
        };
    })
    .await;
    about(&server, "GET", "/public").await.must_be(403);
}

#[tokio::test]
async fn a_pass_is_worth_nothing_elsewhere() {
    let server = Server::production(|settings| {
        with_wiki(settings);
        let shop = Site::for_members(OriginPattern::parse("https://shop.example.net").unwrap());
        let mut sites: Vec<Site> = settings.sites.configured().iter().cloned().collect();
        sites.push(shop);
        settings.sites = Sites::of(sites).unwrap().into();
    })
    .await;
    let ada = server.member("ada").await;
    let (browser, pass) = pass(&server, &ada, "/").await;
    let value = pass.split_once('=').unwrap().1.to_owned();
    let at = |host: &str, cookie: String| {
        let asked = server.client().get(FORWARD).header("x-forwarded-host", host);
        let asked = asked.header("x-forwarded-uri", "/").header("x-forwarded-method", "GET");
        asked.cookie(&cookie)
    };
    at("wiki.example.com", pass.clone()).await.must_be(200);
    // Under its own name, or that of a pass for one site.
    at("shop.example.net", pass.clone()).await.must_be(401);
    at("shop.example.net", format!("__Host-Http-doorward-site={value}")).await.must_be(401);
    at("wiki.example.com", format!("{pass}; {pass}")).await.must_be(401);
    at("wiki.example.com", format!("__Host-Http-doorward={value}")).await.must_be(401);
    at("unknown.example.com", pass.clone()).await.must_be(403);
    // With a new proof of its owner it is over, and a new one is a redirect away.
    let body = json!({ "password": ada.password });
    browser.post_json("/api/v1/session/reauthenticate", &body).await.must_be(200);
    at("wiki.example.com", pass).await.must_be(401);
}

#[tokio::test]
async fn a_path_with_two_readings_is_not_let_through_by_the_kinder_one() {
    let server = Server::production(with_wiki).await;
    let ada = server.member("ada").await;
    let (_, pass) = pass(&server, &ada, "/").await;
    about(&server, "GET", "/public/x").cookie(&pass).await.must_be(200);
    for path in [
        "/public/../admin",
        "/public/%2e%2e/admin",
        "/public/..%2fadmin",
        "/public/%252e%252e/admin",
        "/public/..;/admin",
        "/public//../admin",
        "//admin",
        "/ADMIN",
        "/%61dmin",
        "/public\\..\\admin",
        "/./admin",
        "/x/..%c0%afadmin",
    ] {
        about(&server, "GET", path).await.must_be(401);
        about(&server, "GET", path).cookie(&pass).await.must_be(403);
    }
    // A query is no path.
    about(&server, "GET", "/public/x?y=/../admin").await.must_be(200);
}

#[tokio::test]
async fn a_link_ends_nothing() {
    let server = Server::production(with_wiki).await;
    let ada = server.member("ada").await;
    let browser = server.sign_in(&ada).await;
    browser.get("/oauth2/sign_out").await.must_be(303);
    browser.get("/logout").await.must_be(200);
    browser.get("/api/v1/session").await.must_be(200);
}
