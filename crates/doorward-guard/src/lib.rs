//! The other side of the street: who is asking, in somebody's own app.
//!
//! ```no_run
//! # async fn app() -> Result<(), doorward_guard::AddressRefused> {
//! use doorward_guard::{Credential, Guard};
//!
//! let credential = Credential::client("cli_01k…", "the secret that `doorward client add` told");
//! let guard = Guard::follow("https://id.example.com", "https://api.example.com", credential)
//!     .start()?;
//! guard.ready().await;
//! # Ok(())
//! # }
//! ```
//!
//! Handlers of axum ask for `User`, `Option<User>` or `RequireScope` (feature `axum`, `Guard::protect`);
//! the tests of an app have made-up users (feature `testing`). People in browsers are known by what a
//! proxy asserts ([`Guard::behind_proxy`]), or by the session's own cookie ([`Guard::beside`],
//! [`Following::beside`]).
//!
//! # What this crate answers
//!
//! - *A token of another service, issuer, kind or algorithm*: all four are always asked for; there is
//!   no way to leave one out.
//! - *A bad credential that falls back to a weaker one*: an `Authorization` header is either good or
//!   refused.
//! - *A token whose session has ended*: a guard that follows its issuer's revocations refuses it as
//!   soon as it hears, which takes milliseconds, and accepts nothing once it has not heard for a
//!   second, unless it is told otherwise ([`Policy`]).
//! - *Cost*: a signature is verified once, in some fifty microseconds; a token seen before takes less
//!   than one, and asks nobody.
//!
//! # What is not here yet
//!
//! Tokens of clients themselves, which have no account: they are refused.

use std::sync::Arc;
use std::time::Duration;

use doorward_wire::csrf::{self, Provenance};
use doorward_wire::jose::{Algorithm, JwkSet, KeySet, KeySetRefused};
use doorward_wire::token::{
    ASSERTION_HEADER, AssertionClaims, Expectation, SeenTokens, Shown, TokenRefusal,
};
use http::header::{AUTHORIZATION, ORIGIN};
use http::request::Parts as Head;
use http::{HeaderName, Method};

#[cfg(feature = "axum")]
mod ask;
mod credential;
mod dial;
mod follow;
mod following;
mod identity;
mod introspect;
mod known;
mod layer;
mod moment;
mod proofs;
mod server;
#[cfg(feature = "testing")]
pub mod testing;

#[cfg(feature = "axum")]
pub use ask::{
    DataKey, DataRefused, Denial, Protect, Protected, Require, RequireScope, Required, Scope,
    Session, User, require,
};
pub use credential::Credential;
pub use dial::{AddressRefused, Roots};
pub use doorward_wire::{AccountId, SessionId, UnixTime};
pub use following::Following;
pub use identity::Identity;
pub use layer::{Clock, GuardLayer, GuardService};
pub use moment::system_clock;
pub use proofs::ProofDenial;
pub use server::{Answer, AppExtensions, Beside, NoServer, Server};

use crate::follow::Followed;
use crate::known::{Doubt, Evidence};
use crate::moment::Moment;
use crate::proofs::{Presented, SeenProofs};
use crate::server::{Said, Sessions};

/// How many verified tokens a guard remembers: about 10 MB of them.
const SEEN_TOKENS_MAX: usize = 10_000;

/// Checks the access tokens of one issuer for one audience. Cheap to clone.
#[derive(Clone)]
pub struct Guard {
    parts: Arc<Parts>,
}

struct Parts {
    setup: Setup,
    seen: SeenTokens,
    proofs: SeenProofs,
}

#[derive(Clone)]
struct Setup {
    issuer: String,
    audience: String,
    algorithms: Vec<Algorithm>,
    source: Source,
    /// The origin that callers reach the app by.
    origin: Option<String>,
    people: People,
}

/// How people in browsers show who they are.
#[derive(Clone)]
enum People {
    /// Not at all: programs with tokens are asking.
    Unknown,
    /// A proxy asserts it (`Doorward-Assertion`).
    Asserted,
    /// With the server's own cookie: the app is on its origin.
    Beside(Sessions),
}

/// Where a guard's knowledge comes from.
#[derive(Clone)]
enum Source {
    /// Keys that were given, and nothing of revocations.
    Given(KeySet),
    /// The issuer, all the time.
    Followed(Arc<Followed>),
    /// The server itself, each time.
    Asked,
    /// A test: these keys, at a time that the test says.
    #[cfg(feature = "testing")]
    Staged(KeySet, Arc<std::sync::atomic::AtomicU64>),
}

