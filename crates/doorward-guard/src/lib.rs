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
//! //! # What this crate answers
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
//! Cookies, extractors, and tokens of clients themselves, which have no account: they are refused.

use std::sync::Arc;
use std::time::Duration;

use doorward_wire::jose::{Algorithm, JwkSet, KeySet, KeySetRefused};
use doorward_wire::token::{AccessClaims, Expectation, SeenTokens, Shown, TokenRefusal};
use doorward_wire::{AccountId, SessionId, UnixTime};

mod credential;
mod dial;
mod follow;
mod following;
mod introspect;
mod known;
mod layer;
mod moment;
mod proofs;

pub use credential::Credential;
pub use dial::{AddressRefused, Roots};
pub use following::Following;
pub use layer::{Clock, GuardLayer, GuardService};
pub use proofs::ProofDenial;

use crate::follow::Followed;
use crate::known::Doubt;
use crate::moment::Moment;
use crate::proofs::{Presented, SeenProofs};

/// How many verified tokens a guard remembers: about 10 MB of them.
const SEEN_TOKENS_MAX: usize = 10_000;

/// Checks the access tokens of one issuer for one audience. Cheap to clone.
#[derive(Clone)]
pub struct Guard {
    parts: Arc<Parts>,
}

struct Parts {
    issuer: String,
    audience: String,
    algorithms: Vec<Algorithm>,
    seen: SeenTokens,
    source: Source,
    /// The origin that callers reach the app by, for proofs of a key.
    origin: Option<String>,
    proofs: SeenProofs,
}

/// Where a guard's knowledge comes from.
#[derive(Clone)]
enum Source {
    /// Keys that were given, and nothing of revocations.
    Given(KeySet),
    /// The issuer, all the time.
    Followed(Arc<Followed>),
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

/// Who is asking. Only a [`Guard`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    account: AccountId,
    session: SessionId,
    scope: String,
    roles: Vec<String>,
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
    /// The token may be good: nobody here knows. It is no fault of the caller's.
    #[error("it is not known here whether the token was revoked")]
    Stale,
}

impl Guard {
    /// A guard that knows the issuer's published keys, asks nobody and hears of no revocation: a token
    /// counts until it expires, which is five minutes at the most.
    ///
    /// It accepts `EdDSA` alone until [`accept`](Self::accept) says otherwise. Two keys of one `kid`
    /// are an error.
    pub fn offline(issuer: &str, audience: &str, keys: &JwkSet) -> Result<Self, KeySetRefused> {
        let source = Source::Given(KeySet::from_jwks(keys)?);
        Ok(Self::of((issuer, audience), vec![Algorithm::EdDsa], (source, None)))
    }

    /// A guard that follows its issuer: keys and revocations. It is to be set up and started.
    pub fn follow(issuer: &str, audience: &str, credential: Credential) -> Following {
        Following::new(issuer, audience, credential)
    }

    fn of(
        (issuer, audience): (&str, &str),
        algorithms: Vec<Algorithm>,
        (source, origin): (Source, Option<String>),
    ) -> Self {
        let parts = Parts {
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            algorithms,
            seen: SeenTokens::at_most(SEEN_TOKENS_MAX),
            source,
            origin,
            proofs: SeenProofs::default(),
        };
        Self { parts: Arc::new(parts) }
    }

    /// Accepts these algorithms and no others.
    #[must_use]
    pub fn accept(self, algorithms: &[Algorithm]) -> Self {
        let names = (&*self.parts.issuer, &*self.parts.audience);
        let rest = (self.parts.source.clone(), self.parts.origin.clone());
        Self::of(names, algorithms.to_vec(), rest)
    }

    /// Says by which origin callers reach the app, `https://api.example.com`: proofs of a key (RFC 9449)
    /// must be for it, and what a request says of its host is not asked. Without it, tokens that are bound
    /// to a key are refused.
    #[must_use]
    pub fn reached_at(self, origin: &str) -> Self {
        let names = (&*self.parts.issuer, &*self.parts.audience);
        let rest = (self.parts.source.clone(), Some(origin.to_owned()));
        Self::of(names, self.parts.algorithms.clone(), rest)
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
        let origin = self.parts.origin.as_deref();
        let proof = proofs::read(&presented, origin, (text, now)).map_err(Denied::Proof)?;
        let jkt = proof.thumbprint().to_string();
        let identity = self.check_token(policy, (text, Shown::WithProof { jkt: &jkt }), now)?;
        // Last: what is refused for another reason may be shown again.
        self.parts.proofs.spend(&proof, now).map_err(Denied::Proof)?;
        Ok(identity)
    }

    /// The issuer's time, if it is known, or else the machine's.
    fn time(&self, now: UnixTime) -> UnixTime {
        match &self.parts.source {
            Source::Given(_) => now,
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
            issuer: &self.parts.issuer,
            audience: &self.parts.audience,
            algorithms: &self.parts.algorithms,
            shown,
        };
        let seen = &self.parts.seen;
        let verified = match &self.parts.source {
            Source::Given(keys) => {
                seen.verify(text, keys, &expected, now).map_err(Denied::Refused)?
            }
            Source::Followed(followed) => {
                let moment = Moment::now();
                let known = followed.known();
                let now = known.issuer_time(moment).unwrap_or(now);
                let verified = seen.verify(text, &followed.keys(), &expected, now);
                let verified = verified.map_err(|refusal| {
                    if refusal == TokenRefusal::Key {
                        followed.want_keys();
                    }
                    Denied::Refused(refusal)
                })?;
                match known.check(&verified, followed.bound, moment) {
                    Ok(()) => {}
                    Err(Doubt::Stale) if policy == Policy::AcceptUntilExpiry => {}
                    Err(Doubt::Stale) => return Err(Denied::Stale),
                    Err(Doubt::Revoked) => return Err(Denied::Revoked),
                }
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
        let Source::Followed(followed) = &self.parts.source else { return said };
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
        match &self.parts.source {
            Source::Given(_) => true,
            Source::Followed(followed) => followed.is_ready(),
        }
    }

    /// Waits until [`is_ready`](Self::is_ready). It may take for ever: bound it.
    pub async fn ready(&self) {
        if let Source::Followed(followed) = &self.parts.source {
            followed.ready().await;
        }
    }

    /// How long ago everything was known, or `None` if it never was.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        match &self.parts.source {
            Source::Given(_) => None,
            Source::Followed(followed) => followed.known().age(Moment::now()),
        }
    }

    /// A tower layer that lets nobody past without an [`Identity`], and puts it into the request's
    /// extensions.
    #[must_use]
    pub fn layer(&self, clock: Clock) -> GuardLayer {
        GuardLayer::new(self.clone(), clock)
    }
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Guard({} for {})", self.parts.issuer, self.parts.audience)
    }
}

impl Identity {
    fn of(claims: &AccessClaims) -> Self {
        Self {
            account: claims.sub,
            session: claims.sid,
            scope: claims.scope.clone(),
            roles: claims.roles.clone(),
        }
    }

    /// Who it is, for ever.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// The session that the token hangs from.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// Whether the token allows `scope`.
    #[must_use]
    pub fn allows(&self, scope: &str) -> bool {
        self.scope.split(' ').any(|granted| granted == scope)
    }

    /// Whether the account has `role`.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|held| held == role)
    }
}

#[cfg(test)]
mod tests;
