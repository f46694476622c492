//! Making an account.

use std::time::Duration;

use doorward_core::account::{Account, Email, Epoch, PasswordVersion, Role};
use doorward_core::credential::{NewPassword, Password, PasswordHash, PasswordRefusal, Proven};
use doorward_core::event::{Event, EventKind};
use doorward_core::session::{Carrier, Device, Session, Wish};
use doorward_core::username::{Username, UsernameRefusal};
use doorward_store::act::{AccountError, NewAccount, NewSession, StoreFailed};
use doorward_wire::{EventId, SecretDigest};

use super::issue::{Proof, Welcome};
use super::login::{Attempt, LoginError, login};
use crate::App;
use crate::hashing::Busy;

/// What somebody who wants an account says.
pub struct Application {
    /// The name to log in with, as typed.
    pub username: String,
    /// An address, as typed. Empty means none.
    pub email: String,
    /// The password, as typed.
    pub password: Password,
    /// Where this comes from.
    pub from: Device,
}

/// Why there is no account.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// Nobody may make an account here but an administrator.
    #[error("registration is closed")]
    Closed,
    /// The setup link is unknown, spent or too old.
    #[error("the setup link does not count")]
    LinkSpent,
    /// Something that was said cannot be accepted.
    #[error("the application is not acceptable")]
    Invalid(Faults),
    /// The name, one that looks like it, or the address is in use.
    #[error("the username is taken")]
    Taken,
    /// Too many passwords to hash at once.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The password could not be hashed.
    #[error("a password could not be hashed")]
    Hash,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreFailed),
}

/// What cannot be accepted, all at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// The username.
    pub username: Option<UsernameRefusal>,
    /// Whether the address is not one.
    pub email: bool,
    /// The password.
    pub password: Option<PasswordRefusal>,
}

/// The browser that a new account's owner sits at.
pub struct Entry {
    /// The session that the browser had before. It does not survive.
    pub before: Option<SecretDigest>,
    /// The browser.
    pub device: Device,
}

/// Makes a member's account, if registration is open.
pub async fn register(app: &App, application: Application) -> Result<Account, RegisterError> {
    check_open(app)?;
    let (new, _) = prepare(app, application, Role::Member).await?;
    let account = new.account.clone();
    app.store.open_account(new).await?;
    Ok(account)
}

/// Makes a member's account and signs its owner in, in one act.
pub async fn register_and_enter(
    app: &App,
    application: Application,
    entry: Entry,
) -> Result<Welcome, RegisterError> {
    check_open(app)?;
    let again = Again::of(&application);
    let (mut new, proven) = prepare(app, application, Role::Member).await?;
    let device = entry.device.clone();
    let welcome = enter(app, &mut new, &proven, entry)?;
    match app.store.open_account(new).await {
        Ok(()) => Ok(welcome),
        Err(AccountError::Taken) => again.enter(app, device, RegisterError::Taken).await,
        Err(error) => Err(error.into()),
    }
}

/// How long after an account was made the same form may come again.
const AGAIN_WITHIN: Duration = Duration::from_mins(1);

/// A form that may come twice: a button pressed twice, or a page loaded again. What it asked for is
/// done by then, and whoever sent it should be in, not told that their own name is taken.
struct Again {
    username: String,
    email: String,
    password: Password,
}

impl Again {
    fn of(application: &Application) -> Self {
        let Application { username, email, password, .. } = application;
        Self { username: username.clone(), email: email.clone(), password: password.clone() }
    }

    /// Signs in whoever has just made this very account: as at any login, by its password. Of an
    /// account that is older, or called a little differently, nothing is tried, so that this is no
    /// other way to guess. Anybody else gets the refusal.
    async fn enter(
        self,
        app: &App,
        device: Device,
        refusal: RegisterError,
    ) -> Result<Welcome, RegisterError> {
        let Ok(username) = Username::parse(&self.username) else { return Err(refusal) };
        let found = app.store.account_named(&username).await?.map(|(account, _)| account);
        let is_same = |account: &Account| {
            account.username.as_str() == self.username
                && account.email.as_ref().map_or("", Email::as_str) == self.email
                && app.ambient.now().since(account.created_at) < AGAIN_WITHIN
        };
        if !found.is_some_and(|account| is_same(&account)) {
            return Err(refusal);
        }
        let attempt = Attempt {
            username: self.username,
            password: self.password,
            wish: Wish { carrier: Carrier::Cookie, remembered: false },
            scope: String::new(),
            audience: String::new(),
            proof: None,
            carry: app.settings.carry.clone(),
            before: None,
            device,
        };
        login(app, attempt).await.map_err(|error| match error {
            LoginError::Busy(busy) => RegisterError::Busy(busy),
            LoginError::Hash => RegisterError::Hash,
            LoginError::Store(failure) => RegisterError::Store(failure),
            LoginError::Wrong
            | LoginError::UnknownAudience
            | LoginError::MalformedScope
            | LoginError::Proof(_)
            | LoginError::Issue(_) => refusal,
        })
    }
}

