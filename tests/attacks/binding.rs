//! Attack 14: a thief has a copy of a bound session's cookies, and not its device's key.
//!
//! Whatever the thief sends, there is never a new bound cookie in the answer, the session is flagged
//! in the log, and the device itself goes on. Sources: the drafts of Device Bound Session
//! Credentials, and what Chromium 156 sends; RFC 8725 for the proofs.

use doorward_core::event::EventKind;
use doorward_wire::dbsc;
use doorward_wire::jose::Algorithm;
use serde_json::{Value, json};

use super::Clean;
use crate::harness::device::{Bound, offered, refreshing, registration};
use crate::harness::server::PRODUCTION;
use crate::harness::{Browser, Device, Member, Reply, Server};

/// As long as a ticket lives, and as a challenge counts after that.
const LIFE: u64 = 600;
const CHALLENGE_GRACE: u64 = 300;

/// A bound session, its device, and a thief with a copy of its cookies.
struct Theft {
    server: Server,
    ada: Member,
    device: Device,
    bound: Bound,
    thief: Browser,
}

impl Theft {
    async fn begin() -> Self {
        let (server, device) = (Server::production(|_| {}).await, Device::new());
        let ada = server.member("ada").await;
        let bound = device.sign_in(&server, &ada).await;
        let thief = bound.browser.copy();
        assert!(thief.is_signed_in().await, "a fresh copy is the owner, until the ticket runs out");
        server.clock.advance_seconds(LIFE);
        assert!(!thief.is_signed_in().await);
        Self { server, ada, device, bound, thief }
    }

    /// The thief asks for a ticket.
    async fn ask(&self, proof: Option<&str>) -> Reply {
        self.thief.send(refreshing(&self.thief, &self.bound.sid, proof)).await
    }

    /// The thief has shown something, and got nothing; the log says why.
    async fn check_refused(&self, proof: &str, reason: &str) {
        check(self.ask(Some(proof)).await, 403);
        self.check_flagged(reason).await;
    }

    /// The log says of this session that somebody was refused, and why.
    async fn check_flagged(&self, reason: &str) {
        let flagged = || async {
            let events = self.server.events(EventKind::BindingRefused).await;
            events.into_iter().find(|event| event.reason.as_deref() == Some(reason))
        };
        let event = crate::harness::eventually("a flag in the log", flagged).await;
        assert_eq!(event.session.map(|sid| sid.to_string()).as_ref(), Some(&self.bound.sid));
        assert_eq!(event.account.map(|id| id.to_string()).as_ref(), Some(&self.ada.id));
    }

    /// The control: the thief is still outside, and the device goes on.
    async fn end(mut self) {
        assert!(!self.thief.is_signed_in().await);
        self.bound.refresh(&self.device).await.must_be(200);
        assert!(self.bound.browser.is_signed_in().await);
        assert_eq!(self.server.rows().session, 1, "nobody has ended it");
    }
}

/// Refused so, and no cookie in the answer.
#[track_caller]
fn check(reply: Reply, status: u16) {
    let reply = reply.clean().must_be(status);
    assert_eq!(reply.set_cookies(), [], "{}", reply.describe());
}

#[tokio::test]
async fn a_copy_of_both_cookies_is_worth_nothing_once_the_ticket_has_run_out() {
    let theft = Theft::begin().await;
    let own = format!("/api/v1/sessions/{}", theft.bound.sid);
    for (method, path) in [
        ("GET", "/api/v1/session"),
        ("GET", "/api/v1/account"),
        ("GET", "/api/v1/sessions"),
        ("GET", "/api/v1/session/data"),
        ("DELETE", "/api/v1/sessions"),
        ("DELETE", own.as_str()),
    ] {
        let reply = theft.thief.send(theft.thief.request(method, path)).await;
        check(reply, 401);
    }
    let reply = theft.thief.get("/account").await.must_be(303);
    assert_eq!(reply.location(), "/login?return_to=/account");
    theft.check_flagged("ticket-expired").await;
    theft.end().await;
}

#[tokio::test]
async fn a_copy_of_the_session_cookie_alone_is_worth_nothing_at_once() {
    let theft = Theft::begin().await;
    theft.thief.plant_ticket(None);
    assert!(!theft.thief.is_signed_in().await);
    theft.check_flagged("ticket-missing").await;
    theft.end().await;
}

