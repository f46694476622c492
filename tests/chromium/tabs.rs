//! Two windows of one browser, and its real back button: no form ends in a dead end.

use super::Chromium;
use crate::harness::{OTHER_PASSWORD, PASSWORD, Server};

async fn sign_in(chromium: &Chromium, server: &Server, username: &str) {
    chromium.open(&format!("{}/login?another=1", server.origin)).await;
    chromium.fill("username", username).await;
    chromium.fill("password", PASSWORD).await;
    chromium.press("Sign in").await;
    chromium.is_at("/account").await;
}

#[tokio::test]
async fn somebody_else_signs_in_in_another_tab() {
    let (server, chromium) = (Server::start().await, Chromium::start().await);
    server.member("ada").await;
    let bob = server.member("bob").await;
    let (one, other) = chromium.second_tab().await;
    let elsewhere = server.sign_in(&bob).await;
    for button in ["Sign out everywhere, here too", "Change password"] {
        chromium.go_to_tab(&one).await;
        sign_in(&chromium, &server, "ada").await;
        chromium.go_to_tab(&other).await;
        sign_in(&chromium, &server, "bob").await;
        // The first tab shows Ada's page still. Its buttons do nothing to Bob.
        chromium.go_to_tab(&one).await;
        chromium.sees("ada").await;
        if button == "Change password" {
            chromium.fill("current", PASSWORD).await;
            chromium.fill("new", OTHER_PASSWORD).await;
        }
        chromium.press(button).await;
        chromium.sees("That page was another account’s").await;
        chromium.sees("You are signed in as bob now.").await;
        assert!(elsewhere.is_signed_in().await);
    }
    // The way on: the page that came is Bob's own, and works.
    chromium.press("Sign out all other sessions").await;
    chromium.is_at("/account?said=others-ended").await;
    assert!(!elsewhere.is_signed_in().await);
    server.sign_in(&bob).await;
}

#[tokio::test]
async fn a_session_ends_in_one_tab_while_the_other_has_a_form_open() {
    let (server, chromium) = (Server::start().await, Chromium::start().await);
    server.member("ada").await;
    sign_in(&chromium, &server, "ada").await;
    let (one, other) = chromium.second_tab().await;
    chromium.open(&format!("{}/logout", server.origin)).await;
    chromium.press("Sign out").await;
    chromium.sees("You are signed out.").await;

    chromium.go_to_tab(&one).await;
    chromium.fill("current", PASSWORD).await;
    chromium.fill("new", OTHER_PASSWORD).await;
    chromium.press("Change password").await;
    chromium.is_at("/login?said=ended&return_to=/account").await;
    chromium.sees("Your session has ended, so nothing was done.").await;
    chromium.fill("username", "ada").await;
    chromium.fill("password", PASSWORD).await;
    chromium.press("Sign in").await;
    chromium.is_at("/account").await;
    // The other tab is at the login page: signing in there again is no harm.
    chromium.go_to_tab(&other).await;
    chromium.fill("username", "ada").await;
    chromium.fill("password", PASSWORD).await;
    chromium.press("Sign in").await;
    chromium.is_at("/account").await;
    assert_eq!(server.rows().session, 1);
}

#[tokio::test]
async fn back_from_the_door_shows_nothing_and_leads_to_it_again() {
    let (server, chromium) = (Server::start().await, Chromium::start().await);
    server.member("ada.lovelace").await;
    sign_in(&chromium, &server, "ada.lovelace").await;
    chromium.find("a[href='/account/activity']").await.click().await.unwrap();
    chromium.sees("What happened to your account").await;
    chromium.find("form.visitor button").await.click().await.unwrap();
    chromium.sees("You are signed out.").await;
    for expected in ["/login?return_to=/account/activity", "/login?return_to=/account"] {
        chromium.window().back().await.unwrap();
        chromium.is_at(expected).await;
        let text = chromium.text().await.unwrap_or_default();
        assert!(!text.contains("ada.lovelace"), "{text}");
        chromium.sees("Sign in").await;
    }
    // From there, in again, and where one was.
    chromium.fill("username", "ada.lovelace").await;
    chromium.fill("password", PASSWORD).await;
    chromium.press("Sign in").await;
    chromium.is_at("/account").await;
}

#[tokio::test]
async fn back_to_a_form_that_was_sent_and_sent_again_is_no_harm() {
    let (server, chromium) = (Server::start().await, Chromium::start().await);
    let ada = server.member("ada").await;
    server.sign_in(&ada).await;
    sign_in(&chromium, &server, "ada").await;
    chromium.press("Sign out all other sessions").await;
    chromium.is_at("/account?said=others-ended").await;
    chromium.window().back().await.unwrap();
    chromium.is_at("/account").await;
    chromium.sees("Your account").await;
    // The page is fresh: nothing to end any more but everything.
    chromium.press("Sign out everywhere").await;
    chromium.is_at("/login?said=signed-out-everywhere").await;

    sign_in(&chromium, &server, "ada").await;
    chromium.fill("current", "not the password").await;
    chromium.fill("new", OTHER_PASSWORD).await;
    chromium.press("Change password").await;
    chromium.sees("not your current password").await;
    // The address of the form that came back is one that can be opened.
    chromium.is_at("/account/password").await;
    chromium.open(&format!("{}/account/password", server.origin)).await;
    chromium.is_at("/account").await;
    chromium.sees("Change password").await;
}

#[tokio::test]
async fn a_button_pressed_twice_at_once_does_its_work_once() {
    let (server, chromium) = (Server::start().await, Chromium::start().await);
    let twice = "const form = document.querySelector(arguments[0]);
        form.requestSubmit(); form.requestSubmit();";
    chromium.open(&format!("{}/register", server.origin)).await;
    chromium.fill("username", "ada").await;
    chromium.fill("password", PASSWORD).await;
    let form = vec!["form[action='/register']".into()];
    chromium.window().execute(twice, form).await.unwrap();
    chromium.is_at("/account?said=welcome").await;
    assert_eq!((server.rows().account, server.rows().session), (1, 1));

    chromium.fill("current", PASSWORD).await;
    chromium.fill("new", OTHER_PASSWORD).await;
    let form = vec!["form[action='/account/password']".into()];
    chromium.window().execute(twice, form).await.unwrap();
    chromium.is_at("/account?said=password-changed-others-ended").await;
    assert_eq!(server.rows().session, 1);
}
