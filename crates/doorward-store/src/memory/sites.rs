//! Protected sites in memory.

use async_trait::async_trait;
use doorward_core::event::Event;

use super::MemoryStore;
use crate::Sites;
use crate::act::{KeptSite, SiteKeeping, StoreFailed};

#[async_trait]
impl Sites for MemoryStore {
    async fn sites(&self) -> Result<Vec<KeptSite>, StoreFailed> {
        Ok(self.state().sites.values().cloned().collect())
    }

    async fn keep_site(
        &self,
        site: KeptSite,
        most: u64,
        event: Event,
    ) -> Result<SiteKeeping, StoreFailed> {
        let mut state = self.state();
        let is_new = !state.sites.contains_key(&site.origin);
        if is_new && state.sites.len() as u64 >= most {
            return Ok(SiteKeeping::Full);
        }
        state.sites.insert(site.origin.clone(), site);
        state.note(event);
        Ok(if is_new { SiteKeeping::New } else { SiteKeeping::Replaced })
    }

    async fn remove_site(&self, origin: &str, event: Event) -> Result<bool, StoreFailed> {
        let mut state = self.state();
        if state.sites.remove(origin).is_none() {
            return Ok(false);
        }
        state.note(event);
        Ok(true)
    }
}