/// What a guard does with a good token while it cannot know whether that was revoked: it was not in
/// touch with its issuer for longer than the bound.
///
/// What is known to be revoked is refused always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Accepts nothing: 503. Nobody is let in who was thrown out.
    #[default]
    FailClosed,
    /// Asks the issuer about this one token (RFC 7662), and accepts nothing if there is no answer either.
    /// The issuer has to be reached, and the guard's credential to be a client that serves the
    /// audience. Only [`Guard::identify`] and the layer can wait for it; [`Guard::check_by`] fails closed.
    Introspect,
    /// Accepts it until it expires, which is five minutes at the most: for what may rather be done by
    /// somebody who was thrown out than not at all.
    AcceptUntilExpiry,
}

/// Why nobody is asking. The caller hears `invalid_token`, or 503; your log hears this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// There was no `Authorization` header.
    #[error("no credential was sent")]
    Nothing,
    /// There was one, and it does not carry a bearer token.
    #[error("not a bearer token")]
    Unusable,
    /// The token was refused.
    #[error("the token was refused: {}", .0.reason())]
    Refused(TokenRefusal),
    /// The token is bound to a key, or claims to be, and the proof of that key does not count.
    #[error("the proof was refused: {0}")]
    Proof(ProofDenial),
    /// The token was revoked, or what it came from was.
    #[error("the token was revoked")]
    Revoked,
    /// Whoever asks may be known: nobody here can tell. It is no fault of the caller's.
    #[error("it is not known here whether that still counts")]
    Stale,
    /// Somebody is signed in, and the request did not come from the app's own pages.
    #[error("the request came from another site")]
    CrossSite,
}

impl Guard {
    /// A guard that knows the issuer's published keys, asks nobody and hears of no revocation: a token
    /// counts until it expires, which is five minutes at the most.
    ///
    /// It accepts `EdDSA` alone until [`accept`](Self::accept) says otherwise. Two keys of one `kid`
    /// are an error.
    pub fn offline(issuer: &str, audience: &str, keys: &JwkSet) -> Result<Self, KeySetRefused> {
        let source = Source::Given(KeySet::from_jwks(keys)?);
        let algorithms = vec![Algorithm::EdDsa];
        Ok(Self::of(Setup::new((issuer, audience), algorithms, source)))
    }

    /// A guard that follows its issuer: keys and revocations. It is to be set up and started.
    pub fn follow(issuer: &str, audience: &str, credential: Credential) -> Following {
        Following::new(issuer, audience, credential)
    }

    /// A guard that asks the server each time, of an app on the server's own origin: in the same process,
    /// most likely. The session's cookie counts there, and a token that is for the issuer.
    ///
    /// A token that is bound to a key is refused: its proof is for the app's address, and not for the
    /// server's.
    #[must_use]
    pub fn beside(issuer: &str, server: impl Server) -> Self {
        let setup = Setup::new((issuer, issuer), Vec::new(), Source::Asked);
        Self::of(setup.beside(server))
    }

    fn of(setup: Setup) -> Self {
        let seen = SeenTokens::at_most(SEEN_TOKENS_MAX);
        Self { parts: Arc::new(Parts { setup, seen, proofs: SeenProofs::default() }) }
    }

    /// Accepts these algorithms and no others.
    #[must_use]
    pub fn accept(self, algorithms: &[Algorithm]) -> Self {
        let setup = self.parts.setup.clone();
        Self::of(Setup { algorithms: algorithms.to_vec(), ..setup })
    }

    /// Says by which origin callers reach the app, `https://api.example.com`: proofs of a key (RFC 9449)
    /// must be for it, and what a request says of its host is not asked. Without it, tokens that are bound
    /// to a key are refused.
    #[must_use]
    pub fn reached_at(self, origin: &str) -> Self {
        let setup = self.parts.setup.clone();
        Self::of(Setup { origin: Some(origin.to_owned()), ..setup })
    }

    /// Takes a proxy's word for who is in a browser, if the issuer has signed it for this app: the header
    /// `Doorward-Assertion`. `origin` is where browsers reach the app, `https://wiki.example.com`, as it
    /// stands in the server's `[[site]]`.
    ///
    /// A request without that header is a visitor's. What the proxy says in `Remote-User` is not read.
    #[must_use]
    pub fn behind_proxy(self, origin: &str) -> Self {
        let setup = self.parts.setup.clone();
        let origin = Some(origin.to_owned());
        Self::of(Setup { origin, people: People::Asserted, ..setup })
    }

