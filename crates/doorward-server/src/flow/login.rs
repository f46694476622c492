//! Logging in with a username and a password.
//!
//! ```text
//!   Attempt ──▶ account found or not ──▶ hash pool ──▶ Proven ──▶ Session ──▶ store ──▶ Welcome
//! ```

use doorward_core::account::Account;
use doorward_core::credential::{self, NotProven, Password, PasswordHash, Proven};
use doorward_core::data::DataKey;
use doorward_core::event::{Event, EventKind};
use doorward_core::grant::{self, Grant, OWN_CLIENT};
use doorward_core::refresh::RefreshToken;
use doorward_core::session::{Carrier, Device, Session, Wish};
use doorward_core::username::Username;
use doorward_store::act::{NewSession, SessionError, StoreFailed};
use doorward_wire::dpop::Proof;
use doorward_wire::{AccountId, SecretDigest};

use super::dpop::{self, DpopError};
use super::issue::{self, IssueError, Tokens, Welcome};
use crate::App;
use crate::hashing::Busy;

/// What somebody who wants to log in says.
pub struct Attempt {
    /// The name, as typed.
    pub username: String,
    /// The password, as typed.
    pub password: Password,
    /// What is to carry the session.
    pub wish: Wish,
    /// What the access tokens are to allow.
    pub scope: String,
    /// The service that the access tokens are for. Empty means our own API.
    pub audience: String,
    /// A proof of the key that the tokens are to be bound to. It was read, and is still to be spent.
    pub proof: Option<Proof>,
    /// Keys of session data to take along from the anonymous session before.
    pub carry: Vec<DataKey>,
    /// The session that the browser had before. It does not survive a login.
    pub before: Option<SecretDigest>,
    /// Where this comes from.
    pub device: Device,
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// No such account, or the wrong password. We never say which.
    #[error("wrong username or password")]
    Wrong,
    /// The audience is not one that tokens may be for.
    #[error("unknown audience")]
    UnknownAudience,
    /// The scope is not one.
    #[error("malformed scope")]
    MalformedScope,
    /// Too many logins at once.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The password could not be checked: the machine had no memory for it.
    #[error("a password could not be checked")]
    Hash,
    /// The proof of a key does not count.
    #[error(transparent)]
    Proof(#[from] DpopError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreFailed),
    /// The tokens could not be issued.
    #[error(transparent)]
    Issue(#[from] IssueError),
}

/// Checks a password and opens a session.
pub async fn login(app: &App, attempt: Attempt) -> Result<Welcome, LoginError> {
    let (_, offered) =
        app.settings.audience(&attempt.audience).ok_or(LoginError::UnknownAudience)?;
    grant::check_form(&attempt.scope).map_err(|_| LoginError::MalformedScope)?;
    let (proven, account) =
        prove(app, &attempt.username, attempt.password, &attempt.device).await?;
    let scope = grant::narrow(&attempt.scope, &account, &offered)
        .map_err(|_| LoginError::MalformedScope)?;
    let jkt = dpop::accept(app, attempt.proof.as_ref()).await?;

    let (sid, secret, now) = (app.ambient.session_id(), app.ambient.secret(), app.ambient.now());
    let session = Session::open((&proven, account.epoch), attempt.wish, (sid, &secret), now);
    let grant = Grant { audience: attempt.audience, scope, client: OWN_CLIENT.to_owned(), jkt };
    let refresh = (attempt.wish.carrier == Carrier::Token).then(|| RefreshToken {
        key: secret.digest(),
        sid,
        grant: grant.clone(),
        issued_at: now,
        used: None,
    });
    let event = Event {
        account: Some(account.id),
        session: Some(sid),
        ..app.event(EventKind::LoginSucceeded, &attempt.device)
    };
    let new = NewSession {
        session: session.clone(),
        proved: Some(account.password_version),
        device: attempt.device.clone(),
        whereabouts: Some(app.whereabouts(&attempt.device)),
        refresh,
        replaces: attempt.before,
        carry: attempt.carry,
        event,
    };
    // Signed before the session is kept: a key that cannot be had leaves no session behind.
    let live = session
        .check(Some(account), &app.settings.lifetimes, now)
        .map_err(|_| LoginError::Wrong)?;
    let proof = match attempt.wish.carrier {
        Carrier::Cookie => issue::Proof::Cookie(secret),
        Carrier::Token => issue::Proof::Tokens(Tokens {
            access: issue::access_token(app, &live, &grant).await?,
            refresh: secret,
            scope: grant.scope,
            is_bound: grant.jkt.is_some(),
        }),
    };
    app.store.open_session(new).await.map_err(|error| match error {
        // While the password was being checked it was changed, or everything was signed out, or the
        // account was disabled.
        SessionError::Gone => LoginError::Wrong,
        SessionError::Taken => {
            LoginError::Store(StoreFailed::because("a fresh id or secret was in use"))
        }
        SessionError::Failed(failure) => LoginError::Store(failure),
    })?;
    Ok(Welcome { live, device: attempt.device, proof })
}

/// Checks a password: the same work whether there is such an account or not.
async fn prove(
    app: &App,
    typed_name: &str,
    password: Password,
    device: &Device,
) -> Result<(Proven, Account), LoginError> {
    let found = match Username::parse(typed_name) {
        Ok(username) => app.store.account_named(&username).await?,
        Err(_) => None,
    };
    let (account, kept) = found.unzip();
    let id = account.as_ref().map(|account| account.id);
    let refused = |reason: &'static str| {
        app.note(Event {
            account: id,
            reason: Some(reason.into()),
            ..app.event(EventKind::LoginFailed, device)
        });
        LoginError::Wrong
    };
    let checked = check(app, id.zip(kept), password).await?;
    let Some(account) = account else { return Err(refused("unknown-account")) };
    let checked = checked.map_err(|error| match error {
        NotProven::WrongCredentials => refused("wrong-password"),
        NotProven::Failed(_) => LoginError::Hash,
    })?;
    if account.disabled {
        return Err(refused("account-disabled"));
    }
    if let Some((old, new)) = checked.rehashed {
        app.store.rehash(account.id, &old, new).await?;
    }
    Ok((checked.proven, account))
}

/// A password that was right.
pub(super) struct Checked {
    /// Whose it is.
    pub(super) proven: Proven,
    /// The kept hash, and one of the same password at today's cost when the kept one is not.
    pub(super) rehashed: Option<(PasswordHash, PasswordHash)>,
}

/// Checks a password on the hash pool, and hashes it anew when today's cost is another.
pub(super) async fn check(
    app: &App,
    found: Option<(AccountId, PasswordHash)>,
    password: Password,
) -> Result<Result<Checked, NotProven>, Busy> {
    let (nobody, params) = (app.nobody.clone(), app.settings.hash);
    let salt = app.ambient.random();
    app.hashing
        .run(move |hasher| {
            let kept = found.as_ref().map(|(id, hash)| (*id, hash));
            let proven = credential::verify(hasher, &password, kept, &nobody)?;
            let stale = found.filter(|_| proven.wants_rehash());
            let rehashed = match stale {
                Some((_, old)) => Some((old, proven.rehash(&password, (&params, &salt), hasher)?)),
                None => None,
            };
            Ok(Checked { proven, rehashed })
        })
        .await
}
