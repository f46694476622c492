//! The same without JavaScript: nothing on a page may depend on it.

use doorward_server::flow::setup;

use super::Chromium;
use crate::harness::{OTHER_PASSWORD, PASSWORD, Server};

#[tokio::test]
async fn a_whole_story_works_without_javascript() {
    let (server, chromium) = (Server::start().await, Chromium::without_javascript().await);
    chromium.open(&format!("{}/register", server.origin)).await;
    // The control: a button that only a script shows stays hidden.
    assert!(!chromium.find("button.reveal").await.is_displayed().await.unwrap());
    chromium.fill("username", "ada").await;
    chromium.fill("password", PASSWORD).await;
    chromium.press("Create account").await;
    chromium.is_at("/account?said=welcome").await;

    let ada = crate::harness::Member {
        id: String::new(),
        username: "ada".to_owned(),
        password: PASSWORD.to_owned(),
    };
    let elsewhere = server.sign_in(&ada).await;
    chromium.open(&format!("{}/account", server.origin)).await;
    chromium.press("Sign out all other sessions").await;
    chromium.is_at("/account?said=others-ended").await;
    assert!(!elsewhere.is_signed_in().await);

    chromium.fill("current", PASSWORD).await;
    chromium.fill("new", OTHER_PASSWORD).await;
    chromium.press("Change password").await;
    chromium.is_at("/account?said=password-changed-others-ended").await;

    chromium.open(&format!("{}/logout", server.origin)).await;
    chromium.press("Sign out").await;
    chromium.is_at("/login?said=signed-out").await;

    chromium.fill("username", "ada").await;
    chromium.fill("password", PASSWORD).await;
    chromium.press("Sign in").await;
    chromium.sees("don’t match").await;
    chromium.fill("password", OTHER_PASSWORD).await;
    chromium.press("Sign in").await;
    chromium.is_at("/account").await;
}

#[tokio::test]
async fn without_javascript_the_setup_code_is_pasted() {
    let (server, chromium) = (Server::start().await, Chromium::without_javascript().await);
    let secret = setup::draw_link(&*server.store, &server.app.ambient).await.unwrap();
    let link = format!("{}/setup#{}{}", server.origin, setup::PREFIX, secret.expose().as_str());
    chromium.open(&link).await;
    assert!(chromium.find("input[name=code]").await.is_displayed().await.unwrap());
    chromium.fill("code", &link).await;
    chromium.fill("username", "root.account").await;
    chromium.fill("password", PASSWORD).await;
    chromium.press("Create administrator").await;
    chromium.is_at("/account?said=welcome").await;
    chromium.sees("Administrator").await;
}
