//! Clients: who they are, their own tokens, and what they may know of other tokens.
//!
//! # What this module answers
//!
//! - *Guessing clients*: an id that nobody has costs what a wrong secret costs, and is refused alike.
//! - *Asking about tokens of other services* (RFC 7662, section 4): whatever a client may not know of is
//!   inactive to it, like a token that nobody ever issued.

use doorward_core::client::{Client, PREFIX, ScopeRefused};
use doorward_core::device::Device;
use doorward_core::event::{Event, EventKind};
use doorward_core::grant::{ACCESS_TOKEN_LIFE, OWN_CLIENT};
use doorward_core::revocation::PlacedToken;
use doorward_core::session::LiveSession;
use doorward_store::act::StoreFailed;
use doorward_wire::jose::Thumbprint;
use doorward_wire::token::{
    AccessClaims, Audiences, ClientClaims, Confirmation, Expectation, LEEWAY, Shown,
    VerifiedClientToken, VerifiedToken,
};
use doorward_wire::{ClientId, PresentedSecret, SecretDigest};

use super::dpop::{self, ShownProof};
use super::identify::{self, Credential, IdentifyError};
use super::issue::{self, AccessToken, IssueError};
use super::personal::{self, Personal, ShowError};
use super::refresh;
use super::status;
use crate::App;

/// A client that showed its secret. Only [`authenticate`] makes one.
#[derive(Clone, Debug)]
pub struct KnownClient(Client);

/// Why nobody is asking.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is no such client, or the secret is not its.
    #[error("no such client, or not its secret")]
    Refused,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreFailed),
}

