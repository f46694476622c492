//! Notices in SQLite: an index over the event log of what was not answered yet.

use async_trait::async_trait;
use doorward_core::event::Event;
use doorward_wire::{AccountId, EventId};

use super::SqliteStore;
use super::columns::{all, bytes, change, first, rows};
use super::events::{event, keep};
use super::writer::Verdict;
use crate::Notices;
use crate::act::{Page, StoreFailed};

/// Reads events that are notices, as [`event`] takes them.
macro_rules! select {
    ($where:literal) => {
        concat!(
            "SELECT e.id, e.at, e.kind, e.account, e.session, e.ip, e.reason, e.device
            FROM notice AS n JOIN event AS e ON e.id = n.event ",
            $where
        )
    };
}

#[async_trait]
impl Notices for SqliteStore {
    async fn notices_of(
        &self,
        account: AccountId,
        before: Option<EventId>,
        limit: usize,
    ) -> Result<Page<Event>, StoreFailed> {
        const PAGE: &str =
            select!("WHERE n.account = ?1 AND n.event < ?2 ORDER BY n.event DESC LIMIT ?3");
        // Longer than any id, so that it sorts after them all.
        let below = before.map_or(vec![0xFF; 17], |id| bytes(id.0).to_vec());
        let asked = (bytes(account.0), below, rows(limit).saturating_add(1));
        let items = self.readers.read(|db| all(db, PAGE, asked, event))?;
        Ok(Page::cut(items, limit))
    }

    async fn notice(&self, account: AccountId, id: EventId) -> Result<Option<Event>, StoreFailed> {
        const ONE: &str = select!("WHERE n.event = ?2 AND n.account = ?1");
        self.readers.read(|db| first(db, ONE, (bytes(account.0), bytes(id.0)), event))
    }

    async fn answer_notice(
        &self,
        account: AccountId,
        id: EventId,
        answered: Event,
    ) -> Result<bool, StoreFailed> {
        const ANSWER: &str = "DELETE FROM notice WHERE event = ?2 AND account = ?1";
        self.writer
            .act(move |db| {
                if change(db, ANSWER, (bytes(account.0), bytes(id.0)))? == 0 {
                    return Ok(Verdict::Undo(false));
                }
                keep(db, &answered)?;
                Ok(Verdict::Keep(true))
            })
            .await
    }
}
