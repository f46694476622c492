//! Who may open what behind a proxy, looked after by administrators: in the API, from one moment to the next.

use doorward_core::event::{Event, EventKind};
use doorward_store::Sites;
use doorward_store::act::{KeptSite, SiteKeeping};
use doorward_store::sqlite::SqliteStore;
use doorward_wire::{EventId, UnixTime};
use serde_json::{Value, json};

use super::forward_auth::{about, pass, with_wiki};
use crate::harness::client::{Request, percent};
use crate::harness::process::Process;
use crate::harness::wait::eventually;
use crate::harness::{Browser, Member, Reply, Server};

const SITES: &str = "/api/v1/admin/sites";
const SHOP: &str = "https://shop.example.com";

fn of(origin: &str) -> String {
    format!("{SITES}/{}", percent(origin))
}

async fn keep(root: &Browser, origin: &str, document: Value) -> Reply {
    root.put_json(&of(origin), &document).await
}

fn about_shop(server: &Server, method: &str, path: &str) -> Request {
    let asked = about(server, method, path).without("x-forwarded-host");
    asked.header("x-forwarded-host", "shop.example.com")
}

async fn people(server: &Server) -> (Browser, Member) {
    let (root, ada) = (server.administrator("root").await, server.member("ada").await);
    (server.sign_in(&root).await, ada)
}

#[tokio::test]
async fn a_site_counts_from_the_moment_it_is_kept_and_no_longer_than_that() {
    let server = Server::production(with_wiki).await;
    let (root, ada) = people(&server).await;
    let (_, pass) = pass(&server, &ada, "/").await;
    let asked = |method, path| about_shop(&server, method, path).cookie(&pass);
    asked("GET", "/").await.must_be_problem(403, "unknown-site");

    let document = json!({
        "rules": [
            { "path": "/stock", "methods": ["GET"] },
            { "path": "/stock", "roles": ["administrator"] },
            { "path": "/public", "allow": "anybody" },
        ],
    });
    let kept = keep(&root, SHOP, document.clone()).await.must_be(201).json();
    assert_eq!((&kept["origin"], &kept["configured"]), (&json!(SHOP), &json!(false)));
    assert_eq!(kept["rules"][1]["roles"], json!(["administrator"]));
    asked("GET", "/").await.must_be(200);
    asked("GET", "/stock/1").await.must_be(200);
    asked("PUT", "/stock/1").await.must_be(403);
    about_shop(&server, "GET", "/public/x").await.must_be(200);
    assert_eq!(root.get(&of(SHOP)).await.must_be(200).json(), kept);

    keep(&root, SHOP, json!({ "allow": "nobody" })).await.must_be(200);
    asked("GET", "/").await.must_be(403);
    about_shop(&server, "GET", "/public/x").await.must_be(401);

    root.delete(&of(SHOP)).await.must_be(204);
    root.delete(&of(SHOP)).await.must_be(404);
    asked("GET", "/").await.must_be_problem(403, "unknown-site");

    let told: Vec<_> = server.events(EventKind::SiteKept).await;
    assert_eq!(told.len(), 2);
    assert_eq!(told[0].reason.as_deref(), Some(SHOP));
    assert_eq!(server.events(EventKind::SiteRemoved).await.len(), 1);
}

#[tokio::test]
async fn what_is_kept_is_there_after_a_restart() {
    let server = Server::production(with_wiki).await;
    let (root, _) = people(&server).await;
    keep(&root, SHOP, json!({ "allow": "anybody" })).await.must_be(201);
    let server = server.again(with_wiki).await;
    server.app.settings.sites.look(&*server.app.store).await.unwrap();
    about_shop(&server, "GET", "/").await.must_be(200);
}

#[tokio::test]
async fn the_configuration_wins() {
    let server = Server::production(with_wiki).await;
    let (root, _) = people(&server).await;
    let wiki = super::forward_auth::WIKI;
    let listed = root.get(SITES).await.must_be(200).json();
    assert_eq!(listed["data"][0]["origin"], wiki);
    assert_eq!(listed["data"][0]["configured"], true);
    // In whatever spelling.
    for origin in [wiki, "https://WIKI.example.com:443"] {
        let refused = keep(&root, origin, json!({ "allow": "anybody" })).await;
        refused.must_be_problem(409, "site-configured");
        root.delete(&of(origin)).await.must_be_problem(409, "site-configured");
    }
    // It was kept before it stood there.
    let kept = KeptSite {
        origin: wiki.to_owned(),
        document: json!({ "allow": "anybody" }).to_string(),
        changed_at: UnixTime(0),
    };
    server.app.store.keep_site(kept, 10, site_event()).await.unwrap();
    server.app.settings.sites.look(&*server.app.store).await.unwrap();
    about(&server, "GET", "/notes").await.must_be(401);
}

