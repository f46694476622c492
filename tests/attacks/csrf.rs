//! Cross-site requests: from a foreign page with the owner's cookie, and logins into the
//! attacker's account.
//!
//! There is no token in a form to test. What counts is what the browser itself says of a request's
//! origin, and that nothing at all has changed when it says no.

use doorward_core::event::EventKind;
use doorward_server::flow::setup;
use serde_json::json;

use super::Clean;
use crate::harness::client::Request;
use crate::harness::server::PRODUCTION;
use crate::harness::{Browser, Member, OTHER_PASSWORD, PASSWORD, Reply, Server};

/// What a browser says of where a request comes from: `Sec-Fetch-Site`, `Origin`, `Referer`.
pub(super) type Said<'a> = (Option<&'a str>, Option<&'a str>, Option<&'a str>);

/// What every foreign page's browser may say in a request for `ours`.
pub(super) fn foreign(ours: &str) -> Vec<Said<'_>> {
    let referer = Some(ours);
    let mut all = vec![
        (Some("cross-site"), Some("https://evil.example"), None),
        (Some("cross-site"), Some("null"), None),
        (Some("cross-site"), None, None),
        (Some("cross-site"), Some(ours), referer),
        (Some("same-site"), Some("https://app.example.com"), None),
        (Some("same-site"), Some(ours), referer),
        (Some(""), Some(ours), referer),
        (Some("SAME-ORIGIN"), Some(ours), referer),
        (Some("same-origin, cross-site"), Some(ours), referer),
        (None, Some("https://evil.example"), referer),
        (None, Some("https://app.example.com"), referer),
        (None, Some("https://example.com"), referer),
        (None, Some("null"), referer),
        (None, Some(""), referer),
    ];
    let near = match ours {
        PRODUCTION => [
            "http://id.example.com",
            "https://id.example.com:8443",
            "https://id.example.com.evil.example",
            "https://evil.example/?https://id.example.com",
            "https://id.example.com@evil.example",
            "https://xid.example.com",
            "https://id.example.com/",
            "HTTPS://ID.EXAMPLE.COM",
            "https://id.example.com https://evil.example",
        ]
        .as_slice(),
        _ => ["http://localhost:1", "https://localhost", "http://localhost", "http://127.0.0.1"]
            .as_slice(),
    };
    all.extend(near.iter().map(|origin| (None, Some(*origin), referer)));
    all
}

/// The same request as another page would send it.
pub(super) fn said(request: Request, (site, origin, referer): Said<'_>) -> Request {
    let mut request = request.without("origin").without("sec-fetch-site");
    for (name, value) in [("sec-fetch-site", site), ("origin", origin), ("referer", referer)] {
        if let Some(value) = value {
            request = request.header(name, value);
        }
    }
    request
}

/// Refused as a program or a person is told, and nothing is set.
#[track_caller]
fn assert_rejected(reply: Reply, what: &str) {
    let reply = reply.clean();
    assert_eq!(reply.status, 403, "{what}: {}", reply.describe());
    assert!(reply.set_cookie().is_none(), "{what}: {}", reply.describe());
    assert!(reply.header("access-control-allow-origin").is_none(), "{}", reply.describe());
    if reply.header("content-type") == Some("application/problem+json") {
        reply.must_be_problem(403, "csrf-rejected");
    }
}

/// Everything unsafe that a signed-in person can do, as their own pages and scripts would ask.
fn unsafe_requests(browser: &Browser, other: &str) -> Vec<(&'static str, Request)> {
    let post = |path| browser.request("POST", path);
    let change = json!({"current": PASSWORD, "new": OTHER_PASSWORD});
    let form = [("current", PASSWORD), ("new", OTHER_PASSWORD), ("end_other_sessions", "on")];
    let one = format!("/api/v1/sessions/{other}");
    let notice = [("id", "evt_00000000000000000000000000"), ("was_me", "0")];
    let datum = browser.request("PUT", "/api/v1/session/data/basket");
    vec![
        ("password page", post("/account/password").form(&form)),
        ("end page", post("/account/sessions/end").form(&[("sid", other)])),
        ("end others page", post("/account/sessions/end-others").form(&[])),
        ("end all page", post("/account/sessions/end-all").form(&[])),
        ("notice page", post("/account/notices").form(&notice)),
        ("logout page", post("/logout").form(&[])),
        ("password", post("/api/v1/account/password").json(&change)),
        ("proof", post("/api/v1/session/reauthenticate").json(&json!({"password": PASSWORD}))),
        ("datum", datum.json(&json!("evil"))),
        ("remove datum", browser.request("DELETE", "/api/v1/session/data/kept")),
        ("end", browser.request("DELETE", &one)),
        ("end others", browser.request("DELETE", "/api/v1/sessions?except=current")),
        ("end all", browser.request("DELETE", "/api/v1/sessions")),
        ("logout", post("/api/v1/logout")),
    ]
}

