//! The revocation log in SQLite.

use async_trait::async_trait;
use doorward_core::revocation::{LogEntry, Revocation, Revoked, revoke};
use doorward_wire::{AccountId, SessionId, UnixTime};
use rusqlite::{Connection, params};
use tokio::sync::watch;

use super::SqliteStore;
use super::columns::{Columns, all, bytes, change, count, only, rows, whole};
use super::fault::Fault;
use super::writer::Verdict;
use crate::RevocationLog;
use crate::act::StoreFailed;

/// Only from the oldest end, so that what is left has no gap; and of these only as many as may go, so
/// that a call looks at no more. An entry whose time was far ahead, because a clock was, holds up
/// those behind it until then; none is lost.
pub(super) const FORGET_OLDEST: &str = "
    WITH oldest AS MATERIALIZED (SELECT seq, expires_at FROM revocation ORDER BY seq LIMIT ?2)
    DELETE FROM revocation WHERE seq IN (SELECT seq FROM oldest)
        AND seq < (SELECT coalesce(min(seq), 1 + (SELECT seq FROM revocation_head))
            FROM oldest WHERE expires_at > ?1)";

#[async_trait]
impl RevocationLog for SqliteStore {
    async fn log_name(&self) -> Result<[u8; 16], StoreFailed> {
        self.readers.read(|db| only(db, "SELECT name FROM revocation_log", ()))
    }

    fn appended(&self) -> watch::Receiver<u64> {
        self.writer.committed()
    }

    async fn head(&self) -> Result<u64, StoreFailed> {
        self.readers.read(|db| only(db, "SELECT seq FROM revocation_head", ()).map(count))
    }

    async fn revocations(&self, after: u64, limit: usize) -> Result<Vec<LogEntry>, StoreFailed> {
        const AFTER: &str = "SELECT seq, kind, id, not_before, expires_at FROM revocation
            WHERE seq > ?1 ORDER BY seq LIMIT ?2";
        self.readers.read(|db| all(db, AFTER, (whole(after), rows(limit)), entry))
    }

    async fn sweep_revocations(&self, now: UnixTime, limit: usize) -> Result<u64, StoreFailed> {
        self.writer
            .act(move |db| {
                let forgotten = change(db, FORGET_OLDEST, (whole(now.0), rows(limit)))?;
                Ok(Verdict::Keep(forgotten as u64))
            })
            .await
    }
}

/// Appends the ends of sessions, as part of the act they tell of.
///
/// The numbers are taken in the same transaction, under the lock that every writer holds. So numbers
/// have no gap, and none becomes visible before the one below it.
pub(super) fn append_ends(
    db: &Connection,
    ended: impl ExactSizeIterator<Item = SessionId>,
    now: UnixTime,
) -> Result<(), StoreFailed> {
    append(db, ended.map(|sid| revoke(Revoked::Session(sid), now)))
}

/// Appends that what is named counts no longer if it is from before a time, as part of the act.
pub(super) fn append_one(
    db: &Connection,
    revoked: Revoked,
    not_before: UnixTime,
) -> Result<(), StoreFailed> {
    append(db, std::iter::once(revoke(revoked, not_before)))
}

/// Appends that everything counts no longer that accounts had before a time, as part of the act.
pub(super) fn append_accounts(
    db: &Connection,
    accounts: impl ExactSizeIterator<Item = AccountId>,
    not_before: UnixTime,
) -> Result<(), StoreFailed> {
    append(db, accounts.map(|id| revoke(Revoked::Account(id), not_before)))
}

fn append(
    db: &Connection,
    revocations: impl ExactSizeIterator<Item = Revocation>,
) -> Result<(), StoreFailed> {
    const NEXT: &str = "UPDATE revocation_head SET seq = seq + ?1 RETURNING seq - ?1";
    const APPEND: &str = "INSERT INTO revocation (seq, kind, id, not_before, expires_at)
        VALUES (?1, ?2, ?3, ?4, ?5)";
    let before: i64 = only(db, NEXT, (rows(revocations.len()),))?;
    for (seq, revocation) in (before + 1..).zip(revocations) {
        let row = params![
            seq,
            revocation.revoked.kind(),
            bytes(revocation.revoked.id_bits()),
            whole(revocation.not_before.0),
            whole(revocation.expires_at.0),
        ];
        change(db, APPEND, row)?;
    }
    Ok(())
}

fn entry(row: &mut Columns<'_>) -> Result<LogEntry, StoreFailed> {
    let seq = row.count()?;
    let kind: String = row.take()?;
    let bits = row.id()?;
    let revoked = Revoked::from_parts(&kind, bits).ok_or(Fault::Unreadable("kind".into()))?;
    let (not_before, expires_at) = (row.time()?, row.time()?);
    Ok(LogEntry { seq, revocation: Revocation { revoked, not_before, expires_at } })
}
