//! The promises that every backend makes.

use async_trait::async_trait;
use doorward_core::account::{Account, PasswordVersion};
use doorward_core::client::Client;
use doorward_core::code::Code;
use doorward_core::credential::PasswordHash;
use doorward_core::data::{DataKey, Datum, Precondition};
use doorward_core::event::Event;
use doorward_core::personal::PersonalToken;
use doorward_core::refresh::HangingToken;
use doorward_core::retired::Retired;
use doorward_core::revocation::{LogEntry, PlacedToken};
use doorward_core::session::{Lifetimes, Touch};
use doorward_core::signal::{Signal, Stream};
use doorward_core::username::Username;
use doorward_wire::{
    AccountId, ClientId, EventId, KeyId, SecretDigest, SessionId, StreamId, TokenId, UnixTime,
};
use tokio::sync::watch;

use crate::act::{
    AccountError, BindError, DataError, Ending, Found, KeptBinding, KeptSite, NewAccount,
    NewBinding, NewSecret, NewSession, Page, PasswordChange, PersonalError, Presented,
    ProofSpending, RedeemError, Redeemed, Redeeming, RotateError, Rotated, SealedKey, SessionError,
    SiteKeeping, Spending, StoreFailed, Swept, Written,
};

/// Keeps accounts and their passwords.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Keeps a new account, and opens its first session. A username in use, or one that looks like
    /// it, or an e-mail address in use, is [`AccountError::Taken`].
    ///
    /// With an administrator's the setup secret is forgotten: the link for the first administrator
    /// does not outlive the first administrator.
    async fn open_account(&self, new: NewAccount) -> Result<(), AccountError>;

    /// Finds an account.
    async fn account(&self, id: AccountId) -> Result<Option<Account>, StoreFailed>;

    /// Finds an account and its password by the name it logs in with.
    async fn account_named(
        &self,
        username: &Username,
    ) -> Result<Option<(Account, PasswordHash)>, StoreFailed>;

    /// Finds the password of an account, and its version at the same moment.
    async fn password(
        &self,
        id: AccountId,
    ) -> Result<Option<(PasswordHash, PasswordVersion)>, StoreFailed>;

    /// Replaces a password's hash by one of the same password at today's cost, if it is still
    /// `old`. The password's version stays.
    async fn rehash(
        &self,
        id: AccountId,
        old: &PasswordHash,
        new: PasswordHash,
    ) -> Result<(), StoreFailed>;

    /// Changes a password and moves its version, moves the epoch unless other sessions stay, renames
    /// this session, and ends the others, each with its log entry.
    async fn change_password(&self, change: PasswordChange) -> Result<(), SessionError>;

    /// Lists accounts by id, after `after`.
    async fn accounts(
        &self,
        after: Option<AccountId>,
        limit: usize,
    ) -> Result<Page<Account>, StoreFailed>;

    /// Whether there is an administrator.
    async fn has_administrator(&self) -> Result<bool, StoreFailed>;
}

