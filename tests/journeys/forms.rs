//! Forms that never end in a dead end: several tabs, the back button, what was sent twice or too late.

use doorward_server::flow::setup;
use serde_json::json;

use crate::harness::{Browser, Member, OTHER_PASSWORD, PASSWORD, Reply, Server};

/// Every form of one's own account that does something at once.
fn forms(account: &str, sid: &str) -> Vec<(&'static str, Vec<(&'static str, String)>)> {
    let of = |more: &[(&'static str, &str)]| {
        let mut fields = vec![("account", account.to_owned())];
        fields.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        fields
    };
    vec![
        ("/account/sessions/end", of(&[("sid", sid)])),
        ("/account/sessions/end-others", of(&[])),
        ("/account/sessions/end-all", of(&[])),
        ("/account/password", of(&[("current", PASSWORD), ("new", OTHER_PASSWORD)])),
        ("/account/notices", of(&[("id", "evt_00000000000000000000000000"), ("was_me", "0")])),
    ]
}

async fn post(browser: &Browser, path: &str, fields: &[(&'static str, String)]) -> Reply {
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    browser.post_form(path, &fields).await
}

async fn sign_in_on_the_page(browser: &Browser, member: &Member) -> Reply {
    let form = [("username", &*member.username), ("password", &*member.password)];
    browser.post_form("/login", &form).await.must_be(303)
}

/// A page that a person can go on from: it links somewhere of ours, or has a form.
#[track_caller]
fn assert_way_on(reply: &Reply) {
    let text = reply.text();
    let main = text.split_once("<main").unwrap_or_else(|| panic!("{}", reply.describe())).1;
    assert!(main.contains("href=\"/") || main.contains("<form"), "{}", reply.describe());
}

/// Two tabs: in one, somebody else signs in. What the other still shows is theirs no longer.
#[tokio::test]
async fn a_form_of_another_accounts_page_does_nothing_and_says_so() {
    let server = Server::start().await;
    let (ada, bob) = (server.member("ada").await, server.member("bob").await);
    for turn in 0..5 {
        let browser = server.sign_in(&ada).await;
        let other = server.sign_in(&bob).await;
        server.sign_in_with(&browser, &bob, json!({})).await.must_be(200);
        let rows = server.rows();
        let (path, fields) = forms(&ada.id, &other.sid().await).swap_remove(turn);
        let reply = post(&browser, path, &fields).await.must_be(409);
        assert!(reply.text().contains("That page was another account’s"), "{path}");
        assert!(reply.text().contains("signed in as bob"), "{path}");
        assert_way_on(&reply);
        assert_eq!(server.rows(), rows, "{path}");
        assert!(browser.is_signed_in().await && other.is_signed_in().await, "{path}");

        // The control: the same form of one's own page does its work.
        let (_, fields) = forms(&bob.id, &other.sid().await).swap_remove(turn);
        post(&browser, path, &fields).await.must_be(303);
        assert!(server.rows() != rows || path.ends_with("password") || path.ends_with("notices"));
        let back = json!({"current": OTHER_PASSWORD, "new": PASSWORD});
        if path.ends_with("password") {
            browser.post_json("/api/v1/account/password", &back).await.must_be(200);
        }
    }
}

#[tokio::test]
async fn the_sign_out_button_of_another_accounts_page_asks_first() {
    let server = Server::start().await;
    let (ada, bob) = (server.member("ada").await, server.member("bob").await);
    let browser = server.sign_in(&ada).await;
    server.sign_in_with(&browser, &bob, json!({})).await.must_be(200);
    let asked = browser.post_form("/logout", &[("account", &ada.id)]).await.must_be(409);
    assert!(asked.text().contains("signed in as bob now"), "{}", asked.text());
    assert!(browser.is_signed_in().await);
    browser.post_form("/logout", &[("account", &bob.id)]).await.must_be(303);
    assert_eq!(server.rows().session, 0);
    // A program's, and a form of before, do not say for whom they are.
    let browser = server.sign_in(&ada).await;
    browser.post("/logout").await.must_be(303);
    assert_eq!(server.rows().session, 0);
}

/// The session ended while the page was open: to the login page, and back.
#[tokio::test]
async fn a_form_that_comes_after_the_end_of_its_session_leads_to_login_and_back() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    for turn in 0..5 {
        let (browser, other) = (server.sign_in(&ada).await, server.sign_in(&ada).await);
        let (path, fields) = forms(&ada.id, &other.sid().await).swap_remove(turn);
        let by = server.client().delete(&format!("/api/v1/sessions/{}", browser.sid().await));
        by.cookie(other.cookie().unwrap()).from_origin(&server.origin).await.must_be(204);
        let reply = post(&browser, path, &fields).await.must_be(303);
        let login = browser.get(reply.location()).await.must_be(200);
        assert!(login.text().contains("Your session has ended, so nothing was done."), "{path}");
        assert!(login.text().contains("name=\"return_to\" value=\"/account\""), "{path}");
        assert!(other.is_signed_in().await, "{path}");
        let form = [("username", "ada"), ("password", PASSWORD), ("return_to", "/account")];
        let back = browser.post_form("/login", &form).await.must_be(303);
        assert_eq!(back.location(), "/account");
    }
    let nobody = server.browser();
    for path in ["/account", "/account/activity", "/account/password"] {
        assert!(nobody.get(path).await.must_be(303).location().starts_with("/login?return_to=/"));
    }
}

/// Contract, section 2: the refusal stays; the page that says so has a way on.
#[tokio::test]
async fn a_form_refused_for_where_it_came_from_comes_back_with_a_way_on() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let browser = server.sign_in(&ada).await;
    let pages = [
        ("/login", "<form method=\"post\" action=\"/login\">"),
        ("/register", "<form method=\"post\" action=\"/register\">"),
        ("/setup", "<form method=\"post\" action=\"/setup\">"),
        ("/logout", "<form method=\"post\" action=\"/logout\">"),
        ("/account/password", "href=\"/account\""),
        ("/account/sessions/end-all", "href=\"/account\""),
    ];
    for (path, way_on) in pages {
        let foreign = browser.request("POST", path).without("sec-fetch-site").without("origin");
        let foreign = foreign.header("sec-fetch-site", "cross-site");
        let reply = foreign.form(&[("username", "ada"), ("account", "x")]).await.must_be(403);
        assert!(reply.text().contains("so nothing was done"), "{path}: {}", reply.text());
        assert!(reply.text().contains(way_on), "{path}: {}", reply.text());
        // A foreign page must learn nothing of what was sent, nor of who is signed in.
        assert!(!reply.text().contains("ada"), "{path}: {}", reply.text());
        assert_way_on(&reply);
    }
    assert!(browser.is_signed_in().await);
    // A program is told as before.
    let foreign = browser.request("POST", "/api/v1/logout").without("sec-fetch-site");
    let foreign = foreign.header("sec-fetch-site", "cross-site");
    foreign.await.must_be_problem(403, "csrf-rejected");
}

#[tokio::test]
async fn every_error_page_leads_on() {
    let server = Server::with(|settings| settings.registration_open = false).await;
    let browser = server.sign_in(&server.member("ada").await).await;
    let get = |path: &str| browser.request("GET", path);
    let closed = browser.request("POST", "/register").form(&[("username", "eve")]);
    let replies = [
        get("/nothing/here").await.must_be(404),
        browser.request("PUT", "/account").await.must_be(405),
        get("/account?after=x").await.must_be(404),
        get("/account?said=a&said=b").await.must_be(422),
        get("/register").await.must_be(403),
        closed.await.must_be(403),
        browser.request("POST", "/login").json(&json!({})).await.must_be(415),
        browser.request("POST", "/login").form(&[("a", "1"), ("a", "2")]).await.must_be(400),
        get("/account").header("x-padding", "x".repeat(20_000)).await.must_be(431),
    ];
    for reply in replies {
        assert_way_on(&reply);
    }
    // Of another host every path is refused: the way on is the right address.
    let strange = get("/account").without("host").header("host", "evil.example");
    let reply = strange.await.must_be(421);
    assert!(reply.text().contains(&format!("href=\"{}\"", server.origin)), "{}", reply.text());
}

#[tokio::test]
async fn after_signing_out_the_way_back_leads_to_the_door() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let browser = server.sign_in(&ada).await;
    for path in ["/account", "/account/activity", "/logout"] {
        let page = browser.get(path).await.must_be(200);
        assert_eq!(page.header("cache-control"), Some("no-store"), "{path}");
    }
    browser.post_form("/logout", &[("account", &ada.id)]).await.must_be(303);
    for path in ["/account", "/account/activity"] {
        let reply = browser.get(path).await.must_be(303);
        assert!(reply.location().starts_with("/login?return_to="), "{path}");
    }
    // Signed out twice, in two tabs: the same page.
    let again = browser.post_form("/logout", &[("account", &ada.id)]).await.must_be(303);
    assert_eq!(again.location(), "/login?said=signed-out");
}