#[tokio::test]
async fn a_ticket_that_was_made_up_changed_or_is_anothers_opens_nothing() {
    let mut theft = Theft::begin().await;
    theft.bound.refresh(&theft.device).await.must_be(200);
    let good = theft.bound.browser.ticket().unwrap();
    // The thief's own bound session on the same server.
    let own = theft.device.sign_in(&theft.server, &theft.server.member("mallory").await).await;
    let mut later = good.clone().into_bytes();
    // A later end under the same MAC.
    later[5] = if later[5] == b'9' { b'8' } else { b'9' };
    let later = String::from_utf8(later).unwrap();
    let (quoted, padded) = (format!("\"{good}\""), format!("{good}=="));
    for value in [own.browser.ticket().as_deref().unwrap(), "", "A", &later, &quoted, &padded] {
        theft.thief.plant_ticket(Some(value));
        assert!(!theft.thief.is_signed_in().await, "{value}");
    }
    theft.check_flagged("ticket-forged").await;
    theft.thief.plant_ticket(Some(&good));
    assert!(theft.thief.is_signed_in().await, "the control: it is the value that was wrong");
    theft.thief.plant_ticket(None);
    own.browser.post("/api/v1/logout").await.must_be(204);
    theft.end().await;
}

#[tokio::test]
async fn two_bound_cookies_count_as_none() {
    let mut theft = Theft::begin().await;
    theft.bound.refresh(&theft.device).await.must_be(200);
    let cookies = theft.bound.browser.cookie().unwrap();
    let ticket = theft.bound.browser.ticket().unwrap();
    let twice = format!("{cookies}; {}={ticket}", dbsc::COOKIE);
    let client = theft.server.client();
    client.get("/api/v1/session").cookie(&twice).await.must_be(401);
    client.get("/api/v1/session").cookie(&cookies).await.must_be(200);
    theft.end().await;
}

#[tokio::test]
async fn a_refresh_without_a_proof_gets_a_challenge_and_no_cookie() {
    let theft = Theft::begin().await;
    let reply = theft.ask(None).await;
    assert!(reply.header("secure-session-challenge").is_some());
    check(reply, 403);
    theft.end().await;
}

#[tokio::test]
async fn a_refresh_with_the_thiefs_own_key_is_refused() {
    let theft = Theft::begin().await;
    for own in [Device::new(), Device::by(Algorithm::Rs256)] {
        let reason = if own.alg() == "ES256" { "wrong-key" } else { "wrong-algorithm" };
        let proof = own.next(&theft.bound.challenge);
        theft.check_refused(&proof, reason).await;
        let reply = theft.ask(Some(&proof)).await;
        assert_eq!(reply.header("secure-session-challenge"), None, "nothing to go on with");
    }
    theft.end().await;
}

#[tokio::test]
async fn a_refresh_that_brings_a_key_is_refused() {
    let theft = Theft::begin().await;
    let own = Device::new();
    let challenge = &theft.bound.challenge;
    theft.check_refused(&own.first(challenge), "malformed").await;
    // Also the device's own: a key has no place there.
    theft.check_refused(&theft.device.first(challenge), "malformed").await;
    for more in ["jku", "x5u", "x5c", "crit"] {
        let header = json!({ "alg": "ES256", "typ": "dbsc+jwt", more: ["https://evil.example"] });
        let proof = own.token(&header, &json!({ "jti": challenge }));
        theft.check_refused(&proof, "malformed").await;
    }
    theft.end().await;
}

#[tokio::test]
async fn a_refresh_without_an_algorithm_is_refused() {
    let theft = Theft::begin().await;
    let claims = json!({ "jti": theft.bound.challenge });
    let own = Device::new();
    for alg in ["none", "None", "NONE", "nOnE", "", "HS256", "RS256", "ES384"] {
        let proof = own.token(&json!({ "alg": alg, "typ": "dbsc+jwt" }), &claims);
        theft.check_refused(&proof, "wrong-algorithm").await;
        let (unsigned, _) = proof.rsplit_once('.').unwrap();
        for stripped in [unsigned.to_owned(), format!("{unsigned}.")] {
            theft.check_refused(&stripped, "malformed").await;
        }
    }
    theft.end().await;
}

