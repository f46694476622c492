//! One's own account: sessions and what hangs from them, activity, and notices.

use std::time::Duration;

use doorward_core::device::Device;
use doorward_core::event::{Event, EventKind};
use doorward_server::settings::Audience;
use doorward_wire::SessionId;
use doorward_wire::jose::Algorithm;
use serde_json::{Value, json};

use crate::harness::mmdb;
use crate::harness::{Browser, Member, OTHER_PASSWORD, PASSWORD, Reply, Server};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like \
     Gecko) Chrome/156.0.0.0 Safari/537.36";

/// A browser that calls itself so.
fn browser(server: &Server, user_agent: &str) -> Browser {
    Browser::new(server.client().always("user-agent", user_agent), &server.origin)
}

/// Signs in with such a browser.
async fn sign_in(server: &Server, member: &Member, user_agent: &str) -> Browser {
    let browser = browser(server, user_agent);
    server.sign_in_with(&browser, member, json!({})).await.must_be(200);
    browser
}

async fn list(browser: &Browser, path: &str) -> Vec<Value> {
    let reply = browser.get(path).await.must_be(200);
    reply.json()["data"].as_array().unwrap().clone()
}

async fn notices(browser: &Browser) -> Vec<Value> {
    list(browser, "/api/v1/account/notices").await
}

/// The value of the first hidden field of this name.
#[track_caller]
fn hidden(page: &Reply, name: &str) -> String {
    let marker = format!("name=\"{name}\" value=\"");
    let rest = page.text().split_once(&marker).unwrap_or_else(|| panic!("{}", page.describe())).1;
    rest.split_once('"').unwrap().0.to_owned()
}

fn count(page: &Reply, text: &str) -> usize {
    page.text().matches(text).count()
}

#[tokio::test]
async fn a_session_is_shown_with_how_it_was_proved_and_the_tokens_that_hang_from_it() {
    let api = Audience {
        name: "https://api.example.com".to_owned(),
        algorithm: Algorithm::EdDsa,
        scopes: vec!["read".to_owned()],
    };
    let server = Server::with(|settings| settings.audiences = vec![api]).await;
    let ada = server.member("ada").await;
    let here = sign_in(&server, &ada, FIREFOX).await;
    server.clock.advance_seconds(60);
    let wish = json!({"audience": "https://api.example.com", "scope": "read"});
    let tokens = server.tokens_with(&ada, wish).await;

    let sessions = list(&here, "/api/v1/sessions").await;
    assert_eq!(sessions[1]["tokens"], json!([]));
    assert_eq!(sessions[1]["last_token_ends_at"], Value::Null);
    let expected = json!([{
        "audience": "https://api.example.com", "scope": "read", "client": "doorward",
        "issued_at": "2026-01-05T09:01:00Z", "access_token_ends_at": "2026-01-05T09:06:00Z",
    }]);
    assert_eq!(sessions[0]["tokens"], expected);
    assert_eq!(sessions[0]["last_token_ends_at"], "2026-01-05T09:06:00Z");
    let page = here.get("/account").await.must_be(200);
    for words in [
        "Firefox on Linux",
        "Password (one factor)",
        "Browser",
        "App with a token",
        "For https://api.example.com (read), held by doorward",
        "<dt>Last token ends</dt><dd><time datetime=\"2026-01-05T09:06:00Z\">today, 09:06 UTC",
    ] {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }

    // Renewed: the one before may be presented again for ten seconds, and give one more.
    server.clock.advance_seconds(120);
    let reply = server.refresh(&tokens.refresh).await.must_be(200);
    let sessions = list(&here, "/api/v1/sessions").await;
    assert_eq!(sessions[0]["tokens"].as_array().unwrap().len(), 1, "{}", sessions[0]);
    assert_eq!(sessions[0]["last_token_ends_at"], "2026-01-05T09:08:10Z");
    let next = reply.json()["refresh_token"].as_str().unwrap().to_owned();
    for secret in [&tokens.refresh, &tokens.access, &next, &here.secret()] {
        let secret = secret.trim_start_matches("dwr_");
        assert!(!here.get("/account").await.text().contains(secret));
        assert!(!here.get("/api/v1/sessions").await.text().contains(secret));
    }
}

