//! A revocation: an entry in the one ordered log that says what counts no longer.
//!
//! Everything that caches or verifies follows this log. An entry is written in the same transaction
//! as the act it reports, its number follows the one before without a gap, and it is kept as long
//! as the longest token it can affect.

use doorward_wire::UnixTime;
pub use doorward_wire::revocation::{LogEntry, Revocation, Revoked};
use doorward_wire::token::LEEWAY;

use crate::grant::ACCESS_TOKEN_LIFE;

/// Revokes `revoked` as of `now`, for as long as any token from before can be shown.
#[must_use]
pub fn revoke(revoked: Revoked, now: UnixTime) -> Revocation {
    let expires_at = now.after(ACCESS_TOKEN_LIFE).after(LEEWAY);
    Revocation { revoked, not_before: now, expires_at }
}