#[tokio::test]
async fn a_token_of_another_type_is_refused() {
    let theft = Theft::begin().await;
    let claims = json!({ "jti": theft.bound.challenge });
    let without = theft.device.token(&json!({ "alg": "ES256" }), &claims);
    theft.check_refused(&without, "wrong-type").await;
    for typ in ["JWT", "at+jwt", "dpop+jwt", "DBSC+JWT", "application/dbsc+jwt", ""] {
        let proof = theft.device.token(&json!({ "alg": "ES256", "typ": typ }), &claims);
        theft.check_refused(&proof, "wrong-type").await;
    }
    // An access token of ours is none either.
    let tokens = theft.server.tokens(&theft.ada).await;
    theft.check_refused(&tokens.access, "wrong-type").await;
    theft.server.client().post("/api/v1/logout").bearer(&tokens.access).await.must_be(204);
    theft.end().await;
}

#[tokio::test]
async fn a_proof_over_an_old_challenge_gets_another_challenge_and_no_cookie() {
    let theft = Theft::begin().await;
    // Made by the device in good time, and kept back.
    let kept_back = theft.device.next(&theft.bound.challenge);
    theft.server.clock.advance_seconds(CHALLENGE_GRACE + 1);
    let reply = theft.ask(Some(&kept_back)).await;
    assert!(reply.header("secure-session-challenge").is_some());
    check(reply, 403);
    let mut theft = theft;
    // The control: the device answers the next one.
    theft.bound.refresh(&theft.device).await.must_be(403);
    theft.end().await;
}

#[tokio::test]
async fn a_proof_that_was_used_is_worth_nothing_to_whoever_recorded_it() {
    let mut theft = Theft::begin().await;
    let recorded = theft.device.next(&theft.bound.challenge);
    theft.bound.refresh(&theft.device).await.must_be(200);
    theft.check_refused(&recorded, "spent-challenge").await;
    theft.end().await;
}

#[tokio::test]
async fn of_one_proof_shown_twenty_times_at_once_one_gets_a_cookie() {
    let theft = Theft::begin().await;
    let proof = theft.device.next(&theft.bound.challenge);
    let asks = (0..20).map(|_| {
        let request = refreshing(&theft.thief, &theft.bound.sid, Some(&proof));
        tokio::spawn(async move { request.await })
    });
    let (mut granted, mut refused) = (0, 0);
    for ask in asks.collect::<Vec<_>>() {
        let reply = ask.await.unwrap();
        match reply.status.as_u16() {
            200 => granted += usize::from(reply.bound_cookie().is_some()),
            403 => refused += usize::from(reply.set_cookies().is_empty()),
            _ => panic!("{}", reply.describe()),
        }
    }
    assert_eq!((granted, refused), (1, 19));
}

#[tokio::test]
async fn a_challenge_that_was_given_for_something_else_is_refused() {
    let theft = Theft::begin().await;
    let mallory = theft.server.member("mallory").await;
    let own = Device::new().sign_in(&theft.server, &mallory).await;
    let offer = offered(&theft.server.sign_in_with(&own.browser, &mallory, json!({})).await);
    for challenge in [own.challenge.as_str(), &offer.unwrap(), "", "made-up", &"A".repeat(75)] {
        theft.check_refused(&theft.device.next(challenge), "unknown-challenge").await;
    }
    own.browser.post("/api/v1/logout").await.must_be(204);
    theft.end().await;
}

#[tokio::test]
async fn a_proof_for_another_address_is_refused() {
    let theft = Theft::begin().await;
    let header = json!({ "alg": "ES256", "typ": "dbsc+jwt" });
    for aud in ["https://evil.example/dbsc/refresh", "/dbsc/refresh", PRODUCTION, ""] {
        let claims = json!({ "jti": theft.bound.challenge, "aud": aud });
        theft.check_refused(&theft.device.token(&header, &claims), "wrong-audience").await;
    }
    for claims in [json!({}), json!({ "jti": 1 }), json!({ "jti": "", "aud": [PRODUCTION] })] {
        theft.check_refused(&theft.device.token(&header, &claims), "wrong-claims").await;
    }
    theft.end().await;
}

#[tokio::test]
async fn what_is_no_proof_at_all_is_refused() {
    let theft = Theft::begin().await;
    let long = "A".repeat(9000);
    for text in ["", "\"\"", "a", "a.b", "a.b.c.d", "é.é.é", "e30.e30.e30", &long] {
        theft.check_refused(text, "malformed").await;
    }
    let proof = theft.device.next(&theft.bound.challenge);
    let twice = refreshing(&theft.thief, &theft.bound.sid, Some(&proof))
        .header("secure-session-response", &proof);
    check(theft.thief.send(twice).await, 400);
    theft.end().await;
}

