//! Proving oneself again, and changing the password. Both give the session a new secret.

use doorward_core::account::{Account, PasswordVersion};
use doorward_core::credential::{NotProven, Password, PasswordRefusal, Proven};
use doorward_core::event::{Event, EventKind};
use doorward_core::grant::{Grant, OWN_CLIENT};
use doorward_core::refresh::RefreshToken;
use doorward_core::session::{Carrier, Device, LiveSession, Renamed};
use doorward_store::act::{NewSecret, PasswordChange, SessionError, StoreFailed};
use doorward_wire::FreshSecret;

use super::account::{HashError, hash};
use super::identify::Caller;
use super::issue::{self, IssueError, Proof, Tokens, Welcome};
use super::login;
use crate::App;
use crate::hashing::Busy;

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The current password is wrong.
    #[error("wrong password")]
    Wrong,
    /// The new password cannot be accepted.
    #[error("the new password is not acceptable")]
    Unacceptable(PasswordRefusal),
    /// The session is anonymous, or ended meanwhile.
    #[error("the session has gone")]
    Gone,
    /// Too many passwords to check at once.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The new password could not be hashed.
    #[error("a password could not be hashed")]
    Hash,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreFailed),
    /// The tokens could not be issued.
    #[error(transparent)]
    Issue(#[from] IssueError),
}

/// What a change of password asks for.
pub struct Change {
    /// The password until now.
    pub current: Password,
    /// The password from now on.
    pub new: Password,
    /// Whether the account's other sessions stay.
    pub keep_others: bool,
}

/// Checks the owner's password once more and gives the session a new secret.
///
/// The session is known by `device` from then on: whoever was asked whether it is still them has
/// answered.
pub async fn reauthenticate(
    app: &App,
    caller: &Caller,
    password: Password,
    device: Device,
) -> Result<Welcome, ProveError> {
    let account = caller.live().account().ok_or(ProveError::Gone)?;
    let (proven, at_version) = prove(app, account, password, &device).await?;
    let (next, renamed) = rename(app, caller, (&proven, account.clone()))?;
    let event = Event {
        account: Some(account.id),
        session: Some(caller.sid()),
        ..app.event(EventKind::SessionReauthenticated, &device)
    };
    let (welcome, refresh) = welcome(app, caller, next, device.clone()).await?;
    app.store.rename(NewSecret { renamed, device, proved: at_version, refresh, event }).await?;
    Ok(welcome)
}

/// Changes the password. Other sessions end unless they are kept; this one gets a new secret.
pub async fn change(
    app: &App,
    caller: &Caller,
    change: Change,
    device: Device,
) -> Result<Welcome, ProveError> {
    let account = caller.live().account().ok_or(ProveError::Gone)?;
    let context =
        [account.username.as_str(), account.email.as_ref().map_or("", |email| email.as_str())];
    let new =
        change.new.accept(&app.settings.password, &context).map_err(ProveError::Unacceptable)?;
    let (proven, expected_password) = prove(app, account, change.current, &device).await?;
    let password = hash(app, new).await.map_err(|error| match error {
        HashError::Busy(busy) => ProveError::Busy(busy),
        HashError::Hash => ProveError::Hash,
    })?;
    let epoch = if change.keep_others { account.epoch } else { account.epoch.next() };
    let (next, renamed) = rename(app, caller, (&proven, Account { epoch, ..account.clone() }))?;
    let event = Event {
        account: Some(account.id),
        session: Some(caller.sid()),
        ..app.event(EventKind::PasswordChanged, &device)
    };
    let ended = app.ending("password-changed", Some(account.id), &device);
    let (welcome, refresh) = welcome(app, caller, next, device.clone()).await?;
    app.store
        .change_password(PasswordChange {
            account: account.id,
            expected: account.epoch,
            expected_password,
            password,
            renamed: renamed.dead_at_once(),
            device,
            refresh,
            event,
            ended,
        })
        .await?;
    Ok(welcome)
}

/// Checks the owner's password once more, and says at which version.
async fn prove(
    app: &App,
    account: &Account,
    password: Password,
    from: &Device,
) -> Result<(Proven, PasswordVersion), ProveError> {
    let kept = app.store.password(account.id).await?;
    let (kept, version) = kept.ok_or(ProveError::Gone)?;
    let checked = login::check(app, Some((account.id, kept)), password).await?;
    match checked {
        Ok(checked) => Ok((checked.proven, version)),
        Err(NotProven::Failed(_)) => Err(ProveError::Hash),
        Err(NotProven::WrongCredentials) => {
            app.note(Event {
                account: Some(account.id),
                reason: Some("wrong-password".into()),
                ..app.event(EventKind::LoginFailed, from)
            });
            Err(ProveError::Wrong)
        }
    }
}

/// The session as it will be, and the secret it will answer to.
struct Next {
    live: LiveSession,
    secret: FreshSecret,
}

fn rename(
    app: &App,
    caller: &Caller,
    (proven, account): (&Proven, Account),
) -> Result<(Next, Renamed), ProveError> {
    let (secret, now) = (app.ambient.secret(), app.ambient.now());
    let renamed = caller
        .live()
        .rename((proven, account.epoch), &secret, now)
        .map_err(|_| ProveError::Gone)?;
    let live = renamed
        .session
        .clone()
        .check(Some(account), &app.settings.lifetimes, now)
        .map_err(|_| ProveError::Gone)?;
    Ok((Next { live, secret }, renamed))
}

async fn welcome(
    app: &App,
    caller: &Caller,
    next: Next,
    device: Device,
) -> Result<(Welcome, Option<RefreshToken>), ProveError> {
    let session = next.live.session();
    if session.carrier == Carrier::Cookie {
        return Ok((Welcome { live: next.live, device, proof: Proof::Cookie(next.secret) }, None));
    }
    let grant = Grant {
        audience: String::new(),
        scope: caller.scope().unwrap_or_default().to_owned(),
        client: OWN_CLIENT.to_owned(),
        jkt: caller.jkt(),
    };
    let refresh = RefreshToken {
        key: next.secret.digest(),
        sid: session.sid,
        grant: grant.clone(),
        issued_at: app.ambient.now(),
        used: None,
    };
    let access = issue::access_token(app, &next.live, &grant).await?;
    let is_bound = grant.jkt.is_some();
    let tokens = Tokens { access, refresh: next.secret, scope: grant.scope, is_bound };
    Ok((Welcome { live: next.live, device, proof: Proof::Tokens(tokens) }, Some(refresh)))
}

impl From<SessionError> for ProveError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Gone => Self::Gone,
            SessionError::Taken => {
                Self::Store(StoreFailed::because("a fresh id or secret was in use"))
            }
            SessionError::Failed(failure) => Self::Store(failure),
        }
    }
}
