//! "Is it still you?": a session's cookie in another browser, in the eyes of whoever sits there.

use super::{Chromium, screenshots};
use crate::harness::server::login_body;
use crate::harness::{Browser, PASSWORD, Server};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// Signs in with Firefox, and puts a copy of its cookie into Chromium.
async fn copied(server: &Server, chromium: &Chromium) -> Browser {
    let ada = server.member("ada").await;
    let client = server.client().always("user-agent", FIREFOX);
    let firefox = Browser::new(client, &server.origin);
    let login = login_body(&ada, "cookie", serde_json::json!({}));
    firefox.post_json("/api/v1/login", &login).await.must_be(200);
    chromium.open(&format!("{}/login", server.origin)).await;
    chromium.plant(&server.origin, (server.cookie_name(), &firefox.secret())).await;
    firefox
}

#[tokio::test]
async fn a_copied_cookie_is_asked_and_the_password_leads_back_to_where_one_was() {
    let (server, chromium) = (Server::start().await, Chromium::start().await);
    let firefox = copied(&server, &chromium).await;
    chromium.open(&format!("{}/account?said=welcome", server.origin)).await;
    chromium.is_at("/account/confirm?return_to=%2Faccount%3Fsaid%3Dwelcome").await;
    chromium.sees("Is it still you?").await;
    chromium.sees("another browser or another place").await;
    let focused = chromium.evaluate("return document.activeElement.name").await;
    assert_eq!(focused, "password", "one can begin to type");
    assert!(firefox.is_signed_in().await, "nobody else is disturbed");
    screenshots::take(&chromium, "confirm").await;

    chromium.fill("password", "not the password").await;
    chromium.press("It is me").await;
    chromium.sees("That is not your password.").await;
    assert!(chromium.window().title().await.unwrap().starts_with("Problem: Is it still you?"));
    let focused = chromium.evaluate("return document.activeElement.getAttribute('role')").await;
    assert_eq!(focused, "alert");
    screenshots::take(&chromium, "confirm-wrong").await;

    chromium.fill("password", PASSWORD).await;
    chromium.press("It is me").await;
    chromium.is_at("/account?said=welcome").await;
    chromium.sees("Chrome on Linux").await;
    chromium.open(&format!("{}/account", server.origin)).await;
    chromium.is_at("/account").await;
}

#[tokio::test]
async fn without_javascript_the_password_confirms_and_the_way_out_is_open() {
    let (server, chromium) = (Server::start().await, Chromium::without_javascript().await);
    let firefox = copied(&server, &chromium).await;
    chromium.open(&format!("{}/account", server.origin)).await;
    chromium.is_at("/account/confirm?return_to=%2Faccount").await;
    chromium.fill("password", PASSWORD).await;
    chromium.press("It is me").await;
    chromium.is_at("/account").await;
    chromium.sees("Chrome on Linux").await;

    // And somebody else, who would rather go.
    let login = serde_json::json!({ "username": "ada", "password": PASSWORD, "carrier": "cookie" });
    let other = firefox.fresh();
    other.post_json("/api/v1/login", &login).await.must_be(200);
    chromium.plant(&server.origin, (server.cookie_name(), &other.secret())).await;
    chromium.open(&format!("{}/account", server.origin)).await;
    chromium.sees("Is it still you?").await;
    chromium.press("Sign out").await;
    chromium.is_at("/login?said=signed-out").await;
    assert!(!other.is_signed_in().await);
}