#[tokio::test]
async fn more_sessions_than_a_page_has_are_all_there_page_by_page() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let mut sids = Vec::new();
    for n in 0..25 {
        server.clock.advance_seconds(1);
        // Ours is neither the oldest nor the newest.
        sids.push(server.sign_in(&ada).await.sid().await);
        if n == 11 {
            server.clock.advance_seconds(1);
        }
    }
    let here = server.sign_in(&ada).await;
    server.clock.advance_seconds(1);
    sids.push(server.sign_in(&ada).await.sid().await);
    let (mut seen, mut path) = (Vec::new(), "/account".to_owned());
    for _ in 0..9 {
        let page = here.get(&path).await.must_be(200);
        assert_eq!(count(&page, "This device"), 1);
        let rows = page.text().split("name=\"sid\" value=\"").skip(1);
        let rows: Vec<_> = rows.map(|row| row.split_once('"').unwrap().0.to_owned()).collect();
        assert!(rows.len() <= 11, "{rows:?}");
        seen.extend(rows.into_iter().skip(1));
        let Some((_, next)) = page.text().split_once("href=\"/account?after=") else { break };
        path = format!("/account?after={}", next.split_once('"').unwrap().0);
    }
    seen.reverse();
    assert_eq!(seen, sids, "each once, and none cut off");
    here.get("/account?after=garbage").await.must_be(404);
}

/// Whoever tidies up is not sent back to the first page each time.
#[tokio::test]
async fn a_session_ended_on_a_later_page_leaves_one_on_that_page() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    for _ in 0..14 {
        server.sign_in(&ada).await;
        server.clock.advance_seconds(1);
    }
    let here = server.sign_in(&ada).await;
    let first = here.get("/account").await.must_be(200);
    assert!(!first.text().contains("name=\"after\""));
    let next = first.text().split_once("href=\"/account?after=").unwrap().1;
    let after = next.split_once('"').unwrap().0;
    let page = here.get(&format!("/account?after={after}")).await.must_be(200);
    assert_eq!(hidden(&page, "after"), after);
    let row = page.text().rsplit("name=\"sid\" value=\"").next().unwrap();
    let sid = row.split_once('"').unwrap().0;
    let form = [("after", after), ("sid", sid)];
    let reply = here.post_form("/account/sessions/end", &form).await.must_be(303);
    assert_eq!(reply.location(), format!("/account?said=session-ended&after={after}"));
    let page = here.get(reply.location()).await.must_be(200);
    assert!(page.text().contains("That session is signed out"), "{}", page.text());
    assert_eq!(count(&page, "name=\"sid\""), 4, "ours, and three of the four");
    // What is no session's id leads nowhere.
    let form = [("after", "//evil.example"), ("sid", sid)];
    let reply = here.post_form("/account/sessions/end", &form).await.must_be(303);
    assert_eq!(reply.location(), "/account?said=session-ended");
}

#[tokio::test]
async fn everything_is_ended_by_one_button_and_this_one_too() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let (here, there) = (server.sign_in(&ada).await, server.sign_in(&ada).await);
    let tokens = server.tokens(&ada).await;
    let page = here.get("/account").await;
    assert!(page.text().contains("action=\"/account/sessions/end-all\""));
    let account = hidden(&page, "account");
    assert_eq!(account, ada.id);
    let reply = here.post_form("/account/sessions/end-all", &[("account", &account)]).await;
    assert_eq!(reply.must_be(303).location(), "/login?said=signed-out-everywhere");
    assert_eq!(here.cookie(), None, "and the cookie is taken away");
    assert!(!there.is_signed_in().await);
    server.whoami(&tokens.access).await.must_be(401);
    assert_eq!(server.rows().session, 0);
    let login = here.get("/login?said=signed-out-everywhere").await.must_be(200);
    assert!(login.text().contains("here and everywhere else"));
}

