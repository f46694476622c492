//! The revocation log in PostgreSQL.

use async_trait::async_trait;
use doorward_core::revocation::{LogEntry, Revocation, Revoked, revoke};
use doorward_wire::{SessionId, UnixTime};
use tokio::sync::watch;

use super::PostgresStore;
use super::acts::Verdict;
use super::columns::{Columns, a_count, all, an_array, bytes, change, only, params, rows, whole};
use super::fault::Fault;
use super::link::Link;
use crate::RevocationLog;
use crate::act::StoreFailed;

/// Only from the oldest end, so that what is left has no gap; and of these only as many as may go, so
/// that a call looks at no more. An entry whose time was far ahead, because a clock was, holds up
/// those behind it until then; none is lost. Nothing is skipped because somebody holds it, either: two
/// nodes that sweep wait for each other, at the first of them.
const FORGET_OLDEST: &str = "
    WITH oldest AS MATERIALIZED
        (SELECT seq, expires_at FROM revocation ORDER BY seq LIMIT $2 FOR UPDATE)
    DELETE FROM revocation USING oldest WHERE revocation.seq = oldest.seq
        AND oldest.seq < (SELECT coalesce(min(seq), 1 + (SELECT seq FROM revocation_head))
            FROM oldest WHERE expires_at > $1)";

#[async_trait]
impl RevocationLog for PostgresStore {
    async fn log_name(&self) -> Result<[u8; 16], StoreFailed> {
        const NAME: &str = "SELECT name FROM revocation_log";
        self.readers.read(|db| async move { only(&db, NAME, &[], an_array).await }).await
    }

    fn appended(&self) -> watch::Receiver<u64> {
        self.appended.subscribe()
    }

    async fn head(&self) -> Result<u64, StoreFailed> {
        self.readers.read(|db| async move { head(&db).await }).await
    }

    async fn revocations(&self, seq: u64, limit: usize) -> Result<Vec<LogEntry>, StoreFailed> {
        self.readers.read(|db| async move { after(&db, seq, limit).await }).await
    }

    async fn sweep_revocations(&self, now: UnixTime, limit: usize) -> Result<u64, StoreFailed> {
        self.acts
            .act((), move |db, _| async move {
                let asked = params![whole(now.0), rows(limit)];
                Ok(Verdict::Keep(change(&db, FORGET_OLDEST, asked).await?))
            })
            .await
    }
}

/// The number of the newest entry, or 0.
pub(super) async fn head(db: &Link) -> Result<u64, StoreFailed> {
    only(db, "SELECT seq FROM revocation_head", &[], a_count).await
}

/// At most `limit` entries after number `seq`, in order.
pub(super) async fn after(db: &Link, seq: u64, limit: usize) -> Result<Vec<LogEntry>, StoreFailed> {
    const AFTER: &str = "SELECT seq, kind, id, not_before, expires_at FROM revocation
        WHERE seq > $1 ORDER BY seq LIMIT $2";
    all(db, AFTER, params![whole(seq), rows(limit)], entry).await
}

/// Appends the ends of sessions, as part of the act they tell of.
pub(super) async fn append_ends(
    db: &Link,
    ended: &[SessionId],
    now: UnixTime,
) -> Result<(), StoreFailed> {
    let ends = ended.iter().map(|sid| revoke(Revoked::Session(*sid), now));
    append(db, &ends.collect::<Vec<_>>()).await
}

/// Appends that what is named counts no longer if it is from before a time, as part of the act.
pub(super) async fn append_one(
    db: &Link,
    revoked: Revoked,
    not_before: UnixTime,
) -> Result<(), StoreFailed> {
    append(db, &[revoke(revoked, not_before)]).await
}

/// Takes numbers and appends under them. The lock on the head is held until the commit: whatever else
/// an act does comes before.
pub(super) async fn append(db: &Link, revocations: &[Revocation]) -> Result<(), StoreFailed> {
    const APPEND: &str = "WITH head AS (UPDATE revocation_head SET seq = seq + $5
            RETURNING seq - $5 AS before)
        INSERT INTO revocation (seq, kind, id, not_before, expires_at)
        SELECT head.before + entry.n, entry.kind, entry.id, entry.not_before, entry.expires_at
        FROM head, unnest($1::text[], $2::bytea[], $3::bigint[], $4::bigint[]) WITH ORDINALITY
            AS entry (kind, id, not_before, expires_at, n)";
    if revocations.is_empty() {
        return Ok(());
    }
    let all = || revocations.iter();
    let row = params![
        all().map(|it| it.revoked.kind()).collect::<Vec<_>>(),
        all().map(|it| bytes(it.revoked.id_bits())).collect::<Vec<_>>(),
        all().map(|it| whole(it.not_before.0)).collect::<Vec<_>>(),
        all().map(|it| whole(it.expires_at.0)).collect::<Vec<_>>(),
        rows(revocations.len()),
    ];
    db.appends();
    change(db, APPEND, row).await?;
    Ok(())
}

fn entry(row: &mut Columns<'_>) -> Result<LogEntry, StoreFailed> {
    let seq = row.count()?;
    let kind: &str = row.take()?;
    let bits = row.id()?;
    let revoked = Revoked::from_parts(kind, bits).ok_or(Fault::Unreadable("kind".into()))?;
    let (not_before, expires_at) = (row.time()?, row.time()?);
    Ok(LogEntry { seq, revocation: Revocation { revoked, not_before, expires_at } })
}
