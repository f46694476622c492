//! Session data in SQLite: one row for each key, so that parallel writers do not meet.

use async_trait::async_trait;
use doorward_core::data::{DataKey, Datum, KEY_COUNT_MAX, Precondition, QUOTA};
use doorward_wire::SessionId;
use rusqlite::{Connection, params};

use super::SqliteStore;
use super::columns::{all, bytes, change, count, first, value, whole};
use super::writer::Verdict;
use crate::SessionData;
use crate::act::{DataError, StoreFailed, Written};

#[async_trait]
impl SessionData for SqliteStore {
    async fn data(&self, sid: SessionId) -> Result<Vec<(DataKey, Datum)>, StoreFailed> {
        const ALL: &str = "SELECT key, json, version FROM session_datum WHERE sid = ?1
            ORDER BY key";
        self.readers.read(|db| {
            all(db, ALL, (bytes(sid.0),), |row| {
                let key = row.text(|text| DataKey::parse(text).ok())?;
                Ok((key, Datum { json: row.take()?, version: row.count()? }))
            })
        })
    }

    async fn write_datum(
        &self,
        sid: SessionId,
        key: &DataKey,
        json: &str,
        condition: Precondition,
    ) -> Result<Written, DataError> {
        const WRITE: &str = "INSERT INTO session_datum (sid, key, version, json)
            VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT DO UPDATE SET version = excluded.version, json = excluded.json";
        let (key, json) = (key.clone(), json.to_owned());
        self.writer
            .act(move |db| {
                let (before, version) = match versions(db, sid, &key, condition)? {
                    Ok(versions) => versions,
                    Err(refused) => return Ok(Verdict::Undo(Err(refused))),
                };
                let row = params![bytes(sid.0), key.as_str(), whole(version), json];
                change(db, WRITE, row)?;
                if !fits(db, sid)? {
                    return Ok(Verdict::Undo(Err(DataError::TooLarge)));
                }
                Ok(Verdict::Keep(Ok(Written { version, is_new: before == 0 })))
            })
            .await?
    }

    async fn remove_datum(
        &self,
        sid: SessionId,
        key: &DataKey,
        condition: Precondition,
    ) -> Result<(), DataError> {
        const REMOVE: &str = "DELETE FROM session_datum WHERE sid = ?1 AND key = ?2";
        const REMEMBER: &str = "UPDATE session SET removed_version = ?2
            WHERE sid = ?1 AND removed_version < ?2";
        let key = key.clone();
        self.writer
            .act(move |db| {
                let (current, _) = match versions(db, sid, &key, condition)? {
                    Ok(versions) => versions,
                    Err(refused) => return Ok(Verdict::Undo(Err(refused))),
                };
                change(db, REMOVE, params![bytes(sid.0), key.as_str()])?;
                change(db, REMEMBER, params![bytes(sid.0), whole(current)])?;
                Ok(Verdict::Keep(Ok(())))
            })
            .await?
    }
}

/// Moves the named keys of one session to another, as part of an act.
pub(super) fn carry(
    db: &Connection,
    (from, to): (SessionId, SessionId),
    keys: &[DataKey],
) -> Result<(), StoreFailed> {
    // The versions stay, so that a page opened before the login can still save; and no version of
    // a key that does not go over is given again, so that it overwrites nothing else.
    const CARRY: &str = "UPDATE session_datum SET sid = ?2 WHERE sid = ?1 AND key = ?3";
    const REMEMBER: &str = "UPDATE session SET removed_version = max(
            (SELECT removed_version FROM session WHERE sid = ?1),
            (SELECT coalesce(max(version), 0) FROM session_datum WHERE sid = ?1))
        WHERE sid = ?2";
    for key in keys {
        change(db, CARRY, params![bytes(from.0), bytes(to.0), key.as_str()])?;
    }
    change(db, REMEMBER, params![bytes(from.0), bytes(to.0)])?;
    Ok(())
}

/// The version that a key has, or 0, and the one that a write would make, if it may happen.
fn versions(
    db: &Connection,
    sid: SessionId,
    key: &DataKey,
    condition: Precondition,
) -> Result<Result<(u64, u64), DataError>, StoreFailed> {
    const REMOVED: &str = "SELECT removed_version FROM session WHERE sid = ?1";
    const VERSION: &str = "SELECT version FROM session_datum WHERE sid = ?1 AND key = ?2";
    let Some(removed) = value(db, REMOVED, (bytes(sid.0),))? else {
        return Ok(Err(DataError::Gone));
    };
    let row = params![bytes(sid.0), key.as_str()];
    let current = count(value(db, VERSION, row)?.unwrap_or(0));
    let next = condition.next(current, count(removed));
    let next = next.map_err(|conflict| DataError::Conflict(conflict.current));
    Ok(next.map(|next| (current, next)))
}

/// Whether a session has no more keys, and no more bytes of keys and values, than it may.
fn fits(db: &Connection, sid: SessionId) -> Result<bool, StoreFailed> {
    const SIZE: &str = "SELECT coalesce(sum(octet_length(key) + octet_length(json)), 0), count(*)
        FROM session_datum WHERE sid = ?1";
    let size = first(db, SIZE, (bytes(sid.0),), |row| Ok((row.count()?, row.count()?)))?;
    Ok(size.is_none_or(|(bytes, keys)| bytes <= QUOTA as u64 && keys <= KEY_COUNT_MAX as u64))
}