#[tokio::test]
async fn activity_tells_in_words_what_happened_and_nothing_of_anybody_else() {
    let server = Server::start().await;
    let (ada, bob) = (server.member("ada").await, server.member("bob").await);
    server.clock.advance_seconds(1);
    let here = sign_in(&server, &ada, FIREFOX).await;
    server.clock.advance_seconds(59);
    sign_in(&server, &bob, "curl/8.5.0").await;
    let wrong = json!({"username": "ada", "password": OTHER_PASSWORD, "carrier": "token"});
    let guess = server.client().post_json("/api/v1/login", &wrong);
    guess.header("user-agent", "curl/8.5.0").await.must_be(401);
    server.event(EventKind::LoginFailed).await;
    server.clock.advance_seconds(60);
    let change = [("current", PASSWORD), ("new", OTHER_PASSWORD)];
    here.post_form("/account/password", &change).await.must_be(303);

    let page = here.get("/account/activity").await.must_be(200);
    for words in
        ["Your password was changed.", "A wrong password was given.", "Signed in.", "was made"]
    {
        assert_eq!(count(&page, words), 1, "{words}: {}", page.text());
    }
    assert!(page.text().contains("<time datetime=\"2026-01-05T09:01:00Z\">today, 09:01 UTC"));
    assert!(page.text().contains("curl · 127.0.0.1"), "{}", page.text());
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert!(here.get("/account").await.text().contains("href=\"/account/activity\""));

    let events = list(&here, "/api/v1/account/events").await;
    let kinds: Vec<_> = events.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["password.changed", "login.failed", "login.succeeded", "account.created"]);
    assert_eq!(events[1]["reason"], "wrong-password");
    assert_eq!(events[1]["device"], json!({"label": "curl", "ip": "127.0.0.1"}));
    assert_eq!(events[1]["at"], "2026-01-05T09:01:00Z");
    assert_eq!(events[0]["session"], here.sid().await);
    assert_eq!(events[1]["summary"], "A wrong password was given.");
    let all = here.get("/api/v1/account/events").await;
    for secret in [here.secret().as_str(), PASSWORD, OTHER_PASSWORD] {
        assert!(!all.text().contains(secret) && !page.text().contains(secret));
    }
}

#[tokio::test]
async fn activity_comes_in_pages_of_twenty_five_that_miss_nothing() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let here = server.sign_in(&ada).await;
    for _ in 0..30 {
        server.clock.advance_seconds(1);
        server.tokens(&ada).await;
    }
    let first = here.get("/account/activity").await.must_be(200);
    assert_eq!(count(&first, "Signed in."), 25);
    let (_, rest) = first.text().split_once("href=\"/account/activity?before=").unwrap();
    let next = rest.split_once('"').unwrap().0;
    let second = here.get(&format!("/account/activity?before={next}")).await.must_be(200);
    assert_eq!((count(&second, "Signed in."), count(&second, "was made")), (6, 1));
    assert!(!second.text().contains("activity?before="));
    assert!(second.text().contains("href=\"/account/activity\""), "and the way back");
    here.get("/account/activity?before=garbage").await.must_be(404);

    let all = list(&here, "/api/v1/account/events?limit=200").await;
    assert_eq!(all.len(), 32);
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = here.get(&format!("/api/v1/account/events?limit=7{cursor}")).await.json();
        seen.extend(page["data"].as_array().unwrap().clone());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, all);
    for query in ["limit=0", "limit=201", "cursor=garbage", "cursor=ses_00000000000000000000000000"]
    {
        here.get(&format!("/api/v1/account/events?{query}")).await.must_be(422);
    }
    // Somebody else's event is no page of ours: below it, there is what is ours.
    let bobs = server.sign_in(&server.member("bob").await).await;
    assert_eq!(list(&bobs, "/api/v1/account/events").await.len(), 2);
    here.get("/account/activity").await.must_be(200);
}

