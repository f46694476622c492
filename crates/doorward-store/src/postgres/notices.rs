//! Notices in PostgreSQL: an index over the event log of what was not answered yet.

use async_trait::async_trait;
use doorward_core::event::Event;
use doorward_wire::{AccountId, EventId};

use super::PostgresStore;
use super::acts::Verdict;
use super::columns::{all, below, bytes, change, first, params, rows};
use super::events::{event, keep};
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
impl Notices for PostgresStore {
    async fn notices_of(
        &self,
        account: AccountId,
        before: Option<EventId>,
        limit: usize,
    ) -> Result<Page<Event>, StoreFailed> {
        const PAGE: &str =
            select!("WHERE n.account = $1 AND n.event < $2 ORDER BY n.event DESC LIMIT $3");
        let below = below(before.map(|id| id.0));
        let one_more = rows(limit).saturating_add(1);
        let items = self.readers.read(|db| async move {
            all(&db, PAGE, params![bytes(account.0), below, one_more], event).await
        });
        Ok(Page::cut(items.await?, limit))
    }

    async fn notice(&self, account: AccountId, id: EventId) -> Result<Option<Event>, StoreFailed> {
        const ONE: &str = select!("WHERE n.event = $2 AND n.account = $1");
        self.readers
            .read(|db| async move {
                first(&db, ONE, params![bytes(account.0), bytes(id.0)], event).await
            })
            .await
    }

    async fn answer_notice(
        &self,
        account: AccountId,
        id: EventId,
        answered: Event,
    ) -> Result<bool, StoreFailed> {
        const ANSWER: &str = "DELETE FROM notice WHERE event = $2 AND account = $1";
        self.acts
            .act(answered, move |db, answered| async move {
                if change(&db, ANSWER, params![bytes(account.0), bytes(id.0)]).await? == 0 {
                    return Ok(Verdict::Undo(false));
                }
                keep(&db, &answered).await?;
                Ok(Verdict::Keep(true))
            })
            .await
    }
}
