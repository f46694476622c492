//! An event: a line of the audit log, which knows what the outside is never told.

use std::borrow::Cow;

use doorward_wire::{AccountId, EventId, SessionId, UnixTime};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// An account was made.
    AccountCreated,
    /// A login opened a session.
    LoginSucceeded,
    /// A login was refused.
    LoginFailed,
    /// A login came from where the account was not seen lately (see [`crate::whereabouts`]).
    LoginNewPlace,
    /// An anonymous session was opened.
    SessionOpened,
    /// The owner proved themselves again and the session has a new secret.
    SessionReauthenticated,
    /// A secret was shown after it was retired: somebody has a copy of the cookie.
    SecretReuseDetected,
    /// A session was bound to the key of a device.
    SessionBound,
    /// A bound session was used, or asked to go on, without its device's key: perhaps somebody has a
    /// copy of its cookies.
    BindingRefused,
    /// A request did not look like its session's own: another browser, or too far away.
    SessionSuspicious,
    /// A session was ended.
    SessionEnded,
    /// A password was changed.
    PasswordChanged,
    /// A refresh token was used again after its window.
    TokenReuseDetected,
    /// The owner said of a notice whether it was them.
    NoticeAnswered,
    /// A request carried two cookies of our name.
    CookieAmbiguous,
    /// A request from another origin was refused.
    CsrfRejected,
    /// A client was made.
    ClientCreated,
    /// A client was given a new secret.
    ClientSecretRotated,
    /// Everything that was issued to a client itself was revoked.
    ClientRevoked,
    /// A client was deleted.
    ClientDeleted,
    /// A personal access token was made.
    PersonalTokenCreated,
    /// A personal access token was revoked by its owner.
    PersonalTokenRevoked,
    /// An administrator said who may open a site.
    SiteKept,
    /// An administrator removed a site.
    SiteRemoved,
    /// A signing key was made, and is announced.
    KeyCreated,
    /// A signing key was retired by hand: nothing it signed counts any more.
    KeyRetired,
    /// A signing key was forgotten: nothing it signed could count any more.
    KeyGone,
    /// The first administrator was made with the setup link.
    SetupCompleted,
    /// The database was put back from a backup: what happened since is not in it.
    DatabaseRestored,
}

impl EventKind {
    const ALL: [Self; 29] = [
        Self::AccountCreated,
        Self::LoginSucceeded,
        Self::LoginFailed,
        Self::LoginNewPlace,
        Self::SessionOpened,
        Self::SessionReauthenticated,
        Self::SecretReuseDetected,
        Self::SessionBound,
        Self::BindingRefused,
        Self::SessionSuspicious,
        Self::SessionEnded,
        Self::PasswordChanged,
        Self::TokenReuseDetected,
        Self::NoticeAnswered,
        Self::CookieAmbiguous,
        Self::CsrfRejected,
        Self::ClientCreated,
        Self::ClientSecretRotated,
        Self::ClientRevoked,
        Self::ClientDeleted,
        Self::PersonalTokenCreated,
        Self::PersonalTokenRevoked,
        Self::SiteKept,
        Self::SiteRemoved,
        Self::KeyCreated,
        Self::KeyRetired,
        Self::KeyGone,
        Self::SetupCompleted,
        Self::DatabaseRestored,
    ];

    /// The stable name in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AccountCreated => "account.created",
            Self::LoginSucceeded => "login.succeeded",
            Self::LoginFailed => "login.failed",
            Self::LoginNewPlace => "login.new_place",
            Self::SessionOpened => "session.opened",
            Self::SessionReauthenticated => "session.reauthenticated",
            Self::SecretReuseDetected => "session.secret_reuse_detected",
            Self::SessionBound => "session.bound",
            Self::BindingRefused => "binding.refused",
            Self::SessionSuspicious => "session.suspicious",
            Self::SessionEnded => "session.ended",
            Self::PasswordChanged => "password.changed",
            Self::TokenReuseDetected => "token.reuse_detected",
            Self::NoticeAnswered => "notice.answered",
            Self::CookieAmbiguous => "cookie.ambiguous",
            Self::CsrfRejected => "csrf.rejected",
            Self::ClientCreated => "client.created",
            Self::ClientSecretRotated => "client.secret_rotated",
            Self::ClientRevoked => "client.revoked",
            Self::ClientDeleted => "client.deleted",
            Self::PersonalTokenCreated => "personal_token.created",
            Self::PersonalTokenRevoked => "personal_token.revoked",
            Self::SiteKept => "site.kept",
            Self::SiteRemoved => "site.removed",
            Self::KeyCreated => "key.created",
            Self::KeyRetired => "key.retired",
            Self::KeyGone => "key.gone",
            Self::SetupCompleted => "setup.completed",
            Self::DatabaseRestored => "database.restored",
        }
    }

    /// Reads a name from the log.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A line of the audit log. It never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its id, ordered by time.
    pub id: EventId,
    /// When it happened.
    pub at: UnixTime,
    /// What happened.
    pub kind: EventKind,
    /// Whose account it concerns.
    pub account: Option<AccountId>,
    /// Which session it concerns.
    pub session: Option<SessionId>,
    /// Where the request came from.
    pub ip: Option<String>,
    /// Why, in a stable word: `wrong-password`, `unknown-account`, `logout`…
    pub reason: Option<Cow<'static, str>>,
    /// What the request came from, in a person's words: the label of a
    /// [`Device`](crate::device::Device).
    pub device: Option<String>,
}