    /// Finds out who shows this, by whichever carrier. A credential that was sent on purpose counts alone:
    /// a bad one never falls back to what the browser sends of itself.
    pub(crate) async fn who(&self, policy: Policy, head: &Head, now: UnixTime) -> Said {
        let people = &self.parts.setup.people;
        let by_token = head.headers.contains_key(AUTHORIZATION);
        let said = match people {
            _ if by_token && !matches!(self.parts.setup.source, Source::Asked) => {
                let presented = layer::presented(head);
                let who = match presented {
                    Ok(presented) => self.identify_presented(policy, presented, now).await,
                    Err(denied) => Err(denied),
                };
                Said { who, cookies: Vec::new() }
            }
            People::Unknown => Said { who: Err(Denied::Nothing), cookies: Vec::new() },
            People::Asserted => {
                Said { who: self.check_assertion(policy, head, now), cookies: Vec::new() }
            }
            People::Beside(sessions) => self.ask_sessions(sessions, head).await,
        };
        // What a browser sends of itself, any page can make it send.
        let is_safe = matches!(head.method, Method::GET | Method::HEAD | Method::OPTIONS);
        if by_token || is_safe || said.who == Err(Denied::Nothing) && !self.carries_cookie(head) {
            return said;
        }
        let text = |name| head.headers.get(name).map(|it| it.to_str().unwrap_or(""));
        let from = Provenance {
            fetch_site: text(HeaderName::from_static("sec-fetch-site")),
            origin: text(ORIGIN),
            carries_cookie: true,
        };
        match csrf::check(from, |origin| self.origin() == Some(origin)) {
            Ok(()) => said,
            Err(_) => Said { who: Err(Denied::CrossSite), ..said },
        }
    }

    fn carries_cookie(&self, head: &Head) -> bool {
        match &self.parts.setup.people {
            People::Beside(sessions) => sessions.carries(&head.headers),
            People::Asserted | People::Unknown => false,
        }
    }

    /// Asks the server about a cookie, unless it has just said and the feed has not said otherwise.
    async fn ask_sessions(&self, sessions: &Sessions, head: &Head) -> Said {
        let by_token = head.headers.contains_key(AUTHORIZATION);
        if !by_token && !sessions.carries(&head.headers) {
            return Said { who: Err(Denied::Nothing), cookies: Vec::new() };
        }
        if let Source::Followed(followed) = &self.parts.setup.source {
            let now = Moment::now();
            if let Some(identity) = sessions.said_of(&head.headers, now) {
                let shown = identity.evidence();
                if followed.known().check(&shown, followed.bound, now).is_ok() {
                    return Said { who: Ok(identity), cookies: Vec::new() };
                }
            }
        }
        sessions.ask(head).await
    }

    fn check_assertion(
        &self,
        policy: Policy,
        head: &Head,
        now: UnixTime,
    ) -> Result<Identity, Denied> {
        let mut sent = head.headers.get_all(ASSERTION_HEADER).iter();
        let text = sent.next().ok_or(Denied::Nothing)?.to_str().map_err(|_| Denied::Unusable)?;
        if sent.next().is_some() {
            return Err(Denied::Unusable);
        }
        if text.is_empty() {
            return Err(Denied::Nothing);
        }
        let Setup { issuer, origin, algorithms, source, .. } = &self.parts.setup;
        let names = (issuer.as_str(), origin.as_deref().unwrap_or_default());
        let now = self.time(now);
        let verify = |keys| {
            let read = AssertionClaims::verify(text, keys, names, algorithms, now);
            read.map_err(Denied::Refused)
        };
        let claims = match source {
            Source::Asked => return Err(Denied::Stale),
            Source::Given(keys) => verify(keys)?,
            #[cfg(feature = "testing")]
            Source::Staged(keys, _) => verify(keys)?,
            Source::Followed(followed) => {
                let claims = verify(&followed.keys()).inspect_err(|denied| {
                    if *denied == Denied::Refused(TokenRefusal::Key) {
                        followed.want_keys();
                    }
                })?;
                let shown = Evidence {
                    account: claims.sub,
                    session: claims.sid,
                    proved_at: claims.auth_time,
                    token: None,
                    client: None,
                };
                decide(followed, &shown, policy)?;
                claims
            }
        };
        Ok(Identity::asserted(claims))
    }

