//! Everybody can use the pages: axe-core finds nothing serious in any state of any page, and whoever
//! has a keyboard alone does everything that can be done.

use std::path::PathBuf;

use doorward_core::device::Device;
use doorward_core::event::{Event, EventKind};
use serde_json::{Value, json};

use super::Chromium;
use crate::harness::{Browser, OTHER_PASSWORD, PASSWORD, Server};

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";
const SPACE: &str = "\u{e00d}";

const DESK: (u32, u32) = (1200, 900);
const PHONE: (u32, u32) = (320, 640);

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// Runs axe with every rule of WCAG 2.2 A and AA, and of good practice.
const RUN: &str = "
    const done = arguments[arguments.length - 1];
    axe.run(document, { resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a',
        'wcag21aa', 'wcag22aa', 'best-practice'] }).then(
        ({ violations, testEngine }) => done({
            version: testEngine.version,
            found: violations.map(({ id, impact, nodes }) =>
                ({ id, impact, where: nodes.map(node => node.target.join(' ')).slice(0, 3) })),
        }),
        error => done({ failed: String(error) }));
";

/// axe-core, as `cargo xtask test` fetched it.
fn axe() -> String {
    let place = "../../target/axe/node_modules/axe-core/axe.min.js";
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(place);
    std::fs::read_to_string(path).expect("axe-core is missing: `cargo xtask test` fetches it")
}

/// Everything that is wrong with the page as it is, in both colour schemes, on a desk and on the
/// narrowest phone.
async fn faults(chromium: &Chromium, axe: &str) -> Vec<Value> {
    let mut faults = Vec::new();
    for (size, is_phone) in [(DESK, false), (PHONE, true)] {
        for scheme in ["light", "dark"] {
            chromium.prefer(scheme).await;
            chromium.resize(size, is_phone).await;
            chromium.evaluate(axe).await;
            let told = chromium.window().execute_async(RUN, Vec::new()).await.unwrap();
            assert!(told["version"].is_string(), "axe did not run: {told}");
            for fault in told["found"].as_array().unwrap() {
                let seen = json!({"scheme": scheme, "width": size.0, "fault": fault});
                faults.push(seen);
            }
        }
    }
    faults
}

/// Fails the test if anything on the page shuts somebody out.
async fn check(chromium: &Chromium, axe: &str, page: &str) {
    let faults = faults(chromium, axe).await;
    assert!(faults.is_empty(), "{page}: {faults:#?}");
    chromium.resize(DESK, false).await;
}

async fn sign_in(chromium: &Chromium, server: &Server, password: &str) {
    chromium.open(&format!("{}/login", server.origin)).await;
    chromium.fill("username", "ada").await;
    chromium.fill("password", password).await;
    chromium.press("Sign in").await;
}

/// Signs in from Firefox: before anything else, so that what comes later is a new place.
async fn from_firefox(server: &Server) -> Browser {
    let browser = Browser::new(server.client().always("user-agent", FIREFOX), &server.origin);
    let login = json!({"username": "ada", "password": PASSWORD, "carrier": "cookie"});
    browser.post_json("/api/v1/login", &login).await.must_be(200);
    browser
}

/// Something that alarms Ada.
async fn alarm(server: &Server, ada: &str, kind: EventKind) {
    let account = Some(ada.parse().unwrap());
    let event = Event { account, ..server.app.event(kind, &Device::default()) };
    server.store.note(event).await.unwrap();
}

/// The control: a page that shuts people out is found to.
#[tokio::test]
async fn axe_finds_what_is_wrong_with_a_page_that_is_wrong() {
    let (server, chromium) = (Server::start().await, Chromium::start().await);
    chromium.open(&format!("{}/login", server.origin)).await;
    let spoil = "document.querySelector('label[for=username]').remove();
        document.documentElement.removeAttribute('lang');";
    chromium.evaluate(spoil).await;
    let found = faults(&chromium, &axe()).await;
    for id in ["label", "html-has-lang"] {
        assert!(found.iter().any(|fault| fault["fault"]["id"] == id), "{id}: {found:#?}");
    }
}

