//! Personal access tokens on their page.

use super::Chromium;
use crate::harness::{PASSWORD, Server};

#[tokio::test]
async fn a_token_is_made_shown_once_and_revoked_on_its_page() {
    let (server, chromium) = (Server::start().await, Chromium::start().await);
    server.member("ada").await;
    chromium.open(&format!("{}/account/tokens", server.origin)).await;
    chromium.fill("username", "ada").await;
    chromium.fill("password", PASSWORD).await;
    chromium.press("Sign in").await;
    chromium.is_at("/account/tokens").await;
    chromium.fill("name", "nightly backup").await;
    chromium.fill("scope", "profile").await;
    chromium.press("Make token").await;
    chromium.sees("Copy it now").await;
    let token = chromium.find("code.token").await.text().await.unwrap();
    server.client().get("/api/v1/account").bearer(&token).await.must_be(200);
    chromium.open(&format!("{}/account/tokens", server.origin)).await;
    chromium.sees("nightly backup").await;
    assert!(!chromium.text().await.unwrap().contains(&token), "it is shown once");
    chromium.press("Revoke").await;
    chromium.sees("None. A token lets").await;
    server.client().get("/api/v1/account").bearer(&token).await.must_be(401);

    // Whoever sat there too long is asked for the password, and comes back.
    server.clock.advance(std::time::Duration::from_mins(20));
    chromium.fill("name", "another").await;
    chromium.press("Make token").await;
    chromium.is_at("/account/confirm?return_to=%2Faccount%2Ftokens").await;
    chromium.fill("password", PASSWORD).await;
    chromium.find("form button[type=submit]").await.click().await.unwrap();
    chromium.is_at("/account/tokens").await;
}
