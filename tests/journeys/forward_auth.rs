//! An app behind a proxy that asks us: who is let through, who is led to the login page, and back.

use std::time::Duration;

use doorward_core::account::Role;
use doorward_core::site::{Admission, Demand, OriginPattern, PathPattern, Rule, Site, Sites};
use doorward_server::Settings;
use doorward_wire::UnixTime;
use doorward_wire::jose::{Algorithm, JwkSet, KeySet};
use doorward_wire::token::{ASSERTION_TYPE, AssertionClaims};
use serde_json::json;

use crate::harness::client::Request;
use crate::harness::server::PRODUCTION;
use crate::harness::{Browser, Member, Reply, Server};

pub(crate) const WIKI: &str = "https://wiki.example.com";

/// The three ways in which proxies ask.
pub(crate) const FORWARD: &str = "/api/authz/forward-auth";
const ORIGINAL: &str = "/api/authz/auth-request";
const WHOLE: &str = "/api/authz/ext-authz";

fn rule(path: &str, admission: Admission) -> Rule {
    Rule { path: PathPattern::parse(path).unwrap(), methods: Vec::new(), admission }
}

/// A wiki with something for everybody, and something for administrators alone.
pub(crate) fn with_wiki(settings: &mut Settings) {
    let administrators =
        Admission::Members(Demand { roles: vec![Role::Administrator], ..Demand::default() });
    let fresh = Admission::Members(Demand {
        proved_within: Some(Duration::from_mins(15)),
        ..Demand::default()
    });
    let wiki = Site {
        rules: vec![
            rule("/public", Admission::Anybody),
            rule("/admin", administrators),
            rule("/money", fresh),
        ],
        ..Site::for_members(OriginPattern::parse(WIKI).unwrap())
    };
    settings.sites = Sites::of(vec![wiki]).unwrap().into();
    settings.site_domain = Some("example.com".to_owned());
}

/// What a person's browser sends for a page.
fn page(request: Request) -> Request {
    request.header("accept", "text/html,*/*;q=0.8").header("sec-fetch-mode", "navigate")
}

/// What Caddy and Traefik ask about a path of the wiki.
pub(crate) fn about(server: &Server, method: &str, path: &str) -> Request {
    let asked = server.client().get(FORWARD).header("x-forwarded-host", "wiki.example.com");
    asked.header("x-forwarded-method", method).header("x-forwarded-uri", path)
}

/// Signs in at the login page where the wiki led to, goes on as a browser does, and comes back with the
/// wiki's pass.
pub(crate) async fn pass(server: &Server, member: &Member, path: &str) -> (Browser, String) {
    let led = page(about(server, "GET", path)).await.must_be(302);
    let login = led.header("location").unwrap();
    let login = login.strip_prefix(PRODUCTION).unwrap().to_owned();
    let browser = server.browser();
    let form = browser.get(&login).await.must_be(200);
    let policy = form.header("content-security-policy").unwrap();
    assert!(policy.contains(&format!("form-action 'self' {WIKI}")), "{policy}");
    let html = form.text();
    let (_, rest) = html.split_once("name=\"return_to\" value=\"").unwrap();
    let return_to = rest.split('"').next().unwrap().replace("&amp;", "&").replace("&#38;", "&");
    let fields = [
        ("username", &*member.username),
        ("password", &*member.password),
        ("return_to", &return_to),
    ];
    let entered = browser.post_form("/login", &fields).await.must_be(303);
    let onward = entered.header("location").unwrap().to_owned();
    let gone = browser.get(&onward).await.must_be(303);
    assert_eq!(gone.header("location"), Some(&*format!("{WIKI}{path}")));
    (browser, pass_of(&gone))
}

fn pass_of(reply: &Reply) -> String {
    let set = reply.set_cookies();
    let pass = set.iter().find(|set| set.name == "__Http-doorward-site").unwrap();
    for attribute in ["Domain=example.com", "Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
        assert!(pass.has(attribute), "{attribute} is missing: {pass:?}");
    }
    format!("{}={}", pass.name, pass.value)
}

