//! Production over HTTPS, behind nginx as the papers configure it: what a browser makes of the
//! cookie with the longest prefix.

use super::Chromium;
use crate::harness::nginx::{self, Plan};
use crate::harness::{PASSWORD, Server};

#[tokio::test]
async fn a_browser_keeps_the_prefixed_cookie_and_signs_in_and_out_over_https() {
    let plan = Plan::tls();
    let server = Server::behind(&plan.origin()).await;
    server.member("ada").await;
    let nginx = plan.start(server.address, &nginx::documented()).await;
    let chromium = Chromium::behind(&nginx).await;

    chromium.open(&format!("{}/login", server.origin)).await;
    chromium.fill("username", "ada").await;
    chromium.fill("password", PASSWORD).await;
    chromium.press("Sign in").await;
    chromium.is_at("/account").await;
    chromium.sees("127.0.0.1").await;
    let cookies = chromium.window().get_all_cookies().await.unwrap();
    let names: Vec<&str> = cookies.iter().map(fantoccini::cookies::Cookie::name).collect();
    assert_eq!(names, ["__Host-Http-doorward"]);
    assert_eq!((cookies[0].secure(), cookies[0].http_only()), (Some(true), Some(true)));

    chromium.open(&format!("{}/logout", server.origin)).await;
    chromium.press("Sign out").await;
    chromium.sees("You are signed out.").await;
    assert!(chromium.window().get_all_cookies().await.unwrap().is_empty());
    assert_eq!(server.rows().session, 0);
    // Attack 10: whoever sits down next and presses "back" sees nothing out of the cache.
    for _ in 0..4 {
        chromium.window().back().await.unwrap();
        let text = chromium.text().await.unwrap_or_default();
        assert!(!text.contains("ada"), "{}:\n{text}", chromium.path().await);
    }
}
