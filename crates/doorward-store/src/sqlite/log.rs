//! The revocation log in SQLite.

use async_trait::async_trait;
use doorward_core::revocation::{LogEntry, Revocation, Revoked};
use doorward_wire::UnixTime;
use rusqlite::{Connection, params};

use super::SqliteStore;
use super::columns::{Columns, all, bytes, change, count, only, rows, whole};
use super::fault::Fault;
use super::writer::Verdict;
use crate::RevocationLog;
use crate::act::StoreFailed;

#[async_trait]
impl RevocationLog for SqliteStore {
    async fn head(&self) -> Result<u64, StoreFailed> {
        self.readers.read(|db| only(db, "SELECT seq FROM revocation_head", ()).map(count))
    }

    async fn revocations(&self, after: u64, limit: usize) -> Result<Vec<LogEntry>, StoreFailed> {
        const AFTER: &str = "SELECT seq, kind, id, not_before, expires_at FROM revocation
            WHERE seq > ?1 ORDER BY seq LIMIT ?2";
        self.readers.read(|db| all(db, AFTER, (whole(after), rows(limit)), entry))
    }

    async fn sweep_revocations(&self, now: UnixTime, limit: usize) -> Result<u64, StoreFailed> {
        // Only from the oldest end, so that what is left has no gap. An entry whose time was far
        // ahead, because a clock was, holds up those behind it until then; none is lost.
        const FORGET: &str = "DELETE FROM revocation WHERE seq IN (
            SELECT seq FROM revocation
            WHERE seq < (SELECT coalesce(
                (SELECT seq FROM revocation WHERE expires_at > ?1 ORDER BY seq LIMIT 1),
                (SELECT seq + 1 FROM revocation_head)))
            ORDER BY seq LIMIT ?2)";
        self.writer
            .act(move |db| {
                let forgotten = change(db, FORGET, (whole(now.0), rows(limit)))?;
                Ok(Verdict::Keep(forgotten as u64))
            })
            .await
    }
}

/// Appends an entry, as part of the act it tells of.
///
/// The number is taken in the same transaction, under the lock that every writer holds. So numbers
/// have no gap, and none becomes visible before the one below it.
pub(super) fn append(db: &Connection, revocation: Revocation) -> Result<(), StoreFailed> {
    const NEXT: &str = "UPDATE revocation_head SET seq = seq + 1 RETURNING seq";
    const APPEND: &str = "INSERT INTO revocation (seq, kind, id, not_before, expires_at)
        VALUES (?1, ?2, ?3, ?4, ?5)";
    let seq: i64 = only(db, NEXT, ())?;
    let row = params![
        seq,
        revocation.revoked.kind(),
        bytes(revocation.revoked.id_bits()),
        whole(revocation.not_before.0),
        whole(revocation.expires_at.0),
    ];
    change(db, APPEND, row)?;
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
