//! Signing keys in SQLite, sealed.

use async_trait::async_trait;
use doorward_core::event::Event;
use doorward_wire::jose::Algorithm;
use doorward_wire::{KeyId, UnixTime};
use rusqlite::{Connection, params};

use super::columns::{Columns, all, bytes, change, first, whole};
use super::writer::Verdict;
use super::{SqliteStore, events};
use crate::Keys;
use crate::act::{SealedKey, StoreFailed};

/// Reads keys, as [`sealed_key`] takes them.
macro_rules! select {
    ($where:literal) => {
        concat!(
            "SELECT kid, algorithm, number, sealed, created_at, active_at, retired_at
                FROM signing_key ",
            $where
        )
    };
}

#[async_trait]
impl Keys for SqliteStore {
    async fn keys(&self) -> Result<Vec<SealedKey>, StoreFailed> {
        self.readers.read(|db| all(db, select!("ORDER BY algorithm, number"), (), sealed_key))
    }

    async fn keep_key(&self, key: SealedKey, event: Event) -> Result<SealedKey, StoreFailed> {
        const KEEP: &str = "INSERT INTO signing_key (kid, algorithm, number, sealed, created_at,
            active_at, retired_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        self.writer
            .act(move |db| {
                if let Some(newest) = newest(db, key.algorithm)?
                    && newest.number >= key.number
                {
                    return Ok(Verdict::Undo(newest));
                }
                let row = params![
                    bytes(key.kid.0),
                    key.algorithm.name(),
                    whole(key.number),
                    key.sealed,
                    whole(key.created_at.0),
                    whole(key.active_at.0),
                    key.retired_at.map(|at| whole(at.0)),
                ];
                change(db, KEEP, row)?;
                events::keep(db, &event)?;
                Ok(Verdict::Keep(key))
            })
            .await
    }

    async fn retire_key(
        &self,
        kid: KeyId,
        now: UnixTime,
        event: Event,
    ) -> Result<bool, StoreFailed> {
        const RETIRE: &str =
            "UPDATE signing_key SET retired_at = ?2 WHERE kid = ?1 AND retired_at IS NULL";
        self.writer
            .act(move |db| {
                if change(db, RETIRE, (bytes(kid.0), whole(now.0)))? == 0 {
                    return Ok(Verdict::Undo(false));
                }
                events::keep(db, &event)?;
                Ok(Verdict::Keep(true))
            })
            .await
    }

    async fn forget_key(&self, kid: KeyId, event: Event) -> Result<bool, StoreFailed> {
        // The newest stays, for its number must not come again.
        const FORGET: &str = "DELETE FROM signing_key WHERE kid = ?1 AND number <
            (SELECT max(number) FROM signing_key AS other
                WHERE other.algorithm = signing_key.algorithm)";
        self.writer
            .act(move |db| {
                if change(db, FORGET, (bytes(kid.0),))? == 0 {
                    return Ok(Verdict::Undo(false));
                }
                events::keep(db, &event)?;
                Ok(Verdict::Keep(true))
            })
            .await
    }
}

/// The keys of a database of any version of ours.
pub(super) fn of_version(db: &Connection, version: usize) -> Result<Vec<SealedKey>, StoreFailed> {
    // Before the ninth step each algorithm had one, without an end.
    const BEFORE: &str = "SELECT kid, algorithm, 1, sealed, created_at, created_at, NULL
        FROM signing_key ORDER BY algorithm";
    let now = select!("ORDER BY algorithm, number");
    all(db, if version < 9 { BEFORE } else { now }, (), sealed_key)
}

fn newest(db: &Connection, algorithm: Algorithm) -> Result<Option<SealedKey>, StoreFailed> {
    let newest = select!("WHERE algorithm = ?1 ORDER BY number DESC LIMIT 1");
    first(db, newest, (algorithm.name(),), sealed_key)
}

fn sealed_key(row: &mut Columns<'_>) -> Result<SealedKey, StoreFailed> {
    Ok(SealedKey {
        kid: row.id().map(KeyId)?,
        algorithm: row.text(|name| name.parse().ok())?,
        number: row.count()?,
        sealed: row.take()?,
        created_at: row.time()?,
        active_at: row.time()?,
        retired_at: row.maybe_time()?,
    })
}
