//! Sessions that are bound to a device: from the offer at login to the last refresh.

use std::time::Duration;

use doorward_core::event::EventKind;
use doorward_server::flow::setup;
use doorward_wire::dbsc;
use doorward_wire::jose::Algorithm;
use serde_json::json;

use crate::harness::device::{Bound, challenged, offered, refreshing, registration};
use crate::harness::server::login_body;
use crate::harness::{Browser, Device, OTHER_PASSWORD, PASSWORD, Reply, Server};

/// As long as a ticket lives.
const LIFE: u64 = 600;

async fn production() -> Server {
    Server::production(|_| {}).await
}

#[tokio::test]
async fn a_session_is_bound_at_login_and_goes_on_with_its_key() {
    for algorithm in [Algorithm::Es256, Algorithm::Rs256] {
        let (server, device) = (production().await, Device::by(algorithm));
        let ada = server.member("ada").await;
        let mut bound = device.sign_in(&server, &ada).await;
        let session = bound.browser.get("/api/v1/session").await.must_be(200).json();
        assert_eq!(session["session"]["bound_at"], server.clock.time().to_string());
        for _ in 0..3 {
            server.clock.advance_seconds(LIFE - 1);
            assert!(bound.browser.is_signed_in().await, "the last second of the ticket");
            server.clock.advance_seconds(1);
            assert!(!bound.browser.is_signed_in().await, "the ticket has run out");
            let reply = bound.refresh(&device).await.must_be(200);
            assert!(reply.body.is_empty(), "{}", reply.describe());
            assert!(bound.browser.is_signed_in().await, "and there is another");
        }
        assert_eq!(server.rows().session, 1);
        let event = server.event(EventKind::SessionBound).await;
        assert_eq!(event.session.map(|sid| sid.to_string()), Some(bound.sid));
    }
}

#[tokio::test]
async fn the_browser_is_told_what_it_needs_and_nothing_may_keep_it() {
    let (server, device) = (production().await, Device::new());
    let ada = server.member("ada").await;
    let browser = server.browser();
    let login = server.sign_in_with(&browser, &ada, json!({})).await;
    let proof = device.first(&offered(&login).unwrap());
    let reply = browser.send(registration(&browser, &proof)).await.must_be(200);
    let told = reply.json();
    assert_eq!(told["session_identifier"], login.json()["session"]["sid"]);
    assert_eq!(told["refresh_url"], "/dbsc/refresh");
    assert_eq!(told["scope"]["include_site"], false);
    assert_eq!(told["scope"]["scope_specification"][0]["domain"], "id.example.com");
    let credential = &told["credentials"][0];
    assert_eq!(credential["name"], "__Host-doorward-bound");
    let set = reply.bound_cookie().unwrap();
    assert_eq!(set.max_age(), Some(LIFE));
    for attribute in credential["attributes"].as_str().unwrap().split("; ") {
        assert!(set.has(attribute), "{attribute}: {set:?}");
    }
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert!(reply.set_cookie().is_none(), "the secret stays");
}

#[tokio::test]
async fn a_browser_that_knows_nothing_of_it_goes_on_as_ever() {
    let server = production().await;
    let browser = server.sign_in(&server.member("ada").await).await;
    // Far longer than a ticket lives, twice, and never silent for an hour.
    for _ in 0..2 {
        server.clock.advance_seconds(1700);
        assert!(browser.is_signed_in().await);
    }
    let session = browser.get("/api/v1/session").await.json();
    assert_eq!(session["session"]["bound_at"], json!(null));
}

/// Everything that gives a browser a new secret, in a fresh browser each.
async fn new_secrets(server: &Server) -> Vec<(&'static str, Reply)> {
    let ada = server.member("ada").await;
    let browser = server.browser();
    let mut all = Vec::new();
    let form = [("username", "ada"), ("password", PASSWORD)];
    all.push(("login page", server.browser().post_form("/login", &form).await));
    let form = [("username", "grace"), ("password", PASSWORD)];
    all.push(("register page", server.browser().post_form("/register", &form).await));
    let link = setup::draw_link(&*server.store, &server.app.ambient).await.unwrap();
    let code = format!("{}{}", setup::PREFIX, link.expose().as_str());
    let form = [("code", code.as_str()), ("username", "root"), ("password", PASSWORD)];
    all.push(("setup page", server.browser().post_form("/setup", &form).await));
    let login = login_body(&ada, "cookie", json!({}));
    all.push(("login", browser.post_json("/api/v1/login", &login).await));
    let proof = json!({ "password": PASSWORD });
    all.push(("proof", browser.post_json("/api/v1/session/reauthenticate", &proof).await));
    let change = json!({ "current": PASSWORD, "new": OTHER_PASSWORD });
    all.push(("password", browser.post_json("/api/v1/account/password", &change).await));
    let form = [("current", OTHER_PASSWORD), ("new", PASSWORD)];
    all.push(("password page", browser.post_form("/account/password", &form).await));
    for (what, reply) in &all {
        assert!([200, 303].contains(&reply.status.as_u16()), "{what}: {}", reply.describe());
        assert!(reply.set_cookie().is_some(), "{what}: {}", reply.describe());
    }
    all
}