fn check_open(app: &App) -> Result<(), RegisterError> {
    if app.settings.registration_open { Ok(()) } else { Err(RegisterError::Closed) }
}

/// Lays out the first session of a new account, to be opened in the act that makes the account.
pub(super) fn enter(
    app: &App,
    new: &mut NewAccount,
    proven: &Proven,
    entry: Entry,
) -> Result<Welcome, RegisterError> {
    let (sid, secret, now) = (app.ambient.session_id(), app.ambient.secret(), app.ambient.now());
    let wish = Wish { carrier: Carrier::Cookie, remembered: false };
    let session = Session::open((proven, new.account.epoch), wish, (sid, &secret), now);
    let event = Event {
        // Right after the account's own, whatever the clock says: nobody signs in before they are.
        id: EventId(new.event.id.0.wrapping_add(1)),
        account: Some(new.account.id),
        session: Some(sid),
        ..app.event(EventKind::LoginSucceeded, &entry.device)
    };
    new.session = Some(NewSession {
        session: session.clone(),
        proved: Some(new.account.password_version),
        device: entry.device.clone(),
        whereabouts: Some(app.whereabouts(&entry.device)),
        refresh: None,
        replaces: entry.before,
        carry: app.settings.carry.clone(),
        event,
    });
    let live = session.check(Some(new.account.clone()), &app.settings.lifetimes, now);
    let live = live.map_err(|_| {
        RegisterError::Store(StoreFailed::because("a session of no length was configured"))
    })?;
    Ok(Welcome { live, device: entry.device, proof: Proof::Cookie(secret) })
}

/// Parses everything, hashes the password, and lays the account out for the store.
pub async fn prepare(
    app: &App,
    application: Application,
    role: Role,
) -> Result<(NewAccount, Proven), RegisterError> {
    // An address as a name would be somebody's, and nobody has shown that it is theirs.
    let username = Username::parse(&application.username)
        .and_then(|name| if name.is_address() { Err(UsernameRefusal::Address) } else { Ok(name) });
    let email = match application.email.as_str() {
        "" => Ok(None),
        text => Email::parse(text).map(Some),
    };
    let context = [application.username.as_str(), application.email.as_str()];
    let password = application.password.accept(&app.settings.password, &context);
    let (username, email, password) = match (username, email, password) {
        (Ok(username), Ok(email), Ok(password)) => (username, email, password),
        (username, email, password) => {
            return Err(RegisterError::Invalid(Faults {
                username: username.err(),
                email: email.is_err(),
                password: password.err(),
            }));
        }
    };
    let account = Account {
        id: app.ambient.account_id(),
        username,
        email,
        role,
        epoch: Epoch::default(),
        password_version: PasswordVersion::default(),
        disabled: false,
        created_at: app.ambient.now(),
    };
    let event = Event {
        account: Some(account.id),
        ..app.event(EventKind::AccountCreated, &application.from)
    };
    let proven = password.dangerous_proof_of_new(account.id);
    let password = hash(app, password).await?;
    Ok((NewAccount { account, password, session: None, event }, proven))
}

/// Hashes a new password on the hash pool.
pub(super) async fn hash(app: &App, password: NewPassword) -> Result<PasswordHash, HashError> {
    let (params, salt) = (app.settings.hash, app.ambient.random());
    let hashed = app.hashing.run(move |hasher| password.hash(&params, &salt, hasher)).await?;
    hashed.map_err(|_| HashError::Hash)
}

/// Why a password was not hashed.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// Too many at once.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The engine refused.
    #[error("a password could not be hashed")]
    Hash,
}

impl From<HashError> for RegisterError {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Busy(busy) => Self::Busy(busy),
            HashError::Hash => Self::Hash,
        }
    }
}

impl From<AccountError> for RegisterError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Taken => Self::Taken,
            AccountError::LinkSpent => Self::LinkSpent,
            AccountError::SessionRefused => {
                Self::Store(StoreFailed::because("a fresh id or secret was in use"))
            }
            AccountError::Failed(failure) => Self::Store(failure),
        }
    }
}