#[tokio::test]
async fn signing_in_when_signed_in_offers_to_go_on_or_changes_who_it_is() {
    let server = Server::start().await;
    let (ada, bob) = (server.member("ada").await, server.member("bob").await);
    let browser = server.browser();
    sign_in_on_the_page(&browser, &ada).await;
    let page = browser.get("/login?return_to=/account/activity").await.must_be(200);
    assert!(page.text().contains("already signed in as <strong>ada"), "{}", page.text());
    assert!(page.text().contains("href=\"/account/activity\""));
    // A login form that was open in another tab, sent all the same.
    sign_in_on_the_page(&browser, &ada).await;
    assert_eq!(server.rows().session, 1, "the session before has ended");
    sign_in_on_the_page(&browser, &bob).await;
    let account = browser.get("/api/v1/account").await.json();
    assert_eq!((account["username"].as_str(), server.rows().session), (Some("bob"), 1));
    // Sent to the login page because their form came with an old cookie: they are in.
    let on = browser.get("/login?said=ended&return_to=/account/activity").await.must_be(303);
    assert_eq!(on.location(), "/account/activity");
    let on = browser.get("/login?said=ended&return_to=//evil.example").await.must_be(303);
    assert_eq!(on.location(), "/account");
}

/// Sends a form twice at once, as a button that is pressed twice does.
async fn twice(browser: &Browser, path: &str, form: &[(&str, &str)]) -> [Reply; 2] {
    let (one, other) = (browser.copy(), browser.copy());
    let (first, second) = tokio::join!(one.post_form(path, form), other.post_form(path, form));
    [first, second]
}

