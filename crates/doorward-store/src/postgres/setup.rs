//! The one-time link for an administrator, in PostgreSQL.

use async_trait::async_trait;
use doorward_wire::{SecretDigest, UnixTime};

use super::acts::{Acted, Verdict};
use super::columns::{Bytes, change, exists, params, whole};
use super::link::Link;
use super::{PostgresStore, accounts};
use crate::Setup;
use crate::act::{AccountError, NewAccount, StoreFailed};

#[async_trait]
impl Setup for PostgresStore {
    async fn keep_setup(&self, key: SecretDigest, expires_at: UnixTime) -> Result<(), StoreFailed> {
        const KEEP: &str = "INSERT INTO setup (key, expires_at) VALUES ($1, $2)
            ON CONFLICT (only_row)
                DO UPDATE SET key = excluded.key, expires_at = excluded.expires_at";
        self.acts
            .act((), move |db, _| async move {
                change(&db, KEEP, params![Bytes(key.0), whole(expires_at.0)]).await?;
                Ok(Verdict::Keep(()))
            })
            .await
    }

    async fn has_setup(&self, key: SecretDigest, now: UnixTime) -> Result<bool, StoreFailed> {
        const HAS: &str = "SELECT 1 FROM setup WHERE key = $1 AND expires_at > $2";
        self.readers
            .read(|db| async move { exists(&db, HAS, params![Bytes(key.0), whole(now.0)]).await })
            .await
    }

    async fn spend_setup(
        &self,
        key: SecretDigest,
        new: NewAccount,
        now: UnixTime,
    ) -> Result<(), AccountError> {
        self.acts.act(new, move |db, new| async move { spend(&db, key, &new, now).await }).await?
    }
}

async fn spend(
    db: &Link,
    key: SecretDigest,
    new: &NewAccount,
    now: UnixTime,
) -> Acted<Result<(), AccountError>> {
    const SPEND: &str = "DELETE FROM setup WHERE key = $1 AND expires_at > $2";
    if change(db, SPEND, params![Bytes(key.0), whole(now.0)]).await? == 0 {
        return Ok(Verdict::Undo(Err(AccountError::LinkSpent)));
    }
    // If the name is taken, the whole act is undone, and the secret is still good.
    accounts::keep(db, new).await
}

/// Forgets the setup secret, as part of an act.
pub(super) async fn forget(db: &Link) -> Result<(), StoreFailed> {
    change(db, "DELETE FROM setup", &[]).await?;
    Ok(())
}
