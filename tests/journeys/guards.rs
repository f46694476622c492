//! Guards: verifiers in other processes, which know within a second what counts no longer, or know
//! that they do not know.

mod elsewhere;

use std::time::{Duration, Instant};

use doorward_guard::{Credential, Denied, Following, Guard, Policy};
use doorward_wire::UnixTime;
use doorward_wire::jose::Algorithm;
use serde_json::json;

use crate::harness::oauth::Known;
use crate::harness::relay::{Relay, Wire};
use crate::harness::wait::PATIENCE;
use crate::harness::{Member, PASSWORD, Server, Tokens, eventually, report, within};

/// A server, and a relay that guards reach it by.
struct Scene {
    server: Server,
    relay: Relay,
    ada: Member,
}

impl Scene {
    async fn start() -> Self {
        let server = Server::start().await;
        let relay = Relay::to(server.address).await;
        server.administrator("root").await;
        let ada = server.member("ada").await;
        Self { server, relay, ada }
    }

    async fn credential(&self) -> String {
        let root = Member { id: String::new(), username: "root".into(), password: PASSWORD.into() };
        let scope = json!({ "scope": "doorward.revocations" });
        self.server.tokens_with(&root, scope).await.access
    }

    async fn following(&self) -> Following {
        let credential = Credential::token(self.credential().await);
        Guard::follow(&self.server.origin, &self.server.origin, credential)
            .by_way_of(self.relay.address)
    }

    async fn guard(&self) -> Guard {
        let guard = self.following().await.start().unwrap();
        within(PATIENCE, "a guard that is ready", guard.ready()).await;
        guard
    }

    async fn tokens(&self) -> Tokens {
        self.server.tokens(&self.ada).await
    }

    async fn end(&self, tokens: &Tokens) {
        let logout = self.server.client().post("/api/v1/logout").bearer(&tokens.access);
        logout.await.must_be(204);
    }
}

/// What a guard says to a token. Its own clock is wrong by years, which is no matter.
fn ask(guard: &Guard, access: &str) -> Result<(), Denied> {
    guard.check(Some(&format!("Bearer {access}")), UnixTime(0)).map(|_| ())
}

/// Waits until a guard says this, and says how long it took.
async fn until(guard: &Guard, access: &str, expected: Result<(), Denied>) -> Duration {
    let began = Instant::now();
    eventually("another answer of a guard", || async {
        (ask(guard, access) == expected).then_some(())
    })
    .await;
    began.elapsed()
}

#[tokio::test]
async fn a_guard_refuses_what_has_ended_as_soon_as_it_hears() {
    let scene = Scene::start().await;
    let guard = scene.guard().await;
    let mut took = Vec::new();
    for _ in 0..20 {
        let tokens = scene.tokens().await;
        assert_eq!(ask(&guard, &tokens.access), Ok(()));
        scene.end(&tokens).await;
        took.push(until(&guard, &tokens.access, Err(Denied::Revoked)).await);
    }
    took.sort();
    report(&format!(
        "acknowledged end to refusal in a guard: median {:?}, most {:?}",
        took[10], took[19]
    ));
}

#[tokio::test]
async fn every_way_to_end_a_session_reaches_a_guard() {
    let scene = Scene::start().await;
    let guard = scene.guard().await;
    let client = scene.server.client();
    // By its owner, from another session; all the others; all; by a new password; by a copy of a
    // refresh token.
    let (mine, other) = (scene.tokens().await, scene.tokens().await);
    let one = client.delete(&format!("/api/v1/sessions/{}", other.sid)).bearer(&mine.access);
    one.await.must_be(204);
    until(&guard, &other.access, Err(Denied::Revoked)).await;
    assert_eq!(ask(&guard, &mine.access), Ok(()));

    let other = scene.tokens().await;
    client.delete("/api/v1/sessions?except=current").bearer(&mine.access).await.must_be(204);
    until(&guard, &other.access, Err(Denied::Revoked)).await;
    assert_eq!(ask(&guard, &mine.access), Ok(()));

    let other = scene.tokens().await;
    client.delete("/api/v1/sessions").bearer(&mine.access).await.must_be(204);
    for tokens in [&mine, &other] {
        until(&guard, &tokens.access, Err(Denied::Revoked)).await;
    }

    let stolen = scene.tokens().await;
    scene.server.refresh(&stolen.refresh).await.must_be(200);
    scene.server.clock.advance_seconds(11);
    scene.server.refresh(&stolen.refresh).await.must_be(401);
    until(&guard, &stolen.access, Err(Denied::Revoked)).await;

    let (mine, other) = (scene.tokens().await, scene.tokens().await);
    let body = json!({ "current": PASSWORD, "new": crate::harness::OTHER_PASSWORD });
    let changed = client.post_json("/api/v1/account/password", &body).bearer(&mine.access).await;
    let fresh = Tokens::read(&changed.must_be(200));
    for tokens in [&mine, &other] {
        until(&guard, &tokens.access, Err(Denied::Revoked)).await;
    }
    assert_eq!(ask(&guard, &fresh.access), Ok(()));
}

