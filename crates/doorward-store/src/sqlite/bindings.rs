//! Bindings in SQLite.

use async_trait::async_trait;
use doorward_core::session::Carrier;
use doorward_wire::SessionId;
use rusqlite::{Connection, params};

use super::columns::{Columns, bytes, change, first, only, whole};
use super::words::CarrierNumber;
use super::writer::{Acted, Verdict};
use super::{SqliteStore, events};
use crate::Bindings;
use crate::act::{BindError, KeptBinding, NewBinding, Spending, StoreFailed};

#[async_trait]
impl Bindings for SqliteStore {
    async fn bind(&self, new: NewBinding) -> Result<(), BindError> {
        self.writer.act(move |db| bind(db, &new)).await?
    }

    async fn binding(&self, sid: SessionId) -> Result<Option<KeptBinding>, StoreFailed> {
        const BINDING: &str = "SELECT jwk, spent FROM binding WHERE sid = ?1";
        let kept =
            |row: &mut Columns<'_>| Ok(KeptBinding { jwk: row.take()?, spent: row.count()? });
        self.readers.read(|db| first(db, BINDING, (bytes(sid.0),), kept))
    }

    async fn spend_challenge(&self, sid: SessionId, number: u64) -> Result<Spending, StoreFailed> {
        self.writer.act(move |db| spend(db, sid, number).map(Verdict::Keep)).await
    }
}

fn bind(db: &Connection, new: &NewBinding) -> Acted<Result<(), BindError>> {
    const BIND: &str = "UPDATE session SET bound_key = ?2, bound_at = ?3
        WHERE sid = ?1 AND bound_key IS NULL AND carrier = ?4";
    const KEEP: &str = "INSERT INTO binding (sid, jwk, spent) VALUES (?1, ?2, ?3)";
    const BOUND: &str =
        "SELECT EXISTS (SELECT 1 FROM session WHERE sid = ?1 AND bound_key IS NOT NULL)";
    let sid = bytes(new.sid.0);
    let cookie = CarrierNumber(Carrier::Cookie);
    if change(db, BIND, params![sid, new.bound.key.0, whole(new.bound.at.0), cookie])? == 0 {
        let is_bound: bool = only(db, BOUND, (sid,))?;
        let refused = if is_bound { BindError::Bound } else { BindError::Gone };
        return Ok(Verdict::Undo(Err(refused)));
    }
    change(db, KEEP, params![sid, new.jwk, whole(new.spent)])?;
    events::keep(db, &new.event)?;
    Ok(Verdict::Keep(Ok(())))
}

fn spend(db: &Connection, sid: SessionId, number: u64) -> Result<Spending, StoreFailed> {
    const SPEND: &str = "UPDATE binding SET spent = ?2 WHERE sid = ?1 AND spent < ?2";
    const THERE: &str = "SELECT EXISTS (SELECT 1 FROM binding WHERE sid = ?1)";
    if change(db, SPEND, params![bytes(sid.0), whole(number)])? > 0 {
        return Ok(Spending::Counted);
    }
    let is_there: bool = only(db, THERE, (bytes(sid.0),))?;
    Ok(if is_there { Spending::Late } else { Spending::Gone })
}