#[tokio::test]
async fn a_person_is_led_to_the_login_page_and_back_with_a_pass() {
    let server = Server::production(with_wiki).await;
    let ada = server.member("ada").await;
    let (browser, pass) = pass(&server, &ada, "/notes?day=3&x=%20").await;
    let let_in = about(&server, "GET", "/notes").cookie(&pass).await.must_be(200);
    for (name, value) in [
        ("remote-user", "ada"),
        ("remote-groups", "member"),
        ("remote-name", "ada"),
        ("remote-email", ""),
        ("remote-sub", &*ada.id),
    ] {
        assert_eq!(let_in.header(name), Some(value), "{name}");
    }
    assert!(let_in.body.is_empty() && let_in.header("set-cookie").is_none());
    // Whoever is signed in is not asked again: a second site's page is a redirect away.
    let login = format!("/login?rd={WIKI}/more");
    let on = browser.get(&login).await.must_be(303);
    let gone = browser.get(on.header("location").unwrap()).await.must_be(303);
    assert_eq!(gone.header("location"), Some(&*format!("{WIKI}/more")));
    // The pass opens sites, and nothing of ours.
    let session = server.client().get("/api/v1/session").cookie(&pass).await;
    session.must_be(401);
    // One switch.
    browser.post_json("/api/v1/logout", &json!({})).await.must_be(204);
    about(&server, "GET", "/notes").cookie(&pass).await.must_be(401);
    page(about(&server, "GET", "/notes")).cookie(&pass).await.must_be(302);
}

#[tokio::test]
async fn each_kind_of_visitor_hears_what_they_can_follow() {
    let server = Server::production(with_wiki).await;
    let ada = server.member("ada").await;
    let root = server.administrator("root").await;
    let (_, ada) = pass(&server, &ada, "/").await;
    let (_, root) = pass(&server, &root, "/").await;
    // Anonymous: a page is led, a program is told, and so is a socket.
    page(about(&server, "GET", "/")).await.must_be(302);
    page(about(&server, "HEAD", "/")).await.must_be(302);
    page(about(&server, "POST", "/form")).await.must_be(303);
    let told = about(&server, "GET", "/api").await.must_be(401);
    assert!(told.header("www-authenticate").unwrap().starts_with("Bearer"));
    assert_eq!(told.header("location"), None);
    assert_eq!(told.json()["code"], "unauthenticated");
    for (name, value) in [
        ("x-requested-with", "XMLHttpRequest"),
        ("hx-request", "true"),
        ("sec-fetch-mode", "cors"),
        ("upgrade", "websocket"),
        ("authorization", "Basic YTpi"),
    ] {
        let asked = about(&server, "GET", "/").header("accept", "text/html");
        asked.header(name, value).await.must_be(401);
    }
    about(&server, "GET", "/").header("accept", "text/html").await.must_be(302);
    // Signed in and not allowed: never a redirect.
    let refused = page(about(&server, "GET", "/admin/x")).cookie(&ada).await.must_be(403);
    assert_eq!(refused.json()["code"], "not-allowed");
    about(&server, "GET", "/admin/x").cookie(&root).await.must_be(200);
    // What is for anybody tells who it is, if it is known, and overwrites what a client claims.
    let open = about(&server, "GET", "/public/x").await.must_be(200);
    assert_eq!(open.header("remote-user"), Some(""));
    assert_eq!(open.header("doorward-assertion"), None);
    let open = about(&server, "GET", "/public/x").cookie(&ada).await.must_be(200);
    assert_eq!(open.header("remote-user"), Some("ada"));
    // Too long ago: to prove again, and back.
    about(&server, "GET", "/money").cookie(&ada).await.must_be(200);
    server.clock.advance(Duration::from_mins(16));
    let again = page(about(&server, "GET", "/money")).cookie(&ada).await.must_be(302);
    let way = again.header("location").unwrap();
    assert!(way.starts_with(&format!("{PRODUCTION}/account/confirm?return_to=%2Fcontinue%3Frd")));
    let told = about(&server, "GET", "/money").cookie(&ada).await.must_be(401);
    assert!(told.header("www-authenticate").unwrap().contains("insufficient_user_authentication"));
}

