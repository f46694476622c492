//! Places in status lists, in SQLite.

use async_trait::async_trait;
use doorward_core::revocation::{PlacedToken, Revoked};
use doorward_wire::{AccountId, ClientId, SessionId, TokenId, UnixTime};
use rusqlite::params;

use super::SqliteStore;
use super::columns::{Columns, all, bytes, change, only, rows, whole};
use super::writer::Verdict;
use crate::StatusPlaces;
use crate::act::StoreFailed;
use crate::derived::revoked_among;

#[async_trait]
impl StatusPlaces for SqliteStore {
    async fn place_token(&self, token: PlacedToken) -> Result<u64, StoreFailed> {
        const PLACE: &str = "INSERT INTO token_place (jti, sid, account, client, since, expires_at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        self.writer
            .act(move |db| {
                let row = params![
                    bytes(token.jti.0),
                    token.sid.map(|id| bytes(id.0)),
                    token.account.map(|id| bytes(id.0)),
                    token.client.map(|id| bytes(id.0)),
                    whole(token.since.0),
                    whole(token.expires_at.0),
                ];
                change(db, PLACE, row)?;
                // They begin with one, and lists with none.
                Ok(Verdict::Keep(db.last_insert_rowid().cast_unsigned() - 1))
            })
            .await
    }

    async fn place_count(&self) -> Result<u64, StoreFailed> {
        const COUNT: &str =
            "SELECT ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'token_place'), 0)";
        self.readers.read(|db| only::<i64>(db, COUNT, ())).map(i64::cast_unsigned)
    }

    async fn revoked_places(&self, first: u64, count: u64) -> Result<Vec<u64>, StoreFailed> {
        const PLACED: &str = "SELECT number - 1, jti, sid, account, client, since, expires_at
            FROM token_place WHERE number > ?1 AND number <= ?2";
        const LOG: &str = "SELECT kind, id, not_before FROM revocation";
        let range = (whole(first), whole(first.saturating_add(count)));
        self.readers.read(|db| {
            let log = all(db, LOG, (), entry)?;
            Ok(revoked_among(log.into_iter().flatten(), all(db, PLACED, range, place)?))
        })
    }

    async fn sweep_places(&self, now: UnixTime, limit: usize) -> Result<u64, StoreFailed> {
        const SWEEP: &str = "DELETE FROM token_place WHERE expires_at <= ?1 AND number IN
            (SELECT number FROM token_place ORDER BY number LIMIT ?2)";
        self.writer
            .act(move |db| {
                let forgotten = change(db, SWEEP, (whole(now.0), rows(limit)))?;
                Ok(Verdict::Keep(forgotten as u64))
            })
            .await
    }
}

fn entry(row: &mut Columns<'_>) -> Result<Option<(Revoked, UnixTime)>, StoreFailed> {
    let kind: String = row.take()?;
    let what = Revoked::from_parts(&kind, row.id()?);
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
