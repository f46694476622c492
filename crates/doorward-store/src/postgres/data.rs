//! Session data in PostgreSQL: one row for each key. Those who write data of one session wait for each
//! other, and for whoever ends it.

use async_trait::async_trait;
use doorward_core::data::{DataKey, Datum, KEY_COUNT_MAX, Precondition, QUOTA};
use doorward_wire::SessionId;

use super::PostgresStore;
use super::acts::{Acted, Verdict};
use super::columns::{Columns, a_count, all, bytes, change, first, only, params, whole};
use super::link::Link;
use crate::SessionData;
use crate::act::{DataError, StoreFailed, Written};

/// What one write is about.
struct Asked {
    sid: SessionId,
    key: DataKey,
    json: String,
    condition: Precondition,
}

#[async_trait]
impl SessionData for PostgresStore {
    async fn data(&self, sid: SessionId) -> Result<Vec<(DataKey, Datum)>, StoreFailed> {
        const ALL: &str = "SELECT key, json, version FROM session_datum WHERE sid = $1
            ORDER BY key";
        self.readers
            .read(|db| async move {
                all(&db, ALL, params![bytes(sid.0)], |row| {
                    let key = row.text(|text| DataKey::parse(text).ok())?;
                    Ok((key, Datum { json: row.take()?, version: row.count()? }))
                })
                .await
            })
            .await
    }

    async fn write_datum(
        &self,
        sid: SessionId,
        key: &DataKey,
        json: &str,
        condition: Precondition,
    ) -> Result<Written, DataError> {
        let asked = Asked { sid, key: key.clone(), json: json.to_owned(), condition };
        self.acts.act(asked, |db, asked| async move { write(&db, &asked).await }).await?
    }

    async fn remove_datum(
        &self,
        sid: SessionId,
        key: &DataKey,
        condition: Precondition,
    ) -> Result<(), DataError> {
        let asked = Asked { sid, key: key.clone(), json: String::new(), condition };
        self.acts.act(asked, |db, asked| async move { remove(&db, &asked).await }).await?
    }
}

async fn write(db: &Link, asked: &Asked) -> Acted<Result<Written, DataError>> {
    const WRITE: &str = "INSERT INTO session_datum (sid, key, version, json)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (sid, key) DO UPDATE SET version = excluded.version, json = excluded.json";
    let (before, version) = match versions(db, asked).await? {
        Ok(versions) => versions,
        Err(refused) => return Ok(Verdict::Undo(Err(refused))),
    };
    let row = params![bytes(asked.sid.0), asked.key.as_str(), whole(version), asked.json];
    change(db, WRITE, row).await?;
    if !fits(db, asked.sid).await? {
        return Ok(Verdict::Undo(Err(DataError::TooLarge)));
    }
    Ok(Verdict::Keep(Ok(Written { version, is_new: before == 0 })))
}

async fn remove(db: &Link, asked: &Asked) -> Acted<Result<(), DataError>> {
    const REMOVE: &str = "DELETE FROM session_datum WHERE sid = $1 AND key = $2";
    const REMEMBER: &str = "UPDATE session SET removed_version = $2
        WHERE sid = $1 AND removed_version < $2";
    let (current, _) = match versions(db, asked).await? {
        Ok(versions) => versions,
        Err(refused) => return Ok(Verdict::Undo(Err(refused))),
    };
    change(db, REMOVE, params![bytes(asked.sid.0), asked.key.as_str()]).await?;
    change(db, REMEMBER, params![bytes(asked.sid.0), whole(current)]).await?;
    Ok(Verdict::Keep(Ok(())))
}

/// Moves the named keys of one session to another, as part of an act that holds both.
pub(super) async fn carry(
    db: &Link,
    (from, to): (SessionId, SessionId),
    keys: &[DataKey],
) -> Result<(), StoreFailed> {
    // The versions stay, so that a page opened before the login can still save; and no version of
    // a key that does not go over is given again, so that it overwrites nothing else.
    const CARRY: &str = "UPDATE session_datum SET sid = $2 WHERE sid = $1 AND key = ANY ($3)";
    const REMEMBER: &str = "UPDATE session SET removed_version = greatest(
            (SELECT removed_version FROM session WHERE sid = $1),
            (SELECT coalesce(max(version), 0) FROM session_datum WHERE sid = $1))
        WHERE sid = $2";
    let keys: Vec<&str> = keys.iter().map(DataKey::as_str).collect();
    change(db, CARRY, params![bytes(from.0), bytes(to.0), keys]).await?;
    change(db, REMEMBER, params![bytes(from.0), bytes(to.0)]).await?;
    Ok(())
}

/// The version that a key has, or 0, and the one that a write would make, if it may happen. From here on
/// nobody else writes.
async fn versions(db: &Link, asked: &Asked) -> Result<Result<(u64, u64), DataError>, StoreFailed> {
    const REMOVED: &str = "SELECT removed_version FROM session WHERE sid = $1 FOR NO KEY UPDATE";
    const VERSION: &str = "SELECT version FROM session_datum WHERE sid = $1 AND key = $2";
    let sid = bytes(asked.sid.0);
    let Some(removed) = first(db, REMOVED, params![sid], a_count).await? else {
        return Ok(Err(DataError::Gone));
    };
    let row = params![sid, asked.key.as_str()];
    let current = first(db, VERSION, row, a_count).await?.unwrap_or(0);
    let next = asked.condition.next(current, removed);
    let next = next.map_err(|conflict| DataError::Conflict(conflict.current));
    Ok(next.map(|next| (current, next)))
}

/// Whether a session has no more keys, and no more bytes of keys and values, than it may.
async fn fits(db: &Link, sid: SessionId) -> Result<bool, StoreFailed> {
    const SIZE: &str = "SELECT coalesce(sum(octet_length(key) + octet_length(json)), 0)::bigint,
        count(*) FROM session_datum WHERE sid = $1";
    let size = |row: &mut Columns<'_>| Ok((row.count()?, row.count()?));
    let (bytes, keys) = only(db, SIZE, params![bytes(sid.0)], size).await?;
    Ok(bytes <= QUOTA as u64 && keys <= KEY_COUNT_MAX as u64)
}
