//! The event log in SQLite.

use std::borrow::Cow;

use async_trait::async_trait;
use doorward_core::event::{Event, EventKind};
use doorward_wire::{AccountId, EventId, SessionId, UnixTime};
use rusqlite::{Connection, params};

use super::SqliteStore;
use super::columns::{Columns, all, bytes, change, rows, whole};
use super::writer::Verdict;
use crate::Events;
use crate::act::StoreFailed;

#[async_trait]
impl Events for SqliteStore {
    async fn note(&self, event: Event) -> Result<(), StoreFailed> {
        self.writer
            .act(move |db| {
                keep(db, &event)?;
                Ok(Verdict::Keep(()))
            })
            .await
    }

    async fn sweep_events(&self, before: UnixTime, limit: usize) -> Result<u64, StoreFailed> {
        // Ids are ordered by time, so the oldest are at the front of the table.
        const FORGET: &str = "DELETE FROM event WHERE id IN (
            SELECT id FROM event ORDER BY id LIMIT ?2) AND at < ?1";
        self.writer
            .act(move |db| {
                let forgotten = change(db, FORGET, (whole(before.0), rows(limit)))?;
                Ok(Verdict::Keep(forgotten as u64))
            })
            .await
    }

    async fn events(&self, limit: usize) -> Result<Vec<Event>, StoreFailed> {
        const NEWEST: &str = "SELECT id, at, kind, account, session, ip, reason, device FROM event
            ORDER BY id DESC LIMIT ?1";
        self.readers.read(|db| all(db, NEWEST, (rows(limit),), event))
    }
}

/// Writes an event, as part of the act it tells of.
pub(super) fn keep(db: &Connection, event: &Event) -> Result<(), StoreFailed> {
    const KEEP: &str = "INSERT INTO event (id, at, kind, account, session, ip, reason, device)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let row = params![
        bytes(event.id.0),
        whole(event.at.0),
        event.kind.name(),
        event.account.map(|id| bytes(id.0)),
        event.session.map(|sid| bytes(sid.0)),
        event.ip,
        event.reason.as_deref(),
        event.device,
    ];
    change(db, KEEP, row)?;
    Ok(())
}

fn event(row: &mut Columns<'_>) -> Result<Event, StoreFailed> {
    Ok(Event {
        id: row.id().map(EventId)?,
        at: row.time()?,
        kind: row.text(EventKind::from_name)?,
        account: row.maybe_id()?.map(AccountId),
        session: row.maybe_id()?.map(SessionId),
        ip: row.take()?,
        reason: row.take::<Option<String>>()?.map(Cow::Owned),
        device: row.take()?,
    })
}
