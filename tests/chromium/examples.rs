//! The examples, as a reader tries them.

use super::Chromium;
use crate::harness::PASSWORD;
use crate::harness::example::Example;

#[tokio::test]
async fn the_shop_keeps_a_visitors_basket_over_the_login() {
    let shop = Example::start("shop", &["0", "{folder}/data"], &[]).await;
    let chromium = Chromium::start().await;
    chromium.open(&format!("{}/", shop.url)).await;
    chromium.sees("Sign in").await;
    chromium.press("tea").await;
    chromium.sees("In your basket: tea").await;
    chromium.press("honey").await;
    chromium.sees("In your basket: tea, honey").await;

    // A visitor who orders is led to the login page, where there is a way to an account.
    chromium.press("Order").await;
    chromium.is_at("/login?return_to=%2F").await;
    chromium.open(&format!("{}/register?return_to=/", shop.url)).await;
    chromium.fill("username", "ada").await;
    chromium.fill("password", PASSWORD).await;
    chromium.press("Create account").await;
    chromium.sees("In your basket: tea, honey").await;
    chromium.sees("ada").await;
    chromium.press("Order").await;
    chromium.sees("On its way: tea, honey").await;

    // What ends at Doorward has ended in the shop.
    chromium.open(&format!("{}/logout", shop.url)).await;
    chromium.press("Sign out").await;
    chromium.open(&format!("{}/", shop.url)).await;
    chromium.sees("Sign in").await;
    let text = chromium.text().await.unwrap();
    assert!(!text.contains("ada") && !text.contains("tea, honey"), "{text}");
    assert!(shop.folder().join("data/doorward.db").exists());
}