#[tokio::test]
async fn saying_that_a_refresh_was_skipped_opens_nothing() {
    let theft = Theft::begin().await;
    for why in ["server_error", "unreachable", "quota_exceeded"] {
        let value = format!("{why};session_identifier=\"{}\"", theft.bound.sid);
        let request = theft.thief.request("GET", "/api/v1/session");
        check(request.header("secure-session-skipped", value).await, 401);
    }
    theft.end().await;
}

#[tokio::test]
async fn the_session_of_a_refresh_is_the_cookies_and_no_other() {
    let theft = Theft::begin().await;
    let mallory = theft.server.member("mallory").await;
    let device = Device::new();
    let mut own = device.sign_in(&theft.server, &mallory).await;
    // Her own good proof, for his session and for none.
    let proof = device.next(&own.challenge);
    for sid in [theft.bound.sid.as_str(), "ses_00000000000000000000000000", "", "evil"] {
        let reply = own.browser.send(refreshing(&own.browser, sid, Some(&proof))).await;
        check(reply, 401);
        check(theft.server.browser().send(refreshing(&own.browser.fresh(), sid, None)).await, 401);
    }
    own.refresh(&device).await.must_be(200);
    own.browser.post("/api/v1/logout").await.must_be(204);
    theft.end().await;
}

#[tokio::test]
async fn a_second_key_is_refused_whoever_brings_it() {
    let theft = Theft::begin().await;
    let own = Device::new();
    for challenge in [theft.bound.challenge.as_str(), "made-up"] {
        let reply = theft.thief.send(registration(&theft.thief, &own.first(challenge))).await;
        check(reply.must_be_problem(409, "already-bound"), 409);
    }
    theft.check_flagged("already-bound").await;
    theft.end().await;
}

#[tokio::test]
async fn a_copy_of_the_cookie_is_not_enough_to_bind_a_session_to_the_thiefs_key() {
    let (server, device) = (Server::production(|_| {}).await, Device::new());
    let ada = server.member("ada").await;
    let browser = server.browser();
    let login = server.sign_in_with(&browser, &ada, json!({})).await;
    let (thief, own) = (browser.copy(), Device::new());
    // Her own offer, and what she can get of challenges without a password.
    let mallory = server.member("mallory").await;
    let her = server.sign_in_with(&server.browser(), &mallory, json!({})).await;
    for challenge in [&*offered(&her).unwrap(), "", "made-up"] {
        let reply = thief.send(registration(&thief, &own.first(challenge))).await;
        let reply = reply.must_be_problem(403, "proof-refused");
        assert_eq!(reply.set_cookies(), []);
    }
    for path in ["/login", "/account", "/api/v1/session"] {
        assert_eq!(offered(&thief.get(path).await), None, "{path}");
    }
    let reply = thief.post("/dbsc/register").await.must_be_problem(403, "proof-refused");
    assert_eq!(reply.header("secure-session-challenge"), None);
    // The control.
    let proof = device.first(&offered(&login).unwrap());
    browser.send(registration(&browser, &proof)).await.must_be(200);
    // And what was recorded of it is worth nothing.
    thief.send(registration(&thief, &proof)).await.must_be_problem(409, "already-bound");
}

#[tokio::test]
async fn a_registration_that_is_not_whole_binds_nothing() {
    let (server, device) = (Server::production(|_| {}).await, Device::new());
    let ada = server.member("ada").await;
    let browser = server.browser();
    let login = server.sign_in_with(&browser, &ada, json!({})).await;
    let challenge = offered(&login).unwrap();
    let (jwk, other) = (device.jwk(), Device::new().jwk());
    let token = |header: Value| device.token(&header, &json!({ "jti": challenge }));
    let whole = json!({ "alg": "ES256", "typ": "dbsc+jwt", "jwk": jwk });
    let with = |name: &str, value: Value| {
        let mut header = whole.clone();
        header[name] = value;
        token(header)
    };
    let mut bad = vec![
        device.next(&challenge),
        with("jwk", other),
        with("jwk", json!(null)),
        with("jwk", json!({ "kty": "oct", "k": "AAAA" })),
        with("alg", json!("none")),
        with("alg", json!("HS256")),
        with("typ", json!("JWT")),
        with("crit", json!(["exp"])),
        Device::by(Algorithm::EdDsa).first(&challenge),
    ];
    let elsewhere = json!({ "jti": challenge, "aud": "https://evil.example/dbsc/register" });
    bad.push(device.token(&whole, &elsewhere));
    for proof in &bad {
        let reply = browser.send(registration(&browser, proof)).await;
        let reply = reply.must_be_problem(403, "proof-refused");
        assert_eq!(reply.set_cookies(), [], "{proof}");
    }
    server.event(EventKind::BindingRefused).await;
    let session = browser.get("/api/v1/session").await.must_be(200).json();
    assert_eq!(session["session"]["bound_at"], json!(null));
    server.clock.advance_seconds(CHALLENGE_GRACE);
    let late = browser.send(registration(&browser, &token(whole.clone()))).await;
    late.must_be_problem(403, "proof-refused");
    // The control: after a new proof of the person there is a new offer.
    let again = server.sign_in_with(&browser, &ada, json!({})).await;
    let proof = device.first(&offered(&again).unwrap());
    browser.send(registration(&browser, &proof)).await.must_be(200);
}

