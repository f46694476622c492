//! A person's story in a browser: an account, a login, sessions, a password, and the way out.

use doorward_server::flow::setup;

use super::Chromium;
use crate::harness::{OTHER_PASSWORD, PASSWORD, Server};

/// Signs in through the page.
async fn sign_in(chromium: &Chromium, server: &Server, username: &str, password: &str) {
    chromium.open(&format!("{}/login", server.origin)).await;
    chromium.fill("username", username).await;
    chromium.fill("password", password).await;
    chromium.press("Sign in").await;
}

#[tokio::test]
async fn somebody_new_makes_an_account_and_is_in_and_goes_out_again() {
    let (server, chromium) = (Server::start().await, Chromium::start().await);
    chromium.open(&server.origin).await;
    chromium.is_at("/login").await;
    chromium.find("a[href='/register']").await.click().await.unwrap();
    chromium.sees("Create an account").await;
    chromium.fill("username", "ada").await;
    chromium.fill("email", "ada@example.com").await;
    chromium.fill("password", PASSWORD).await;
    chromium.press("Create account").await;
    chromium.is_at("/account?said=welcome").await;
    chromium.sees("ada@example.com").await;
    chromium.sees("This device").await;

    chromium.open(&format!("{}/logout", server.origin)).await;
    chromium.press("Sign out").await;
    chromium.sees("You are signed out.").await;
    assert_eq!(server.rows().session, 0);
    chromium.open(&format!("{}/account", server.origin)).await;
    chromium.is_at("/login?return_to=/account").await;

    // Whoever sits down next presses "back", and sees nothing.
    sign_in(&chromium, &server, "ada", PASSWORD).await;
    chromium.sees("ada@example.com").await;
    chromium.open(&format!("{}/logout", server.origin)).await;
    chromium.press("Sign out").await;
    chromium.sees("You are signed out.").await;
    for _ in 0..3 {
        chromium.window().back().await.unwrap();
        let text = chromium.text().await.unwrap_or_default();
        assert!(!text.contains("ada@example.com"), "{}:\n{text}", chromium.path().await);
    }
}

#[tokio::test]
async fn a_wrong_password_is_told_in_its_place_and_the_name_stays() {
    let (server, chromium) = (Server::start().await, Chromium::start().await);
    server.member("ada").await;
    sign_in(&chromium, &server, "ada", "not the password").await;
    chromium.sees("don’t match").await;
    assert!(chromium.window().title().await.unwrap().starts_with("Problem: Sign in"));
    let value = async |name: &str| {
        let field = chromium.find(&format!("input[name={name}]")).await;
        field.prop("value").await.unwrap().unwrap()
    };
    assert_eq!(value("username").await, "ada");
    assert_eq!(value("password").await, "");
    // A screen reader is told at once, and each field says what is wrong with it.
    let focused = chromium.evaluate("return document.activeElement.getAttribute('role')").await;
    assert_eq!(focused, "alert");
    let invalid = chromium.find("input[name=password]").await.attr("aria-invalid").await;
    assert_eq!(invalid.unwrap().as_deref(), Some("true"));

    chromium.fill("password", PASSWORD).await;
    chromium.press("Sign in").await;
    chromium.is_at("/account").await;
}

#[tokio::test]
async fn each_fault_in_a_form_is_told_beside_its_field() {
    let (server, chromium) = (Server::start().await, Chromium::start().await);
    server.member("ada").await;
    chromium.open(&format!("{}/register", server.origin)).await;
    // What the browser itself would catch is sent all the same, as an old one would.
    chromium.evaluate("document.querySelector('main form').noValidate = true").await;
    chromium.fill("username", "two words").await;
    chromium.fill("email", "no address").await;
    chromium.fill("password", "short").await;
    chromium.press("Create account").await;
    chromium.sees("Please look at this again").await;
    for name in ["username", "email", "password"] {
        let problem = chromium.find(&format!("#{name}-problem")).await.text().await.unwrap();
        assert!(!problem.is_empty(), "{name}");
        let field = chromium.find(&format!("input[name={name}]")).await;
        let described = field.attr("aria-describedby").await.unwrap().unwrap();
        assert!(described.contains(&format!("{name}-problem")), "{described}");
    }
    chromium.fill("username", "ada").await;
    chromium.fill("email", "ada@example.com").await;
    chromium.fill("password", OTHER_PASSWORD).await;
    chromium.press("Create account").await;
    chromium.sees("is taken").await;
    assert_eq!(server.rows().account, 1);
}

#[tokio::test]
async fn the_account_page_lists_sessions_and_its_buttons_end_them() {
    let (server, chromium) = (Server::start().await, Chromium::start().await);
    let ada = server.member("ada").await;
    let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    let elsewhere = server.browser();
    let body = crate::harness::server::login_body(&ada, "cookie", serde_json::json!({}));
    let login =
        elsewhere.request("POST", "/api/v1/login").json(&body).header("user-agent", firefox);
    elsewhere.send(login).await.must_be(200);
    let (tokens, third) = (server.tokens(&ada).await, server.sign_in(&ada).await);

    sign_in(&chromium, &server, "ada", PASSWORD).await;
    chromium.sees("Where you are signed in").await;
    chromium.sees("Firefox").await;
    chromium.sees("This device").await;
    let rows = async || {
        chromium.evaluate("return document.querySelectorAll('.sessions > li').length").await
    };
    assert_eq!(rows().await, 4);

    assert!(elsewhere.is_signed_in().await);
    chromium.press("Sign out Firefox").await;
    chromium.is_at("/account?said=session-ended").await;
    assert_eq!(rows().await, 3);
    assert!(!elsewhere.is_signed_in().await, "refused from the moment the page said so");
    assert!(third.is_signed_in().await);

    chromium.press("Sign out all other sessions").await;
    chromium.is_at("/account?said=others-ended").await;
    assert_eq!(rows().await, 1);
    assert!(!third.is_signed_in().await);
    server.whoami(&tokens.access).await.must_be(401);
    server.refresh(&tokens.refresh).await.must_be(401);

    // The last of them is this one.
    chromium.find(".sessions > li button").await.click().await.unwrap();
    chromium.is_at("/login?said=signed-out").await;
    assert_eq!(server.rows().session, 0);
}