async fn assert_cross_site_changes_nothing(server: &Server, alice: &Member) {
    let (browser, other) = (server.sign_in(alice).await, server.sign_in(alice).await);
    browser.put_json("/api/v1/session/data/kept", &json!(1)).await.must_be(201);
    let (sid, rows) = (other.sid().await, server.rows());
    let mut foreign = foreign(&server.origin);
    // With the cookie, a request that says nothing of its origin is refused as well.
    foreign.push((None, None, None));
    foreign.push((None, None, Some(server.origin.as_str())));
    for from in foreign {
        for (what, request) in unsafe_requests(&browser, &sid) {
            let what = format!("{what} from {from:?}");
            assert_rejected(said(request, from).await, &what);
            assert_eq!(server.rows(), rows, "{what}");
        }
        let mine = browser.get("/api/v1/session").await.clean().must_be(200).json();
        assert_eq!(mine["session"]["data"], json!({"kept": 1}), "{from:?}");
        assert!(other.is_signed_in().await, "{from:?}");
    }
    server.event(EventKind::CsrfRejected).await;
    // The password is the old one still.
    server.sign_in(alice).await;
}

/// Attack 17 (ASVS 5.0, 3.5.1; NIST SP 800-63B-4, section 5.1): a foreign page, a sibling
/// subdomain, a sandboxed frame and an old browser send the owner's cookie along.
#[tokio::test]
async fn a_foreign_page_changes_nothing_with_the_owners_cookie() {
    let server = Server::production(|_| {}).await;
    let alice = server.member("alice").await;
    assert_cross_site_changes_nothing(&server, &alice).await;
}

/// Attack 17 on a developer's machine, where cookies are shared between all ports of localhost.
#[tokio::test]
async fn a_page_of_another_port_changes_nothing_with_the_owners_cookie() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    assert_cross_site_changes_nothing(&server, &alice).await;
}

/// The control of attack 17: each of those requests does its work when it comes from our own pages,
/// in a browser with Fetch Metadata and in one without.
#[tokio::test]
async fn our_own_pages_do_everything_that_foreign_ones_may_not() {
    let server = Server::production(|_| {}).await;
    let origin = server.origin.as_str();
    let own = [
        (Some("same-origin"), Some(origin), None),
        (None, Some(origin), None),
        (Some("none"), None, None),
    ];
    for (index, from) in own.into_iter().enumerate() {
        for turn in 0..14 {
            let alice = server.member(&format!("alice-{index}-{turn}")).await;
            let (browser, other) = (server.sign_in(&alice).await, server.sign_in(&alice).await);
            browser.put_json("/api/v1/session/data/kept", &json!(1)).await.must_be(201);
            let sid = other.sid().await;
            let (what, request) = unsafe_requests(&browser, &sid).swap_remove(turn);
            let reply = said(request, from).await.clean();
            let status = reply.status.as_u16();
            assert!((200..304).contains(&status), "{what}: {}", reply.describe());
        }
    }
}

/// Attack 17: a cookie of our name is enough to be protected, whether or not it counts. Else a
/// refusal would tell a foreign page who is signed in.
#[tokio::test]
async fn a_cross_site_request_with_a_dead_cookie_is_refused_alike() {
    let server = Server::start().await;
    let alice = server.member("alice").await;
    let browser = server.sign_in(&alice).await;
    let dead = browser.copy();
    browser.post("/api/v1/logout").await.clean().must_be(204);
    let from = (Some("cross-site"), Some("https://evil.example"), None);
    for (what, request) in unsafe_requests(&dead, "ses_00000000000000000000000000") {
        assert_rejected(said(request, from).await, what);
    }
}

/// Attack 17: what a foreign page can send without the cookie is no use to it either, and a bearer
/// token does not open the gate for a cookie beside it.
#[tokio::test]
async fn a_token_beside_the_cookie_does_not_excuse_a_foreign_origin() {
    let server = Server::start().await;
    let (alice, mallory) = (server.member("alice").await, server.member("mallory").await);
    let browser = server.sign_in(&alice).await;
    let tokens = server.tokens(&mallory).await;
    let from = (Some("cross-site"), Some("https://evil.example"), None);
    let request = browser.request("POST", "/api/v1/logout").bearer(&tokens.access);
    assert_rejected(said(request, from).await, "logout with a token and a cookie");
    assert!(browser.is_signed_in().await);
    server.whoami(&tokens.access).await.clean().must_be(200);
}

