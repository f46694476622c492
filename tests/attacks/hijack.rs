//! Attack 79: a session stolen into another browser or carried to another place.
//!
//! None of this proves theft, so nobody is thrown out: whoever does not look like the owner is asked
//! for the password, and the owner's own device goes on undisturbed.

use doorward_core::event::{Event, EventKind};
use doorward_core::hijack::{Reaction, Reactions};
use serde_json::{Value, json};

use super::Clean;
use crate::harness::mmdb::{self, LYON, LYON_TOO, MOSCOW, NOWHERE, PARIS, SYDNEY, SYDNEY_V6};
use crate::harness::server::login_body;
use crate::harness::{
    Browser, Member, OTHER_PASSWORD, PASSWORD, Reply, Server, Tokens, eventually,
};

const CHROME: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/156.0.0.0 Safari/537.36";
const NEXT_CHROME: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/157.0.0.0 Safari/537.36";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const CURL: &str = "curl/8.5.0";

const SESSION: &str = "/api/v1/session";
const REAUTHENTICATE: &str = "/api/v1/session/reauthenticate";
const CODE: &str = "reauthentication-required";

/// A server behind a proxy that says where everybody is, with a database of places.
async fn server(reactions: Reactions) -> Server {
    Server::with_places(mmdb::places(), |settings| settings.signals = reactions).await
}

/// A browser of this name at this address.
fn browser(server: &Server, user_agent: &str, ip: &str) -> Browser {
    let client = server.client().always("user-agent", user_agent).always("x-forwarded-for", ip);
    Browser::new(client, &server.origin)
}

/// The member's own browser, signed in.
async fn sign_in(server: &Server, member: &Member, user_agent: &str, ip: &str) -> Browser {
    let browser = browser(server, user_agent, ip);
    server.sign_in_with(&browser, member, json!({})).await.must_be(200);
    browser
}

/// Another browser, at another place, with this one's cookie.
fn stolen(server: &Server, from: &Browser, user_agent: &str, ip: &str) -> Browser {
    browser(server, user_agent, ip).with_cookie_of(from)
}

async fn suspicions(server: &Server) -> Vec<Event> {
    let mut events = server.events(EventKind::SessionSuspicious).await;
    events.reverse();
    events
}

/// Waits until the log has so many suspicions, and gives their reasons, oldest first.
async fn told(server: &Server, count: usize) -> Vec<String> {
    let events = eventually("suspicions in the log", async || {
        Some(suspicions(server).await).filter(|events| events.len() == count)
    })
    .await;
    let mut reasons: Vec<_> = events.into_iter().filter_map(|it| it.reason).collect();
    reasons.sort();
    reasons.into_iter().map(std::borrow::Cow::into_owned).collect()
}

/// Asserts that a request was refused until its sender has proved themselves again.
#[track_caller]
fn asked(reply: Reply) -> Reply {
    let reply = reply.clean().must_be_problem(401, CODE);
    assert!(reply.header("www-authenticate").is_some(), "{}", reply.describe());
    assert_eq!(reply.set_cookie(), None, "the cookie stays the owner's");
    reply
}

#[tokio::test]
async fn a_cookie_in_another_family_of_browsers_is_asked_and_the_owner_is_not() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let owner = sign_in(&server, &ada, CHROME, "127.0.0.1").await;
    for thief in [FIREFOX, CURL, "python-requests/2.32.3"] {
        let thief = stolen(&server, &owner, thief, "127.0.0.1");
        asked(thief.get(SESSION).await);
        asked(thief.get("/api/v1/sessions").await);
        asked(thief.put_json("/api/v1/session/data/basket", &json!(1)).await);
        asked(thief.delete("/api/v1/sessions?except=current").await);
        let change = json!({ "current": PASSWORD, "new": OTHER_PASSWORD });
        asked(thief.post_json("/api/v1/account/password", &change).await);
    }
    assert_eq!(server.rows().session_datum, 0);
    // The control: the same browser, in its next version, with nothing to say, or unknown.
    for same in [CHROME, NEXT_CHROME, "", "a browser of my own"] {
        let same = stolen(&server, &owner, same, "127.0.0.1");
        same.get(SESSION).await.clean().must_be(200);
    }
    owner.put_json("/api/v1/session/data/basket", &json!(1)).await.must_be(201);

    let event = server.event(EventKind::SessionSuspicious).await;
    assert_eq!(event.reason.as_deref(), Some("browser-changed"));
    assert_eq!(event.account.map(|id| id.to_string()), Some(ada.id));
    assert_eq!(event.session.map(|sid| sid.to_string()), Some(owner.sid().await));
    assert_eq!(event.ip.as_deref(), Some("127.0.0.1"));
    assert_eq!(event.device.as_deref(), Some("Firefox on Linux"));
}

