//! Places in status lists, in PostgreSQL. A number is taken for good: that of an act which fails stays
//! empty.

use async_trait::async_trait;
use doorward_core::revocation::{PlacedToken, Revoked};
use doorward_wire::{AccountId, ClientId, SessionId, TokenId, UnixTime};

use super::PostgresStore;
use super::acts::Verdict;
use super::columns::{Columns, a_count, all, bytes, change, only, params, rows, whole};
use crate::StatusPlaces;
use crate::act::StoreFailed;
use crate::derived::revoked_among;

#[async_trait]
impl StatusPlaces for PostgresStore {
    async fn place_token(&self, token: PlacedToken) -> Result<u64, StoreFailed> {
        const PLACE: &str = "INSERT INTO token_place (jti, sid, account, client, since, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6) RETURNING number";
        self.acts
            .act(token, |db, token| async move {
                let row = params![
                    bytes(token.jti.0),
                    token.sid.map(|id| bytes(id.0)),
                    token.account.map(|id| bytes(id.0)),
                    token.client.map(|id| bytes(id.0)),
                    whole(token.since.0),
                    whole(token.expires_at.0),
                ];
                Ok(Verdict::Keep(only(&db, PLACE, row, a_count).await?))
            })
            .await
    }

    async fn place_count(&self) -> Result<u64, StoreFailed> {
        const COUNT: &str =
            "SELECT CASE WHEN is_called THEN last_value + 1 ELSE 0 END FROM token_place_number";
        self.readers.read(|db| async move { only(&db, COUNT, &[], a_count).await }).await
    }

    async fn revoked_places(&self, first: u64, count: u64) -> Result<Vec<u64>, StoreFailed> {
        const PLACED: &str = "SELECT number, jti, sid, account, client, since, expires_at
            FROM token_place WHERE number >= $1 AND number < $2";
        const LOG: &str = "SELECT kind, id, not_before FROM revocation";
        let range = (whole(first), whole(first.saturating_add(count)));
        self.readers
            .read(|db| async move {
                let asked = params![range.0, range.1];
                let (log, placed) =
                    tokio::try_join!(all(&db, LOG, &[], entry), all(&db, PLACED, asked, place),)?;
                Ok(revoked_among(log.into_iter().flatten(), placed))
            })
            .await
    }

    async fn sweep_places(&self, now: UnixTime, limit: usize) -> Result<u64, StoreFailed> {
        const SWEEP: &str = "WITH oldest AS MATERIALIZED
            (SELECT number FROM token_place ORDER BY number LIMIT $2 FOR UPDATE SKIP LOCKED)
            DELETE FROM token_place USING oldest
            WHERE token_place.number = oldest.number AND token_place.expires_at <= $1";
        self.acts
            .act((), move |db, _| async move {
                let forgotten = change(&db, SWEEP, params![whole(now.0), rows(limit)]).await?;
                Ok(Verdict::Keep(forgotten))
            })
            .await
    }
}

fn entry(row: &mut Columns<'_>) -> Result<Option<(Revoked, UnixTime)>, StoreFailed> {
    let kind: &str = row.take()?;
    let what = Revoked::from_parts(kind, row.id()?);
    let not_before = row.time()?;
    Ok(what.map(|what| (what, not_before)))
}

fn place(row: &mut Columns<'_>) -> Result<(u64, PlacedToken), StoreFailed> {
    let number = row.count()?;
    let token = PlacedToken {
        jti: row.id().map(TokenId)?,
        sid: row.maybe_id()?.map(SessionId),
        account: row.maybe_id()?.map(AccountId),
        client: row.maybe_id()?.map(ClientId),
        since: row.time()?,
        expires_at: row.time()?,
    };
    Ok((number, token))
}
