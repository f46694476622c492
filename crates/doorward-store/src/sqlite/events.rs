//! The event log in SQLite.

use std::borrow::Cow;

use async_trait::async_trait;
use doorward_core::event::{Event, EventKind};
use doorward_core::notice;
use doorward_wire::{AccountId, EventId, SessionId, UnixTime};
use rusqlite::{Connection, params};

use super::SqliteStore;
use super::columns::{Columns, all, bytes, change, rows, whole};
use super::writer::Verdict;
use crate::Events;
use crate::act::{Page, StoreFailed};

/// Reads events, as [`event`] takes them.
macro_rules! select {
    ($where:literal) => {
        concat!("SELECT id, at, kind, account, session, ip, reason, device FROM event ", $where)
    };
}

/// Ids are ordered by time, so the oldest are at the front of the table.
pub(super) const FORGET_OLDEST: &str = "DELETE FROM event WHERE id IN (
    SELECT id FROM event ORDER BY id LIMIT ?2) AND at < ?1";

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
        self.writer
            .act(move |db| {
                let forgotten = change(db, FORGET_OLDEST, (whole(before.0), rows(limit)))?;
                Ok(Verdict::Keep(forgotten as u64))
            })
            .await
    }

    async fn events(&self, limit: usize) -> Result<Vec<Event>, StoreFailed> {
        const NEWEST: &str = select!("ORDER BY id DESC LIMIT ?1");
        self.readers.read(|db| all(db, NEWEST, (rows(limit),), event))
    }

    async fn events_of(
        &self,
        account: AccountId,
        before: Option<EventId>,
        limit: usize,
    ) -> Result<Page<Event>, StoreFailed> {
        const PAGE: &str = select!("WHERE account = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3");
        // Longer than any id, so that it sorts after them all.
        let below = before.map_or(vec![0xFF; 17], |id| bytes(id.0).to_vec());
        let asked = (bytes(account.0), below, rows(limit).saturating_add(1));
        let items = self.readers.read(|db| all(db, PAGE, asked, event))?;
        Ok(Page::cut(items, limit))
    }
}

/// Writes an event, as part of the act it tells of, and opens its notice if it alarms.
pub(super) fn keep(db: &Connection, event: &Event) -> Result<(), StoreFailed> {
    const KEEP: &str = "INSERT INTO event (id, at, kind, account, session, ip, reason, device)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    const OPEN: &str = "INSERT INTO notice (event, account) SELECT ?1, ?2 WHERE NOT EXISTS (
        SELECT 1 FROM notice AS n JOIN event AS e ON e.id = n.event
        WHERE n.account = ?2 AND e.kind = ?3 AND e.session = ?4)";
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
    if let Some(account) = event.account.filter(|_| notice::is_alarming(event)) {
        let session = event.session.map(|sid| bytes(sid.0));
        change(db, OPEN, params![bytes(event.id.0), bytes(account.0), event.kind.name(), session])?;
    }
    Ok(())
}

/// Reads the columns of an event.
pub(super) fn event(row: &mut Columns<'_>) -> Result<Event, StoreFailed> {
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
