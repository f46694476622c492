//! Locks on rows, as part of an act: see the order of locks.
//!
//! There is one strength for each kind of row, so that no act has to exchange a weaker one for a
//! stronger one while another does the same.

use doorward_wire::{AccountId, SessionId};

use super::columns::{bytes, exists, params};
use super::link::Link;
use crate::act::StoreFailed;

/// Has others wait who change this account, or open a session of it. Says whether it is there.
pub(super) async fn account(db: &Link, id: AccountId) -> Result<bool, StoreFailed> {
    const LOCK: &str = "SELECT 1 FROM account WHERE id = $1 FOR NO KEY UPDATE";
    exists(db, LOCK, params![bytes(id.0)]).await
}

/// Has others wait who change this session, or what hangs from it. Says whether it is there.
pub(super) async fn session(db: &Link, sid: SessionId) -> Result<bool, StoreFailed> {
    const LOCK: &str = "SELECT 1 FROM session WHERE sid = $1 FOR NO KEY UPDATE";
    exists(db, LOCK, params![bytes(sid.0)]).await
}

/// Has others wait who change a session of this account, whose own lock is held: none comes in. They can
/// be very many, and so each statement from here on has as long as the act has.
pub(super) async fn sessions_of(db: &Link, account: AccountId) -> Result<(), StoreFailed> {
    const LOCK: &str = "SELECT count(*) FROM
        (SELECT 1 FROM session WHERE account = $1 ORDER BY sid FOR UPDATE) AS locked";
    db.perform("SET LOCAL statement_timeout = '1min'").await?;
    db.query(LOCK, params![bytes(account.0)]).await?;
    Ok(())
}