#[tokio::test]
async fn nginx_is_told_in_401_and_envoy_asks_with_the_request_itself() {
    let server = Server::production(with_wiki).await;
    let ada = server.member("ada").await;
    let (_, pass) = pass(&server, &ada, "/").await;
    let nginx = || {
        let url = format!("{WIKI}/notes?x=y");
        server
            .client()
            .get(ORIGINAL)
            .header("x-original-url", url)
            .header("x-original-method", "GET")
    };
    nginx().cookie(&pass).await.must_be(200);
    let led = page(nginx()).await.must_be(401);
    assert!(led.header("location").unwrap().starts_with(&format!("{PRODUCTION}/login?rd=https")));
    assert_eq!(nginx().await.must_be(401).header("location"), None);

    let envoy = |method: &str, path: &str| {
        let asked = server.client().request(method, &format!("{WHOLE}{path}"));
        asked.without("host").header("host", "wiki.example.com")
    };
    envoy("POST", "/notes?x").cookie(&pass).await.must_be(200);
    page(envoy("GET", "/notes?x")).await.must_be(302);
    envoy("DELETE", "/admin").cookie(&pass).await.must_be(403);
    envoy("GET", "").cookie(&pass).await.must_be(200);
}

#[tokio::test]
async fn the_names_of_authelia_and_oauth2_proxy_lead_to_the_same() {
    let server = Server::production(with_wiki).await;
    let ada = server.member("ada").await;
    let (browser, pass) = pass(&server, &ada, "/").await;
    let asked = |path: &str| {
        let asked = server.client().get(path).header("x-forwarded-host", "wiki.example.com");
        asked.header("x-forwarded-uri", "/notes").header("x-forwarded-method", "GET")
    };
    asked("/api/verify?rd=https://evil.example").cookie(&pass).await.must_be(200);
    let led = page(asked("/api/verify?rd=https://evil.example")).await.must_be(302);
    assert!(!led.header("location").unwrap().contains("evil"));
    let let_in = asked("/oauth2/auth").cookie(&pass).await.must_be(200);
    assert_eq!(let_in.header("x-auth-request-user"), Some("ada"));
    assert_eq!(let_in.header("x-auth-request-groups"), Some("member"));
    page(asked("/oauth2/auth")).await.must_be(401);
    let login = browser.get(&format!("/oauth2/sign_in?rd={WIKI}/notes")).await.must_be(303);
    assert!(login.header("location").unwrap().starts_with("/login?return_to="));
    let out = browser.get("/oauth2/sign_out").await.must_be(303);
    assert_eq!(out.header("location"), Some("/logout"));
}

