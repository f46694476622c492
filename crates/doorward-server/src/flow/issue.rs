//! Issuing: from a live session to what its carrier takes along.

use std::sync::Arc;
use std::time::Duration;

use doorward_core::grant::Grant;
use doorward_core::revocation::PlacedToken;
use doorward_core::session::{Device, LiveSession};
use doorward_store::act::StoreFailed;
use doorward_wire::jose::{Algorithm, SigningKey};
use doorward_wire::token::LEEWAY;
use doorward_wire::{FreshSecret, TokenId, token};

use super::status;
use crate::App;
use crate::keyring::KeyError;

/// What a login, a re-authentication or a refresh produced.
#[derive(Debug)]
pub struct Welcome {
    /// The session.
    pub live: LiveSession,
    /// What it is known by.
    pub device: Device,
    /// What the caller takes along, once.
    pub proof: Proof,
}

/// What the caller takes along.
#[derive(Debug)]
pub enum Proof {
    /// A secret, to be sealed in a cookie.
    Cookie(FreshSecret),
    /// An access token and the refresh token that renews it.
    Tokens(Tokens),
}

/// An access token and the refresh token that renews it.
#[derive(Debug)]
pub struct Tokens {
    /// The access token.
    pub access: AccessToken,
    /// The refresh token's secret.
    pub refresh: FreshSecret,
    /// What the access token allows.
    pub scope: String,
    /// Whether both are bound to a key.
    pub is_bound: bool,
}

impl Tokens {
    /// How the access token is shown (RFC 6749, section 7.1).
    #[must_use]
    pub fn kind(&self) -> &'static str {
        if self.is_bound { "DPoP" } else { "Bearer" }
    }
}

/// A signed access token. It is a bearer secret while it lives.
pub struct AccessToken {
    /// The JWT.
    pub jwt: String,
    /// How long it lives from now.
    pub life: Duration,
}

impl std::fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AccessToken(…)")
    }
}

/// Why no token was issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The session is anonymous, or the audience is offered no longer: there is nobody to name, or
    /// no service to name them to.
    #[error("no token can be issued for this session")]
    NotOffered,
    /// There is no key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The token could not be signed.
    #[error("a token could not be signed")]
    Sign,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreFailed),
}

/// Signs an access token for a live session.
pub async fn access_token(
    app: &App,
    live: &LiveSession,
    grant: &Grant,
) -> Result<AccessToken, IssueError> {
    named_access_token(app, live, grant, app.ambient.token_id()).await
}

/// The same, under a name that is known before.
pub async fn named_access_token(
    app: &App,
    live: &LiveSession,
    grant: &Grant,
    jti: TokenId,
) -> Result<AccessToken, IssueError> {
    let (algorithm, _) = app.settings.audience(&grant.audience).ok_or(IssueError::NotOffered)?;
    let key = signing_key(app, algorithm, &grant.audience).await?;
    let now = app.ambient.now();
    let issuer = app.settings.site.issuer();
    let mut claims = grant.claims(live, issuer, jti, now).ok_or(IssueError::NotOffered)?;
    claims.status = status::place(
        app,
        PlacedToken {
            jti: claims.jti,
            sid: Some(claims.sid),
            account: Some(claims.sub),
            client: None,
            since: claims.auth_time,
            expires_at: claims.exp.after(LEEWAY),
        },
    )
    .await?;
    let lasts = claims.exp.since(now);
    let jwt = token::sign(&claims, &key).map_err(|_| IssueError::Sign)?;
    Ok(AccessToken { jwt, life: lasts })
}

/// The key that signs tokens for an audience.
pub(crate) async fn signing_key(
    app: &App,
    algorithm: Algorithm,
    audience: &str,
) -> Result<Arc<SigningKey>, KeyError> {
    let audience = if audience.is_empty() { app.settings.site.issuer() } else { audience };
    app.keys.signing((algorithm, audience), &*app.store, &app.ambient).await
}

/// Makes every key that tokens may be signed with, so that it is published before its first use.
pub async fn make_keys(app: &App) -> Result<(), KeyError> {
    signing_key(app, app.settings.algorithm, "").await?;
    for audience in &app.settings.audiences {
        signing_key(app, audience.algorithm, &audience.name).await?;
    }
    Ok(())
}
