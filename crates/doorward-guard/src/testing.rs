//! Users for the tests of an app: made up, of any role and age, with a clock that a test moves. No network,
//! no server, no database.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use std::time::Duration;
//!
//! use axum::{Router, body::Body, http::{Request, StatusCode}, routing::get};
//! use doorward_guard::{User, require, testing::Stage};
//! use tower::ServiceExt;
//!
//! async fn staff(user: User) -> String {
//!     format!("hello, {}", user.username().unwrap_or("somebody"))
//! }
//!
//! let stage = Stage::new();
//! let fresh = require().role("administrator").proved_within(Duration::from_mins(10));
//! let app = Router::new()
//!     .route("/staff", get(staff).layer(fresh))
//!     .layer(stage.guard().protect(stage.clock()));
//!
//! let ada = stage.user("ada").role("administrator");
//! let ask = |request: Request<Body>| {
//!     let app = app.clone();
//!     async move { app.oneshot(request).await.unwrap().status() }
//! };
//! assert_eq!(ask(ada.get("/staff")).await, StatusCode::OK);
//! assert_eq!(ask(stage.user("bob").get("/staff")).await, StatusCode::FORBIDDEN);
//! stage.advance(Duration::from_mins(11));
//! assert_eq!(ask(ada.get("/staff")).await, StatusCode::UNAUTHORIZED);
//! # }
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use doorward_wire::jose::{Algorithm, KeySet, SigningKey};
use doorward_wire::token::{ASSERTION_HEADER, AssertionClaims};
use doorward_wire::{AccountId, KeyId, SessionId, TokenId, UnixTime};
use http::{HeaderName, HeaderValue, Request};

use crate::{Clock, Guard, Setup, Source};

/// The issuer of made-up users.
const ISSUER: &str = "https://id.test";

/// The app's origin on a stage.
pub const ORIGIN: &str = "https://app.test";

/// 2026-01-05T09:00:00Z, when every play begins.
const START: u64 = 1_767_603_600;

/// How long what a user shows counts.
const LIFE: Duration = Duration::from_mins(1);

/// A guard with made-up users, and their clock.
pub struct Stage {
    key: SigningKey,
    guard: Guard,
    now: Arc<AtomicU64>,
    next: AtomicU64,
}

/// A made-up user.
#[derive(Clone, Debug)]
pub struct TestUser<'a> {
    stage: &'a Stage,
    id: u64,
    username: String,
    roles: Vec<String>,
    assurance: u8,
    proved_at: UnixTime,
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stage")
    }
}

impl Default for Stage {
    fn default() -> Self {
        Self::new()
    }
}

impl Stage {
    /// An empty stage. Its key is known to everybody, and no other guard takes what it signs.
    ///
    /// # Panics
    ///
    /// Never: the key is one.
    #[must_use]
    pub fn new() -> Self {
        let key = SigningKey::from_material(KeyId(1), Algorithm::Hs256, &[7; 32]);
        let key = key.unwrap_or_else(|_| unreachable!("32 bytes are a key"));
        let keys = KeySet::of([key.verifying_key()]);
        let keys = keys.unwrap_or_else(|_| unreachable!("one key has no twin"));
        let now = Arc::new(AtomicU64::new(START));
        let source = Source::Staged(keys, Arc::clone(&now));
        let setup = Setup::new((ISSUER, ORIGIN), vec![Algorithm::Hs256], source);
        let guard = Guard::of(setup).behind_proxy(ORIGIN);
        Self { key, guard, now, next: AtomicU64::new(1) }
    }

    /// The guard, for the app. It goes by the stage's clock.
    #[must_use]
    pub fn guard(&self) -> Guard {
        self.guard.clone()
    }

    /// A clock for [`Guard::protect`]: the guard does not look at it.
    #[must_use]
    pub fn clock(&self) -> Clock {
        || UnixTime(START)
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        UnixTime(self.now.load(Ordering::SeqCst))
    }

    /// Lets time pass.
    pub fn advance(&self, length: Duration) {
        self.now.fetch_add(length.as_secs(), Ordering::SeqCst);
    }

    /// A user who has just proved who they are: with a password, and no role but `member`.
    #[must_use]
    pub fn user(&self, username: &str) -> TestUser<'_> {
        TestUser {
            stage: self,
            id: self.next.fetch_add(1, Ordering::SeqCst),
            username: username.to_owned(),
            roles: vec!["member".to_owned()],
            assurance: 1,
            proved_at: self.now(),
        }
    }
}

impl TestUser<'_> {
    /// With this role, beside any others.
    #[must_use]
    pub fn role(mut self, role: &str) -> Self {
        self.roles.push(role.to_owned());
        self
    }

    /// With a proof of this level: 1, 2 or 3.
    #[must_use]
    pub fn assurance(self, level: u8) -> Self {
        Self { assurance: level, ..self }
    }

    /// Their account.
    #[must_use]
    pub fn account(&self) -> AccountId {
        AccountId(self.id.into())
    }

    /// What their requests carry, as of now.
    ///
    /// # Panics
    ///
    /// If a name or a role is too long to be sent.
    #[must_use]
    pub fn header(&self) -> (HeaderName, HeaderValue) {
        let now = self.stage.now();
        let claims = AssertionClaims {
            iss: ISSUER.to_owned(),
            sub: self.account(),
            aud: ORIGIN.to_owned(),
            exp: now.after(LIFE),
            iat: now,
            jti: TokenId(self.id.into()),
            sid: SessionId(self.id.into()),
            auth_time: self.proved_at,
            acr: format!("aal{}", self.assurance),
            amr: vec!["pwd".to_owned()],
            preferred_username: self.username.clone(),
            email: None,
            roles: self.roles.clone(),
            groups: Vec::new(),
        };
        let text = claims.sign(&self.stage.key).ok();
        let value = text.and_then(|text| HeaderValue::from_str(&text).ok());
        let value = value.unwrap_or_else(|| panic!("{} cannot be shown", self.username));
        (HeaderName::from_static(ASSERTION_HEADER), value)
    }

    /// A request of theirs for a page or a document.
    #[must_use]
    pub fn get<B: Default>(&self, path: &str) -> Request<B> {
        self.request("GET", path, B::default())
    }

    /// A request of theirs that changes something, from a page of the app's.
    #[must_use]
    pub fn post<B>(&self, path: &str, body: B) -> Request<B> {
        self.request("POST", path, body)
    }

    /// Any request of theirs, from a page of the app's.
    ///
    /// # Panics
    ///
    /// If that is no method or no path.
    #[must_use]
    pub fn request<B>(&self, method: &str, path: &str, body: B) -> Request<B> {
        let (name, value) = self.header();
        let request = Request::builder().method(method).uri(path).header(name, value);
        let request = request.header("origin", ORIGIN).header("sec-fetch-site", "same-origin");
        request.body(body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }
}
