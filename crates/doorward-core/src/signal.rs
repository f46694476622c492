//! Shared signals (OpenID SSF 1.0, CAEP 1.0): who is told when sessions end, in words that programs of
//! others know.

use std::time::Duration;

use doorward_wire::{AccountId, ClientId, SessionId, StreamId, UnixTime};

/// The scope with which a client sets up its stream, and fetches from it.
pub const SIGNALS_SCOPE: &str = "doorward.signals";

/// How long a signal is kept that nobody has acknowledged: seven days.
pub const KEPT: Duration = Duration::from_hours(7 * 24);

/// The most streams.
pub const STREAMS_MAX: u64 = 100;

/// The most bytes of what a receiver wants to hear again in a verification.
pub const STATE_MAX: usize = 1024;

/// The most verifications of a stream that wait.
pub const VERIFICATIONS_MAX: u64 = 10;

/// A stream: one client that is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Its id.
    pub id: StreamId,
    /// Whose it is.
    pub client: ClientId,
    /// Where signals are pushed to; none where they are fetched.
    pub endpoint: Option<String>,
    /// Whether signals are gathered for it.
    pub enabled: bool,
    /// When it was made.
    pub created_at: UnixTime,
}

/// Something that a stream is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// Its number: later ones have higher ones.
    pub number: u64,
    /// What is told.
    pub what: Told,
    /// When it happened.
    pub at: UnixTime,
}

/// What a signal tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A session has ended.
    Session(SessionId),
    /// Everything of an account has ended.
    Account(AccountId),
    /// The stream works: it was asked to say so, and perhaps this.
    Verification(Option<String>),
}
