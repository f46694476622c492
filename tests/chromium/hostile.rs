//! What a browser makes of hostile text in our pages, of hostile links to them, and of a sibling
//! domain that sets cookies for all of us.
//!
//! The requests are those of `attacks::scripts`, `attacks::redirects` and `attacks::fixation`; here
//! it is the browser that decides whether a text is code and where a link leads.

use doorward_core::event::EventKind;
use serde_json::json;

use super::Chromium;
use super::foreign::{Elsewhere, sign_in};
use crate::attacks::redirects::{EVIL, HONEST};
use crate::attacks::scripts::HOSTILE;
use crate::harness::client::percent;
use crate::harness::nginx::{self, NAME, Plan};
use crate::harness::server::login_body;
use crate::harness::{PASSWORD, Server};

/// A secret of an attacker's own choice.
const CHOSEN: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Attack 22: in the list of sessions, in what forms give back, in an address.
#[tokio::test]
async fn hostile_text_runs_on_none_of_our_pages() {
    let (server, chromium) = (Server::start().await, Chromium::start().await);
    let ada = server.member("ada").await;
    let pwned = async || !chromium.evaluate("return window.pwned ?? null").await.is_null();
    // The control: shown as it is, most of this text runs.
    for hostile in [HOSTILE[0], HOSTILE[1], HOSTILE[6], HOSTILE[8]] {
        let careless = Elsewhere::serve(format!("<!doctype html><p>{hostile}</p>")).await;
        chromium.open(&careless.urls()[0]).await;
        assert!(pwned().await, "the attack itself works: {hostile}");
    }
    for hostile in HOSTILE {
        let login = server.browser().request("POST", "/api/v1/login");
        let login = login.json(&login_body(&ada, "cookie", json!({})));
        login.header("user-agent", hostile).await.must_be(200);
    }
    sign_in(&chromium, &server, "ada").await;
    chromium.sees("Where you are signed in").await;
    assert!(!pwned().await);

    // Over HTTP every one of them was sent to every form; a browser takes its time.
    for hostile in HOSTILE.into_iter().step_by(5) {
        let line = format!("{hostile}={hostile}; Path={hostile}; Domain={hostile}");
        for (path, fields, button) in [
            ("/login?another=1", vec![("username", hostile), ("password", "x")], "Sign in"),
            ("/register", vec![("username", hostile), ("email", hostile)], "Create"),
            ("/inspect/cookie", vec![("line", line.as_str()), ("from", hostile)], "Explain"),
        ] {
            let sign = if path.contains('?') { '&' } else { '?' };
            let target = format!("{path}{sign}said={0}&return_to={0}", percent(hostile));
            chromium.open(&format!("{}{target}", server.origin)).await;
            assert!(!pwned().await, "{target}");
            // The browser's own checks are no part of ours.
            let open = "document.querySelector('main form[method=post]').noValidate = true";
            chromium.evaluate(open).await;
            for (name, text) in fields {
                chromium.fill(name, text).await;
            }
            chromium.press(button).await;
            chromium.sees("Doorward").await;
            let refused = chromium.window().title().await.unwrap();
            assert!(refused.starts_with("Problem: "), "{path} with {hostile}: {refused}");
            assert!(!pwned().await, "{path} with {hostile}");
        }
    }
}

/// Attack 24: a link to our login page, followed by somebody who signs in, and by somebody who has.
#[tokio::test]
async fn a_hostile_link_to_the_login_page_ends_on_our_own() {
    let (server, chromium) = (Server::start().await, Chromium::start().await);
    server.member("ada").await;
    let open = async |return_to: &str| {
        let target = format!("{}/login?return_to={}", server.origin, percent(return_to));
        chromium.open(&target).await;
    };
    for evil in [EVIL[0], EVIL[3], EVIL[6], EVIL[18]] {
        chromium.window().delete_all_cookies().await.unwrap();
        open(evil).await;
        chromium.fill("username", "ada").await;
        chromium.fill("password", PASSWORD).await;
        chromium.press("Sign in").await;
        chromium.is_at("/account").await;
    }
    let follow = async |return_to: &str| {
        open(return_to).await;
        chromium.find("main a.button").await.click().await.unwrap();
        let url = chromium.window().current_url().await.unwrap();
        assert_eq!(url.origin().ascii_serialization(), server.origin, "{return_to:?}: {url}");
    };
    for evil in EVIL {
        follow(evil).await;
        chromium.is_at("/account").await;
    }
    for honest in HONEST.into_iter().take(2) {
        follow(honest).await;
        chromium.is_at(honest).await;
    }
}