#[tokio::test]
async fn nor_does_the_page_of_tokens() {
    let (server, chromium, axe) = (Server::start().await, Chromium::start().await, axe());
    server.member("ada").await;
    sign_in(&chromium, &server, PASSWORD).await;
    chromium.is_at("/account").await;
    chromium.open(&format!("{}/account/tokens", server.origin)).await;
    check(&chromium, &axe, "tokens, none").await;
    chromium.press("Make token").await;
    chromium.fill("name", "a program of mine").await;
    chromium.fill("scope", "no-such-scope").await;
    chromium.press("Make token").await;
    chromium.sees("It may not do one of these things").await;
    check(&chromium, &axe, "tokens, with a fault").await;
    chromium.fill("scope", "").await;
    chromium.press("Make token").await;
    chromium.sees("Copy it now").await;
    check(&chromium, &axe, "a new token").await;
}

#[tokio::test]
async fn no_page_in_any_state_shuts_anybody_out() {
    let (server, chromium, axe) = (Server::start().await, Chromium::start().await, axe());
    let ada = server.member("ada").await;
    let open = async |path: &str| chromium.open(&format!("{}{path}", server.origin)).await;
    for path in [
        "/login",
        "/login?said=signed-out",
        "/login?said=signed-out-everywhere",
        "/login?said=ended&return_to=/account",
        "/login?said=not-me",
        "/register",
        "/setup",
        "/no-such-page",
        "/inspect/cookie",
        "/inspect/token",
    ] {
        open(path).await;
        check(&chromium, &axe, path).await;
    }
    sign_in(&chromium, &server, "not the password").await;
    chromium.sees("don’t match").await;
    check(&chromium, &axe, "a wrong password").await;
    open("/register").await;
    chromium.evaluate("document.querySelector('main form').noValidate = true").await;
    chromium.fill("username", "two words").await;
    chromium.fill("email", "no address").await;
    chromium.fill("password", "short").await;
    chromium.press("Create account").await;
    chromium.sees("Please look at this again").await;
    check(&chromium, &axe, "a registration with faults").await;

    let elsewhere = from_firefox(&server).await;
    for _ in 0..11 {
        server.tokens(&ada).await;
    }
    for kind in [EventKind::SecretReuseDetected, EventKind::SessionSuspicious] {
        alarm(&server, &ada.id, kind).await;
    }
    sign_in(&chromium, &server, PASSWORD).await;
    chromium.sees("Was this you?").await;
    check(&chromium, &axe, "an account with notices and many sessions").await;
    chromium.find("nav.pages a").await.click().await.unwrap();
    chromium.sees("Newest sessions").await;
    check(&chromium, &axe, "older sessions").await;
    open("/account?said=not-me").await;
    check(&chromium, &axe, "why to change the password").await;
    chromium.fill("current", "not the password").await;
    chromium.fill("new", OTHER_PASSWORD).await;
    chromium.press("Change password").await;
    chromium.sees("not your current password").await;
    check(&chromium, &axe, "a change of password with a fault").await;
    open("/account/activity").await;
    chromium.sees("What happened to your account").await;
    check(&chromium, &axe, "activity").await;
    open("/account/confirm").await;
    check(&chromium, &axe, "confirm").await;
    chromium.fill("password", "not the password").await;
    chromium.press("It is me").await;
    chromium.sees("not your password").await;
    check(&chromium, &axe, "confirm, with a wrong password").await;
    open("/login").await;
    check(&chromium, &axe, "signed in already").await;
    open("/logout").await;
    check(&chromium, &axe, "asking before signing out").await;
    assert!(elsewhere.is_signed_in().await);
}