#[tokio::test]
async fn a_login_from_a_new_place_is_told_to_the_others_and_answered_by_them() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let home = sign_in(&server, &ada, FIREFOX).await;
    assert!(notices(&home).await.is_empty(), "the very first is no news");
    server.clock.advance_seconds(60);
    let there = sign_in(&server, &ada, CHROME).await;

    let told = notices(&home).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["kind"], "login.new_place");
    assert_eq!(told[0]["device"]["label"], "Chrome on Windows");
    assert_eq!(told[0]["session"], there.sid().await);
    for path in ["/account", "/account/activity"] {
        let page = home.get(path).await.must_be(200);
        assert!(page.text().contains("Was this you?"), "{path}");
        assert!(page.text().contains("Chrome on Windows · 127.0.0.1"), "{path}");
    }
    // Whoever came from there is not asked there, and cannot wave it away, from no session of theirs.
    let id = told[0]["id"].as_str().unwrap();
    let api = format!("/api/v1/account/notices/{id}");
    let again = sign_in(&server, &ada, CHROME).await;
    for theirs in [&there, &again] {
        assert!(notices(theirs).await.is_empty());
        assert!(!theirs.get("/account").await.text().contains("Was this you?"));
        let answer = theirs.post_json(&api, &json!({"was_me": true})).await;
        answer.must_be_problem(404, "not-found");
        theirs.post_form("/account/notices", &[("id", id), ("was_me", "1")]).await.must_be(303);
    }
    assert_eq!(notices(&home).await.len(), 1, "a place that is known by now makes no second one");

    let page = home.get("/account").await;
    let (id, account) = (hidden(&page, "id"), hidden(&page, "account"));
    let form = [("account", account.as_str()), ("id", &id), ("was_me", "1")];
    for _ in 0..2 {
        let reply = home.post_form("/account/notices", &form).await.must_be(303);
        assert_eq!(reply.location(), "/account?said=was-me", "pressed twice, the same");
    }
    assert!(notices(&home).await.is_empty());
    assert!(there.is_signed_in().await);
    assert_eq!(server.events(EventKind::NoticeAnswered).await.len(), 1);
    assert!(!home.get("/account").await.text().contains("Was this you?"));
    home.post_json(&api, &json!({"was_me": true})).await.must_be_problem(404, "not-found");
}

#[tokio::test]
async fn this_was_not_me_ends_that_session_and_all_others_and_leads_to_the_password() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let home = sign_in(&server, &ada, FIREFOX).await;
    let elsewhere = sign_in(&server, &ada, FIREFOX).await;
    let thief = sign_in(&server, &ada, CHROME).await;
    let tokens = server.tokens(&ada).await;
    let page = home.get("/account").await;
    // The newest is that of the program with tokens; it stands first.
    let form = [("id", hidden(&page, "id")), ("was_me", "0".to_owned())];
    let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let reply = home.post_form("/account/notices", &form).await.must_be(303);
    assert_eq!(reply.location(), "/account?said=not-me#change");
    assert!(home.is_signed_in().await);
    for ended in [&elsewhere, &thief] {
        assert!(!ended.is_signed_in().await);
    }
    server.whoami(&tokens.access).await.must_be(401);
    let page = home.get("/account?said=not-me").await.must_be(200);
    assert!(page.text().contains("may know your password"), "{}", page.text());
    let ended = server.events(EventKind::SessionEnded).await;
    assert!(ended.iter().all(|event| event.reason.as_deref() == Some("not-me")), "{ended:?}");
    let answered = server.event(EventKind::NoticeAnswered).await;
    assert_eq!(answered.reason.as_deref(), Some("was-not-me"));

    // The same in the API, and the notice that is left.
    let other = sign_in(&server, &ada, CHROME).await;
    let id = notices(&home).await[0]["id"].as_str().unwrap().to_owned();
    let api = format!("/api/v1/account/notices/{id}");
    for bad in [json!({}), json!({"was_me": "no"}), json!({"was_me": false, "more": 1})] {
        home.post_json(&api, &bad).await.must_be(422);
    }
    home.post_json(&api, &json!({"was_me": false})).await.must_be(204);
    assert!(!other.is_signed_in().await);
    assert!(home.is_signed_in().await);
    assert!(notices(&home).await.is_empty());
}

