//! What goes into an act of the store and what comes out: plain values that carry no secret.

use std::net::IpAddr;

use doorward_core::account::{Account, Epoch, PasswordVersion};
use doorward_core::binding::Bound;
use doorward_core::code::Redemption;
use doorward_core::credential::PasswordHash;
use doorward_core::data::DataKey;
use doorward_core::event::Event;
use doorward_core::grant::Grant;
use doorward_core::refresh::RefreshToken;
use doorward_core::session::{Device, Lifetimes, LiveSession, Renamed, Session, SessionRefusal};
use doorward_core::whereabouts::Whereabouts;
use doorward_wire::jose::{Algorithm, Thumbprint};
use doorward_wire::{AccountId, KeyId, SecretDigest, SessionId, TokenId, UnixTime};

/// The store could not do as asked. It is our fault: log it, answer 503, grant nothing.
#[derive(Debug, thiserror::Error)]
#[error("the store failed: {0}")]
pub struct StoreFailed(#[source] pub Box<dyn std::error::Error + Send + Sync>);

impl StoreFailed {
    /// A failure with a sentence for its cause.
    #[must_use]
    pub fn because(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

/// A new account with its password, and what happens in the same act.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// The account.
    pub account: Account,
    /// Its password's hash.
    pub password: PasswordHash,
    /// A session of this account to open in the same act: both are kept, or neither.
    pub session: Option<NewSession>,
    /// What to write in the event log in the same act.
    pub event: Event,
}

/// Why an account was not kept.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The username, or one that looks like it, or the e-mail address, is in use.
    #[error("the name is taken")]
    Taken,
    /// The setup secret is unknown, spent, or too old (only in [`Setup`](crate::Setup)).
    #[error("the setup link is spent or expired")]
    LinkSpent,
    /// The session that was to be opened with it was refused, for a reason that
    /// [`SessionError`] has, or because it is another account's.
    #[error("the session of the new account was refused")]
    SessionRefused,
    /// The store failed.
    #[error(transparent)]
    Failed(#[from] StoreFailed),
}

/// A new session, and what happens in the same act.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The session.
    pub session: Session,
    /// The version at which its owner's password was checked; none when it is nobody's. Another one
    /// by now: [`SessionError::Gone`].
    pub proved: Option<PasswordVersion>,
    /// What opened it.
    pub device: Device,
    /// Where its owner signed in from, when this is a login: remembered, and told of if it is new.
    pub whereabouts: Option<Whereabouts>,
    /// Its first refresh token, when tokens carry it.
    pub refresh: Option<RefreshToken>,
    /// The session that the browser had before, by its secret or by one that was retired. It ends in
    /// the same act, with its log entry.
    pub replaces: Option<SecretDigest>,
    /// Keys of session data that go over from the replaced session, if that one was anonymous.
    pub carry: Vec<DataKey>,
    /// What to write in the event log in the same act.
    pub event: Event,
}

/// Why a session was not opened or renamed.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The sid, the key or the refresh token is in use: never overwritten.
    #[error("a session of that name exists")]
    Taken,
    /// The session has gone or has moved on, or its account has.
    #[error("no such session")]
    Gone,
    /// The store failed.
    #[error(transparent)]
    Failed(#[from] StoreFailed),
}

/// A session as found, with its account. It may be stale: check it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The session.
    pub session: Session,
    /// What it is known by.
    pub device: Device,
    /// Its account as it is now.
    pub account: Option<Account>,
}

impl Found {
    /// Checks what was found: see [`Session::check`].
    pub fn check(
        self,
        lifetimes: &Lifetimes,
        now: UnixTime,
    ) -> Result<(LiveSession, Device), SessionRefusal> {
        Ok((self.session.check(self.account, lifetimes, now)?, self.device))
    }
}

/// A new secret for a session whose owner has proved themselves again, and what happens in the same
/// act.
#[derive(Clone, Debug)]
pub struct NewSecret {
    /// The session under its new secret.
    pub renamed: Renamed,
    /// Where its owner has proved themselves: the device that the session is known by from now on.
    pub device: Device,
    /// The version at which the password was checked. Another one by now: [`SessionError::Gone`].
    pub proved: PasswordVersion,
    /// The one refresh token that the session has from now on, when tokens carry it: its other
    /// refresh tokens go.
    pub refresh: Option<RefreshToken>,
    /// What to write in the event log in the same act.
    pub event: Event,
}