/// Attack 13 (OWASP cheat sheet Cross-Site Request Forgery): one's own form, and all that is in it,
/// sent with somebody else's cookie. What our forms hide is public: the ids of an account and of its
/// sessions. No token in them could be taken along.
#[tokio::test]
async fn nothing_from_the_attackers_own_session_lets_a_foreign_page_use_the_victims() {
    let server = Server::production(|_| {}).await;
    let (alice, mallory) = (server.member("alice").await, server.member("mallory").await);
    let (victim, attacker) = (server.sign_in(&alice).await, server.sign_in(&mallory).await);
    let page = attacker.get("/account").await.clean().must_be(200);
    for hidden in page.text().split("type=\"hidden\" name=\"").skip(1) {
        let (name, _) = hidden.split_once('"').unwrap();
        assert!(["account", "sid"].contains(&name), "{name}: {}", page.text());
    }
    let (secret, sid) = (attacker.secret(), attacker.sid().await);
    assert!(!page.text().contains(&secret));

    let rows = server.rows();
    let stolen = [
        ("current", PASSWORD),
        ("new", OTHER_PASSWORD),
        ("csrf_token", secret.as_str()),
        ("_token", secret.as_str()),
        ("account", mallory.id.as_str()),
        ("sid", sid.as_str()),
    ];
    for path in ["/account/password", "/account/sessions/end", "/account/sessions/end-others"] {
        let request = || {
            let request = victim.request("POST", path).form(&stolen);
            request.header("x-csrf-token", &secret).header("x-xsrf-token", &secret)
        };
        for from in foreign(&server.origin) {
            assert_rejected(said(request(), from).await, &format!("{path} from {from:?}"));
        }
        // From a page of ours it is a form of another account: the victim is told, and no more.
        request().await.clean().must_be(409);
        assert_eq!(server.rows(), rows, "{path}");
    }
    let own = victim.post_form("/account/sessions/end", &[("sid", &sid)]).await;
    own.clean().must_be(303);
    assert!(attacker.is_signed_in().await && victim.is_signed_in().await);
    // The control: the attacker may.
    attacker.post_form("/account/sessions/end", &stolen[4..]).await.clean().must_be(303);
    assert!(!attacker.is_signed_in().await);
}

/// Attack 18 (OWASP cheat sheet Cross-Site Request Forgery, "login CSRF"): a foreign page signs the
/// visitor in to the attacker's account, and reads later what they left there.
#[tokio::test]
async fn a_foreign_page_cannot_sign_anybody_in() {
    for server in [Server::start().await, Server::production(|_| {}).await] {
        let mallory = server.member("mallory").await;
        let link = setup::draw_link(&*server.store, &server.app.ambient).await.unwrap();
        let code = format!("{}{}", setup::PREFIX, link.expose().as_str());
        let rows = server.rows();
        let login = json!({"username": "mallory", "password": PASSWORD, "carrier": "cookie"});
        let who = [("username", "mallory"), ("password", PASSWORD)];
        let new = [("username", "eve"), ("password", PASSWORD)];
        let first = [("code", code.as_str()), ("username", "root"), ("password", PASSWORD)];
        let requests = |client: &crate::harness::Client| {
            [
                ("login page", client.post_form("/login", &who)),
                ("register page", client.post_form("/register", &new)),
                ("setup page", client.post_form("/setup", &first)),
                ("login", client.post_json("/api/v1/login", &login)),
                ("anonymous session", client.post_json("/api/v1/session", &json!({}))),
                ("anonymous session, no body", client.post("/api/v1/session")),
            ]
        };
        let client = server.client();
        for from in foreign(&server.origin) {
            for (what, request) in requests(&client) {
                let what = format!("{what} from {from:?}");
                assert_rejected(said(request, from).await, &what);
                assert_eq!(server.rows(), rows, "{what}");
            }
        }

        // The same requests from our own page: each signs in, the setup link is not spent.
        let own = (Some("same-origin"), Some(server.origin.as_str()), None);
        for (what, request) in requests(&client) {
            let reply = said(request, own).await.clean();
            let set = reply.set_cookie();
            assert!(set.is_some_and(|set| !set.clears()), "{what}: {}", reply.describe());
        }
        server.sign_in(&mallory).await;
    }
}

/// Attack 18: a visitor who is signed in already stays who they are.
#[tokio::test]
async fn a_foreign_page_cannot_switch_the_account() {
    let server = Server::production(|_| {}).await;
    let (alice, _) = (server.member("alice").await, server.member("mallory").await);
    let browser = server.sign_in(&alice).await;
    let who = [("username", "mallory"), ("password", PASSWORD)];
    for from in foreign(&server.origin) {
        let request = browser.request("POST", "/login").form(&who);
        assert_rejected(browser.send(said(request, from)).await, "login over a session");
    }
    let account = browser.get("/api/v1/account").await.clean().must_be(200).json();
    assert_eq!(account["username"], "alice");
    let own = (Some("same-origin"), Some(server.origin.as_str()), None);
    let request = browser.request("POST", "/login").form(&who);
    browser.send(said(request, own)).await.clean().must_be(303);
    let account = browser.get("/api/v1/account").await.clean().must_be(200).json();
    assert_eq!(account["username"], "mallory");
}