/// Keeps sessions.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Keeps a new session; ends the one it replaces; carries data over. Nothing is overwritten. If
    /// its account has moved on since the password was checked, in its epoch or its password's
    /// version, keeps nothing: [`SessionError::Gone`].
    ///
    /// A login's whereabouts are remembered, and told of when the account was not seen there lately.
    async fn open_session(&self, new: NewSession) -> Result<(), SessionError>;

    /// Finds the session that answers to a secret.
    async fn session_by_key(&self, key: SecretDigest) -> Result<Option<Found>, StoreFailed>;

    /// Finds the session that answered to a secret before it was given a new one, and what that
    /// secret was worth.
    async fn session_by_retired_key(
        &self,
        key: SecretDigest,
    ) -> Result<Option<(Found, Retired)>, StoreFailed>;

    /// Finds a session by its id.
    async fn session(&self, sid: SessionId) -> Result<Option<Found>, StoreFailed>;

    /// Lists the sessions of an account, newest first: by falling id, below `after`.
    async fn sessions_of(
        &self,
        account: AccountId,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Page<Found>, StoreFailed>;

    /// Writes the uses of sessions, as [`Session::apply`](doorward_core::session::Session::apply)
    /// does: time moves forward, never back, and the address goes with it
    /// ([`Touch::moves`]). A session that has gone stays gone.
    async fn touch(&self, touches: Vec<(SessionId, Touch)>) -> Result<(), StoreFailed>;

    /// Retires the old key and keeps the new one, with the log entry that ends the access tokens from
    /// before, and with a session carried by tokens forgets its
    /// refresh tokens but the one given. The session is known by the device given from then on. If it
    /// has gone, or was renamed meanwhile, keeps nothing: [`SessionError::Gone`].
    async fn rename(&self, new: NewSecret) -> Result<(), SessionError>;

    /// Ends a session: it, its data and its refresh tokens go, and the log says so. Says whether
    /// there was one; ending twice is no error and makes one entry.
    async fn end_session(&self, sid: SessionId, ending: Ending) -> Result<bool, StoreFailed>;

    /// Ends every session of an account but `except`, and says how many there were.
    ///
    /// The account's epoch moves too, and `except` joins the new one: a login whose password was
    /// checked before cannot open a session after.
    async fn end_sessions_of(
        &self,
        account: AccountId,
        except: Option<SessionId>,
        ending: Ending,
    ) -> Result<u64, StoreFailed>;

    /// Forgets at most `limit` sessions that no check could pass any more.
    ///
    /// Each call goes on where the one before stopped, and looks at a bounded number of sessions:
    /// call it until it is done, and each session was looked at once.
    async fn sweep(
        &self,
        lifetimes: &Lifetimes,
        now: UnixTime,
        limit: usize,
    ) -> Result<Swept, StoreFailed>;
}

/// Keeps the values that apps keep with a session.
#[async_trait]
pub trait SessionData: Send + Sync {
    /// All values of a session, by key. A session that has gone has none.
    async fn data(&self, sid: SessionId) -> Result<Vec<(DataKey, Datum)>, StoreFailed>;

    /// Writes one value, if the session is still there and the version is as expected.
    async fn write_datum(
        &self,
        sid: SessionId,
        key: &DataKey,
        json: &str,
        condition: Precondition,
    ) -> Result<Written, DataError>;

    /// Removes one value under the same conditions. Removing what is not there is no error. No later
    /// value of the session has a version that this one had.
    async fn remove_datum(
        &self,
        sid: SessionId,
        key: &DataKey,
        condition: Precondition,
    ) -> Result<(), DataError>;
}

/// Keeps the keys that sessions are bound to.
#[async_trait]
pub trait Bindings: Send + Sync {
    /// Binds a session carried by a cookie to a key, once. One that is bound stays as it is:
    /// [`BindError::Bound`].
    async fn bind(&self, new: NewBinding) -> Result<(), BindError>;

    /// Finds the key that a session is bound to.
    async fn binding(&self, sid: SessionId) -> Result<Option<KeptBinding>, StoreFailed>;

    /// Takes the answer to a challenge of this number, if it is greater than that of every one that
    /// was answered before. It is no use of the session: `seen_at` stays.
    async fn spend_challenge(&self, sid: SessionId, number: u64) -> Result<Spending, StoreFailed>;
}

/// Keeps refresh tokens.
#[async_trait]
pub trait RefreshTokens: Send + Sync {
    /// Takes a refresh token and, at its first use, keeps its successor. A reuse ends the session,
    /// with its log entry and event, in the same act. One that is to be withheld stays as it was,
    /// unless it is a reuse.
    async fn rotate(&self, presented: Presented) -> Result<Rotated, RotateError>;

    /// Finds the session that a refresh token hangs from, without using it.
    async fn session_of_refresh(&self, key: SecretDigest)
    -> Result<Option<SessionId>, StoreFailed>;

    /// Forgets what a client has of a session: what hangs on its refresh tokens there ends with them. Says
    /// whether there were any.
    async fn end_grant(&self, sid: SessionId, client: ClientId) -> Result<bool, StoreFailed>;

    /// The unused refresh tokens of these sessions, one living branch each, in the order given.
    async fn tokens_of(&self, sids: &[SessionId]) -> Result<Vec<HangingToken>, StoreFailed>;
}

/// Keeps authorization codes.
#[async_trait]
pub trait Codes: Send + Sync {
    /// Keeps a code, unless its session or its client is gone. Says whether it was kept.
    async fn keep_code(&self, code: Code) -> Result<bool, StoreFailed>;