#[tokio::test]
async fn a_cookie_on_another_continent_is_asked_however_much_time_has_passed() {
    let server = server(Reactions::default()).await;
    let ada = server.member("ada").await;
    let owner = sign_in(&server, &ada, CHROME, LYON).await;
    server.clock.advance_seconds(3599);
    for ip in [SYDNEY, SYDNEY_V6] {
        asked(stolen(&server, &owner, CHROME, ip).get(SESSION).await);
    }
    for ip in [LYON, LYON_TOO, PARIS, NOWHERE] {
        stolen(&server, &owner, CHROME, ip).get(SESSION).await.clean().must_be(200);
    }
    assert_eq!(told(&server, 2).await, ["continent-changed", "impossible-travel"]);
}

/// A proxy adds the thief's address to what the thief has sent. Bytes that are no text hide it from
/// nobody.
#[tokio::test]
async fn a_thief_does_not_hide_where_they_are_behind_bytes_that_are_no_text() {
    let server = server(Reactions::default()).await;
    let owner = sign_in(&server, &server.member("ada").await, CHROME, LYON).await;
    let sent = [b"\xFF, ", SYDNEY.as_bytes()].concat();
    let client = server.client().always("user-agent", CHROME).always("x-forwarded-for", sent);
    let thief = Browser::new(client, &server.origin).with_cookie_of(&owner);
    asked(thief.get(SESSION).await);
    assert!(owner.is_signed_in().await, "the control");
}

#[tokio::test]
async fn a_cookie_that_travels_faster_than_a_plane_is_asked() {
    let server = server(Reactions::default()).await;
    let ada = server.member("ada").await;
    let owner = sign_in(&server, &ada, CHROME, LYON).await;
    // To Moscow it is two hours and a half, at a thousand kilometres an hour.
    server.clock.advance_seconds(3599);
    asked(stolen(&server, &owner, CHROME, MOSCOW).get(SESSION).await);
    stolen(&server, &owner, CHROME, PARIS).get(SESSION).await.clean().must_be(200);
    assert_eq!(told(&server, 1).await, ["impossible-travel"]);

    let remembered = browser(&server, CHROME, LYON);
    let more = json!({ "remember": true });
    server.sign_in_with(&remembered, &ada, more).await.must_be(200);
    server.clock.advance_seconds(9100);
    asked(stolen(&server, &remembered, CHROME, MOSCOW).get(SESSION).await);
    server.clock.advance_seconds(1);
    stolen(&server, &remembered, CHROME, MOSCOW).get(SESSION).await.clean().must_be(200);
}

#[tokio::test]
async fn the_address_moves_along_with_ordinary_use_and_not_with_a_thiefs() {
    let server = server(Reactions::default()).await;
    let owner = sign_in(&server, &server.member("ada").await, CHROME, LYON).await;
    let at = |ip: &str| stolen(&server, &owner, CHROME, ip);
    // An hour on the train to Paris, and another one there: then a flight of two hours and a half
    // would be too fast, but not from where the session was used an hour ago.
    for _ in 0..2 {
        server.clock.advance_seconds(3500);
        at(PARIS).get(SESSION).await.must_be(200);
        server.app.write_touches().await;
    }
    let known = at(PARIS).get(SESSION).await.must_be(200).json();
    assert_eq!(known["session"]["device"]["ip"], PARIS);
    assert_eq!(known["session"]["device"]["place"], "Paris, France");
    server.clock.advance_seconds(3000);
    asked(at(MOSCOW).get(SESSION).await);
    server.app.write_touches().await;
    let known = at(PARIS).get(SESSION).await.must_be(200).json();
    assert_eq!(known["session"]["device"]["ip"], PARIS, "what was refused has moved nothing");
}