/// A thief in another session may have answered first; so may their owner, in another tab.
#[tokio::test]
async fn this_was_not_me_ends_all_others_even_where_the_notice_was_answered_before() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let home = sign_in(&server, &ada, FIREFOX).await;
    let elsewhere = sign_in(&server, &ada, FIREFOX).await;
    let thief = sign_in(&server, &ada, CHROME).await;
    let id = hidden(&home.get("/account").await, "id");
    elsewhere.post_form("/account/notices", &[("id", &id), ("was_me", "1")]).await.must_be(303);
    assert!(notices(&home).await.is_empty());
    // This page was drawn before that.
    let form = [("id", id.as_str()), ("was_me", "0")];
    let reply = home.post_form("/account/notices", &form).await.must_be(303);
    assert_eq!(reply.location(), "/account?said=not-me#change");
    let page = home.get("/account?said=not-me").await.must_be(200);
    assert!(page.text().contains("All your other sessions are signed out"), "{}", page.text());
    assert!(!thief.is_signed_in().await);
    assert!(!elsewhere.is_signed_in().await);
}

/// A session that may be shared with a thief ends with all others.
#[tokio::test]
async fn this_was_not_me_of_ones_own_session_signs_out_and_comes_back_to_the_password() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    for through_the_page in [true, false] {
        let (here, there) = (server.sign_in(&ada).await, server.sign_in(&ada).await);
        let sid: SessionId = here.sid().await.parse().unwrap();
        let suspicious = Event {
            kind: EventKind::SessionSuspicious,
            account: Some(ada.id.parse().unwrap()),
            session: Some(sid),
            ..server.app.event(EventKind::SessionSuspicious, &Device::default())
        };
        server.store.note(suspicious.clone()).await.unwrap();
        let id = suspicious.id.to_string();
        assert_eq!(notices(&here).await[0]["id"], id);
        if through_the_page {
            let form = [("id", id.as_str()), ("was_me", "0")];
            let reply = here.post_form("/account/notices", &form).await.must_be(303);
            let back = "return_to=/account?said=not-me%23change";
            assert_eq!(reply.location(), format!("/login?said=not-me&{back}"));
            let login = here.get(reply.location()).await.must_be(200);
            assert!(login.text().contains("somebody else may have been in it"));
            assert_eq!(hidden(&login, "return_to"), "/account?said=not-me#change");
        } else {
            let api = format!("/api/v1/account/notices/{id}");
            let reply = here.post_json(&api, &json!({"was_me": false})).await.must_be(204);
            assert!(reply.set_cookie().unwrap().clears());
        }
        assert_eq!((here.cookie(), server.rows().session), (None, 0));
        assert!(!there.is_signed_in().await);
    }
}

#[tokio::test]
async fn a_copied_cookie_a_copied_token_and_a_new_password_are_told_of() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let here = server.sign_in(&ada).await;

    let old = server.sign_in(&ada).await;
    let copy = old.copy();
    let proof = json!({"password": PASSWORD});
    old.post_json("/api/v1/session/reauthenticate", &proof).await.must_be(200);
    let tokens = server.tokens(&ada).await;
    server.refresh(&tokens.refresh).await.must_be(200);
    server.clock.advance(Duration::from_secs(11));
    assert!(!copy.is_signed_in().await);
    server.refresh(&tokens.refresh).await.must_be(401);
    let other = server.sign_in(&ada).await;
    let change = json!({"current": PASSWORD, "new": OTHER_PASSWORD, "keep_other_sessions": true});
    other.post_json("/api/v1/account/password", &change).await.must_be(200);

    let mut kinds: Vec<_> =
        notices(&here).await.iter().map(|told| told["kind"].as_str().unwrap().to_owned()).collect();
    kinds.sort();
    let expected = ["password.changed", "session.secret_reuse_detected", "token.reuse_detected"];
    assert_eq!(kinds, expected);
    let page = here.get("/account").await;
    for words in ["old copy of a sign-in cookie", "used twice", "Your password was changed."] {
        assert!(page.text().contains(words), "{words}");
    }
    // Whoever changed it need not be told.
    assert_eq!(notices(&other).await.len(), 2);
}

