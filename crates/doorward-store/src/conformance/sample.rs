//! What the laws are tried on: accounts, sessions and acts, told apart by small numbers.

use std::sync::Arc;

use doorward_core::account::{Account, Email, Epoch, PasswordVersion, Role};
use doorward_core::credential::{HashParams, PasswordHash};
use doorward_core::data::DataKey;
use doorward_core::event::{Event, EventKind};
use doorward_core::grant::Grant;
use doorward_core::refresh::RefreshToken;
use doorward_core::retired::Retired;
use doorward_core::session::{
    Assurance, Carrier, Device, Lifetimes, Method, Owner, Renamed, Session, Touch,
};
use doorward_core::username::Username;
use doorward_wire::{
    AccountId, EventId, FreshSecret, PresentedSecret, SecretDigest, SessionId, UnixTime,
};
use tokio::task::JoinSet;

use crate::Store;
use crate::act::{Ending, NewAccount, NewSecret, NewSession, PasswordChange, Presented};

/// A store under trial.
pub type Tried = Arc<dyn Store>;

/// When every law begins.
pub const NOON: UnixTime = UnixTime(1_700_000_000);

/// Ids of events that laws choose themselves begin here, far from those of samples.
const EVENTS: u128 = 1 << 64;

/// A time after noon.
#[must_use]
pub fn after(seconds: u64) -> UnixTime {
    UnixTime(NOON.0 + seconds)
}

/// The `n`th secret.
#[must_use]
pub fn secret(n: u64) -> FreshSecret {
    let mut bytes = [0x5A; 32];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    FreshSecret::from_random(bytes)
}

/// The digest of the `n`th secret.
#[must_use]
pub fn key(n: u64) -> SecretDigest {
    secret(n).digest()
}

/// The `n`th password's hash.
#[must_use]
pub fn password(n: u8) -> PasswordHash {
    PasswordHash::of_nobody(&HashParams::DEFAULT, &[n; 16], &[n; 32])
}

/// A key of session data.
#[must_use]
pub fn data_key(text: &str) -> DataKey {
    DataKey::parse(text).unwrap()
}

/// The `n`th event.
#[must_use]
pub fn event(n: u64) -> Event {
    Event {
        id: EventId(EVENTS + (u128::from(n) << 16)),
        at: NOON,
        kind: EventKind::LoginSucceeded,
        account: None,
        session: None,
        ip: Some("192.0.2.1".into()),
        device: Some("Firefox on Linux".into()),
        reason: None,
    }
}

/// An ending told by the `n`th event.
#[must_use]
pub fn ending(n: u64) -> Ending {
    let event = Event { kind: EventKind::SessionEnded, reason: Some("logout".into()), ..event(n) };
    Ending { now: after(60), event }
}

/// The `n`th account, called by this name.
#[must_use]
pub fn account(n: u64, name: &str) -> NewAccount {
    let id = AccountId(n.into());
    let account = Account {
        id,
        username: Username::parse(name).unwrap(),
        email: None,
        role: Role::Member,
        epoch: Epoch(0),
        password_version: PasswordVersion(0),
        disabled: false,
        created_at: NOON,
    };
    let event = Event { kind: EventKind::AccountCreated, account: Some(id), ..event(1000 + n) };
    NewAccount { account, password: password(1), session: None, event }
}

/// The `n`th account with an address.
#[must_use]
pub fn account_at(n: u64, name: &str, address: &str) -> NewAccount {
    let mut new = account(n, name);
    new.account.email = Some(Email::parse(address).unwrap());
    new
}

/// The device that every session is opened in.
#[must_use]
pub fn device() -> Device {
    Device::seen("Mozilla/5.0 (X11; Linux) Firefox/140.0", "192.0.2.1".into())
}

/// Another one.
#[must_use]
pub fn other_device() -> Device {
    Device::seen("curl/8.5.0", "198.51.100.1".into())
}

/// The `n`th session: nobody's, under the `n`th secret.
#[must_use]
pub fn anonymous(n: u64) -> NewSession {
    let session = Session::open_anonymous(SessionId(n.into()), &secret(n), NOON);
    let device = device();
    let event =
        Event { kind: EventKind::SessionOpened, session: Some(session.sid), ..event(2000 + n) };
    NewSession {
        session,
        proved: None,
        device,
        whereabouts: None,
        refresh: None,
        replaces: None,
        carry: Vec::new(),
        event,
    }
}

/// The `n`th session, of an account in its first epoch and with its first password.
#[must_use]
pub fn session(n: u64, account: u64) -> NewSession {
    let mut new = anonymous(n);
    new.session.owner = Some(Owner { account: AccountId(account.into()), epoch: Epoch(0) });
    new.session.amr = vec![Method::Password];
    new.proved = Some(PasswordVersion(0));
    new
}