#[tokio::test]
async fn an_app_can_check_who_it_is_whatever_the_network_does() {
    let server = Server::production(with_wiki).await;
    let ada = server.member("ada").await;
    let (_, pass) = pass(&server, &ada, "/").await;
    let say = async || {
        let told = about(&server, "GET", "/").cookie(&pass).await.must_be(200);
        told.header("doorward-assertion").unwrap().to_owned()
    };
    let text = say().await;
    let jwks = server.client().get("/.well-known/jwks.json").await.must_be(200).json();
    let jwks: JwkSet = serde_json::from_value(jwks).unwrap();
    let keys = KeySet::from_jwks(&jwks).unwrap();
    let now = server.clock.time();
    let verify = |text: &str, names, now| {
        AssertionClaims::verify(text, &keys, names, &[Algorithm::EdDsa], now)
    };
    let claims = verify(&text, (PRODUCTION, WIKI), now).unwrap();
    assert_eq!((claims.sub.to_string(), &*claims.preferred_username), (ada.id, "ada"));
    assert_eq!(claims.exp, UnixTime(now.0 + 60));
    for names in [(PRODUCTION, "https://blog.example.com"), ("https://evil.example", WIKI)] {
        assert!(verify(&text, names, now).is_err(), "{names:?}");
    }
    assert!(verify(&text, (PRODUCTION, WIKI), UnixTime(now.0 + 90)).is_err());
    // It is no token of ours, and is said again for a while instead of being signed anew.
    server.whoami(&text).await.must_be(401);
    assert_eq!(say().await, text);
    server.clock.advance(Duration::from_secs(20));
    assert_ne!(say().await, text);
    assert_eq!(ASSERTION_TYPE, "doorward-assertion+jwt");
}

#[tokio::test]
async fn a_token_for_the_site_opens_it_and_another_does_not() {
    let server = Server::production(with_wiki).await;
    let ada = server.member("ada").await;
    let (_, pass) = pass(&server, &ada, "/").await;
    let own = server.tokens(&ada).await;
    let wiki = server.tokens_with(&ada, json!({ "audience": WIKI })).await;
    let asked = |path: &str, token: &str| about(&server, "GET", path).bearer(token);
    let let_in = asked("/notes", &wiki.access).await.must_be(200);
    assert_eq!(let_in.header("remote-user"), Some("ada"));
    // Sent to the wiki it must be worth nothing here, and the reverse.
    asked("/notes", &own.access).await.must_be(401);
    server.whoami(&wiki.access).await.must_be(401);
    // A bad one never falls back: not to a pass, and not to nobody.
    asked("/notes", "x.y.z").cookie(&pass).await.must_be(401);
    // What is open to anybody is open to whoever shows the app a key of its own.
    let open = asked("/public/x", "x.y.z").cookie(&pass).await.must_be(200);
    assert_eq!(open.header("remote-user"), Some(""));
    let own = about(&server, "GET", "/public/x").header("authorization", "Basic YTpi");
    assert_eq!(own.await.must_be(200).header("remote-user"), Some(""));
}

#[tokio::test]
async fn in_development_a_member_is_let_in_at_once() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let browser = server.sign_in(&ada).await;
    let asked = |browser: &Browser, host: &str| {
        let asked = browser.request("GET", FORWARD).header("x-forwarded-host", host);
        asked.header("x-forwarded-uri", "/x").header("x-forwarded-method", "GET")
    };
    for host in ["localhost:8080", "app.localhost", "app.example.com"] {
        asked(&browser, host).await.must_be(200);
        asked(&server.browser(), host).await.must_be(401);
    }
    let led = page(asked(&server.browser(), "localhost:8080")).await.must_be(302);
    let way = led.header("location").unwrap();
    assert_eq!(way, format!("{}/login?rd=http%3A%2F%2Flocalhost%3A8080%2Fx", server.origin));
    // Nobody is led to a name that is not this machine's.
    let led = page(asked(&server.browser(), "app.example.com")).await.must_be(302);
    assert_eq!(led.header("location"), Some(&*format!("{}/login", server.origin)));
}

#[tokio::test]
async fn whoever_goes_in_a_circle_is_told() {
    let server = Server::production(with_wiki).await;
    let ada = server.member("ada").await;
    let browser = server.sign_in(&ada).await;
    let on = format!("/continue?rd={WIKI}/");
    for _ in 0..8 {
        browser.get(&on).await.must_be(303);
    }
    let told = browser.get(&on).await.must_be(409);
    assert!(told.text().contains("to and fro"), "{}", told.text());
    server.clock.advance(Duration::from_secs(21));
    browser.get(&on).await.must_be(303);
}
