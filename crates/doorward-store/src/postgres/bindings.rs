//! Bindings in PostgreSQL.

use async_trait::async_trait;
use doorward_core::session::Carrier;
use doorward_wire::SessionId;

use super::acts::{Acted, Verdict};
use super::columns::{Bytes, Columns, bytes, change, exists, first, params, whole};
use super::link::Link;
use super::words::carrier_number;
use super::{PostgresStore, events};
use crate::Bindings;
use crate::act::{BindError, KeptBinding, NewBinding, Spending, StoreFailed};

#[async_trait]
impl Bindings for PostgresStore {
    async fn bind(&self, new: NewBinding) -> Result<(), BindError> {
        self.acts.act(new, |db, new| async move { bind(&db, &new).await }).await?
    }

    async fn binding(&self, sid: SessionId) -> Result<Option<KeptBinding>, StoreFailed> {
        const BINDING: &str = "SELECT jwk, spent FROM binding WHERE sid = $1";
        let kept =
            |row: &mut Columns<'_>| Ok(KeptBinding { jwk: row.take()?, spent: row.count()? });
        self.readers
            .read(|db| async move { first(&db, BINDING, params![bytes(sid.0)], kept).await })
            .await
    }

    async fn spend_challenge(&self, sid: SessionId, number: u64) -> Result<Spending, StoreFailed> {
        let spending = self
            .acts
            .act((), move |db, _| async move { Ok(Verdict::Keep(spend(&db, sid, number).await?)) });
        spending.await
    }
}

async fn bind(db: &Link, new: &NewBinding) -> Acted<Result<(), BindError>> {
    const BIND: &str = "UPDATE session SET bound_key = $2, bound_at = $3
        WHERE sid = $1 AND bound_key IS NULL AND carrier = $4";
    const KEEP: &str = "INSERT INTO binding (sid, jwk, spent) VALUES ($1, $2, $3)";
    const BOUND: &str = "SELECT 1 FROM session WHERE sid = $1 AND bound_key IS NOT NULL";
    let sid = bytes(new.sid.0);
    let (key, cookie) = (Bytes(new.bound.key.0), carrier_number(Carrier::Cookie));
    db.changes_sessions([new.sid]);
    if change(db, BIND, params![sid, key, whole(new.bound.at.0), cookie]).await? == 0 {
        let is_bound = exists(db, BOUND, params![sid]).await?;
        let refused = if is_bound { BindError::Bound } else { BindError::Gone };
        return Ok(Verdict::Undo(Err(refused)));
    }
    change(db, KEEP, params![sid, new.jwk, whole(new.spent)]).await?;
    events::keep(db, &new.event).await?;
    Ok(Verdict::Keep(Ok(())))
}

async fn spend(db: &Link, sid: SessionId, number: u64) -> Result<Spending, StoreFailed> {
    const SPEND: &str = "UPDATE binding SET spent = $2 WHERE sid = $1 AND spent < $2";
    const THERE: &str = "SELECT 1 FROM binding WHERE sid = $1";
    if change(db, SPEND, params![bytes(sid.0), whole(number)]).await? > 0 {
        return Ok(Spending::Counted);
    }
    let is_there = exists(db, THERE, params![bytes(sid.0)]).await?;
    Ok(if is_there { Spending::Late } else { Spending::Gone })
}