    /// Finds out who is asking, from the value of the `Authorization` header. Whoever cannot know
    /// accepts nobody: [`Policy::FailClosed`].
    ///
    /// A guard that follows its issuer goes by the issuer's clock, and by `now` only before it has
    /// heard of it.
    pub fn check(&self, authorization: Option<&str>, now: UnixTime) -> Result<Identity, Denied> {
        self.check_by(Policy::FailClosed, authorization, now)
    }

    /// Finds out who is asking, by a policy for when that cannot be known. A token that is bound to a key
    /// needs the whole request: [`layer`](Self::layer).
    pub fn check_by(
        &self,
        policy: Policy,
        authorization: Option<&str>,
        now: UnixTime,
    ) -> Result<Identity, Denied> {
        self.check_presented(policy, Presented { authorization, ..Presented::NONE }, now)
    }

    pub(crate) fn check_presented(
        &self,
        policy: Policy,
        presented: Presented<'_>,
        now: UnixTime,
    ) -> Result<Identity, Denied> {
        let shown = presented.authorization.ok_or(Denied::Nothing)?;
        let (scheme, text) = shown.split_once(' ').ok_or(Denied::Unusable)?;
        if scheme.eq_ignore_ascii_case("bearer") {
            return self.check_token(policy, (text, Shown::Bearer), now);
        }
        if !scheme.eq_ignore_ascii_case("dpop") {
            return Err(Denied::Unusable);
        }
        let now = self.time(now);
        let origin = self.parts.setup.origin.as_deref();
        let proof = proofs::read(&presented, origin, (text, now)).map_err(Denied::Proof)?;
        let jkt = proof.thumbprint().to_string();
        let identity = self.check_token(policy, (text, Shown::WithProof { jkt: &jkt }), now)?;
        // Last: what is refused for another reason may be shown again.
        self.parts.proofs.spend(&proof, now).map_err(Denied::Proof)?;
        Ok(identity)
    }

    /// The issuer's time, if it is known, or else the machine's.
    fn time(&self, now: UnixTime) -> UnixTime {
        match &self.parts.setup.source {
            Source::Given(_) | Source::Asked => now,
            #[cfg(feature = "testing")]
            Source::Staged(_, time) => UnixTime(time.load(std::sync::atomic::Ordering::SeqCst)),
            Source::Followed(followed) => {
                followed.known().issuer_time(Moment::now()).unwrap_or(now)
            }
        }
    }

