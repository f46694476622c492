//! The other side of the street: who is asking, in somebody's own app.
//!
//! ```
//! use doorward_guard::{Guard, Identity};
//! use doorward_wire::jose::Algorithm;
//! use doorward_wire::{UnixTime, json};
//! # let published = br#"{"keys":[]}"#;
//! // What the server publishes at /.well-known/jwks.json.
//! let keys = json::strict(published)?;
//! let guard = Guard::offline("https://id.example.com", "https://api.example.com", &keys)?
//!     .accept(&[Algorithm::EdDsa]);
//! let refused = guard.check(Some("Bearer x.y.z"), UnixTime(1_800_000_000));
//! assert!(refused.is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What this crate answers
//!
//! - *A token of another service, issuer, kind or algorithm*: all four are always asked for; there is
//!   no way to leave one out.
//! - *A bad credential that falls back to a weaker one*: an `Authorization` header is either good or
//!   refused.
//!
//! # What is not here yet
//!
//! This first form checks access tokens offline, and a token it accepts may hang from a session that
//! ended up to its remaining life ago: five minutes at the most. Where that is too long, ask the
//! server: `GET /api/v1/session` with the same token is exact. Following the revocation log,
//! fetching keys, cookies, and extractors come later.

use std::sync::Arc;

use doorward_wire::jose::{Algorithm, JwkSet, KeySet, KeySetRefused};
use doorward_wire::token::{self, Expectation, Shown, TokenRefusal};
use doorward_wire::{AccountId, SessionId, UnixTime};

mod dial;
mod layer;
mod moment;

pub use dial::{AddressRefused, Roots};
pub use layer::{Clock, GuardLayer, GuardService};

/// Checks the access tokens of one issuer for one audience. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Guard {
    parts: Arc<Parts>,
}

#[derive(Clone, Debug)]
struct Parts {
    issuer: String,
    audience: String,
    algorithms: Vec<Algorithm>,
    keys: KeySet,
}

/// Who is asking. Only a [`Guard`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    account: AccountId,
    session: SessionId,
    scope: String,
    roles: Vec<String>,
}

/// Why nobody is asking. The caller hears `invalid_token`; your log hears this.
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
}

impl Guard {
    /// A guard that knows the issuer's published keys and asks nobody.
    ///
    /// It accepts `EdDSA` alone until [`accept`](Self::accept) says otherwise. Two keys of one `kid`
    /// are an error.
    pub fn offline(issuer: &str, audience: &str, keys: &JwkSet) -> Result<Self, KeySetRefused> {
        let parts = Parts {
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            algorithms: vec![Algorithm::EdDsa],
            keys: KeySet::from_jwks(keys)?,
        };
        Ok(Self { parts: Arc::new(parts) })
    }

    /// Accepts these algorithms and no others.
    #[must_use]
    pub fn accept(self, algorithms: &[Algorithm]) -> Self {
        let parts = Parts { algorithms: algorithms.to_vec(), ..Arc::unwrap_or_clone(self.parts) };
        Self { parts: Arc::new(parts) }
    }

    /// Finds out who is asking, from the value of the `Authorization` header.
    pub fn check(&self, authorization: Option<&str>, now: UnixTime) -> Result<Identity, Denied> {
        let (scheme, text) =
            authorization.ok_or(Denied::Nothing)?.split_once(' ').ok_or(Denied::Unusable)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Denied::Unusable);
        }
        let expected = Expectation {
            issuer: &self.parts.issuer,
            audience: &self.parts.audience,
            algorithms: &self.parts.algorithms,
            shown: Shown::Bearer,
        };
        let verified =
            token::verify(text, &self.parts.keys, &expected, now).map_err(Denied::Refused)?;
        // Nothing is asked about revocation yet: see "What is not here yet".
        let claims = verified.unrevoked();
        Ok(Identity {
            account: claims.sub,
            session: claims.sid,
            scope: claims.scope,
            roles: claims.roles,
        })
    }

    /// A tower layer that lets nobody past without an [`Identity`], and puts it into the request's
    /// extensions.
    #[must_use]
    pub fn layer(&self, clock: Clock) -> GuardLayer {
        GuardLayer::new(self.clone(), clock)
    }
}

impl Identity {
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