#[tokio::test]
async fn each_answer_with_a_new_secret_offers_to_bind_its_session() {
    let server = Server::production(|settings| settings.registration_open = true).await;
    for (what, reply) in new_secrets(&server).await {
        assert!(offered(&reply).is_some(), "{what}: {}", reply.describe());
    }
}

#[tokio::test]
async fn nothing_is_offered_in_development_or_when_it_is_switched_off() {
    let off = Server::production(|settings| {
        settings.registration_open = true;
        settings.binding.offered = false;
    });
    for server in [Server::start().await, off.await] {
        for (what, reply) in new_secrets(&server).await {
            assert_eq!(offered(&reply), None, "{what}");
        }
    }
}

#[tokio::test]
async fn nothing_is_offered_to_nobody_to_programs_or_to_a_bound_session() {
    let (server, device) = (production().await, Device::new());
    let ada = server.member("ada").await;
    let anonymous = server.browser().post("/api/v1/session").await.must_be(201);
    assert_eq!(offered(&anonymous), None);
    let body = login_body(&ada, "token", json!({}));
    let tokens = server.client().post_json("/api/v1/login", &body).await.must_be(200);
    assert_eq!(offered(&tokens), None);
    let bound = device.sign_in(&server, &ada).await;
    let proof = json!({ "password": PASSWORD });
    let reply = bound.browser.post_json("/api/v1/session/reauthenticate", &proof).await;
    assert_eq!(offered(&reply.must_be(200)), None);
}

#[tokio::test]
async fn a_new_secret_keeps_the_binding() {
    let (server, device) = (production().await, Device::new());
    let ada = server.member("ada").await;
    let mut bound = device.sign_in(&server, &ada).await;
    let proof = json!({ "password": PASSWORD });
    bound.browser.post_json("/api/v1/session/reauthenticate", &proof).await.must_be(200);
    assert!(bound.browser.is_signed_in().await, "the ticket is good for the new secret too");
    server.clock.advance_seconds(LIFE);
    assert!(!bound.browser.is_signed_in().await);
    bound.refresh(&device).await.must_be(200);
    assert!(bound.browser.is_signed_in().await);
}

#[tokio::test]
async fn a_refresh_that_left_before_a_new_secret_came_is_answered() {
    let (server, device) = (production().await, Device::new());
    let ada = server.member("ada").await;
    let bound = device.sign_in(&server, &ada).await;
    let proof = device.next(&bound.challenge);
    let under_way = refreshing(&bound.browser, &bound.sid, Some(&proof));
    let body = json!({ "password": PASSWORD });
    bound.browser.post_json("/api/v1/session/reauthenticate", &body).await.must_be(200);
    server.clock.advance_seconds(9);
    // A refusal would make the browser forget its key.
    bound.browser.send(under_way).await.must_be(200);
    assert!(bound.browser.is_signed_in().await);
}

#[tokio::test]
async fn requests_that_left_before_the_binding_are_let_through_for_ten_seconds() {
    let (server, device) = (production().await, Device::new());
    let bound = device.sign_in(&server, &server.member("ada").await).await;
    let without = bound.browser.copy();
    without.plant_ticket(None);
    server.clock.advance_seconds(9);
    assert!(without.is_signed_in().await);
    server.clock.advance_seconds(1);
    assert!(!without.is_signed_in().await);
    assert!(bound.browser.is_signed_in().await);
}

#[tokio::test]
async fn a_refresh_is_no_use_of_the_session() {
    let (server, device) = (production().await, Device::new());
    let mut bound = device.sign_in(&server, &server.member("ada").await).await;
    // The person has gone; their browser goes on by itself.
    for _ in 0..6 {
        server.clock.advance_seconds(599);
        bound.refresh(&device).await.must_be(200);
    }
    server.clock.advance_seconds(6);
    let reply = bound.refresh(&device).await.must_be(401);
    assert_eq!(reply.bound_cookie(), None);
    assert!(!bound.browser.is_signed_in().await);
}

#[tokio::test]
async fn an_old_challenge_is_answered_with_another_and_that_one_counts() {
    let (server, device) = (production().await, Device::new());
    let mut bound = device.sign_in(&server, &server.member("ada").await).await;
    server.clock.advance_seconds(LIFE + 299);
    bound.refresh(&device).await.must_be(200);
    server.clock.advance_seconds(LIFE + 300);
    let first = bound.challenge.clone();
    let reply = bound.refresh(&device).await;
    assert_eq!(reply.bound_cookie(), None);
    reply.must_be_problem(403, "challenge");
    assert_ne!(bound.challenge, first);
    bound.refresh(&device).await.must_be(200);
    assert!(bound.browser.is_signed_in().await);
    let events = server.events(EventKind::BindingRefused).await;
    assert!(events.is_empty(), "an honest browser is not suspected: {events:?}");
}