#[tokio::test]
async fn more_notices_than_a_page_shows_come_up_when_those_are_answered() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let home = sign_in(&server, &ada, FIREFOX).await;
    for n in 0..5 {
        server.clock.advance_seconds(1);
        let event = Event {
            account: Some(ada.id.parse().unwrap()),
            session: Some(SessionId(n)),
            ..server.app.event(EventKind::SecretReuseDetected, &Device::default())
        };
        server.store.note(event).await.unwrap();
    }
    for left in [3, 3, 3, 2, 1, 0] {
        let page = home.get("/account").await;
        assert_eq!(count(&page, "action=\"/account/notices\""), left);
        if left > 0 {
            let id = hidden(&page, "id");
            let form = [("id", id.as_str()), ("was_me", "1")];
            home.post_form("/account/notices", &form).await.must_be(303);
        }
    }
    assert_eq!(server.events(EventKind::NoticeAnswered).await.len(), 5);
}

#[tokio::test]
async fn nobody_answers_or_sees_what_is_anothers() {
    let server = Server::start().await;
    let (ada, bob) = (server.member("ada").await, server.member("bob").await);
    let home = sign_in(&server, &ada, FIREFOX).await;
    sign_in(&server, &ada, CHROME).await;
    let bobs = server.sign_in(&bob).await;
    let id = notices(&home).await[0]["id"].as_str().unwrap().to_owned();
    assert!(notices(&bobs).await.is_empty());
    let api = format!("/api/v1/account/notices/{id}");
    bobs.post_json(&api, &json!({"was_me": false})).await.must_be_problem(404, "not-found");
    let form = [("id", id.as_str()), ("was_me", "0")];
    bobs.post_form("/account/notices", &form).await.must_be(303);
    assert_eq!(notices(&home).await.len(), 1);
    assert!(home.is_signed_in().await);
    for (id, status) in [("garbage", 404), ("evt_00000000000000000000000000", 404)] {
        let api = format!("/api/v1/account/notices/{id}");
        home.post_json(&api, &json!({"was_me": true})).await.must_be(status);
    }
    for form in [[("id", "x"), ("was_me", "1")], [("id", id.as_str()), ("was_me", "2")]] {
        let status = home.post_form("/account/notices", &form).await.status.as_u16();
        assert!([400, 404].contains(&status), "{form:?}: {status}");
    }
    assert_eq!(notices(&home).await.len(), 1);
}

/// With a database of places the country decides, and the notice says where it was.
#[tokio::test]
async fn where_places_are_known_a_new_country_is_a_new_place_and_a_new_network_is_not() {
    let server = Server::with_places(mmdb::places(), |_| {}).await;
    let ada = server.member("ada").await;
    let from = async |ip: &str| {
        let client = server.client().always("user-agent", FIREFOX).always("x-forwarded-for", ip);
        let browser = Browser::new(client, &server.origin);
        server.sign_in_with(&browser, &ada, json!({})).await.must_be(200);
        browser
    };
    let lyon = from(mmdb::LYON).await;
    from(mmdb::PARIS).await;
    assert!(notices(&lyon).await.is_empty(), "the same country");
    from(mmdb::SYDNEY).await;
    from(mmdb::SYDNEY_V6).await;
    let told = notices(&lyon).await;
    assert_eq!(told.len(), 1, "another network of a country that is known: {told:?}");
    assert_eq!(told[0]["device"]["place"], "Sydney, Australia");
    // The same network, and another country.
    from(mmdb::MOSCOW).await;
    assert_eq!(notices(&lyon).await.len(), 2);
    let page = lyon.get("/account").await.must_be(200);
    assert!(page.text().contains("Firefox on Linux · Sydney, Australia · 198.51.100.1"));
    assert!(page.text().contains("Lyon, France · 192.0.2.1 · Browser"), "{}", page.text());
    let activity = lyon.get("/account/activity").await.must_be(200);
    assert!(activity.text().contains("Moscow"), "{}", activity.text());
}