/// A use of a session as it was opened.
#[must_use]
pub fn used(seen_at: UnixTime) -> Touch {
    Touch { seen_at, acr: Assurance::Aal1, generation: 0, ip: None }
}

/// The `n`th session, carried by tokens; its refresh token is the `n`th secret.
#[must_use]
pub fn token_session(n: u64, account: u64) -> NewSession {
    let mut new = session(n, account);
    new.session.key = None;
    new.session.carrier = Carrier::Token;
    new.refresh = Some(refresh_token(n, n));
    new
}

/// A refresh token of the `n`th session, from the `secret`th secret.
#[must_use]
pub fn refresh_token(n: u64, secret: u64) -> RefreshToken {
    let grant = Grant {
        audience: "api".into(),
        scope: "read write".into(),
        client: "app".into(),
        jkt: None,
    };
    RefreshToken { key: key(secret), sid: SessionId(n.into()), grant, issued_at: NOON, used: None }
}

/// That session under the `n`th secret, in an epoch.
#[must_use]
pub fn renamed(new: &NewSession, n: u64, epoch: Epoch) -> Renamed {
    let session = &new.session;
    let owner = session.owner.map(|owner| Owner { epoch, ..owner });
    let key = session.key.map(|_| key(n));
    let session = Session {
        key,
        owner,
        proved_at: after(60),
        seen_at: after(60),
        generation: session.generation + 1,
        ..session.clone()
    };
    let retired = new.session.key.map(|key| Retired {
        key,
        at: after(60),
        reads: true,
        proved_at: new.session.proved_at,
        acr: new.session.acr,
    });
    Renamed { retired, session }
}

/// The `n`th secret for that session, in its owner's first epoch, after their first password was
/// checked again.
#[must_use]
pub fn new_secret(new: &NewSession, n: u64, event: Event) -> NewSecret {
    let renamed = renamed(new, n, Epoch(0));
    NewSecret { renamed, device: device(), proved: PasswordVersion(0), refresh: None, event }
}

/// A change of the first password of that session's owner, in their first epoch, to the `n`th
/// password, under the `n`th secret. The others end.
#[must_use]
pub fn change(new: &NewSession, n: u8) -> PasswordChange {
    PasswordChange {
        account: new.session.owner.unwrap().account,
        expected: Epoch(0),
        expected_password: PasswordVersion(0),
        password: password(n),
        renamed: renamed(new, n.into(), Epoch(1)),
        device: device(),
        refresh: None,
        event: Event { kind: EventKind::PasswordChanged, ..event(3000 + u64::from(n)) },
        ended: ending(4000 + u64::from(n)),
    }
}

/// A presentation of a secret, with the `salt`th salt.
#[must_use]
pub fn presented(secret: &FreshSecret, salt: u8, now: UnixTime) -> Presented {
    let salt = [salt; 32];
    let presented = PresentedSecret::parse(&secret.expose()).unwrap();
    Presented {
        key: secret.digest(),
        salt,
        successor: presented.successor(&salt).digest(),
        client: "app".to_owned(),
        lifetimes: Lifetimes::default(),
        now,
        ip: None,
        jkt: None,
        withheld: false,
        reuse: Event { kind: EventKind::TokenReuseDetected, ..event(5000) },
    }
}

/// The secret that follows this one under the `salt`th salt.
#[must_use]
pub fn successor(secret: &FreshSecret, salt: u8) -> FreshSecret {
    PresentedSecret::parse(&secret.expose()).unwrap().successor(&[salt; 32])
}

/// The password of an account, whatever its version.
pub async fn password_of(store: &Tried, account: AccountId) -> Option<PasswordHash> {
    store.password(account).await.unwrap().map(|(password, _)| password)
}

/// Keeps Ada, account 1, and Grace, account 2.
pub async fn with_two_accounts(store: &Tried) {
    store.open_account(account(1, "ada")).await.unwrap();
    store.open_account(account(2, "grace")).await.unwrap();
}

/// Opens sessions.
pub async fn open(store: &Tried, sessions: &[&NewSession]) {
    for new in sessions {
        store.open_session((*new).clone()).await.unwrap();
    }
}

/// Does something `count` times at once, and gathers what came of it.
pub async fn at_once<T, F>(store: &Tried, count: u64, act: impl Fn(Tried, u64) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut acts = JoinSet::new();
    for n in 0..count {
        acts.spawn(act(Arc::clone(store), n));
    }
    acts.join_all().await
}

/// Checks that a session is there, or is not.
#[track_caller]
pub fn check_there(found: Option<&crate::act::Found>, there: bool) {
    assert_eq!(found.is_some(), there, "{found:?}");
}
