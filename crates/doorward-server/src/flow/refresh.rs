//! Renewing an access token with a refresh token.

use doorward_core::event::{Event, EventKind};
use doorward_core::hijack::Signal;
use doorward_core::refresh::PREFIX;
use doorward_core::session::SessionRefusal;
use doorward_store::act::{Presented, RotateError, StoreFailed};
use doorward_wire::dpop;
use doorward_wire::{PresentedSecret, SessionId};

use super::dpop::{self as flow_dpop, DpopError};
use super::identify::Sighting;
use super::issue::{self, IssueError, Proof, Tokens, Welcome};
use super::suspicion;
use crate::App;

/// Why there is no new token. The outside is told only that there is none.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// The text is no refresh token, or none that we know.
    #[error("unknown refresh token")]
    Unknown,
    /// It is bound to another key than was shown, or to none.
    #[error("the refresh token is bound to another key, or to none")]
    Key,
    /// Its session counts no longer.
    #[error("the session counts no longer: {0:?}")]
    Refused(SessionRefusal),
    /// It was used before: its session has just been ended.
    #[error("the refresh token was used before")]
    Reused(SessionId),
    /// Whoever presents it is to prove themselves again. It stays good, for the owner.
    #[error("asked for a new proof: {}", .0.name())]
    Asked(Signal),
    /// The proof of a key does not count.
    #[error(transparent)]
    Proof(#[from] DpopError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreFailed),
    /// The access token could not be issued.
    #[error(transparent)]
    Issue(#[from] IssueError),
}

/// Reads a refresh token's text.
#[must_use]
pub fn read(text: &str) -> Option<PresentedSecret> {
    PresentedSecret::parse(text.strip_prefix(PREFIX)?).ok()
}

/// Takes a refresh token of this client and gives its one successor and a fresh access token.
///
/// When the access token cannot be issued after the turn was kept, the client asks again with the
/// same refresh token, and gets the same successor.
pub async fn refresh(
    app: &App,
    (text, client, shown): (&str, &str, Option<&dpop::Proof>),
    from: Sighting<'_>,
) -> Result<Welcome, RefreshError> {
    let secret = read(text).ok_or(RefreshError::Unknown)?;
    let asked = suspicion::look_at_refresh(app, secret.digest(), from).await?;
    let salt = app.ambient.random();
    let presented = Presented {
        key: secret.digest(),
        salt,
        successor: secret.successor(&salt).digest(),
        client: client.to_owned(),
        lifetimes: app.settings.lifetimes,
        now: app.ambient.now(),
        ip: from.ip.parse().ok(),
        jkt: shown.map(dpop::Proof::thumbprint),
        withheld: asked.is_some(),
        reuse: Event {
            reason: Some("refresh-token-reused".into()),
            ..app.event(EventKind::TokenReuseDetected, &from.device())
        },
    };
    let rotated = app.store.rotate(presented).await.map_err(|error| match (error, asked) {
        (RotateError::Withheld, Some(signal)) => RefreshError::Asked(signal),
        (RotateError::Unknown | RotateError::Withheld, _) => RefreshError::Unknown,
        (RotateError::Key, _) => RefreshError::Key,
        (RotateError::Refused(refusal), _) => RefreshError::Refused(refusal),
        (RotateError::Reused(sid), _) => RefreshError::Reused(sid),
        (RotateError::Failed(failure), _) => RefreshError::Store(failure),
    })?;
    // Once the token is known to be one. Whoever shows an old proof gets nothing by the turn: the one
    // successor is its key's.
    flow_dpop::accept(app, shown).await?;
    let access = issue::access_token(app, &rotated.live, &rotated.grant).await?;
    let tokens = Tokens {
        access,
        refresh: secret.successor(&rotated.salt),
        scope: rotated.grant.scope,
        is_bound: rotated.grant.jkt.is_some(),
    };
    Ok(Welcome { live: rotated.live, device: rotated.device, proof: Proof::Tokens(tokens) })
}