#[tokio::test]
async fn a_new_proof_takes_the_tokens_from_before_with_it() {
    let scene = Scene::start().await;
    let guard = scene.guard().await;
    let before = scene.tokens().await;
    assert_eq!(ask(&guard, &before.access), Ok(()));
    let body = json!({ "password": PASSWORD });
    let again = scene.server.client().post_json("/api/v1/session/reauthenticate", &body);
    let after = Tokens::read(&again.bearer(&before.access).await.must_be(200));
    until(&guard, &before.access, Err(Denied::Revoked)).await;
    assert_eq!(ask(&guard, &after.access), Ok(()));
}

#[tokio::test]
async fn a_guard_that_hears_nothing_accepts_nothing_and_goes_on_when_it_hears_again() {
    let scene = Scene::start().await;
    let guard = scene.guard().await;
    for wire in [Wire::Held, Wire::Cut] {
        let (ends, stays) = (scene.tokens().await, scene.tokens().await);
        assert_eq!(ask(&guard, &ends.access), Ok(()));
        scene.relay.set(wire);
        scene.end(&ends).await;
        let took = until(&guard, &ends.access, Err(Denied::Stale)).await;
        report(&format!("{wire:?}: nothing accepted any more after {took:?}"));
        assert!(!guard.is_ready());
        assert_eq!(ask(&guard, &stays.access), Err(Denied::Stale));
        // Unless the route says so: until the token expires, and never what is known to have ended.
        let bearer = format!("Bearer {}", stays.access);
        let lenient = guard.check_by(Policy::AcceptUntilExpiry, Some(&bearer), UnixTime(0));
        assert!(lenient.is_ok());
        scene.relay.set(Wire::Whole);
        until(&guard, &ends.access, Err(Denied::Revoked)).await;
        until(&guard, &stays.access, Ok(())).await;
    }
}

#[tokio::test]
async fn a_guard_that_hears_nothing_can_ask_about_one_token() {
    let scene = Scene::start().await;
    let (server, origin) = (&scene.server, scene.server.origin.as_str());
    let asks = Known::with(server, &["doorward.revocations"], &[origin]).await;
    // This one follows and may not ask: it serves no audience.
    let follows = Known::follower(server).await;
    let guard = async |client: &Known<'_>| {
        let credential = Credential::client(client.id.clone(), client.secret.clone());
        let following = Guard::follow(origin, origin, credential);
        let guard = following.by_way_of(scene.relay.address).start().unwrap();
        within(PATIENCE, "a guard that is ready", guard.ready()).await;
        guard
    };
    let (may_ask, may_not) = (guard(&asks).await, guard(&follows).await);
    let (ends, stays) = (scene.tokens().await, scene.tokens().await);
    // The client of the feed is gone, but the server is there.
    asks.revoke_tokens().await;
    scene.relay.set(Wire::Cut);
    until(&may_ask, &stays.access, Err(Denied::Stale)).await;
    until(&may_not, &stays.access, Err(Denied::Stale)).await;
    scene.end(&ends).await;
    let identify = async |guard: &Guard, tokens: &Tokens| {
        let bearer = format!("Bearer {}", tokens.access);
        guard.identify(Policy::Introspect, Some(&bearer), UnixTime(0)).await.map(|_| ())
    };
    // Nobody answers: then nobody is accepted.
    assert_eq!(identify(&may_ask, &stays).await, Err(Denied::Stale));
    let bearer = format!("Bearer {}", stays.access);
    let waits_for_nothing = may_ask.check_by(Policy::Introspect, Some(&bearer), UnixTime(0));
    assert_eq!(waits_for_nothing, Err(Denied::Stale));
    scene.relay.set(Wire::Whole);
    let said = eventually("an answer of the issuer", || async {
        let said = identify(&may_ask, &ends).await;
        (said != Err(Denied::Stale)).then_some(said)
    });
    assert_eq!(said.await, Err(Denied::Revoked));
    assert_eq!(identify(&may_ask, &stays).await, Ok(()));
}