    fn check_token(
        &self,
        policy: Policy,
        (text, shown): (&str, Shown<'_>),
        now: UnixTime,
    ) -> Result<Identity, Denied> {
        let expected = Expectation {
            issuer: &self.parts.setup.issuer,
            audience: &self.parts.setup.audience,
            algorithms: &self.parts.setup.algorithms,
            shown,
        };
        let seen = &self.parts.seen;
        let verified = match &self.parts.setup.source {
            Source::Asked => return Err(Denied::Stale),
            #[cfg(feature = "testing")]
            Source::Staged(keys, _) => {
                seen.verify(text, keys, &expected, self.time(now)).map_err(Denied::Refused)?
            }
            Source::Given(keys) => {
                seen.verify(text, keys, &expected, now).map_err(Denied::Refused)?
            }
            Source::Followed(followed) => {
                let now = self.time(now);
                let verified = seen.verify(text, &followed.keys(), &expected, now);
                let verified = verified.map_err(|refusal| {
                    if refusal == TokenRefusal::Key {
                        followed.want_keys();
                    }
                    Denied::Refused(refusal)
                })?;
                decide(followed, &Evidence::of(verified.as_unrevoked()), policy)?;
                verified
            }
        };
        Ok(Identity::of(verified.as_unrevoked()))
    }

    /// Finds out who is asking, and asks the issuer where a policy says so.
    pub async fn identify(
        &self,
        policy: Policy,
        authorization: Option<&str>,
        now: UnixTime,
    ) -> Result<Identity, Denied> {
        let presented = Presented { authorization, ..Presented::NONE };
        self.identify_presented(policy, presented, now).await
    }

    pub(crate) async fn identify_presented(
        &self,
        policy: Policy,
        presented: Presented<'_>,
        now: UnixTime,
    ) -> Result<Identity, Denied> {
        let said = self.check_presented(policy, presented, now);
        let (Policy::Introspect, Err(Denied::Stale)) = (policy, &said) else { return said };
        let Source::Followed(followed) = &self.parts.setup.source else { return said };
        let shown = presented.authorization.unwrap_or_default();
        let text = shown.split_once(' ').map_or("", |(_, it)| it);
        match introspect::is_active(&followed.address, &followed.credential, text).await {
            // Everything else about it was verified here.
            Ok(true) => self.check_presented(Policy::AcceptUntilExpiry, presented, now),
            Ok(false) => Err(Denied::Revoked),
            Err(error) => {
                tracing::warn!(%error, "the issuer did not say whether a token counts");
                Err(Denied::Stale)
            }
        }
    }

    /// Whether a token could be accepted now: keys are known, and nothing was missed for longer than
    /// the bound. A guard that follows nobody always is.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        match &self.parts.setup.source {
            Source::Given(_) | Source::Asked => true,
            #[cfg(feature = "testing")]
            Source::Staged(..) => true,
            Source::Followed(followed) => followed.is_ready(),
        }
    }

    /// Waits until [`is_ready`](Self::is_ready). It may take for ever: bound it.
    pub async fn ready(&self) {
        if let Source::Followed(followed) = &self.parts.setup.source {
            followed.ready().await;
        }
    }

    /// How long ago everything was known, or `None` if it never was.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        match &self.parts.setup.source {
            Source::Given(_) | Source::Asked => None,
            #[cfg(feature = "testing")]
            Source::Staged(..) => None,
            Source::Followed(followed) => followed.known().age(Moment::now()),
        }
    }

    /// A layer that finds out who is asking and lets everybody through: the handlers say whom they want, with
    /// [`User`], `Option<User>`, [`RequireScope`] or [`require`]. People are led to the login page and back,
    /// programs are told.
    #[cfg(feature = "axum")]
    #[must_use]
    pub fn protect(&self, clock: Clock) -> Protect {
        Protect::new(self.clone(), clock)
    }

    /// Where a visitor signs in and comes back from, if the app knows people at all; and where somebody
    /// proves again who they are.
    #[cfg(feature = "axum")]
    pub(crate) fn pages(&self) -> Option<(&str, &str, bool)> {
        let Setup { issuer, origin, people, .. } = &self.parts.setup;
        let is_beside = match people {
            People::Unknown => return None,
            People::Asserted => false,
            People::Beside(_) => true,
        };
        Some((issuer, origin.as_deref()?, is_beside))
    }

    #[cfg(feature = "axum")]
    pub(crate) fn sessions(&self) -> Option<&Sessions> {
        match &self.parts.setup.people {
            People::Beside(sessions) => Some(sessions),
            People::Asserted | People::Unknown => None,
        }
    }

    /// The origin that browsers reach the app by.
    fn origin(&self) -> Option<&str> {
        self.parts.setup.origin.as_deref()
    }

    /// A tower layer that lets nobody past without an [`Identity`], and puts it into the request's
    /// extensions.
    #[must_use]
    pub fn layer(&self, clock: Clock) -> GuardLayer {
        GuardLayer::new(self.clone(), clock)
    }
}

impl Setup {
    fn new((issuer, audience): (&str, &str), algorithms: Vec<Algorithm>, source: Source) -> Self {
        Self {
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            algorithms,
            source,
            origin: None,
            people: People::Unknown,
        }
    }

    fn beside(self, server: impl Server) -> Self {
        let sessions = Sessions::of(&self.issuer, server);
        Self { origin: Some(self.issuer.clone()), people: People::Beside(sessions), ..self }
    }
}

/// Whether something that was verified counts, as far as is known.
fn decide(followed: &Followed, shown: &Evidence, policy: Policy) -> Result<(), Denied> {
    match followed.known().check(shown, followed.bound, Moment::now()) {
        Ok(()) => Ok(()),
        Err(Doubt::Stale) if policy == Policy::AcceptUntilExpiry => Ok(()),
        Err(Doubt::Stale) => Err(Denied::Stale),
        Err(Doubt::Revoked) => Err(Denied::Revoked),
    }
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Guard({} for {})", self.parts.setup.issuer, self.parts.setup.audience)
    }
}

#[cfg(test)]
mod tests;
