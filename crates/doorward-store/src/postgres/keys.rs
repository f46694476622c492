//! Signing keys in PostgreSQL, sealed.

use async_trait::async_trait;
use doorward_core::event::Event;
use doorward_wire::jose::Algorithm;
use doorward_wire::{KeyId, UnixTime};

use super::acts::{Acted, Verdict};
use super::columns::{Columns, all, bytes, change, first, params, whole};
use super::link::Link;
use super::{PostgresStore, events};
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
impl Keys for PostgresStore {
    async fn keys(&self) -> Result<Vec<SealedKey>, StoreFailed> {
        const ALL: &str = select!("ORDER BY algorithm, number");
        self.readers.read(|db| async move { all(&db, ALL, &[], sealed_key).await }).await
    }

    async fn keep_key(&self, key: SealedKey, event: Event) -> Result<SealedKey, StoreFailed> {
        let kept = self.acts.act((key, event), |db, asked| async move {
            let (key, event) = &*asked;
            keep(&db, key, event).await
        });
        kept.await
    }

    async fn retire_key(
        &self,
        kid: KeyId,
        now: UnixTime,
        event: Event,
    ) -> Result<bool, StoreFailed> {
        const RETIRE: &str =
            "UPDATE signing_key SET retired_at = $2 WHERE kid = $1 AND retired_at IS NULL";
        self.acts
            .act(event, move |db, event| async move {
                if change(&db, RETIRE, params![bytes(kid.0), whole(now.0)]).await? == 0 {
                    return Ok(Verdict::Undo(false));
                }
                events::keep(&db, &event).await?;
                Ok(Verdict::Keep(true))
            })
            .await
    }

    async fn forget_key(&self, kid: KeyId, event: Event) -> Result<bool, StoreFailed> {
        // The newest stays, for its number must not come again.
        const FORGET: &str = "DELETE FROM signing_key WHERE kid = $1 AND number <
            (SELECT max(number) FROM signing_key AS other
                WHERE other.algorithm = signing_key.algorithm)";
        self.acts
            .act(event, move |db, event| async move {
                if change(&db, FORGET, params![bytes(kid.0)]).await? == 0 {
                    return Ok(Verdict::Undo(false));
                }
                events::keep(&db, &event).await?;
                Ok(Verdict::Keep(true))
            })
            .await
    }
}

/// Keeps a key. Keys are few and come seldom: whoever makes one has the others wait, so that the newest
/// is known.
async fn keep(db: &Link, key: &SealedKey, event: &Event) -> Acted<SealedKey> {
    const KEEP: &str = "INSERT INTO signing_key (kid, algorithm, number, sealed, created_at,
        active_at, retired_at) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    db.perform("LOCK TABLE signing_key IN SHARE ROW EXCLUSIVE MODE").await?;
    if let Some(newest) = newest(db, key.algorithm).await?
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
    change(db, KEEP, row).await?;
    events::keep(db, event).await?;
    Ok(Verdict::Keep(key.clone()))
}

async fn newest(db: &Link, algorithm: Algorithm) -> Result<Option<SealedKey>, StoreFailed> {
    const NEWEST: &str = select!("WHERE algorithm = $1 ORDER BY number DESC LIMIT 1");
    first(db, NEWEST, params![algorithm.name()], sealed_key).await
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
