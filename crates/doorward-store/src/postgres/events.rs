//! The event log in PostgreSQL.

use std::borrow::Cow;

use async_trait::async_trait;
use doorward_core::event::{Event, EventKind};
use doorward_core::notice;
use doorward_wire::{AccountId, EventId, SessionId, UnixTime};

use super::PostgresStore;
use super::acts::Verdict;
use super::columns::{Columns, all, below, bytes, change, params, rows, whole};
use super::link::Link;
use crate::Events;
use crate::act::{Page, StoreFailed};

/// Reads events, as [`event`] takes them.
macro_rules! select {
    ($where:literal) => {
        concat!("SELECT id, at, kind, account, session, ip, reason, device FROM event ", $where)
    };
}

#[async_trait]
impl Events for PostgresStore {
    async fn note(&self, event: Event) -> Result<(), StoreFailed> {
        self.acts
            .act(event, |db, event| async move {
                keep(&db, &event).await?;
                Ok(Verdict::Keep(()))
            })
            .await
    }

    async fn sweep_events(&self, before: UnixTime, limit: usize) -> Result<u64, StoreFailed> {
        // Ids are ordered by time, so the oldest are at the front.
        const SWEEP: &str = "WITH oldest AS MATERIALIZED
            (SELECT id FROM event ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)
            DELETE FROM event USING oldest WHERE event.id = oldest.id AND event.at < $1";
        self.acts
            .act((), move |db, _| async move {
                let forgotten = change(&db, SWEEP, params![whole(before.0), rows(limit)]).await?;
                Ok(Verdict::Keep(forgotten))
            })
            .await
    }

    async fn events(&self, limit: usize) -> Result<Vec<Event>, StoreFailed> {
        const NEWEST: &str = select!("ORDER BY id DESC LIMIT $1");
        self.readers
            .read(|db| async move { all(&db, NEWEST, params![rows(limit)], event).await })
            .await
    }

    async fn events_of(
        &self,
        account: AccountId,
        before: Option<EventId>,
        limit: usize,
    ) -> Result<Page<Event>, StoreFailed> {
        const PAGE: &str = select!("WHERE account = $1 AND id < $2 ORDER BY id DESC LIMIT $3");
        let below = below(before.map(|id| id.0));
        let one_more = rows(limit).saturating_add(1);
        let items = self.readers.read(|db| async move {
            all(&db, PAGE, params![bytes(account.0), below, one_more], event).await
        });
        Ok(Page::cut(items.await?, limit))
    }
}

/// Writes an event, as part of the act it tells of, and opens its notice if it alarms.
pub(super) async fn keep(db: &Link, event: &Event) -> Result<(), StoreFailed> {
    keep_all(db, std::slice::from_ref(event)).await
}

/// Writes events, as part of the act they tell of, in one go.
pub(super) async fn keep_all(db: &Link, events: &[Event]) -> Result<(), StoreFailed> {
    const KEEP: &str = "INSERT INTO event (id, at, kind, account, session, ip, reason, device)
        SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::text[], $4::bytea[], $5::bytea[],
            $6::text[], $7::text[], $8::text[])";
    if events.is_empty() {
        return Ok(());
    }
    let all = || events.iter();
    let row = params![
        all().map(|event| bytes(event.id.0)).collect::<Vec<_>>(),
        all().map(|event| whole(event.at.0)).collect::<Vec<_>>(),
        all().map(|event| event.kind.name()).collect::<Vec<_>>(),
        all().map(|event| event.account.map(|id| bytes(id.0))).collect::<Vec<_>>(),
        all().map(|event| event.session.map(|sid| bytes(sid.0))).collect::<Vec<_>>(),
        all().map(|event| event.ip.as_deref()).collect::<Vec<_>>(),
        all().map(|event| event.reason.as_deref()).collect::<Vec<_>>(),
        all().map(|event| event.device.as_deref()).collect::<Vec<_>>(),
    ];
    change(db, KEEP, row).await?;
    for event in events.iter().filter(|event| notice::is_alarming(event)) {
        open_notice(db, event).await?;
    }
    Ok(())
}

/// Opens the notice of an event, unless one of its kind about its session is open: the index says so.
async fn open_notice(db: &Link, event: &Event) -> Result<(), StoreFailed> {
    const OPEN: &str = "INSERT INTO notice (event, account, kind, session)
        VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    let Some(account) = event.account else { return Ok(()) };
    let session = event.session.map(|sid| bytes(sid.0));
    let row = params![bytes(event.id.0), bytes(account.0), event.kind.name(), session];
    change(db, OPEN, row).await?;
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