    /// Takes a code and keeps the refresh token that comes of it, or ends what came of it before.
    async fn redeem_code(&self, redeeming: Redeeming) -> Result<Redeemed, RedeemError>;

    /// Forgets at most `limit` codes that are over.
    async fn sweep_codes(&self, now: UnixTime, limit: usize) -> Result<u64, StoreFailed>;
}

/// Keeps the proofs that were shown (RFC 9449, section 11.1), for all nodes.
#[async_trait]
pub trait Proofs: Send + Sync {
    /// Takes a proof, once. It is forgotten after `until`, when it counts no longer in itself. With `most`
    /// of them kept, no more are taken.
    async fn spend_proof(
        &self,
        key: [u8; 32],
        until: UnixTime,
        most: u64,
    ) -> Result<ProofSpending, StoreFailed>;

    /// Forgets at most `limit` proofs whose time is over, those that came first before all others.
    async fn sweep_proofs(&self, now: UnixTime, limit: usize) -> Result<u64, StoreFailed>;
}

/// Keeps personal access tokens.
#[async_trait]
pub trait PersonalTokens: Send + Sync {
    /// Keeps a new token, unless its account has moved on from its epoch, is disabled or gone, or has as
    /// many that count as may be.
    async fn add_personal(
        &self,
        token: PersonalToken,
        key: SecretDigest,
        event: Event,
    ) -> Result<(), PersonalError>;

    /// Finds a token by the digest of its secret, and its account.
    async fn personal_by_key(
        &self,
        key: SecretDigest,
    ) -> Result<Option<(PersonalToken, Account)>, StoreFailed>;

    /// The tokens of an account that count, or would but for their time, newest first.
    async fn personals_of(&self, account: AccountId) -> Result<Vec<PersonalToken>, StoreFailed>;

    /// Writes a use of a token. It only ever moves forward.
    async fn touch_personal(&self, id: TokenId, now: UnixTime) -> Result<(), StoreFailed>;

    /// Ends a token of an account, with a log entry. Says whether there was one.
    async fn end_personal(
        &self,
        account: AccountId,
        id: TokenId,
        now: UnixTime,
        event: Event,
    ) -> Result<bool, StoreFailed>;

    /// Forgets at most `limit` tokens that have ended by themselves.
    async fn sweep_personals(&self, now: UnixTime, limit: usize) -> Result<u64, StoreFailed>;
}

/// Keeps which token has which place in the status lists.
#[async_trait]
pub trait StatusPlaces: Send + Sync {
    /// Gives a token the next place. No place is given twice.
    async fn place_token(&self, token: PlacedToken) -> Result<u64, StoreFailed>;

    /// How many places were given.
    async fn place_count(&self) -> Result<u64, StoreFailed>;

    /// Those of `count` places from `first` on whose tokens the log says count no longer, in no order.
    async fn revoked_places(&self, first: u64, count: u64) -> Result<Vec<u64>, StoreFailed>;

    /// Forgets at most `limit` places whose tokens can be shown no longer, oldest first.
    async fn sweep_places(&self, now: UnixTime, limit: usize) -> Result<u64, StoreFailed>;
}

/// Keeps who is told when sessions end, and what they have not acknowledged yet.
///
/// A signal is kept in the act that ends a session, whichever act that is.
#[async_trait]
pub trait Signals: Send + Sync {
    /// Keeps a new stream, unless its client has one, or there are `most`. Says whether it did.
    async fn add_stream(&self, stream: Stream, most: u64) -> Result<bool, StoreFailed>;

    /// Finds the stream of a client.
    async fn stream_of(&self, client: ClientId) -> Result<Option<Stream>, StoreFailed>;

    /// The streams that are on and are pushed to.
    async fn push_streams(&self) -> Result<Vec<Stream>, StoreFailed>;

    /// Changes where a stream is pushed to and whether it is on. Says whether it is there.
    async fn change_stream(&self, changed: Stream) -> Result<bool, StoreFailed>;

    /// Forgets the stream of a client, and what waits for it. Says whether there was one.
    async fn delete_stream(&self, client: ClientId) -> Result<bool, StoreFailed>;

