//! Proofs that were shown, in PostgreSQL.

use async_trait::async_trait;
use doorward_wire::UnixTime;

use super::PostgresStore;
use super::acts::Verdict;
use super::columns::{Bytes, a_count, change, exists, only, params, rows, whole};
use super::link::Link;
use crate::Proofs;
use crate::act::{ProofSpending, StoreFailed};

#[async_trait]
impl Proofs for PostgresStore {
    async fn spend_proof(
        &self,
        key: [u8; 32],
        until: UnixTime,
        most: u64,
    ) -> Result<ProofSpending, StoreFailed> {
        self.acts
            .act(
                (),
                move |db, _| async move { Ok(Verdict::Keep(spend(&db, key, until, most).await?)) },
            )
            .await
    }

    async fn sweep_proofs(&self, now: UnixTime, limit: usize) -> Result<u64, StoreFailed> {
        const SWEEP: &str = "WITH oldest AS MATERIALIZED
            (SELECT seq FROM spent_proof ORDER BY seq LIMIT $2 FOR UPDATE SKIP LOCKED)
            DELETE FROM spent_proof USING oldest
            WHERE spent_proof.seq = oldest.seq AND spent_proof.until <= $1";
        self.acts
            .act((), move |db, _| async move {
                let forgotten = change(&db, SWEEP, params![whole(now.0), rows(limit)]).await?;
                Ok(Verdict::Keep(forgotten))
            })
            .await
    }
}

/// Takes a proof. Nobody waits for anybody here, so that those who come at once can be a few more than
/// the most: as many as there are connections.
async fn spend(
    db: &Link,
    key: [u8; 32],
    until: UnixTime,
    most: u64,
) -> Result<ProofSpending, StoreFailed> {
    // They go in the order in which they came, so that this is their number, and nothing is counted.
    // Of one proof that comes many times at once, each takes a number: it is never less than theirs.
    const SPAN: &str = "SELECT coalesce(max(seq) - min(seq) + 1, 0) FROM spent_proof";
    const THERE: &str = "SELECT 1 FROM spent_proof WHERE key = $1";
    const SPEND: &str = "INSERT INTO spent_proof (key, until) VALUES ($1, $2)
        ON CONFLICT DO NOTHING";
    let asked = params![Bytes(key)];
    let (span, is_there) =
        tokio::try_join!(only(db, SPAN, &[], a_count), exists(db, THERE, asked))?;
    if span >= most {
        return Ok(ProofSpending::Full);
    }
    if is_there || change(db, SPEND, params![Bytes(key), whole(until.0)]).await? == 0 {
        return Ok(ProofSpending::Again);
    }
    Ok(ProofSpending::First)
}
