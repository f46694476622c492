//! An app behind nginx that asks us, in a real browser: to the login page, back with a pass, and out.

use doorward_core::site::{OriginPattern, Site, Sites};
use doorward_server::settings::Site as Own;

use super::Chromium;
use crate::harness::echo::Echo;
use crate::harness::nginx::{self, Plan};
use crate::harness::proxy::{Make, far_nginx};
use crate::harness::{PASSWORD, Server};

#[tokio::test]
async fn a_browser_comes_to_an_app_signs_in_and_is_back_where_it_was() {
    let plan = Plan::tls();
    let (origin, port) = (plan.origin(), plan.port());
    let wiki = format!("https://wiki.{}:{port}", nginx::NAME);
    let server = Server::production(|settings| {
        settings.site = Own::Production {
            origin: origin.clone(),
            trusted_proxies: vec!["127.0.0.1/32".parse().unwrap()],
        };
        let site = Site::for_members(OriginPattern::parse(&wiki).unwrap());
        settings.sites = Sites::of(vec![site]).unwrap().into();
        settings.site_domain = Some(nginx::NAME.to_owned());
    })
    .await;
    server.member("ada").await;
    let app = Echo::start().await;
    let protected = Make::Nginx.configuration(app.address, server.address, port);
    let name = nginx::NAME;
    let site = format!(
        "server {{ listen 127.0.0.1:{port} ssl; server_name wiki.{name};\n\
         ssl_certificate certificate.pem; ssl_certificate_key key.pem;\n{protected}\n}}"
    );
    let nginx = plan.http(&site).start(server.address, &nginx::documented()).await;
    let chromium = Chromium::behind(&nginx).await;

    chromium.open(&format!("{wiki}/notes?day=3")).await;
    chromium.sees("Sign in").await;
    assert_eq!(app.heard(), 0, "the app heard nothing of it");
    chromium.fill("username", "ada").await;
    chromium.fill("password", PASSWORD).await;
    chromium.press("Sign in").await;
    // Over two origins after a form: the page's policy names the second.
    chromium.is_at("/notes?day=3").await;
    chromium.sees("[\"remote-user\",\"ada\"]").await;
    // What the app is sent is no cookie of ours.
    let text = chromium.text().await.unwrap();
    assert!(text.contains("__Http-doorward-site=") && !text.contains("__Host-Http-doorward="));

    chromium.open(&format!("{origin}/logout")).await;
    chromium.press("Sign out").await;
    chromium.sees("You are signed out.").await;
    assert!(chromium.window().get_all_cookies().await.unwrap().is_empty());
    chromium.open(&format!("{wiki}/notes")).await;
    chromium.sees("Sign in").await;
}

#[tokio::test]
async fn a_browser_signs_in_once_for_a_site_in_another_domain_too() {
    let plan = Plan::tls();
    let (origin, port) = (plan.origin(), plan.port());
    // Another site than ours to a browser, which shares no cookie with it.
    let blog = format!("https://localhost:{port}");
    let server = Server::production(|settings| {
        settings.site = Own::Production {
            origin: origin.clone(),
            trusted_proxies: vec!["127.0.0.1/32".parse().unwrap()],
        };
        let site = Site::for_members(OriginPattern::parse(&blog).unwrap());
        settings.sites = Sites::of(vec![site]).unwrap().into();
    })
    .await;
    server.member("ada").await;
    let app = Echo::start().await;
    let protected = Make::Nginx.configuration(app.address, server.address, port);
    let far = far_nginx(server.address);
    let site = format!(
        "server {{ listen 127.0.0.1:{port} ssl; server_name localhost;\n\
         ssl_certificate certificate.pem; ssl_certificate_key key.pem;\n{far}\n{protected}\n}}"
    );
    let nginx = plan.http(&site).start(server.address, &nginx::documented()).await;
    let chromium = Chromium::behind(&nginx).await;

    chromium.open(&format!("{blog}/notes?day=3")).await;
    chromium.sees("Sign in").await;
    assert_eq!(app.heard(), 0, "the app heard nothing of it");
    chromium.fill("username", "ada").await;
    chromium.fill("password", PASSWORD).await;
    chromium.press("Sign in").await;
    chromium.is_at("/notes?day=3").await;
    chromium.sees("[\"remote-user\",\"ada\"]").await;
    let text = chromium.text().await.unwrap();
    assert!(text.contains("__Host-Http-doorward-site=") && !text.contains("__Host-Http-doorward="));

    chromium.open(&format!("{origin}/logout")).await;
    chromium.press("Sign out").await;
    chromium.sees("You are signed out.").await;
    chromium.open(&format!("{blog}/notes")).await;
    chromium.sees("Sign in").await;
}