#[tokio::test]
async fn slow_and_honest_travel_is_no_signal() {
    let server = server(Reactions::default()).await;
    let owner = browser(&server, CHROME, LYON);
    let ada = server.member("ada").await;
    server.sign_in_with(&owner, &ada, json!({ "remember": true })).await.must_be(200);
    let at = |ip: &str| stolen(&server, &owner, CHROME, ip);
    // By train to Paris, a night there, a flight of two hours and a half to Moscow, and back.
    for (hours, ip) in [(2, PARIS), (12, PARIS), (3, MOSCOW), (48, MOSCOW), (4, LYON)] {
        server.clock.advance_seconds(hours * 3600);
        at(ip).get(SESSION).await.clean().must_be(200);
        server.app.write_touches().await;
    }
    let known = at(LYON).get(SESSION).await.must_be(200).json();
    assert_eq!(known["session"]["device"]["place"], "Lyon, France");
    assert_eq!(told(&server, 0).await.len(), 0);
    // The control: an hour later in Moscow again.
    server.clock.advance_seconds(3600);
    asked(at(MOSCOW).get(SESSION).await);
}

#[tokio::test]
async fn places_count_for_tokens_and_browsers_do_not() {
    let server = server(Reactions::default()).await;
    let ada = server.member("ada").await;
    let at = |user_agent: &str, ip: &str| {
        server.client().always("user-agent", user_agent).always("x-forwarded-for", ip)
    };
    let body = login_body(&ada, "token", json!({}));
    let login = at(CURL, LYON).post_json("/api/v1/login", &body).await;
    let tokens = Tokens::read(&login.must_be(200));
    at("okhttp/4.12.0", PARIS).get(SESSION).bearer(&tokens.access).await.clean().must_be(200);
    asked(at(CURL, SYDNEY).get(SESSION).bearer(&tokens.access).await);

    // Nor does the refresh token open anything there, and the owner's own is not spent by it.
    let refresh = |ip: &str| {
        let body = json!({ "refresh_token": tokens.refresh });
        at(CURL, ip).post_json("/api/v1/refresh", &body)
    };
    for _ in 0..3 {
        asked(refresh(SYDNEY).await);
    }
    let renewed = Tokens::read(&refresh(PARIS).await.clean().must_be(200));

    // The owner, arrived in Sydney, proves themselves there.
    let proof = json!({ "password": PASSWORD });
    let request = at(CURL, SYDNEY).post_json(REAUTHENTICATE, &proof).bearer(&renewed.access);
    let proved = Tokens::read(&request.await.clean().must_be(200));
    at(CURL, SYDNEY).get(SESSION).bearer(&proved.access).await.clean().must_be(200);
    asked(at(CURL, LYON).get(SESSION).bearer(&proved.access).await);
}

/// A copy of a used refresh token gives its thief away from wherever it is shown.
#[tokio::test]
async fn a_reuse_from_another_continent_is_a_reuse() {
    let server = server(Reactions::default()).await;
    let ada = server.member("ada").await;
    let at = |ip: &str| server.client().always("x-forwarded-for", ip);
    let body = login_body(&ada, "token", json!({}));
    let tokens = Tokens::read(&at(LYON).post_json("/api/v1/login", &body).await.must_be(200));
    let used = json!({ "refresh_token": tokens.refresh });
    let renewed = at(LYON).post_json("/api/v1/refresh", &used).await.must_be(200);
    server.clock.advance_seconds(10);
    let thief = at(SYDNEY).post_json("/api/v1/refresh", &used).await.clean();
    thief.must_be_problem(401, "invalid-refresh-token");
    let access = Tokens::read(&renewed).access;
    let owner = at(LYON).get(SESSION).bearer(&access).await;
    owner.must_be_problem(401, "invalid_token");
    assert_eq!(server.events(EventKind::TokenReuseDetected).await.len(), 1);
}