#[tokio::test]
async fn a_browser_that_was_closed_asks_for_a_challenge_first() {
    let (server, device) = (production().await, Device::new());
    let mut bound = device.sign_in(&server, &server.member("ada").await).await;
    let asking = refreshing(&bound.browser, &bound.sid, None);
    let reply = bound.browser.send(asking).await;
    bound.challenge = challenged(&reply).unwrap();
    reply.must_be_problem(403, "challenge");
    bound.refresh(&device).await.must_be(200);
}

#[tokio::test]
async fn values_count_quoted_as_the_drafts_say_too() {
    let (server, device) = (production().await, Device::new());
    let ada = server.member("ada").await;
    let browser = server.browser();
    let login = server.sign_in_with(&browser, &ada, json!({})).await;
    let proof = format!("\"{}\"", device.first(&offered(&login).unwrap()));
    let reply = browser.send(registration(&browser, &proof)).await.must_be(200);
    let sid = login.json()["session"]["sid"].as_str().unwrap().to_owned();
    let proof = format!("\"{}\"", device.next(&challenged(&reply).unwrap()));
    let request = refreshing(&browser, &format!("\"{sid}\""), Some(&proof));
    browser.send(request).await.must_be(200);
}

#[tokio::test]
async fn a_proof_may_say_what_it_is_for() {
    let (server, device) = (production().await, Device::new());
    let ada = server.member("ada").await;
    let browser = server.browser();
    let login = server.sign_in_with(&browser, &ada, json!({})).await;
    let header = json!({ "alg": "ES256", "typ": "dbsc+jwt", "jwk": device.jwk() });
    let aud = format!("{}/dbsc/register", server.origin);
    let claims = json!({ "jti": offered(&login).unwrap(), "aud": aud });
    let request = registration(&browser, &device.token(&header, &claims));
    browser.send(request).await.must_be(200);
}

/// Checks that a session has ended, its cookies are gone, and the device cannot go on either.
async fn check_over(server: &Server, bound: &mut Bound, device: &Device, reply: &Reply) {
    for cleared in [reply.set_cookie(), reply.bound_cookie()] {
        assert!(cleared.unwrap().clears(), "{}", reply.describe());
    }
    assert_eq!(bound.browser.cookie(), None);
    assert_eq!(server.rows().session, 0);
    assert_eq!(bound.refresh(device).await.must_be(401).bound_cookie(), None);
}

#[tokio::test]
async fn signing_out_ends_it_and_takes_both_cookies_away() {
    let (server, device) = (production().await, Device::new());
    let ada = server.member("ada").await;
    for path in ["/logout", "/api/v1/logout", "/account/sessions/end", "end", "end all"] {
        let mut bound = device.sign_in(&server, &ada).await;
        let (kept, sid) = (bound.browser.copy(), bound.sid.clone());
        let one = format!("/api/v1/sessions/{sid}");
        let reply = match path {
            "/api/v1/logout" => bound.browser.post(path).await,
            "end" => bound.browser.delete(&one).await,
            "end all" => bound.browser.delete("/api/v1/sessions").await,
            _ => bound.browser.post_form(path, &[("sid", &sid)]).await,
        };
        check_over(&server, &mut bound, &device, &reply).await;
        // A copy of the cookies from before, with the key even.
        bound.browser = kept;
        bound.refresh(&device).await.must_be(401);
        assert!(!bound.browser.is_signed_in().await, "{path}");
    }
}

#[tokio::test]
async fn whoever_has_lost_the_key_can_still_sign_out() {
    let (server, device) = (production().await, Device::new());
    let ada = server.member("ada").await;
    for path in ["/logout", "/api/v1/logout"] {
        let mut bound = device.sign_in(&server, &ada).await;
        server.clock.advance_seconds(LIFE);
        assert!(!bound.browser.is_signed_in().await);
        let reply = bound.browser.post_form(path, &[]).await;
        check_over(&server, &mut bound, &device, &reply).await;
    }
}

#[tokio::test]
async fn a_login_over_a_bound_session_ends_it_and_is_bound_anew() {
    let (server, device) = (production().await, Device::new());
    let ada = server.member("ada").await;
    let mut before = device.sign_in(&server, &ada).await;
    let login = server.sign_in_with(&before.browser, &ada, json!({})).await.must_be(200);
    assert_eq!(server.rows().session, 1);
    // The browser still knows the session before, and asks for it with the new cookie.
    assert_eq!(before.refresh(&device).await.must_be(401).bound_cookie(), None);
    let next = Device::new();
    let proof = next.first(&offered(&login).unwrap());
    before.browser.send(registration(&before.browser, &proof)).await.must_be(200);
    assert!(before.browser.is_signed_in().await);
}

