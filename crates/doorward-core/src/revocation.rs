//! A revocation: an entry in the one ordered log that says what counts no longer.
//!
//! Everything that caches or verifies follows this log. An entry is written in the same transaction
//! as the act it reports, its number follows the one before without a gap, and it is kept as long
//! as the longest token it can affect.

pub use doorward_wire::revocation::{LogEntry, Revocation, Revoked};
use doorward_wire::token::LEEWAY;
use doorward_wire::{AccountId, ClientId, SessionId, TokenId, UnixTime};

use crate::grant::ACCESS_TOKEN_LIFE;

/// A token that has a place in a status list, and what it hangs from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlacedToken {
    /// Its own name.
    pub jti: TokenId,
    /// The session it came from, if it came from one.
    pub sid: Option<SessionId>,
    /// Whose it is, if it is somebody's.
    pub account: Option<AccountId>,
    /// Whose it is, if it is a client's own.
    pub client: Option<ClientId>,
    /// When its owner had proved themselves, or when a client was given it.
    pub since: UnixTime,
    /// When it can be shown no longer.
    pub expires_at: UnixTime,
}

impl PlacedToken {
    /// Everything whose revocation can end it.
    pub fn hangs_from(&self) -> impl Iterator<Item = Revoked> {
        let of_session =
            self.sid.into_iter().flat_map(|sid| [Revoked::Session(sid), Revoked::Proof(sid)]);
        let of_owner = self.account.map(Revoked::Account).into_iter();
        let of_client = self.client.map(Revoked::Client).into_iter();
        of_session.chain(of_owner).chain(of_client).chain([Revoked::Token(self.jti)])
    }

    /// Whether a revocation ends it.
    #[must_use]
    pub fn ends_by(&self, revocation: &Revocation) -> bool {
        let is_before = self.since < revocation.not_before;
        match revocation.revoked {
            Revoked::Session(sid) => self.sid == Some(sid),
            Revoked::Proof(sid) => self.sid == Some(sid) && is_before,
            Revoked::Account(account) => self.account == Some(account) && is_before,
            Revoked::Client(client) => self.client == Some(client) && is_before,
            Revoked::Token(jti) => self.jti == jti,
        }
    }
}

/// Revokes `revoked` as of `now`, for as long as any token from before can be shown.
#[must_use]
pub fn revoke(revoked: Revoked, now: UnixTime) -> Revocation {
    let expires_at = now.after(ACCESS_TOKEN_LIFE).after(LEEWAY);
    Revocation { revoked, not_before: now, expires_at }
}