#[tokio::test]
async fn a_site_that_makes_no_sense_is_refused_with_the_place() {
    let server = Server::production(with_wiki).await;
    let (root, _) = people(&server).await;
    for (origin, document, pointer) in [
        ("shop", json!({}), ""),
        ("http://shop.example.com", json!({}), ""),
        (SHOP, json!({ "roles": ["king"] }), "/roles"),
        (SHOP, json!({ "allow": "anybody", "accounts": ["ada"] }), "/allow"),
        (SHOP, json!({ "rules": [{ "path": "/" }, { "path": "x" }] }), "/rules/1/path"),
        (SHOP, json!({ "rules": [{ "path": "/", "methods": ["get"] }] }), "/rules/0/methods"),
        (SHOP, json!({ "rules": vec![json!({ "path": "/" }); 201] }), "/rules"),
    ] {
        let refused = keep(&root, origin, document).await.must_be_problem(422, "malformed-site");
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{}", refused.describe());
    }
    keep(&root, SHOP, json!({ "allow": "all" })).await.must_be(422);
    keep(&root, SHOP, json!({ "allowed": "anybody" })).await.must_be_problem(422, "unknown-member");
    assert_eq!(root.get(SITES).await.json()["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_tester_says_who_would_be_let_in_and_why() {
    let server = Server::production(with_wiki).await;
    let (root, _) = people(&server).await;
    let check = async |account: Value, path: &str| {
        let url = format!("{}{path}", super::forward_auth::WIKI);
        let body = json!({ "account": account, "method": "get", "url": url });
        root.post_json(&format!("{SITES}/check"), &body).await
    };
    let said = check(json!("ada"), "/admin/x?y").await.must_be(200).json();
    assert_eq!(said["allowed"], false);
    assert_eq!(said["answer"], "denied: it is for others");
    assert_eq!(
        (&said["rule"], &said["by"]),
        (&json!(2), &json!("rule 2, /admin: members: administrator"))
    );
    assert_eq!(check(json!("root"), "/admin").await.json()["allowed"], true);
    assert_eq!(check(json!(null), "/").await.json()["answer"], "sign in first");
    assert_eq!(check(json!(null), "/public").await.json()["allowed"], true);
    check(json!("nobody.of.that.name"), "/").await.must_be_problem(422, "unknown-account");
    let body = json!({ "method": "GET", "url": "https://elsewhere.example/" });
    root.post_json(&format!("{SITES}/check"), &body).await.must_be(404);
    let body = json!({ "method": "GET", "url": "/page" });
    let refused = root.post_json(&format!("{SITES}/check"), &body).await;
    refused.must_be_problem(422, "malformed-address");
}

#[tokio::test]
async fn only_administrators_look_after_sites_and_only_with_the_scope() {
    let server = Server::production(with_wiki).await;
    let (root, ada) = (server.administrator("root").await, server.member("ada").await);
    let body = json!({ "allow": "anybody" });
    let with = |token: &str| server.client().put_json(&of(SHOP), &body).bearer(token);
    let plain = server.tokens_with(&root, json!({ "scope": "profile" })).await;
    with(&plain.access).await.must_be(403);
    let wanted = json!({ "scope": "doorward.admin" });
    let ada = server.tokens_with(&ada, wanted.clone()).await;
    with(&ada.access).await.must_be_problem(403, "administrators-only");
    let admin = server.tokens_with(&root, wanted).await;
    with(&admin.access).await.must_be(201);
    // From another site's page, with the administrator's cookie.
    let browser = server.sign_in(&root).await;
    let forged = browser.request("PUT", &of(SHOP)).json(&body).without("sec-fetch-site");
    let forged = forged.header("sec-fetch-site", "cross-site");
    browser.send(forged).await.must_be_problem(403, "csrf-rejected");
}

#[tokio::test]
async fn a_server_takes_up_what_another_has_kept_within_seconds() {
    let process = Process::start(&[]).await;
    let asked = || {
        let asked = process.client().get("/api/authz/forward-auth");
        asked.header("x-forwarded-host", "app.localhost").header("x-forwarded-uri", "/")
    };
    asked().await.must_be(401);
    let store = SqliteStore::open(&process.data().database()).unwrap();
    let kept = KeptSite {
        origin: "http://app.localhost".to_owned(),
        document: json!({ "allow": "anybody" }).to_string(),
        changed_at: UnixTime(0),
    };
    assert_eq!(store.keep_site(kept, 10, site_event()).await.unwrap(), SiteKeeping::New);
    eventually("the site counts", || async { (asked().await.status == 200).then_some(()) }).await;
}

fn site_event() -> Event {
    Event {
        id: EventId(1),
        at: UnixTime(0),
        kind: EventKind::SiteKept,
        account: None,
        session: None,
        ip: None,
        reason: None,
        device: None,
    }
}