#[tokio::test]
async fn whoever_is_asked_and_knows_the_password_goes_on_under_a_new_secret() {
    let server = server(Reactions::default()).await;
    let ada = server.member("ada").await;
    let owner = sign_in(&server, &ada, CHROME, LYON).await;
    let sid = owner.sid().await;
    let moved = stolen(&server, &owner, FIREFOX, SYDNEY);
    asked(moved.get(SESSION).await);

    let wrong = json!({ "password": OTHER_PASSWORD });
    let refused = moved.post_json(REAUTHENTICATE, &wrong).await.clean();
    refused.must_be_problem(401, "wrong-credentials");
    asked(moved.get(SESSION).await);
    owner.get(SESSION).await.must_be(200);

    let before = moved.secret();
    let right = json!({ "password": PASSWORD });
    let proved = moved.post_json(REAUTHENTICATE, &right).await.clean().must_be(200);
    assert_ne!(moved.secret(), before);
    assert_eq!(moved.sid().await, sid, "the same session");
    for session in [proved.json(), moved.get(SESSION).await.must_be(200).json()] {
        let device = &session["session"]["device"];
        assert_eq!(device["user_agent"], FIREFOX);
        assert_eq!(device["label"], "Firefox on Linux");
        assert_eq!(device["ip"], SYDNEY);
        assert_eq!(device["place"], "Sydney, Australia");
    }
    // A copy of the cookie from before is no copy of the new one, nor is it of any other use.
    server.clock.advance_seconds(10);
    assert!(!owner.is_signed_in().await);
    let reuse = server.event(EventKind::SecretReuseDetected).await;
    assert_eq!(reuse.account.map(|id| id.to_string()), Some(ada.id));
    assert_eq!(reuse.session.map(|sid| sid.to_string()), Some(sid));
    assert_eq!(reuse.ip.as_deref(), Some(LYON));
    assert_eq!(reuse.device.as_deref(), Some("Chrome on Linux"));
    assert_eq!(server.rows().session, 0, "the session has ended, for whoever holds it");
}

#[tokio::test]
async fn whoever_is_asked_may_sign_out() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    for by_page in [false, true] {
        let owner = sign_in(&server, &ada, CHROME, "127.0.0.1").await;
        let asked = stolen(&server, &owner, FIREFOX, "127.0.0.1");
        if by_page {
            asked.get("/logout").await.clean().must_be(200);
            let out = asked.post_form("/logout", &[]).await.clean().must_be(303);
            assert_eq!(out.location(), "/login?said=signed-out");
        } else {
            asked.post("/api/v1/logout").await.clean().must_be(204);
        }
        assert!(!owner.is_signed_in().await);
        assert_eq!(server.rows().session, 0);
    }
}