/// A session to be bound, and what happens in the same act.
#[derive(Clone, Debug)]
pub struct NewBinding {
    /// The session.
    pub sid: SessionId,
    /// The name of its key, and since when.
    pub bound: Bound,
    /// The public key, as a JWK.
    pub jwk: String,
    /// The number of the challenge that was answered with it.
    pub spent: u64,
    /// What to write in the event log in the same act.
    pub event: Event,
}

/// Why a session was not bound.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// It is bound already, to this key or to another.
    #[error("the session is bound")]
    Bound,
    /// It has gone, or is carried by tokens.
    #[error("no such session")]
    Gone,
    /// The store failed.
    #[error(transparent)]
    Failed(#[from] StoreFailed),
}

/// The key that a session is bound to, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptBinding {
    /// The public key, as a JWK.
    pub jwk: String,
    /// The number of the newest challenge that was answered.
    pub spent: u64,
}

/// What became of the answer to a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spending {
    /// It counts.
    Counted,
    /// The challenge, or a later one, was answered before.
    Late,
    /// The session has gone, or is not bound.
    Gone,
}

/// A change of password, and what happens in the same act.
#[derive(Clone, Debug)]
pub struct PasswordChange {
    /// Whose.
    pub account: AccountId,
    /// The epoch that the old password was checked in. Another one: [`SessionError::Gone`].
    pub expected: Epoch,
    /// The version at which the old password was checked. Another one by now:
    /// [`SessionError::Gone`].
    pub expected_password: PasswordVersion,
    /// The new password's hash.
    pub password: PasswordHash,
    /// The session in which it was changed, under its new secret. Its owner's epoch is the
    /// account's new epoch: `expected` when the other sessions stay, else the one after it.
    pub renamed: Renamed,
    /// Where it was changed: the device that the session is known by from now on.
    pub device: Device,
    /// The one refresh token that the session has from now on, when tokens carry it: its other
    /// refresh tokens go.
    pub refresh: Option<RefreshToken>,
    /// What to write in the event log in the same act.
    pub event: Event,
    /// What to write for each other session that ends.
    pub ended: Ending,
}

/// How the end of a session is told.
#[derive(Clone, Debug)]
pub struct Ending {
    /// When.
    pub now: UnixTime,
    /// The event to write. Each ended session gets its own, with its own sid and a fresh id that
    /// the backend derives from this one's by adding 1.
    pub event: Event,
}

/// A refresh token presented.
#[derive(Clone, Debug)]
pub struct Presented {
    /// The digest of the presented secret.
    pub key: SecretDigest,
    /// What its successor would be derived from, if this is its first use.
    pub salt: [u8; 32],
    /// The digest of the successor that `salt` gives.
    pub successor: SecretDigest,
    /// Whose it says it is, as its [`Grant`] names them. To anybody else it is unknown.
    pub client: String,
    /// The limits that its session is held to.
    pub lifetimes: Lifetimes,
    /// When.
    pub now: UnixTime,
    /// Where.
    pub ip: Option<IpAddr>,
    /// The key that it was presented with, by a proof that was checked. Another than it is bound to, or
    /// one where it is bound to none, and nothing is changed.
    pub jkt: Option<Thumbprint>,
    /// Whether whoever presents it does not look like the session's owner: they get nothing, and the
    /// token is left as it is for the owner. A reuse is one all the same.
    pub withheld: bool,
    /// What to write when the session ends because of a reuse.
    pub reuse: Event,
}

/// A refresh token that counted.
#[derive(Debug)]
pub struct Rotated {
    /// The session it hangs from.
    pub live: LiveSession,
    /// What the session is known by.
    pub device: Device,
    /// What its access tokens may be used for.
    pub grant: Grant,
    /// What the successor is derived from: the presented salt, or the one of the first use.
    pub salt: [u8; 32],
}

/// An authorization code presented.
#[derive(Clone, Debug)]
pub struct Redeeming {
    /// The digest of the presented secret.
    pub key: SecretDigest,
    /// Who presents it, and what they know.
    pub redemption: Redemption,
    /// The digest of the refresh token that is to come of it, if one is.
    pub refresh: Option<SecretDigest>,
    /// The access token that is to come of it.
    pub token: TokenId,
    /// The key that both are to be bound to.
    pub jkt: Option<Thumbprint>,
    /// The limits that its session is held to.
    pub lifetimes: Lifetimes,
    /// When.
    pub now: UnixTime,
}

