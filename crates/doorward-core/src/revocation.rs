//! A revocation: an entry in the one ordered log that says what counts no longer.
//!
//! Everything that caches or verifies follows this log. An entry is written in the same transaction
//! as the act it reports, its number follows the one before without a gap, and it is kept as long
//! as the longest token it can affect.

use doorward_wire::token::LEEWAY;
use doorward_wire::{AccountId, SessionId, TokenId, UnixTime};

use crate::grant::ACCESS_TOKEN_LIFE;

/// What counts no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// A session, and every token that carries its `sid`.
    Session(SessionId),
    /// Everything of an account from before the entry's `not_before`.
    Account(AccountId),
    /// One token, by its `jti`: never by its bytes, which have more than one spelling.
    Token(TokenId),
}

impl Revoked {
    /// The kind's name in the log.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Session(_) => "session",
            Self::Account(_) => "account",
            Self::Token(_) => "token",
        }
    }

    /// The bits of the id, whichever kind it is.
    #[must_use]
    pub const fn id_bits(self) -> u128 {
        match self {
            Self::Session(SessionId(bits))
            | Self::Account(AccountId(bits))
            | Self::Token(TokenId(bits)) => bits,
        }
    }

    /// Puts a kind's name and an id's bits together again.
    #[must_use]
    pub fn from_parts(kind: &str, bits: u128) -> Option<Self> {
        match kind {
            "session" => Some(Self::Session(SessionId(bits))),
            "account" => Some(Self::Account(AccountId(bits))),
            "token" => Some(Self::Token(TokenId(bits))),
            _ => None,
        }
    }
}

/// A revocation that has not been numbered yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// What counts no longer.
    pub revoked: Revoked,
    /// What was issued before this time is refused.
    pub not_before: UnixTime,
    /// When the last token it can affect has expired.
    pub expires_at: UnixTime,
}

/// A revocation in its place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Its number: one more than the entry before.
    pub seq: u64,
    /// What it says.
    pub revocation: Revocation,
}

impl Revocation {
    /// Revokes `revoked` as of `now`.
    #[must_use]
    pub fn new(revoked: Revoked, now: UnixTime) -> Self {
        let expires_at = now.after(ACCESS_TOKEN_LIFE).after(LEEWAY);
        Self { revoked, not_before: now, expires_at }
    }
}