/// Why a client was given no token.
#[derive(Debug, thiserror::Error)]
pub enum OwnTokenError {
    /// It asked for more than it may have.
    #[error(transparent)]
    Scope(#[from] ScopeRefused),
    /// There is no key, or it did not sign.
    #[error(transparent)]
    Issue(#[from] IssueError),
}

/// What a token is to a client that may know of it.
#[derive(Debug)]
pub enum Standing {
    /// Somebody's, in a session that is open.
    Account(Box<(AccessClaims, LiveSession)>),
    /// Its own.
    Own(ClientClaims),
    /// A personal access token for an audience that the client serves.
    Personal(Box<Personal>),
}

impl KnownClient {
    /// The client's id.
    #[must_use]
    pub fn id(&self) -> ClientId {
        self.0.id
    }

    /// The client.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.0
    }
}

/// A client that can keep no secret, by its id: it is known by its addresses and by PKCE alone.
pub async fn public(app: &App, id: &str) -> Result<KnownClient, ClientError> {
    let id = id.parse().map_err(|_| ClientError::Refused)?;
    let found = app.store.client(id).await?;
    found.filter(|client| client.is_public).map(KnownClient).ok_or(ClientError::Refused)
}

/// Finds out which client is asking.
pub async fn authenticate(app: &App, id: &str, secret: &str) -> Result<KnownClient, ClientError> {
    let found = match id.parse() {
        Ok(id) => app.store.client(id).await?,
        Err(_) => None,
    };
    let shown = secret.strip_prefix(PREFIX).and_then(|text| PresentedSecret::parse(text).ok());
    // Compared in constant time, also where there is nothing to compare with.
    let digest = shown.map_or(SecretDigest([0; 32]), |secret| secret.digest());
    let kept = found.as_ref().map_or(SecretDigest([1; 32]), |client| client.secret);
    match found {
        Some(client) if digest == kept => Ok(KnownClient(client)),
        Some(_) | None => {
            tracing::warn!("a client was refused");
            Err(ClientError::Refused)
        }
    }
}

/// Signs a token of the client itself, for our own API (RFC 6749, section 4.4).
pub async fn own_token(
    app: &App,
    KnownClient(client): &KnownClient,
    (scope, jkt): (Option<&str>, Option<Thumbprint>),
) -> Result<(AccessToken, String), OwnTokenError> {
    let scope = client.grant(scope)?;
    let key = issue::signing_key(app, app.settings.algorithm, "").await.map_err(IssueError::Key)?;
    let (issuer, now) = (app.settings.site.issuer(), app.ambient.now());
    let (jti, iat) = (app.ambient.token_id(), now.max(client.tokens_from));
    let exp = now.after(ACCESS_TOKEN_LIFE);
    let placed = PlacedToken {
        jti,
        sid: None,
        account: None,
        client: Some(client.id),
        since: iat,
        expires_at: exp.after(LEEWAY),
    };
    let claims = ClientClaims {
        iss: issuer.to_owned(),
        sub: client.id,
        aud: Audiences::one(issuer),
        exp,
        // One that is issued in the second of a revocation counts from the next on.
        iat,
        jti,
        client_id: client.id,
        scope: scope.clone(),
        cnf: jkt.map(|key| Confirmation { jkt: key.to_string() }),
        status: status::place(app, placed).await.map_err(IssueError::Store)?,
    };
    let jwt = claims.sign(&key).map_err(|_| IssueError::Sign)?;
    Ok((AccessToken { jwt, life: ACCESS_TOKEN_LIFE }, scope))
}

/// Reads a token of a client itself, and asks whether it counts.
pub async fn by_token(
    app: &App,
    (text, shown): (&str, Shown<'_>),
) -> Result<VerifiedClientToken, IdentifyError> {
    let issuer = app.settings.site.issuer();
    let algorithms = [app.settings.algorithm];
    let expected = Expectation { issuer, audience: issuer, algorithms: &algorithms, shown };
    let keys = app.keys.verifying();
    let token = VerifiedClientToken::verify(text, &keys, &expected, app.ambient.now())
        .map_err(|refusal| IdentifyError::Refused(identify::Refused::Token(refusal)))?;
    is_still(app, &token).await?;
    Ok(token)
}

/// The client behind a token that a request shows, if it shows one. The proof of a bound one is spent only
/// if it is a client's.
pub async fn by_credential(
    app: &App,
    credential: &Credential,
) -> Option<Result<VerifiedClientToken, IdentifyError>> {
    match credential {
        Credential::Bearer(text) => Some(by_token(app, (text, Shown::Bearer)).await),
        Credential::Bound(text, shown) => Some(by_bound_token(app, text, shown).await),
        Credential::Nothing
        | Credential::Cookie(..)
        | Credential::ForSite(..)
        | Credential::Personal(..)
        | Credential::Pass(..)
        | Credential::Unusable => None,
    }
}

async fn by_bound_token(
    app: &App,
    text: &str,
    shown: &ShownProof,
) -> Result<VerifiedClientToken, IdentifyError> {
    let proof = dpop::read(app, shown, Some(text))?;
    let jkt = proof.thumbprint().to_string();
    let token = by_token(app, (text, Shown::WithProof { jkt: &jkt })).await?;
    dpop::spend(app, &proof).await?;
    Ok(token)
}

/// Whether a client's token counts now.
pub async fn is_still(app: &App, token: &VerifiedClientToken) -> Result<(), IdentifyError> {
    token
        .check_time(app.ambient.now())
        .map_err(|refusal| IdentifyError::Refused(identify::Refused::Token(refusal)))?;
    let client = app.store.client(token.client()).await?;
    if client.is_some_and(|client| client.accepts_token_of(token.iat())) {
        return Ok(());
    }
    Err(IdentifyError::Refused(identify::Refused::TokenClient))
}

/// What a token is to a client (RFC 7662). Nothing, if it may not know of it.
pub async fn look_at(
    app: &App,
    client: &KnownClient,
    text: &str,
) -> Result<Option<Standing>, StoreFailed> {
    if personal::is_one(text) {
        return look_at_personal(app, client, text).await;
    }
    for audience in &client.0.serves {
        if let Some(token) = of_audience(app, audience, text) {
            return match identify::behind_token(app, &token).await {
                Ok((live, _)) => Ok(Some(Standing::Account(Box::new((token.unrevoked(), live))))),
                Err(IdentifyError::Store(failure)) => Err(failure),
                Err(_) => Ok(None),
            };
        }
    }
    match by_token(app, (text, Shown::AskedAbout)).await {
        Ok(token) if token.client() == client.id() => Ok(Some(Standing::Own(token.unrevoked()))),
        Err(IdentifyError::Store(failure)) => Err(failure),
        Ok(_) | Err(_) => Ok(None),
    }
}

async fn look_at_personal(
    app: &App,
    client: &KnownClient,
    text: &str,
) -> Result<Option<Standing>, StoreFailed> {
    for audience in &client.0.serves {
        let audience = if *audience == app.settings.site.issuer() { "" } else { audience };
        match personal::show(app, text, audience).await {
            Ok(found) => return Ok(Some(Standing::Personal(Box::new(found)))),
            Err(ShowError::Unknown | ShowError::Refused(_)) => {}
            Err(ShowError::Store(failure)) => return Err(failure),
        }
    }
    Ok(None)
}

/// A token of an account for an audience, whatever has become of its session.
fn of_audience(app: &App, audience: &str, text: &str) -> Option<VerifiedToken> {
    let (algorithm, _) = app.settings.audience(audience)?;
    let algorithms = [algorithm];
    let expected = Expectation {
        issuer: app.settings.site.issuer(),
        audience,
        algorithms: &algorithms,
        shown: Shown::AskedAbout,
    };
    doorward_wire::token::verify(text, &app.keys.verifying(), &expected, app.ambient.now()).ok()
}

/// The audience of the tokens that a client gets of people.
fn people_audience<'a>(app: &'a App, KnownClient(client): &'a KnownClient) -> &'a str {
    if client.audience.is_empty() { app.settings.site.issuer() } else { &client.audience }
}

/// Revokes a client's token (RFC 7009): one of its own, and with it all that it was issued for itself until
/// now; or one of a person's session, and with it all that it has of that session. Of a token that is not the
/// client's nothing is said.
pub async fn revoke_own(
    app: &App,
    client: &KnownClient,
    text: &str,
    from: &Device,
) -> Result<(), StoreFailed> {
    let sid = match refresh::read(text) {
        Some(secret) => app.store.session_of_refresh(secret.digest()).await?,
        None => of_audience(app, people_audience(app, client), text)
            .filter(|token| token.as_unrevoked().client_id == client.id().to_string())
            .map(|token| token.sid()),
    };
    if let Some(sid) = sid {
        app.store.end_grant(sid, client.id()).await?;
        return Ok(());
    }
    let is_own = match by_token(app, (text, Shown::AskedAbout)).await {
        Ok(token) => token.client() == client.id(),
        Err(IdentifyError::Store(failure)) => return Err(failure),
        Err(_) => false,
    };
    if is_own {
        let event = Event {
            reason: Some(client.id().to_string().into()),
            ..app.event(EventKind::ClientRevoked, from)
        };
        app.store.revoke_client(client.id(), app.ambient.now(), event).await?;
    }
    Ok(())
}

/// Ends the session that an access token of our own logins came from, for a program that knows no
/// other way to sign out (RFC 7009). Of any other text nothing is said.
pub async fn end_session_of(app: &App, text: &str, from: &Device) -> Result<(), StoreFailed> {
    let others = app.settings.audiences.iter().map(|audience| audience.name.as_str());
    let mut audiences = std::iter::once(app.settings.site.issuer()).chain(others);
    let Some(token) = audiences.find_map(|audience| of_audience(app, audience, text)) else {
        return Ok(());
    };
    let live = match identify::behind_token(app, &token).await {
        Ok((live, _)) => live,
        Err(IdentifyError::Store(failure)) => return Err(failure),
        Err(_) => return Ok(()),
    };
    if token.as_unrevoked().client_id == OWN_CLIENT {
        let account = live.account().map(|account| account.id);
        app.store.end_session(token.sid(), app.ending("logout", account, from)).await?;
    }
    Ok(())
}