/// The browser brings its key and asks for the page at once, and still has the ticket of the session
/// before.
#[tokio::test]
async fn what_left_before_the_new_binding_with_the_ticket_before_is_answered() {
    let (server, device) = (production().await, Device::new());
    let ada = server.member("ada").await;
    let before = device.sign_in(&server, &ada).await;
    let login = server.sign_in_with(&before.browser, &ada, json!({})).await.must_be(200);
    let page = before.browser.request("GET", "/account");
    let proof = Device::new().first(&offered(&login).unwrap());
    before.browser.send(registration(&before.browser, &proof)).await.must_be(200);
    page.await.must_be(200);
    assert!(server.events(EventKind::BindingRefused).await.is_empty(), "nobody is suspected");
    assert!(before.browser.is_signed_in().await);
}

#[tokio::test]
async fn switching_it_off_frees_no_session_that_is_bound() {
    let (server, device) = (production().await, Device::new());
    let bound = device.sign_in(&server, &server.member("ada").await).await;
    let off = server.again(|settings| settings.binding.offered = false).await;
    let mut bound = Bound { browser: off.browser().with_cookie_of(&bound.browser), ..bound };
    assert!(bound.browser.is_signed_in().await, "a ticket outlives a restart");
    off.clock.advance_seconds(LIFE);
    assert!(!bound.browser.is_signed_in().await);
    bound.refresh(&device).await.must_be(200);
    assert!(bound.browser.is_signed_in().await);
}

#[tokio::test]
async fn a_shorter_life_is_what_the_browser_is_told() {
    let life = Duration::from_mins(2);
    let server = Server::production(|settings| settings.binding.life = life).await;
    let device = Device::new();
    let mut bound = device.sign_in(&server, &server.member("ada").await).await;
    server.clock.advance_seconds(119);
    assert!(bound.browser.is_signed_in().await);
    server.clock.advance_seconds(1);
    assert!(!bound.browser.is_signed_in().await);
    let reply = bound.refresh(&device).await.must_be(200);
    assert_eq!(reply.bound_cookie().and_then(|set| set.max_age()), Some(120));
    assert_eq!(reply.bound_cookie().map(|set| set.name), Some(dbsc::COOKIE.to_owned()));
}

#[tokio::test]
async fn a_page_reached_over_a_foreign_link_asks_for_itself_again_and_no_more() {
    let (server, device) = (production().await, Device::new());
    let ada = server.member("ada").await;
    let mut bound = device.sign_in(&server, &ada).await;
    server.clock.advance_seconds(LIFE);
    let arriving = |browser: &Browser, site: &str, path: &str| {
        let request = browser.request("GET", path).without("origin").without("sec-fetch-site");
        request.header("sec-fetch-site", site).header("sec-fetch-mode", "navigate")
    };
    for path in ["/account", "/", "/login?return_to=/account", "/logout"] {
        for site in ["cross-site", "same-site"] {
            let reply = arriving(&bound.browser, site, path).await.must_be(401);
            let page = reply.text();
            assert!(page.contains("<meta http-equiv=\"refresh\" content=\"0\">"), "{page}");
            assert!(!page.contains("ada"), "it tells nothing: {page}");
        }
    }
    // From our own page, and typed in, there is an answer, whatever it is.
    for site in ["same-origin", "none"] {
        let reply = arriving(&bound.browser, site, "/account").await.must_be(303);
        assert_eq!(reply.location(), "/login?return_to=/account");
    }
    bound.refresh(&device).await.must_be(200);
    arriving(&bound.browser, "cross-site", "/account").await.must_be(200);
    // Whoever has no bound session never sees it.
    for browser in [server.browser(), server.sign_in(&ada).await] {
        let reply = arriving(&browser, "cross-site", "/account").await;
        assert!([200, 303].contains(&reply.status.as_u16()), "{}", reply.describe());
    }
}

#[tokio::test]
async fn a_registration_that_left_before_a_new_secret_came_is_answered() {
    let (server, device) = (production().await, Device::new());
    let ada = server.member("ada").await;
    let browser = server.browser();
    let login = server.sign_in_with(&browser, &ada, json!({})).await;
    let under_way = registration(&browser, &device.first(&offered(&login).unwrap()));
    let proof = json!({ "password": PASSWORD });
    browser.post_json("/api/v1/session/reauthenticate", &proof).await.must_be(200);
    browser.send(under_way).await.must_be(200);
    server.clock.advance_seconds(11);
    assert!(browser.is_signed_in().await);
}