#[tokio::test]
async fn a_guard_starts_before_its_server_and_survives_its_restart() {
    let scene = Scene::start().await;
    scene.relay.set(Wire::Cut);
    let guard = scene.following().await.start().unwrap();
    let tokens = scene.tokens().await;
    // It does not even know a key.
    let refused = Err(Denied::Refused(doorward_wire::token::TokenRefusal::Key));
    assert_eq!(ask(&guard, &tokens.access), refused);
    assert!(!guard.is_ready() && guard.age().is_none());
    scene.relay.set(Wire::Whole);
    within(PATIENCE, "a guard that is ready", guard.ready()).await;
    assert_eq!(ask(&guard, &tokens.access), Ok(()));

    // Another run of the server, on the same store: its numbers go on, its clock is another.
    let (origin, ended) = (scene.server.origin.clone(), scene.tokens().await);
    scene.end(&ended).await;
    until(&guard, &ended.access, Err(Denied::Revoked)).await;
    let again = scene
        .server
        .again(|settings| {
            settings.site = doorward_server::settings::Site::Development { issuer: origin };
        })
        .await;
    let relay = Relay::to(again.address).await;
    let moved = scene.following().await.by_way_of(relay.address).start().unwrap();
    within(PATIENCE, "a guard that is ready", moved.ready()).await;
    assert_eq!(ask(&moved, &ended.access), Err(Denied::Revoked));
    assert_eq!(ask(&moved, &tokens.access), Ok(()));
    scene.end(&tokens).await;
    until(&moved, &tokens.access, Err(Denied::Revoked)).await;
}

#[tokio::test]
async fn a_guard_whose_credential_is_good_no_longer_knows_nothing() {
    let scene = Scene::start().await;
    let credential = scene.credential().await;
    let following = Guard::follow(
        &scene.server.origin,
        &scene.server.origin,
        Credential::token(credential.clone()),
    );
    let guard = following.by_way_of(scene.relay.address).start().unwrap();
    within(PATIENCE, "a guard that is ready", guard.ready()).await;
    let tokens = scene.tokens().await;
    assert_eq!(ask(&guard, &tokens.access), Ok(()));
    scene.server.client().post("/api/v1/logout").bearer(&credential).await.must_be(204);
    until(&guard, &tokens.access, Err(Denied::Stale)).await;

    // A member was not granted it in the first place.
    let member = Credential::token(tokens.access.clone());
    let guard = Guard::follow(&scene.server.origin, &scene.server.origin, member);
    let guard = guard.by_way_of(scene.relay.address).start().unwrap();
    let bearer = format!("Bearer {}", tokens.access);
    eventually("a guard that knows keys and no more", || async {
        let said = guard.check(Some(&bearer), scene.server.clock.time());
        (said == Err(Denied::Stale)).then_some(())
    })
    .await;
    assert!(!guard.is_ready() && guard.age().is_none());
}

#[tokio::test]
async fn expiry_goes_by_the_issuers_clock() {
    let scene = Scene::start().await;
    let guard = scene.guard().await;
    let tokens = scene.tokens().await;
    let bearer = format!("Bearer {}", tokens.access);
    // Five minutes fast, five minutes slow, and years off: this machine's clock is not asked.
    let now = scene.server.clock.time();
    for wrong in [UnixTime(now.0 + 300), UnixTime(now.0 - 300), UnixTime(0)] {
        assert!(guard.check(Some(&bearer), wrong).is_ok());
    }
    scene.server.clock.advance_seconds(329);
    until(&guard, &tokens.access, Ok(())).await;
    scene.server.clock.advance_seconds(2);
    let expired = Err(Denied::Refused(doorward_wire::token::TokenRefusal::Expired));
    until(&guard, &tokens.access, expired).await;
}

#[tokio::test]
async fn a_guard_that_is_dropped_hangs_up() {
    let scene = Scene::start().await;
    let guard = scene.guard().await;
    let other = guard.clone();
    drop(guard);
    let tokens = scene.tokens().await;
    assert_eq!(ask(&other, &tokens.access), Ok(()));
    let feed = || scene.server.app.reader_count();
    assert_eq!(feed(), 1);
    drop(other);
    eventually("a free place", || async { (feed() == 0).then_some(()) }).await;
}

#[tokio::test]
async fn a_guard_accepts_no_algorithm_that_it_was_not_told() {
    let scene = Scene::start().await;
    let following = scene.following().await.accept(&[Algorithm::Es256]);
    let guard = following.start().unwrap();
    let tokens = scene.tokens().await;
    // Neither of tokens nor of bulletins.
    let refused = Err(Denied::Refused(doorward_wire::token::TokenRefusal::Algorithm));
    until(&guard, &tokens.access, refused).await;
    assert!(!guard.is_ready());
}
