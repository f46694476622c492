//! A request: what a history asks of the store and of the model, in small numbers.

use super::model::Session;

/// The keys of session data that histories use. The last one never goes over at a login.
pub(super) const DATA_KEYS: [&str; 3] = ["basket", "theme", "stays"];

/// A request. Sessions, accounts, secrets and refresh tokens are numbers.
#[derive(Clone, Debug)]
pub(super) enum Request {
    /// Opens a session.
    Open(Opening),
    /// Looks who answers to a secret, and whether a check accepts it.
    Look { key: u64, at: u64 },
    /// Says that a session is in use.
    Touch { sid: u64, at: u64 },
    /// Writes a value.
    Write { sid: u64, key: &'static str, json: String, only: Option<u64> },
    /// Removes a value.
    Remove { sid: u64, key: &'static str, only: Option<u64> },
    /// Gives a session a new secret.
    Rename(Renaming),
    /// Changes a password, and ends the other sessions unless it is done quietly.
    ChangePassword { renaming: Renaming, quietly: bool },
    /// Presents a refresh token.
    Refresh { token: u64, successor: u64, at: u64 },
    /// Ends a session.
    End { sid: u64, n: u64 },
    /// Ends all sessions of an account but one.
    EndAll { account: u64, except: Option<u64>, n: u64 },
    /// Forgets some of the dead.
    Sweep { at: u64, limit: usize },
}

/// What is known of an account when its owner proves themselves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Proof {
    pub(super) account: u64,
    pub(super) epoch: u32,
    pub(super) version: u32,
}

/// A session to open.
#[derive(Clone, Debug)]
pub(super) struct Opening {
    pub(super) sid: u64,
    /// The secret, of the cookie or of the first refresh token.
    pub(super) secret: u64,
    pub(super) by: Option<Proof>,
    pub(super) has_tokens: bool,
    pub(super) remembered: bool,
    /// The secret of the session to log in over.
    pub(super) over: Option<u64>,
    pub(super) at: u64,
    pub(super) n: u64,
}

/// A new secret for a session.
#[derive(Clone, Debug)]
pub(super) struct Renaming {
    pub(super) sid: u64,
    /// The session as whoever asks has read it, perhaps a while ago.
    pub(super) read: Session,
    pub(super) secret: u64,
    pub(super) by: Proof,
    pub(super) at: u64,
    pub(super) n: u64,
}