/// An authorization code that counted.
#[derive(Debug)]
pub struct Redeemed {
    /// The session that the tokens hang from.
    pub live: LiveSession,
    /// What the session is known by.
    pub device: Device,
    /// What the tokens may be used for.
    pub grant: Grant,
}

/// Why an authorization code did not count.
#[derive(Debug, thiserror::Error)]
pub enum RedeemError {
    /// There is none, or it is not theirs, or it is over: nothing was changed.
    #[error("the code does not count")]
    Refused,
    /// It was used before: what came of it has just ended, in this session.
    #[error("the code was used before")]
    Again(SessionId),
    /// The store failed.
    #[error(transparent)]
    Failed(#[from] StoreFailed),
}

/// Why a personal access token was not kept.
#[derive(Debug, thiserror::Error)]
pub enum PersonalError {
    /// The account has as many as may be.
    #[error("as many personal access tokens as an account may have")]
    TooMany,
    /// The account has ended everything since, is disabled, or gone.
    #[error("the account counts no longer as it was")]
    Gone,
    /// The store failed.
    #[error(transparent)]
    Failed(#[from] StoreFailed),
}

/// What became of a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofSpending {
    /// It was shown for the first time.
    First,
    /// It was shown before.
    Again,
    /// There is no room to remember it in, so it must not count.
    Full,
}

/// Why a refresh token did not count.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// No such token: never issued, or its session has ended.
    #[error("no such refresh token")]
    Unknown,
    /// Its session counts no longer.
    #[error("the session counts no longer: {0:?}")]
    Refused(SessionRefusal),
    /// It was used before: its session has just been ended.
    #[error("the refresh token was used before")]
    Reused(SessionId),
    /// It is bound to another key than was shown, or a key was shown and it is bound to none: nothing was
    /// changed.
    #[error("the refresh token is bound to another key, or to none")]
    Key,
    /// It would have counted, and was [withheld](Presented::withheld): nothing was changed.
    #[error("the refresh token was withheld")]
    Withheld,
    /// The store failed.
    #[error(transparent)]
    Failed(#[from] StoreFailed),
}

/// A signing key at rest.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedKey {
    /// Its name.
    pub kid: KeyId,
    /// The one algorithm it signs with.
    pub algorithm: Algorithm,
    /// Which of its algorithm's it is: one more than the one before.
    pub number: u64,
    /// The private key, sealed for the purpose `kid`.
    pub sealed: Vec<u8>,
    /// When it was made, and announced.
    pub created_at: UnixTime,
    /// From when it signs.
    pub active_at: UnixTime,
    /// When it was retired by hand.
    pub retired_at: Option<UnixTime>,
}

impl std::fmt::Debug for SealedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealedKey({})", self.kid)
    }
}

/// A protected site as an administrator said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptSite {
    /// Where it is reached, in its one spelling: its name.
    pub origin: String,
    /// Who may open what of it, as JSON. The store does not read it.
    pub document: String,
    /// When it was said.
    pub changed_at: UnixTime,
}

/// What became of a site that was to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SiteKeeping {
    /// There was none of its origin.
    New,
    /// It took the place of the one before.
    Replaced,
    /// There are as many as may be, and nothing was kept.
    Full,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Whether there are more after the last of them.
    pub more: bool,
}

/// What a sweep of the sessions came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swept {
    /// How many it forgot.
    pub forgotten: u64,
    /// Whether it came to the last session. The next sweep begins with the first again.
    pub is_done: bool,
}

/// What a write of session data came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The version that the key has now.
    pub version: u64,
    /// Whether there was no such key before.
    pub is_new: bool,
}

/// Why session data was not written.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The session has gone: nothing was written.
    #[error("no such session")]
    Gone,
    /// The key has another version: nothing was written.
    #[error("the key has version {0}")]
    Conflict(u64),
    /// The session's data would exceed [`QUOTA`](doorward_core::data::QUOTA) or
    /// [`KEY_COUNT_MAX`](doorward_core::data::KEY_COUNT_MAX): nothing was written.
    #[error("the session's data would be too large")]
    TooLarge,
    /// The store failed.
    #[error(transparent)]
    Failed(#[from] StoreFailed),
}
