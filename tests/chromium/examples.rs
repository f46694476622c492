//! The examples, as a reader tries them.

use serde_json::Value;

use super::Chromium;
use crate::harness::example::{Example, free_ports};
use crate::harness::process::Data;
use crate::harness::{PASSWORD, Process, report};

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

/// Makes a client as the README says, and gives what the example needs to know of it.
async fn client(process: &Process, words: &[&str]) -> (String, String) {
    let arguments = [&["app", "--json"], words].concat();
    let output = process.data().run("client add", &arguments).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |name: &str| said[name].as_str().unwrap().to_owned();
    (text("id"), text("secret"))
}

async fn make_account(chromium: &Chromium, issuer: &str) {
    chromium.open(&format!("{issuer}/register")).await;
    chromium.fill("username", "ada").await;
    chromium.fill("password", PASSWORD).await;
    chromium.press("Create account").await;
    chromium.is_at("/account?said=welcome").await;
}

/// Asks again and again until a page says `text`, and says how long that took.
async fn until(chromium: &Chromium, url: &str, text: &str) -> std::time::Duration {
    let began = std::time::Instant::now();
    loop {
        chromium.open(url).await;
        if chromium.text().await.is_some_and(|said| said.contains(text)) {
            return began.elapsed();
        }
        assert!(began.elapsed() < crate::harness::wait::PATIENCE, "{url} never says {text:?}");
    }
}

#[tokio::test]
async fn a_page_on_a_third_origin_calls_the_api_with_a_token_until_the_session_ends() {
    let [api_port, page_port] = free_ports();
    let (api, page) =
        (format!("http://localhost:{api_port}"), format!("http://localhost:{page_port}"));
    let data = Data::fresh();
    let config = data.beside("doorward.toml");
    let readme = include_str!("../../examples/api/README.md");
    let (_, block) = readme.split_once("```toml\n").unwrap();
    let text = block.split_once("```").unwrap().0;
    let text = text.replace("http://localhost:7201", &api).replace("http://localhost:7202", &page);
    std::fs::write(&config, text).unwrap();
    let config = config.to_str().unwrap();
    let process = data.start(&["--config", config]).await;
    let (id, secret) =
        client(&process, &["--scope", "doorward.revocations", "--config", config]).await;
    let ports = format!("{api_port},{page_port}");
    let settings = [
        ("ISSUER", &*process.url),
        ("PORTS", &ports),
        ("CLIENT_ID", &id),
        ("CLIENT_SECRET", &secret),
    ];
    let example = Example::start("api", &[], &settings).await;
    assert!(example.url.starts_with(&page), "{}", example.url);

    let chromium = Chromium::start().await;
    make_account(&chromium, &process.url).await;
    chromium.open(&page).await;
    chromium.press("Read orders").await;
    chromium.sees("401").await;
    chromium.fill("username", "ada").await;
    chromium.fill("password", PASSWORD).await;
    chromium.press("Sign in").await;
    chromium.sees("signed in").await;
    chromium.press("Read orders").await;
    chromium.sees("200 the orders of acc_").await;
    chromium.press("Order tea").await;
    chromium.sees("insufficient-scope").await;
    chromium.press("Sign out").await;
    chromium.sees("200").await;
    let began = std::time::Instant::now();
    loop {
        chromium.press("Read orders").await;
        let text = chromium.text().await.unwrap();
        if text.contains("invalid-token") {
            break;
        }
        assert!(began.elapsed() < crate::harness::wait::PATIENCE, "{text}");
    }
    report(&format!("examples/api: refused {:?} after the end", began.elapsed()));
}

#[tokio::test]
async fn who_signs_in_at_one_domain_is_signed_in_at_the_other_and_out_of_both() {
    let process = Process::start(&[]).await;
    let [port] = free_ports();
    let callback = format!("http://127.0.0.1:{port}/callback");
    let words = ["--redirect", &callback, "--scope", "doorward.revocations"];
    let (id, secret) = client(&process, &words).await;
    let port = port.to_string();
    let settings = [
        ("ISSUER", &*process.url),
        ("PORT", &port),
        ("CLIENT_ID", &id),
        ("CLIENT_SECRET", &secret),
    ];
    let app = Example::start("two-domains", &[], &settings).await;

    let chromium = Chromium::start().await;
    make_account(&chromium, &process.url).await;
    chromium.open(&format!("{}/logout", process.url)).await;
    chromium.press("Sign out").await;
    // From the app to the login page and back, over two sites and after a form.
    chromium.open(&app.url).await;
    chromium.sees("Nobody is signed in.").await;
    chromium.open(&format!("{}/login", app.url)).await;
    chromium.fill("username", "ada").await;
    chromium.fill("password", PASSWORD).await;
    chromium.press("Sign in").await;
    chromium.sees("here, too.").await;
    chromium.is_at("/").await;

    // Out at Doorward is out at the app.
    chromium.open(&format!("{}/logout", process.url)).await;
    chromium.press("Sign out").await;
    chromium.sees("You are signed out.").await;
    let took = until(&chromium, &app.url, "Nobody is signed in.").await;
    report(&format!("examples/two-domains: refused {took:?} after the end"));

    // Signed in at Doorward, the app needs no page; out at the app leads on to out at Doorward.
    chromium.open(&format!("{}/login", process.url)).await;
    chromium.fill("username", "ada").await;
    chromium.fill("password", PASSWORD).await;
    chromium.press("Sign in").await;
    chromium.is_at("/account").await;
    chromium.open(&format!("{}/login", app.url)).await;
    chromium.sees("here, too.").await;
    chromium.press("Sign out").await;
    chromium.is_at("/logout").await;
    chromium.press("Sign out").await;
    chromium.sees("You are signed out.").await;
    chromium.open(&app.url).await;
    chromium.sees("Nobody is signed in.").await;
}