    /// Has a stream say that it works. Says whether there was room for that.
    async fn verify_stream(
        &self,
        stream: StreamId,
        state: Option<String>,
        at: UnixTime,
    ) -> Result<bool, StoreFailed>;

    /// At most `limit` of what a stream has not acknowledged, oldest first.
    async fn signals(&self, stream: StreamId, limit: usize) -> Result<Vec<Signal>, StoreFailed>;

    /// Forgets what a stream has heard. Numbers that are not its own are passed over.
    async fn acknowledge(&self, stream: StreamId, numbers: &[u64]) -> Result<(), StoreFailed>;

    /// Forgets at most `limit` signals from before `before`, oldest first.
    async fn sweep_signals(&self, before: UnixTime, limit: usize) -> Result<u64, StoreFailed>;
}

/// Keeps clients: services that speak for themselves, or ask about tokens.
#[async_trait]
pub trait Clients: Send + Sync {
    /// Keeps a new client.
    async fn add_client(&self, client: Client, event: Event) -> Result<(), StoreFailed>;

    /// Finds a client.
    async fn client(&self, id: ClientId) -> Result<Option<Client>, StoreFailed>;

    /// Lists clients by id, after `after`.
    async fn clients(
        &self,
        after: Option<ClientId>,
        limit: usize,
    ) -> Result<Page<Client>, StoreFailed>;

    /// Gives a client another secret; the one before opens nothing from then on. Says whether there is
    /// such a client.
    async fn rotate_client_secret(
        &self,
        id: ClientId,
        secret: SecretDigest,
        event: Event,
    ) -> Result<bool, StoreFailed>;

    /// Ends everything that was issued to a client itself until `now`, with a log entry. Says whether
    /// there is such a client.
    async fn revoke_client(
        &self,
        id: ClientId,
        now: UnixTime,
        event: Event,
    ) -> Result<bool, StoreFailed>;

    /// Forgets a client, and ends everything that was issued to it, with a log entry. Says whether there
    /// was such a client.
    async fn delete_client(
        &self,
        id: ClientId,
        now: UnixTime,
        event: Event,
    ) -> Result<bool, StoreFailed>;
}

/// Keeps the protected sites that administrators set up, beside those of the configuration.
#[async_trait]
pub trait Sites: Send + Sync {
    /// All sites, by origin.
    async fn sites(&self) -> Result<Vec<KeptSite>, StoreFailed>;

    /// Keeps a site in the place of the one of its origin, if there is room: `most` of them at the most.
    async fn keep_site(
        &self,
        site: KeptSite,
        most: u64,
        event: Event,
    ) -> Result<SiteKeeping, StoreFailed>;

    /// Forgets a site. Says whether there was one.
    async fn remove_site(&self, origin: &str, event: Event) -> Result<bool, StoreFailed>;
}

/// Keeps signing keys, sealed.
#[async_trait]
pub trait Keys: Send + Sync {
    /// All keys, those of each algorithm one after the other.
    async fn keys(&self) -> Result<Vec<SealedKey>, StoreFailed>;

    /// Keeps a key, if its number is beyond that of its algorithm's newest. If not, keeps nothing and
    /// returns that one: of two nodes that make the next key at once, both go on with the same.
    async fn keep_key(&self, key: SealedKey, event: Event) -> Result<SealedKey, StoreFailed>;

    /// Retires a key, once. Says whether it was there and was not retired yet.
    async fn retire_key(
        &self,
        kid: KeyId,
        now: UnixTime,
        event: Event,
    ) -> Result<bool, StoreFailed>;

    /// Forgets a key that another of its algorithm follows. Says whether it was there.
    async fn forget_key(&self, kid: KeyId, event: Event) -> Result<bool, StoreFailed>;
}

/// Keeps the one ordered log of what counts no longer.
#[async_trait]
pub trait RevocationLog: Send + Sync {
    /// Which log this is: drawn once, when it was made. Numbers of another log mean nothing here.
    async fn log_name(&self) -> Result<[u8; 16], StoreFailed>;

    /// Is told when there may be new entries from this process: it changes after their commit, and
    /// sometimes for nothing. Those of other processes have to be looked for.
    fn appended(&self) -> watch::Receiver<u64>;

    /// The number of the newest entry, or 0.
    async fn head(&self) -> Result<u64, StoreFailed>;