#[tokio::test]
async fn a_registration_sent_twice_makes_one_account_and_lets_its_owner_in() {
    let server = Server::start().await;
    let browser = server.browser();
    let form = [("username", "ada"), ("password", PASSWORD)];
    for reply in twice(&browser, "/register", &form).await {
        let reply = reply.must_be(303);
        assert!(reply.location().starts_with("/account"), "{}", reply.describe());
        assert!(!reply.set_cookie().unwrap().clears());
    }
    assert_eq!(server.rows().account, 1);
    // Somebody else is told, and so is anybody once it is not the same form any more.
    let guess = [("username", "ada"), ("password", OTHER_PASSWORD)];
    server.browser().post_form("/register", &guess).await.must_be(409);
    server.clock.advance_seconds(60);
    server.browser().post_form("/register", &form).await.must_be(409);
    assert_eq!(server.rows().account, 1);
}

/// Without the link nobody is told who has an account, not even whoever has just made it.
#[tokio::test]
async fn a_setup_sent_twice_makes_one_administrator_and_leads_on() {
    let server = Server::start().await;
    let secret = setup::draw_link(&*server.store, &server.app.ambient).await.unwrap();
    let code = format!("{}{}", setup::PREFIX, secret.expose().as_str());
    let form = [("code", code.as_str()), ("username", "root.account"), ("password", PASSWORD)];
    let mut statuses = Vec::new();
    for reply in twice(&server.browser(), "/setup", &form).await {
        statuses.push(reply.status.as_u16());
        if reply.status == 403 {
            assert!(reply.text().contains("was used or is too old"), "{}", reply.describe());
            assert!(reply.text().contains("Set up already? <a href=\"/login\">"));
            assert_way_on(&reply);
        }
    }
    statuses.sort_unstable();
    assert_eq!((statuses, server.rows().account), (vec![303, 403], 1));
    let root = Member {
        id: String::new(),
        username: "root.account".to_owned(),
        password: PASSWORD.to_owned(),
    };
    sign_in_on_the_page(&server.browser(), &root).await;
}

#[tokio::test]
async fn every_other_form_sent_twice_does_its_work_once() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    // A password: the second comes with the cookie from before, or after the first; one is done.
    let browser = server.sign_in(&ada).await;
    let form = [("current", PASSWORD), ("new", OTHER_PASSWORD)];
    let replies = twice(&browser, "/account/password", &form).await;
    let done = |reply: &Reply| {
        reply.status == 303 && reply.location().starts_with("/account?said=password-changed")
    };
    assert_eq!(replies.iter().filter(|reply| done(reply)).count(), 1);
    for reply in replies.iter().filter(|reply| !done(reply)) {
        assert!([303, 401].contains(&reply.status.as_u16()), "{}", reply.describe());
        if reply.status == 401 {
            assert_way_on(reply);
        }
    }
    let ada = ada.with_other_password();
    for (path, _) in forms(&ada.id, "") {
        if path.ends_with("password") {
            continue;
        }
        let (browser, other) = (server.sign_in(&ada).await, server.sign_in(&ada).await);
        let fields = forms(&ada.id, &other.sid().await);
        let fields = &fields.iter().find(|(known, _)| *known == path).unwrap().1;
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        for reply in twice(&browser, path, &fields).await {
            reply.must_be(303);
        }
        let is_all = path.ends_with("end-all");
        assert_eq!(browser.is_signed_in().await, !is_all, "{path}");
        assert!(!other.is_signed_in().await, "{path}");
        browser.post("/logout").await.must_be(303);
    }
    // A login: whichever answer the browser takes, its owner is in.
    for reply in
        twice(&server.browser(), "/login", &[("username", "ada"), ("password", OTHER_PASSWORD)])
            .await
    {
        assert!(!reply.must_be(303).set_cookie().unwrap().clears());
    }
}