/// What has the focus: the name of a field, or the words of a link or a button.
async fn focused(chromium: &Chromium) -> String {
    let script = "const e = document.activeElement; return e.type === 'submit' || !e.name ?
        e.textContent.trim() : e.name";
    chromium.evaluate(script).await.as_str().unwrap_or_default().to_owned()
}

async fn press(chromium: &Chromium, keys: &str) {
    chromium.window().active_element().await.unwrap().send_keys(keys).await.unwrap();
}

/// Goes on by Tab until something that begins with these words has the focus, and can be seen to.
async fn tab_to(chromium: &Chromium, words: &str) {
    let mut stops = Vec::new();
    for _ in 0..60 {
        press(chromium, TAB).await;
        let stop = focused(chromium).await;
        let seen = "const e = document.activeElement, s = getComputedStyle(e);
            return e === document.body || s.outlineStyle !== 'none'";
        assert_eq!(chromium.evaluate(seen).await, true, "{stop}: one must see where one is");
        if stop.starts_with(words) {
            return;
        }
        stops.push(stop);
    }
    panic!("no Tab leads to {words:?} on {}: {stops:?}", chromium.path().await);
}

#[tokio::test]
async fn everything_on_ones_account_is_done_from_the_keyboard() {
    let (server, chromium) = (Server::start().await, Chromium::start().await);
    let ada = server.member("ada").await;
    let first = from_firefox(&server).await;
    sign_in(&chromium, &server, PASSWORD).await;
    chromium.is_at("/account").await;
    alarm(&server, &ada.id, EventKind::SecretReuseDetected).await;
    alarm(&server, &ada.id, EventKind::TokenReuseDetected).await;
    let second = from_firefox(&server).await;
    let third = from_firefox(&server).await;

    chromium.open(&format!("{}/account", server.origin)).await;
    tab_to(&chromium, "Skip to content").await;
    press(&chromium, ENTER).await;
    // To the activity, and back, past the notices.
    tab_to(&chromium, "This was me").await;
    press(&chromium, ENTER).await;
    chromium.is_at("/account?said=was-me").await;
    tab_to(&chromium, "See what happened").await;
    press(&chromium, ENTER).await;
    chromium.is_at("/account/activity").await;
    tab_to(&chromium, "Back to your account").await;
    press(&chromium, ENTER).await;
    chromium.is_at("/account").await;

    // One session, then the others by a notice, then the password.
    tab_to(&chromium, "Sign out Firefox on Linux").await;
    press(&chromium, ENTER).await;
    chromium.is_at("/account?said=session-ended").await;
    assert_eq!(server.rows().session, 3);
    tab_to(&chromium, "This wasn’t me").await;
    press(&chromium, SPACE).await;
    chromium.is_at("/account?said=not-me").await;
    assert_eq!(server.rows().session, 1);
    for ended in [&first, &second, &third] {
        assert!(!ended.is_signed_in().await);
    }
    // The fragment has moved the place to go on from: the form is next.
    tab_to(&chromium, "current").await;
    press(&chromium, PASSWORD).await;
    tab_to(&chromium, "new").await;
    press(&chromium, OTHER_PASSWORD).await;
    tab_to(&chromium, "end_other_sessions").await;
    press(&chromium, SPACE).await;
    tab_to(&chromium, "Change password").await;
    press(&chromium, ENTER).await;
    chromium.is_at("/account?said=password-changed").await;

    let ada = ada.with_other_password();
    let other = server.sign_in(&ada).await;
    chromium.open(&format!("{}/account", server.origin)).await;
    tab_to(&chromium, "Sign out all other sessions").await;
    press(&chromium, ENTER).await;
    chromium.is_at("/account?said=others-ended").await;
    assert!(!other.is_signed_in().await);
    tab_to(&chromium, "Sign out everywhere").await;
    press(&chromium, ENTER).await;
    chromium.is_at("/login?said=signed-out-everywhere").await;
    assert_eq!(server.rows().session, 0);
}