/// The server of a sibling domain, which sets cookies for the whole domain in every way it can.
fn sibling(port: u16) -> String {
    let cookies: String = ["__Host-Http-doorward", "__Host-doorward", "doorward", "control"]
        .map(|name| {
            format!("add_header Set-Cookie \"{name}={CHOSEN}; Domain={NAME}; Path=/; Secure\";")
        })
        .concat();
    let script = "for (const name of ['__Host-Http-doorward', '__host-http-doorward', 'script']) \
                  for (const path of ['/', '/account', '/login']) \
                  document.cookie = `${name}=AAAA; Domain=doorward.test; Path=${path}; Secure`";
    format!(
        "server {{
           listen 127.0.0.1:{port} ssl; server_name evil.{NAME};
           ssl_certificate certificate.pem; ssl_certificate_key key.pem;
           default_type text/html; {cookies}
           location / {{ return 200 \"<!doctype html><p>a sibling<script>{script}</script>\"; }}
         }}"
    )
}

/// Attacks 1 and 3: fixation and tossing from a sibling domain, over HTTPS, in production.
#[tokio::test]
async fn a_sibling_domain_plants_no_session_and_tosses_no_cookie() {
    let plan = Plan::tls();
    let sibling = sibling(plan.port()).replace('$', "${dollar}");
    // nginx takes every `$` for a variable of its own; this one is the character.
    let dollar = "geo $dollar { default \"$\"; }";
    let plan = plan.http(dollar).http(&sibling);
    let server = Server::behind(&plan.origin()).await;
    server.member("ada").await;
    let evil = plan.origin().replace(NAME, &format!("evil.{NAME}"));
    let nginx = plan.start(server.address, &nginx::documented()).await;
    let chromium = Chromium::behind(&nginx).await;
    let cookies = async || {
        let cookies = chromium.window().get_all_cookies().await.unwrap();
        let mut found: Vec<_> = cookies
            .into_iter()
            .map(|cookie| (cookie.name().to_owned(), cookie.value().to_owned()))
            .collect();
        found.sort();
        found
    };

    chromium.open(&evil).await;
    chromium.sees("a sibling").await;
    chromium.open(&format!("{}/login", server.origin)).await;
    let planted: Vec<String> = cookies().await.into_iter().map(|(name, _)| name).collect();
    // The control: what has no prefix does come through. What has ours does not.
    assert!(planted.contains(&"control".to_owned()), "{planted:?}");
    assert!(planted.contains(&"script".to_owned()), "{planted:?}");
    assert!(planted.contains(&"doorward".to_owned()), "{planted:?}");
    assert!(!planted.iter().any(|name| name.to_lowercase().starts_with("__host")), "{planted:?}");

    sign_in(&chromium, &server, "ada").await;
    let ours = async || {
        let cookies = cookies().await;
        let ours = cookies.into_iter().filter(|(name, _)| name == "__Host-Http-doorward");
        ours.map(|(_, value)| value).collect::<Vec<_>>()
    };
    let given = ours().await;
    assert_eq!(given.len(), 1);
    assert_ne!(given[0], CHOSEN, "what was planted was not taken over");

    chromium.open(&evil).await;
    chromium.sees("a sibling").await;
    chromium.open(&format!("{}/account", server.origin)).await;
    chromium.is_at("/account").await;
    chromium.sees("Your account").await;
    assert_eq!(ours().await, given, "nothing was tossed beside it, and nothing in its place");
    assert!(server.events(EventKind::CookieAmbiguous).await.is_empty());
    assert_eq!(server.rows().session, 1);
}