    /// At most `limit` entries after number `after`, in order.
    async fn revocations(&self, after: u64, limit: usize) -> Result<Vec<LogEntry>, StoreFailed>;

    /// Forgets at most `limit` entries whose last token has expired. Their numbers are not reused.
    async fn sweep_revocations(&self, now: UnixTime, limit: usize) -> Result<u64, StoreFailed>;
}

/// Keeps the event log.
#[async_trait]
pub trait Events: Send + Sync {
    /// Writes an event that belongs to no other act.
    async fn note(&self, event: Event) -> Result<(), StoreFailed>;

    /// Forgets at most `limit` events from before `before`, oldest first, and says how many.
    async fn sweep_events(&self, before: UnixTime, limit: usize) -> Result<u64, StoreFailed>;

    /// The newest events, newest first.
    async fn events(&self, limit: usize) -> Result<Vec<Event>, StoreFailed>;

    /// The events of an account, newest first, older than `before`.
    async fn events_of(
        &self,
        account: AccountId,
        before: Option<EventId>,
        limit: usize,
    ) -> Result<Page<Event>, StoreFailed>;
}

/// Keeps which alarming events their owner has not answered yet.
///
/// Whoever keeps an event that [alarms](doorward_core::notice::is_alarming) opens its notice in the
/// same act, unless one of that kind about that session is open already: a thief who tries a hundred
/// times must not bury the rest. A notice goes with its event.
#[async_trait]
pub trait Notices: Send + Sync {
    /// The open notices of an account, newest first, older than `before`.
    async fn notices_of(
        &self,
        account: AccountId,
        before: Option<EventId>,
        limit: usize,
    ) -> Result<Page<Event>, StoreFailed>;

    /// Finds an open notice of an account.
    async fn notice(&self, account: AccountId, id: EventId) -> Result<Option<Event>, StoreFailed>;

    /// Closes a notice of an account and writes that it was answered. Says whether it was open; of
    /// many answers one counts.
    async fn answer_notice(
        &self,
        account: AccountId,
        id: EventId,
        answered: Event,
    ) -> Result<bool, StoreFailed>;
}

/// Keeps the one-time link for an administrator.
#[async_trait]
pub trait Setup: Send + Sync {
    /// Keeps a setup secret's digest; the one before it is forgotten.
    async fn keep_setup(&self, key: SecretDigest, expires_at: UnixTime) -> Result<(), StoreFailed>;

    /// Whether this is the setup secret, and still good. Nothing is spent.
    async fn has_setup(&self, key: SecretDigest, now: UnixTime) -> Result<bool, StoreFailed>;

    /// Spends the setup secret and keeps the account, in one act. If the name is taken, the secret
    /// is not spent.
    async fn spend_setup(
        &self,
        key: SecretDigest,
        new: NewAccount,
        now: UnixTime,
    ) -> Result<(), AccountError>;
}

/// Says which of many servers on one store does what is to be done once for all of them: sweeping, pushing,
/// making keys.
///
/// It saves work, and nothing depends on it: for a moment two may have the turn, or none.
pub trait Turns: Send + Sync {
    /// Whether this server does. Where there can be but one, it always does.
    fn has_turn(&self) -> bool;
}

/// Says whether the store can keep something now.
#[async_trait]
pub trait Probe: Send + Sync {
    /// Reads and commits a trifle.
    async fn probe(&self, now: UnixTime) -> Result<(), StoreFailed>;
}

/// Everything that a server keeps.
pub trait Store:
    Accounts
    + Sessions
    + SessionData
    + Bindings
    + RefreshTokens
    + Codes
    + Proofs
    + PersonalTokens
    + StatusPlaces
    + Signals
    + Clients
    + Sites
    + Keys
    + RevocationLog
    + Events
    + Notices
    + Setup
    + Turns
    + Probe
{
}

impl<T> Store for T where
    T: Accounts
        + Sessions
        + SessionData
        + Bindings
        + RefreshTokens
        + Codes
        + Proofs
        + PersonalTokens
        + StatusPlaces
        + Signals
        + Clients
        + Sites
        + Keys
        + RevocationLog
        + Events
        + Notices
        + Setup
        + Turns
        + Probe
{
}