#[tokio::test]
async fn a_session_that_was_ended_elsewhere_is_out_at_the_next_click() {
    let (server, chromium) = (Server::start().await, Chromium::start().await);
    let tokens = server.tokens(&server.member("ada").await).await;
    sign_in(&chromium, &server, "ada", PASSWORD).await;
    chromium.sees("Your account").await;
    let end = server.client().delete("/api/v1/sessions?except=current").bearer(&tokens.access);
    end.await.must_be(204);
    chromium.press("Sign out all other sessions").await;
    chromium.is_at("/login?said=ended&return_to=/account").await;
    chromium.sees("Your session has ended").await;
    server.whoami(&tokens.access).await.must_be(200);
}

#[tokio::test]
async fn a_password_is_changed_and_the_other_sessions_end_unless_kept() {
    let (server, chromium) = (Server::start().await, Chromium::start().await);
    let ada = server.member("ada").await;
    let elsewhere = server.sign_in(&ada).await;
    sign_in(&chromium, &server, "ada", PASSWORD).await;
    chromium.sees("Change password").await;

    chromium.fill("current", "not the password").await;
    chromium.fill("new", OTHER_PASSWORD).await;
    chromium.press("Change password").await;
    chromium.sees("not your current password").await;

    chromium.toggle("end_other_sessions").await;
    chromium.fill("current", PASSWORD).await;
    chromium.fill("new", OTHER_PASSWORD).await;
    chromium.press("Change password").await;
    chromium.is_at("/account?said=password-changed").await;
    assert!(elsewhere.is_signed_in().await, "the box was not ticked");

    chromium.fill("current", OTHER_PASSWORD).await;
    chromium.fill("new", "a third good password").await;
    chromium.press("Change password").await;
    chromium.is_at("/account?said=password-changed-others-ended").await;
    assert!(!elsewhere.is_signed_in().await);
    chromium.open(&format!("{}/account", server.origin)).await;
    chromium.sees("Your account").await;
}

#[tokio::test]
async fn the_setup_link_fills_its_code_in_and_leaves_no_trace_of_it() {
    let (server, chromium) = (Server::start().await, Chromium::start().await);
    let secret = setup::draw_link(&*server.store, &server.app.ambient).await.unwrap();
    let code = format!("{}{}", setup::PREFIX, secret.expose().as_str());
    chromium.open(&format!("{}/setup#{code}", server.origin)).await;
    chromium.sees("Create an administrator").await;
    let field = chromium.find("input[name=code]").await;
    assert_eq!(field.prop("value").await.unwrap().as_deref(), Some(code.as_str()));
    assert!(!field.is_displayed().await.unwrap(), "nothing to paste, nothing to read aloud");
    let url = chromium.window().current_url().await.unwrap();
    assert_eq!(url.fragment(), None, "out of the address bar and the history");
    chromium.fill("username", "root.account").await;
    chromium.fill("password", PASSWORD).await;
    chromium.press("Create administrator").await;
    chromium.is_at("/account?said=welcome").await;
    chromium.sees("Administrator").await;

    // The same link again, in another browser.
    chromium.window().delete_all_cookies().await.unwrap();
    chromium.open(&format!("{}/setup#{code}", server.origin)).await;
    chromium.fill("username", "eve").await;
    chromium.fill("password", PASSWORD).await;
    chromium.press("Create administrator").await;
    chromium.sees("was used or is too old").await;
    assert_eq!(server.rows().account, 1);
}

#[tokio::test]
async fn everything_can_be_done_from_the_keyboard() {
    const TAB: &str = "\u{e004}";
    const ENTER: &str = "\u{e007}";
    let (server, chromium) = (Server::start().await, Chromium::start().await);
    server.member("ada").await;
    chromium.open(&format!("{}/login", server.origin)).await;
    let focused = async || {
        let script = "const e = document.activeElement; return e.name || e.textContent.trim()";
        chromium.evaluate(script).await.as_str().unwrap_or_default().to_owned()
    };
    let press = async |keys: &str| {
        chromium.window().active_element().await.unwrap().send_keys(keys).await.unwrap();
    };
    assert_eq!(focused().await, "username", "one can begin to type");
    press("ada").await;
    press(TAB).await;
    assert_eq!(focused().await, "password");
    press(PASSWORD).await;
    press(ENTER).await;
    chromium.is_at("/account").await;
    // From the top, the first stop skips what is the same on every page.
    press(TAB).await;
    assert_eq!(focused().await, "Skip to content");
    let mut stops = Vec::new();
    for _ in 0..20 {
        press(TAB).await;
        let stop = focused().await;
        let outline =
            chromium.evaluate("return getComputedStyle(document.activeElement).outlineStyle").await;
        assert_ne!(outline, "none", "{stop}: one must see where one is");
        stops.push(stop);
        if stops.last().is_some_and(|stop| stop == "Change password") {
            break;
        }
    }
    for wanted in ["Sign out", "current", "new", "end_other_sessions", "Change password"] {
        assert!(stops.iter().any(|stop| stop.starts_with(wanted)), "{wanted}: {stops:?}");
    }
}
