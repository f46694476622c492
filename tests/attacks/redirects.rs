//! Redirects: a link to our own login page that ends on somebody else's.
//!
//! What a browser makes of each is in `chromium::hostile`.

use doorward_server::routes;

use super::Clean;
use crate::harness::client::percent;
use crate::harness::{PASSWORD, Server};

/// Ways back that lead to another origin in some browser, or in some reader of URLs.
pub(crate) const EVIL: [&str; 26] = [
    "//evil.example",
    "///evil.example",
    "////evil.example/account",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "/\t/evil.example",
    "\t//evil.example",
    "/\n/evil.example",
    " //evil.example",
    "https://evil.example",
    "https:evil.example",
    "https:/evil.example",
    "HTTPS://evil.example",
    "http://localhost@evil.example",
    "https://localhost:7117@evil.example/account",
    "//localhost@evil.example",
    "//evil%E3%80%82example",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "/account\r\nLocation: https://evil.example",
    "/\u{3002}evil.example",
    "account",
    "?x=//evil.example",
    "#//evil.example",
];

/// Ways back to a path of ours.
pub(crate) const HONEST: [&str; 5] = [
    "/account",
    "/account?said=welcome",
    "/logout",
    "/account?next=//evil.example&x=https://evil.example",
    "/%2f/evil.example",
];

/// Whether every browser reads this as a path of the origin that it came from.
fn stays(location: &str) -> bool {
    let plain = location.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    plain && location.starts_with('/') && !location.starts_with("//")
}

/// Attack 24 (ASVS 5.0, 3.7.2; RFC 9700, section 4.11): after a login, and after making an account.
#[tokio::test]
async fn no_way_back_leads_to_another_origin() {
    let server = Server::start().await;
    let signed_in = server.sign_in(&server.member("alice").await).await;
    let long = format!("/{}", "a".repeat(5 * 1024));
    let mut number = 0;
    for evil in EVIL.iter().copied().chain([long.as_str()]) {
        let form = [("username", "alice"), ("password", PASSWORD), ("return_to", evil)];
        let entered = server.browser().post_form("/login", &form).await.clean().must_be(303);
        assert_eq!(entered.location(), "/account", "{evil:?}");
        number += 1;
        let name = format!("newcomer{number}");
        let form = [("username", name.as_str()), ("password", PASSWORD), ("return_to", evil)];
        let entered = server.browser().post_form("/register", &form).await.clean().must_be(303);
        assert_eq!(entered.location(), "/account?said=welcome", "{evil:?}");
        // After a mistake it is forgotten, not carried along.
        let form = [("username", "alice"), ("password", "not it"), ("return_to", evil)];
        let again = server.browser().post_form("/login", &form).await.clean().must_be(401);
        assert!(!again.text().contains("return_to"), "{evil:?}");
        // After a new proof.
        let form = [("password", PASSWORD), ("return_to", evil)];
        let proved = signed_in.post_form("/account/confirm", &form).await.clean().must_be(303);
        assert_eq!(proved.location(), "/account", "{evil:?}");
    }
    for honest in HONEST {
        let form = [("username", "alice"), ("password", PASSWORD), ("return_to", honest)];
        let entered = server.browser().post_form("/login", &form).await.clean().must_be(303);
        assert_eq!(entered.location(), honest, "the control");
        let form = [("password", PASSWORD), ("return_to", honest)];
        let proved = signed_in.post_form("/account/confirm", &form).await.clean().must_be(303);
        assert_eq!(proved.location(), honest, "the control");
    }
}

/// Attack 24: by the link itself, whoever follows it.
#[tokio::test]
async fn no_page_links_to_another_origin_whatever_its_address_says() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let signed_in = server.sign_in(&alice).await;
    for path in ["/login", "/register", "/account/confirm"] {
        for evil in EVIL {
            let encoded = percent(evil);
            for browser in [&signed_in, &server.browser()] {
                let target = format!("{path}?return_to={encoded}");
                let reply = browser.get(&target).await.clean();
                if path.starts_with("/account") && browser.cookie().is_none() {
                    assert_eq!(reply.location(), "/login");
                    continue;
                }
                let reply = reply.must_be(200);
                assert!(!reply.text().contains("evil"), "{target}: {}", reply.describe());
                assert!(!reply.text().contains("alert(1)"), "{target}: {}", reply.describe());
            }
        }
        let target = format!("{path}?return_to=/account%3Fsaid%3Dwelcome");
        let browser = if path == "/account/confirm" { &signed_in } else { &server.browser() };
        let reply = browser.get(&target).await.clean().must_be(200);
        assert!(reply.text().contains("/account?said=welcome"), "the control");
    }
}

/// Attack 24: every redirect there is.
#[tokio::test]
async fn every_redirect_stays_on_this_origin_whatever_the_query_says() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let mut seen = 0;
    for route in routes::table() {
        for signed_in in [false, true] {
            let browser = if signed_in { server.sign_in(&alice).await } else { server.browser() };
            for name in ["return_to", "rd", "next", "url", "redirect_uri", "continue", "said"] {
                let target = format!("{}?{name}=https%3A%2F%2Fevil.example%2F", route.path);
                let request = browser.request(route.method.as_str(), &target);
                let request = if route.method == "POST" { request.form(&[]) } else { request };
                let reply = request.await;
                if let Some(location) = reply.header("location") {
                    assert!(stays(location), "{target}: {location}");
                    assert!(!location.contains("evil"), "{target}: {location}");
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 50, "the control: there were redirects, {seen} of them");
}