#[tokio::test]
async fn a_page_leads_whoever_is_asked_to_the_password_and_back() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let owner = sign_in(&server, &ada, CHROME, "127.0.0.1").await;
    let moved = stolen(&server, &owner, FIREFOX, "127.0.0.1");
    let away = moved.get("/account?said=welcome").await.clean().must_be(303);
    let confirm = "/account/confirm?return_to=%2Faccount%3Fsaid%3Dwelcome";
    assert_eq!(away.location(), confirm);
    // A form is not sent again behind somebody's back.
    let form = moved.post_form("/account/sessions/end-others", &[]).await.clean().must_be(303);
    assert_eq!(form.location(), "/account/confirm");
    // Signing in is open to everybody, also to them.
    let login = moved.get("/login").await.clean().must_be(200);
    assert!(login.text().contains("name=\"password\""));

    let page = moved.get(confirm).await.clean().must_be(200);
    assert!(page.text().contains("Is it still you?"));
    assert!(page.text().contains("value=\"/account?said=welcome\""));
    let wrong = [("password", OTHER_PASSWORD), ("return_to", "/account?said=welcome")];
    let again = moved.post_form("/account/confirm", &wrong).await.clean().must_be(401);
    assert!(again.text().contains("That is not your password."));
    assert!(again.text().contains("value=\"/account?said=welcome\""), "the way back stays");
    let right = [("password", PASSWORD), ("return_to", "/account?said=welcome")];
    let back = moved.post_form("/account/confirm", &right).await.clean().must_be(303);
    assert_eq!(back.location(), "/account?said=welcome");
    assert!(back.set_cookie().is_some());
    moved.get("/account").await.clean().must_be(200);
}

#[tokio::test]
async fn the_way_back_from_the_password_stays_here() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let owner = sign_in(&server, &ada, CHROME, "127.0.0.1").await;
    for evil in ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:x"] {
        let form = [("password", PASSWORD), ("return_to", evil)];
        let back = owner.post_form("/account/confirm", &form).await.clean().must_be(303);
        assert_eq!(back.location(), "/account", "{evil}");
    }
    // What was asked for may itself look like another origin.
    let moved = stolen(&server, &owner, FIREFOX, "127.0.0.1");
    for target in ["/account", "//evil.example/account"] {
        let reply = moved.get(target).await.clean();
        let location = reply.header("location").unwrap_or_default();
        assert!(!location.contains("evil"), "{location}");
    }
    // A page of another site confirms nothing.
    let foreign = moved.request("POST", "/account/confirm").without("sec-fetch-site");
    let foreign = foreign.without("origin").header("origin", "https://evil.example");
    let reply = moved.send(foreign.form(&[("password", PASSWORD)])).await;
    reply.clean().must_be(403);
    asked(moved.get(SESSION).await);
}

#[tokio::test]
async fn the_owner_is_told_on_their_next_page() {
    let server = Server::start().await;
    let owner = sign_in(&server, &server.member("ada").await, CHROME, "127.0.0.1").await;
    asked(stolen(&server, &owner, FIREFOX, "127.0.0.1").get(SESSION).await);
    server.event(EventKind::SessionSuspicious).await;
    let told = owner.get("/api/v1/account/notices").await.clean().must_be(200).json();
    assert_eq!(told["data"][0]["kind"], "session.suspicious", "{told}");
    let page = owner.get("/account").await.clean().must_be(200);
    assert!(page.text().contains("Firefox on Linux"), "{}", page.text());
}

#[tokio::test]
async fn a_flood_of_signals_does_not_fill_the_log() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let owner = sign_in(&server, &ada, CHROME, "127.0.0.1").await;
    let thief = stolen(&server, &owner, CURL, "127.0.0.1");
    for _ in 0..100 {
        asked(thief.get(SESSION).await);
    }
    // The next of another session is told: then those before it, had there been any, are too.
    let other = sign_in(&server, &ada, FIREFOX, "127.0.0.1").await;
    asked(stolen(&server, &other, CURL, "127.0.0.1").get(SESSION).await);
    assert_eq!(told(&server, 2).await.len(), 2);
    server.clock.advance_seconds(3599);
    owner.get(SESSION).await.must_be(200);
    server.app.write_touches().await;
    asked(thief.get(SESSION).await);
    server.clock.advance_seconds(1);
    asked(thief.get(SESSION).await);
    assert_eq!(told(&server, 3).await.len(), 3, "an hour later, once more");
}

/// Whoever floods does not keep the owner's session awake either.
#[tokio::test]
async fn an_asked_request_is_no_sign_of_life() {
    let server = Server::start().await;
    let owner = sign_in(&server, &server.member("ada").await, CHROME, "127.0.0.1").await;
    let thief = stolen(&server, &owner, CURL, "127.0.0.1");
    server.clock.advance_seconds(3599);
    asked(thief.get(SESSION).await);
    server.app.write_touches().await;
    server.clock.advance_seconds(1);
    assert!(!owner.is_signed_in().await, "an hour of silence is over");
}

