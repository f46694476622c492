//! The one-time link for an administrator, in SQLite.

use async_trait::async_trait;
use doorward_wire::{SecretDigest, UnixTime};
use rusqlite::Connection;

use super::columns::{change, only, whole};
use super::writer::Verdict;
use super::{SqliteStore, accounts};
use crate::Setup;
use crate::act::{AccountError, NewAccount, StoreFailed};

#[async_trait]
impl Setup for SqliteStore {
    async fn keep_setup(&self, key: SecretDigest, expires_at: UnixTime) -> Result<(), StoreFailed> {
        const KEEP: &str = "INSERT INTO setup (only_row, key, expires_at) VALUES (1, ?1, ?2)
            ON CONFLICT DO UPDATE SET key = excluded.key, expires_at = excluded.expires_at";
        self.writer
            .act(move |db| {
                change(db, KEEP, (key.0, whole(expires_at.0)))?;
                Ok(Verdict::Keep(()))
            })
            .await
    }

    async fn has_setup(&self, key: SecretDigest, now: UnixTime) -> Result<bool, StoreFailed> {
        const HAS: &str = "SELECT EXISTS (SELECT 1 FROM setup WHERE key = ?1 AND expires_at > ?2)";
        self.readers.read(|db| only(db, HAS, (key.0, whole(now.0))))
    }

    async fn spend_setup(
        &self,
        key: SecretDigest,
        new: NewAccount,
        now: UnixTime,
    ) -> Result<(), AccountError> {
        const SPEND: &str = "DELETE FROM setup WHERE key = ?1 AND expires_at > ?2";
        self.writer
            .act(move |db| {
                if change(db, SPEND, (key.0, whole(now.0)))? == 0 {
                    return Ok(Verdict::Undo(Err(AccountError::LinkSpent)));
                }
                // If the name is taken, the whole act is undone, and the secret is still good.
                accounts::keep(db, &new)
            })
            .await?
    }
}

/// Forgets the setup secret, as part of an act.
pub(super) fn forget(db: &Connection) -> Result<(), StoreFailed> {
    change(db, "DELETE FROM setup", ())?;
    Ok(())
}
