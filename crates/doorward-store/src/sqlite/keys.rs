//! Signing keys in SQLite, sealed.

use async_trait::async_trait;
use doorward_core::event::Event;
use doorward_wire::KeyId;
use doorward_wire::jose::Algorithm;
use rusqlite::{Connection, params};

use super::columns::{Columns, all, bytes, change, first, whole};
use super::writer::Verdict;
use super::{SqliteStore, events};
use crate::Keys;
use crate::act::{SealedKey, StoreFailed};

#[async_trait]
impl Keys for SqliteStore {
    async fn keys(&self) -> Result<Vec<SealedKey>, StoreFailed> {
        const ALL: &str = "SELECT kid, algorithm, sealed, created_at FROM signing_key
            ORDER BY created_at, kid";
        self.readers.read(|db| all(db, ALL, (), sealed_key))
    }

    async fn keep_first_key(&self, key: SealedKey, event: Event) -> Result<SealedKey, StoreFailed> {
        const KEEP: &str = "INSERT INTO signing_key (kid, algorithm, sealed, created_at)
            VALUES (?1, ?2, ?3, ?4)";
        self.writer
            .act(move |db| {
                if let Some(kept) = active(db, key.algorithm)? {
                    return Ok(Verdict::Undo(kept));
                }
                let name = key.algorithm.name();
                let row = params![bytes(key.kid.0), name, key.sealed, whole(key.created_at.0)];
                change(db, KEEP, row)?;
                events::keep(db, &event)?;
                Ok(Verdict::Keep(key))
            })
            .await
    }

    async fn active_key(&self, algorithm: Algorithm) -> Result<Option<SealedKey>, StoreFailed> {
        self.readers.read(|db| active(db, algorithm))
    }
}

fn active(db: &Connection, algorithm: Algorithm) -> Result<Option<SealedKey>, StoreFailed> {
    const NEWEST: &str = "SELECT kid, algorithm, sealed, created_at FROM signing_key
        WHERE algorithm = ?1 ORDER BY created_at DESC, kid DESC LIMIT 1";
    first(db, NEWEST, (algorithm.name(),), sealed_key)
}

fn sealed_key(row: &mut Columns<'_>) -> Result<SealedKey, StoreFailed> {
    Ok(SealedKey {
        kid: row.id().map(KeyId)?,
        algorithm: row.text(|name| name.parse().ok())?,
        sealed: row.take()?,
        created_at: row.time()?,
    })
}
