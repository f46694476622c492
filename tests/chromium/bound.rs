//! Device Bound Session Credentials as Chromium speaks them, with a key in software: a stolen cookie
//! stops working, and the browser that it was stolen from does not notice.
//!
//! TLS ends in nginx, which writes down what the browser sends and gets.

use serde_json::{Value, json};

use super::Chromium;
use super::foreign::Elsewhere;
use crate::harness::nginx::{self, Nginx, Plan};
use crate::harness::{PASSWORD, Server, eventually, report};

/// As long as a ticket lives.
const LIFE: u64 = 600;

/// What nginx writes down of each request, one object a line.
const SEEN: &str = r#"log_format seen escape=json '{"request":"$request","status":"$status",'
    '"Sec-Fetch-Site":"$http_sec_fetch_site","Origin":"$http_origin",'
    '"Content-Length":"$http_content_length",'
    '"Sec-Secure-Session-Id":"$http_sec_secure_session_id",'
    '"Secure-Session-Response":"$http_secure_session_response",'
    '"Secure-Session-Skipped":"$http_secure_session_skipped","Cookie":"$http_cookie",'
    '"Secure-Session-Registration":"$sent_http_secure_session_registration",'
    '"Secure-Session-Challenge":"$sent_http_secure_session_challenge",'
    '"Set-Cookie":"$sent_http_set_cookie"}';"#;

struct Journey {
    server: Server,
    nginx: Nginx,
    chromium: Chromium,
}

impl Journey {
    async fn begin() -> Self {
        let plan = Plan::tls().http(SEEN);
        let server = Server::behind(&plan.origin()).await;
        server.member("ada").await;
        let block = format!("{}\naccess_log access.log seen;", nginx::documented());
        let nginx = plan.start(server.address, &block).await;
        let chromium = Chromium::with_a_key(&nginx).await;
        Self { server, nginx, chromium }
    }

    async fn sign_in(&self) {
        self.open("/login").await;
        self.chromium.fill("username", "ada").await;
        self.chromium.fill("password", PASSWORD).await;
        self.chromium.press("Sign in").await;
        self.chromium.is_at("/account").await;
        eventually("a bound session in the browser", async || self.cookie("-bound").await).await;
    }

    async fn open(&self, path: &str) {
        self.chromium.open(&format!("{}{path}", self.server.origin)).await;
    }

    /// The value of the cookie whose name ends so, if the browser has it.
    async fn cookie(&self, end: &str) -> Option<String> {
        let cookies = self.chromium.window().get_all_cookies().await.unwrap();
        let found = cookies.iter().find(|cookie| cookie.name().ends_with(end))?;
        Some(format!("{}={}", found.name(), found.value()))
    }

    /// Lets a ticket run out on both sides: the server's clock is moved, the browser's cannot be.
    async fn run_out(&self) {
        self.server.clock.advance_seconds(LIFE);
        let url = format!("{}/", self.server.origin);
        let which = json!({ "name": "__Host-doorward-bound", "url": url });
        self.chromium.devtools("Network.deleteCookies", which).await;
        assert_eq!(self.cookie("-bound").await, None);
    }

    /// What nginx has seen of a path, oldest first.
    fn seen(&self, path: &str) -> Vec<Value> {
        let log = self.nginx.access_log();
        let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
        let path = format!(" {path} ");
        lines.filter(|it: &Value| it["request"].as_str().unwrap().contains(&path)).collect()
    }

    fn statuses(&self, path: &str) -> Vec<String> {
        let seen = self.seen(path);
        seen.iter().map(|it| it["status"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn a_stolen_cookie_stops_working_and_the_browser_goes_on() {
    let journey = Journey::begin().await;
    journey.sign_in().await;
    assert_eq!(journey.statuses("/dbsc/register"), ["200"]);
    let login = journey.seen("/login").pop().unwrap();
    assert!(!login["Secure-Session-Registration"].as_str().unwrap().is_empty(), "{login}");

    // Somebody copies both cookies, and is whom they were stolen from.
    let (session, ticket) = (journey.cookie("doorward").await, journey.cookie("-bound").await);
    let stolen = format!("{}; {}", session.unwrap(), ticket.unwrap());
    let thief = journey.server.client();
    let theirs = async || thief.get("/api/v1/session").cookie(&stolen).await.status.as_u16();
    assert_eq!(theirs().await, 200);

    journey.run_out().await;
    assert_eq!(theirs().await, 401);
    journey.open("/account").await;
    journey.chromium.is_at("/account").await;
    journey.chromium.sees("ada").await;
    assert_eq!(journey.statuses("/dbsc/refresh"), ["200"], "held, refreshed, and answered");
    assert_eq!(theirs().await, 401, "the browser's new ticket is not the thief's");

    // So long that the challenge has run out too: Chromium answers the next one at once.
    journey.server.clock.advance_seconds(LIFE);
    journey.run_out().await;
    journey.open("/account").await;
    journey.chromium.is_at("/account").await;
    journey.chromium.sees("ada").await;
    assert_eq!(journey.statuses("/dbsc/refresh"), ["200", "403", "200"]);
    assert_eq!(theirs().await, 401);
    for line in journey.nginx.access_log().lines().filter(|line| !line.contains("/assets/")) {
        report(line);
    }
}

#[tokio::test]
async fn signing_out_ends_it_in_the_browser_too() {
    let journey = Journey::begin().await;
    journey.sign_in().await;
    journey.open("/logout").await;
    journey.chromium.press("Sign out").await;
    journey.chromium.sees("You are signed out.").await;
    assert_eq!(journey.cookie("doorward").await, None);
    assert_eq!(journey.cookie("-bound").await, None);
    assert_eq!(journey.server.rows().session, 0);
    // Nothing is left that the browser would wait for.
    let before = journey.seen("/dbsc/refresh").len();
    journey.open("/login").await;
    journey.open("/account").await;
    journey.chromium.is_at("/login?return_to=/account").await;
    assert_eq!(journey.seen("/dbsc/refresh").len(), before);
}

#[tokio::test]
async fn whoever_follows_a_link_to_us_is_still_signed_in() {
    let journey = Journey::begin().await;
    journey.sign_in().await;
    let link = format!("<!doctype html><a href='{}/account'>there</a>", journey.server.origin);
    let elsewhere = Elsewhere::serve(link).await;
    journey.run_out().await;
    journey.chromium.open(&elsewhere.urls()[0]).await;
    journey.chromium.find("a").await.click().await.unwrap();
    journey.chromium.is_at("/account").await;
    journey.chromium.sees("Your account").await;
    let seen = journey.seen("/account");
    let arrived: Vec<_> = seen[seen.len() - 2..]
        .iter()
        .map(|it| (it["status"].as_str().unwrap(), it["Sec-Fetch-Site"].as_str().unwrap()))
        .collect();
    assert_eq!(arrived, [("401", "cross-site"), ("200", "same-origin")]);
    let flags = journey.server.events(doorward_core::event::EventKind::BindingRefused).await;
    assert!(flags.is_empty(), "{flags:?}");
}
