//! Notices in memory, and where logins came from.

use async_trait::async_trait;
use doorward_core::event::Event;
use doorward_core::whereabouts::{REMEMBERED, VISIT_COUNT_MAX, Visit};
use doorward_wire::{AccountId, EventId};

use super::{MemoryStore, State};
use crate::Notices;
use crate::act::{NewSession, Page, StoreFailed};

impl State {
    /// Keeps where a login came from, and tells of it if the account was not seen there lately.
    pub(super) fn arrive(&mut self, new: &NewSession) {
        let Some((account, here)) = new.arrival() else { return };
        let now = new.session.opened_at;
        let before = self.visits.entry(account).or_default();
        let is_new = here.is_new(before, now);
        match before.iter_mut().find(|visit| visit.whereabouts == *here) {
            Some(visit) => visit.seen_at = visit.seen_at.max(now),
            None => before.push(Visit { whereabouts: here.clone(), seen_at: now }),
        }
        before.retain(|visit| now.since(visit.seen_at) < REMEMBERED);
        before.sort_by_key(|visit| std::cmp::Reverse(visit.seen_at));
        before.truncate(VISIT_COUNT_MAX);
        if is_new {
            self.note(new.arriving());
        }
    }

    fn open_notice(&self, account: AccountId, id: EventId) -> Option<&Event> {
        let event = self.events.get(&id).filter(|_| self.notices.contains(&id))?;
        Some(event).filter(|event| event.account == Some(account))
    }
}

#[async_trait]
impl Notices for MemoryStore {
    async fn notices_of(
        &self,
        account: AccountId,
        before: Option<EventId>,
        limit: usize,
    ) -> Result<Page<Event>, StoreFailed> {
        let state = self.state();
        let items =
            state.newest_of(account, before).filter(|event| state.notices.contains(&event.id));
        Ok(Page::cut(items.take(limit.saturating_add(1)).cloned().collect(), limit))
    }

    async fn notice(&self, account: AccountId, id: EventId) -> Result<Option<Event>, StoreFailed> {
        Ok(self.state().open_notice(account, id).cloned())
    }

    async fn answer_notice(
        &self,
        account: AccountId,
        id: EventId,
        answered: Event,
    ) -> Result<bool, StoreFailed> {
        let mut state = self.state();
        if state.open_notice(account, id).is_none() {
            return Ok(false);
        }
        state.notices.remove(&id);
        state.note(answered);
        Ok(true)
    }
}
