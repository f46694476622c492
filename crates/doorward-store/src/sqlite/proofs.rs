//! Proofs that were shown, in SQLite.

use async_trait::async_trait;
use doorward_wire::UnixTime;
use rusqlite::Connection;

use super::SqliteStore;
use super::columns::{change, count, only, rows, whole};
use super::writer::Verdict;
use crate::Proofs;
use crate::act::{ProofSpending, StoreFailed};

#[async_trait]
impl Proofs for SqliteStore {
    async fn spend_proof(
        &self,
        key: [u8; 32],
        until: UnixTime,
        most: u64,
    ) -> Result<ProofSpending, StoreFailed> {
        self.writer.act(move |db| Ok(Verdict::Keep(spend(db, key, until, most)?))).await
    }

    async fn sweep_proofs(&self, now: UnixTime, limit: usize) -> Result<u64, StoreFailed> {
        const SWEEP: &str = "DELETE FROM spent_proof WHERE until <= ?1 AND seq IN
            (SELECT seq FROM spent_proof ORDER BY seq LIMIT ?2)";
        self.writer
            .act(move |db| {
                let forgotten = change(db, SWEEP, (whole(now.0), rows(limit)))?;
                Ok(Verdict::Keep(forgotten as u64))
            })
            .await
    }
}

fn spend(
    db: &Connection,
    key: [u8; 32],
    until: UnixTime,
    most: u64,
) -> Result<ProofSpending, StoreFailed> {
    const SPEND: &str = "INSERT INTO spent_proof (key, until) VALUES (?1, ?2)
        ON CONFLICT DO NOTHING";
    // They go in the order in which they came, so that this is their number, and nothing is counted.
    const SPAN: &str = "SELECT ifnull(max(seq) - min(seq) + 1, 0) FROM spent_proof";
    if count(only(db, SPAN, ())?) >= most {
        return Ok(ProofSpending::Full);
    }
    let is_first = change(db, SPEND, (key, whole(until.0)))? == 1;
    Ok(if is_first { ProofSpending::First } else { ProofSpending::Again })
}