#[tokio::test]
async fn no_foreign_page_can_ask_and_none_can_read() {
    let mut theft = Theft::begin().await;
    for from in super::csrf::foreign(PRODUCTION) {
        for path in ["/dbsc/refresh", "/dbsc/register"] {
            let proof = theft.device.next(&theft.bound.challenge);
            let request = theft.bound.browser.request("POST", path);
            let request = request
                .header("sec-secure-session-id", &theft.bound.sid)
                .header("secure-session-response", &proof);
            let reply = super::csrf::said(request, from).await;
            assert_eq!(reply.header("access-control-allow-origin"), None);
            check(reply, 403);
            // Without our cookie, as SameSite has it: the same for everybody.
            let request = theft.server.client().post(path);
            check(super::csrf::said(request, from).await, 403);
        }
    }
    for method in ["GET", "HEAD", "PUT", "OPTIONS"] {
        let request = theft.bound.browser.request(method, "/dbsc/refresh");
        check(request.await, 405);
    }
    theft.bound.refresh(&theft.device).await.must_be(200);
    theft.end().await;
}

#[tokio::test]
async fn a_program_with_a_token_is_not_a_device() {
    let theft = Theft::begin().await;
    let tokens = theft.server.tokens(&theft.ada).await;
    for path in ["/dbsc/refresh", "/dbsc/register"] {
        let request = theft.thief.request("POST", path).bearer(&tokens.access);
        check(request.header("sec-secure-session-id", &tokens.sid).await, 401);
    }
    theft.server.client().post("/api/v1/logout").bearer(&tokens.access).await.must_be(204);
    theft.end().await;
}

#[tokio::test]
async fn neither_ticket_nor_challenge_nor_proof_gets_into_the_database() {
    let mut theft = Theft::begin().await;
    let (challenge, proof) =
        (theft.bound.challenge.clone(), theft.device.next(&theft.bound.challenge));
    theft.bound.refresh(&theft.device).await.must_be(200);
    let ticket = theft.bound.browser.ticket().unwrap();
    let kept = |path: std::path::PathBuf| std::fs::read(path).unwrap_or_default();
    let database = theft.server.database();
    let log = database.with_extension("db-wal");
    let bytes = [kept(database), kept(log)].concat();
    let holds = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    // The control: the device's public key is there.
    assert!(holds(theft.device.jwk()["x"].as_str().unwrap()));
    for secret in [ticket.as_str(), &challenge, &proof] {
        assert!(!holds(secret), "{secret}");
    }
    theft.end().await;
}

/// Whoever floods us with one stolen cookie hides no other theft, and does not fill its owner's log.
#[tokio::test]
async fn a_flood_with_one_stolen_cookie_hides_no_other_theft() {
    let theft = Theft::begin().await;
    let other = theft.device.sign_in(&theft.server, &theft.server.member("bob").await).await;
    theft.server.clock.advance_seconds(10);
    theft.thief.plant_ticket(None);
    for _ in 0..50 {
        assert!(!theft.thief.is_signed_in().await);
        check(theft.ask(Some("x.y.z")).await, 403);
    }
    let stolen = other.browser.copy();
    stolen.plant_ticket(Some("A"));
    assert!(!stolen.is_signed_in().await);
    let events = crate::harness::eventually("the other theft in the log", async || {
        let events = theft.server.events(EventKind::BindingRefused).await;
        let is_other = |session: &str| session == other.sid;
        let is_told = events.iter().filter_map(|event| event.session);
        is_told.map(|sid| sid.to_string()).any(|sid| is_other(&sid)).then_some(events)
    })
    .await;
    assert!(events.len() < 10, "{} lines in the log", events.len());
}