#[tokio::test]
async fn what_is_only_to_be_noted_goes_through_and_what_is_off_is_not_told() {
    for (reaction, count) in [(Reaction::Note, 3), (Reaction::Off, 0)] {
        let (browser, continent, travel) = (reaction, reaction, reaction);
        let server = server(Reactions { browser, continent, travel }).await;
        let ada = server.member("ada").await;
        let owner = sign_in(&server, &ada, CHROME, LYON).await;
        let away = stolen(&server, &owner, FIREFOX, SYDNEY);
        for _ in 0..3 {
            away.get(SESSION).await.clean().must_be(200);
        }
        away.get("/account").await.clean().must_be(200);
        let told = told(&server, count).await;
        assert_eq!(told.len(), count);
        if count > 0 {
            assert_eq!(told, ["browser-changed", "continent-changed", "impossible-travel"]);
        }
    }
}

#[tokio::test]
async fn one_signal_may_ask_while_another_is_noted() {
    let server = server(Reactions { browser: Reaction::Note, ..Reactions::default() }).await;
    let ada = server.member("ada").await;
    let owner = sign_in(&server, &ada, CHROME, LYON).await;
    stolen(&server, &owner, FIREFOX, LYON).get(SESSION).await.clean().must_be(200);
    asked(stolen(&server, &owner, FIREFOX, SYDNEY).get(SESSION).await);
    let expected = ["browser-changed", "continent-changed", "impossible-travel"];
    assert_eq!(told(&server, 3).await, expected);
}

/// There is nobody who could prove themselves.
#[tokio::test]
async fn a_session_that_is_nobodys_is_not_asked() {
    let server = server(Reactions::default()).await;
    let visitor = browser(&server, CHROME, LYON);
    visitor.post(SESSION).await.must_be(201);
    let moved = stolen(&server, &visitor, FIREFOX, SYDNEY);
    moved.get(SESSION).await.clean().must_be(200);
    told(&server, 0).await;
}

#[tokio::test]
async fn a_place_is_told_only_where_it_is_known() {
    let server = server(Reactions::default()).await;
    let ada = server.member("ada").await;
    let device = |session: &Value| session["device"].clone();
    for (ip, place) in [(LYON, json!("Lyon, France")), (NOWHERE, Value::Null)] {
        let browser = sign_in(&server, &ada, CHROME, ip).await;
        let shown = browser.get(SESSION).await.must_be(200).json();
        assert_eq!(device(&shown["session"]).get("place").cloned().unwrap_or_default(), place);
        let listed = browser.get("/api/v1/sessions").await.must_be(200).json();
        let mine = listed["data"].as_array().unwrap().iter().find(|it| it["current"] == true);
        assert_eq!(device(mine.unwrap()).get("place").cloned().unwrap_or_default(), place);
    }
    let without = Server::start().await;
    let browser = without.sign_in(&without.member("ada").await).await;
    let shown = browser.get(SESSION).await.must_be(200).json();
    assert!(device(&shown["session"]).get("place").is_none());
}

/// The title says what happened when a password is wrong, and the cookie is not lost over it.
#[tokio::test]
async fn a_wrong_password_at_the_page_is_noted_and_changes_nothing() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let owner = sign_in(&server, &ada, CHROME, "127.0.0.1").await;
    let form = [("password", OTHER_PASSWORD)];
    let reply = owner.post_form("/account/confirm", &form).await.clean().must_be(401);
    assert!(reply.text().contains("<title>Problem: Is it still you?"));
    assert_eq!(reply.set_cookie(), None);
    assert!(owner.is_signed_in().await);
    let event = server.event(EventKind::LoginFailed).await;
    assert_eq!(event.reason.as_deref(), Some("wrong-password"));
}
