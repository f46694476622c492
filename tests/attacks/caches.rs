//! Caches: a page of somebody's that a cache between us and the browser gives to somebody else.
//!
//! The cache is nginx's own. That it works is shown with what may be kept, and that it would be
//! dangerous is shown with what its owner gets from it.

use doorward_server::routes;
use http::Method;

use super::Clean;
use crate::harness::nginx::{Nginx, Plan};
use crate::harness::server::PRODUCTION;
use crate::harness::{Browser, Reply, Server};

/// nginx with a cache, in front of a production server.
async fn cached(server: &Server, more: &str) -> Nginx {
    let location = format!(
        "add_header X-Cache $upstream_cache_status always;
         location / {{
           proxy_pass http://doorward;
           proxy_http_version 1.1;
           proxy_set_header Host $host;
           proxy_set_header X-Forwarded-For $remote_addr;
           proxy_set_header X-Forwarded-Proto https;
           proxy_cache pages;
           proxy_cache_valid any 10m;
           {more}
         }}"
    );
    let plan = Plan::plain().http("proxy_cache_path cache keys_zone=pages:1m;");
    plan.start(server.address, &location).await
}

/// Signs in through the cache.
async fn sign_in(server: &Server, nginx: &Nginx, username: &str) -> Browser {
    let member = server.member(username).await;
    let browser = nginx.browser(PRODUCTION);
    server.sign_in_with(&browser, &member, serde_json::json!({})).await.must_be(200);
    browser
}

#[track_caller]
fn from_cache(reply: &Reply) -> bool {
    match reply.header("x-cache").unwrap_or_else(|| panic!("{}", reply.describe())) {
        "HIT" => true,
        "MISS" => false,
        other => panic!("{other}: {}", reply.describe()),
    }
}

/// Every path that answers to GET, its variable parts filled in.
fn paths() -> Vec<String> {
    let get = routes::table().into_iter().filter(|route| route.method == Method::GET);
    get.map(|route| route.path.replace("{version}", "any").replace("{name}", "style.css")).collect()
}

/// Attack 16 (RFC 9111, section 5.2.2.5): a cache that keeps to the rules keeps nothing of anybody.
#[tokio::test]
async fn a_shared_cache_never_serves_a_page_that_depends_on_who_asks() {
    let server = Server::behind(PRODUCTION).await;
    let nginx = cached(&server, "").await;
    let ada = sign_in(&server, &nginx, "ada").await;

    let mine = ada.get("/account").await.clean().must_be(200);
    assert!(mine.text().contains("ada"));
    let nobodys = nginx.browser(PRODUCTION).get("/account").await.clean().must_be(303);
    assert!(!from_cache(&nobodys), "{}", nobodys.describe());
    assert_eq!(nobodys.location(), "/login?return_to=/account");

    for path in paths() {
        for browser in [&ada, &ada, &nginx.browser(PRODUCTION)] {
            let reply = browser.get(&path).await;
            let public = reply.header("cache-control").is_some_and(|it| it.starts_with("public"));
            assert!(public || !from_cache(&reply), "{path}: {}", reply.describe());
        }
    }
    // The control: what is the same for everybody, and never another, comes from the cache.
    let page = nginx.browser(PRODUCTION).get("/login").await.must_be(200);
    let style = page.text().split('"').find(|it| it.ends_with("style.css")).unwrap().to_owned();
    assert!(!from_cache(&ada.get(&style).await.must_be(200)));
    assert!(from_cache(&nginx.browser(PRODUCTION).get(&style).await.must_be(200)));
}

/// Attack 16, with a cache that was told to store whatever we say: it still knows whose is whose.
#[tokio::test]
async fn a_cache_that_ignores_no_store_still_keeps_people_apart() {
    let server = Server::behind(PRODUCTION).await;
    let hostile = "proxy_ignore_headers Cache-Control Expires Set-Cookie;";
    let nginx = cached(&server, hostile).await;
    let (ada, bob) = (sign_in(&server, &nginx, "ada").await, sign_in(&server, &nginx, "bob").await);
    let path = "/api/v1/session";
    assert!(!from_cache(&ada.get(path).await.must_be(200)));
    // The control: the cache has really stored what it must not.
    assert!(from_cache(&ada.get(path).await.must_be(200)));

    let bobs = bob.get(path).await.must_be(200);
    assert_eq!(bobs.json()["account"]["username"], "bob");
    let nobodys = nginx.browser(PRODUCTION).get(path).await;
    nobodys.must_be_problem(401, "unauthenticated");
    let bearer = nginx.client("id.example.com").get(path).bearer("no token").await;
    bearer.must_be_problem(401, "invalid_token");
    assert!(ada.get("/account").await.must_be(200).text().contains("ada"));
    assert!(bob.get("/account").await.must_be(200).text().contains("bob"));
    nginx.browser(PRODUCTION).get("/account").await.must_be(303);
}

/// Attack 16: the same of every route, without a cache to show it.
#[tokio::test]
async fn every_answer_says_whether_it_depends_on_who_asks() {
    let server = Server::start().await;
    let ada = server.sign_in(&server.member("ada").await).await;
    for path in paths() {
        for browser in [&ada, &server.browser()] {
            let reply = browser.get(&path).await;
            let vary = reply.header("vary");
            match reply.header("cache-control").unwrap() {
                "no-store" => assert_eq!(vary, Some("Cookie, Authorization"), "{path}"),
                _ => assert_eq!(vary, None, "{path}: the same for everybody"),
            }
        }
    }
    // An unsafe request is judged by where it comes from, too.
    let refused = ada.request("POST", "/api/v1/logout").without("sec-fetch-site");
    let refused = refused.header("sec-fetch-site", "cross-site").await.clean();
    let refused = refused.must_be_problem(403, "csrf-rejected");
    assert_eq!(refused.header("vary"), Some("Cookie, Authorization, Origin, Sec-Fetch-Site"));
    assert!(ada.is_signed_in().await);
}
