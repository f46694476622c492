//! Places in status lists, in memory.

use async_trait::async_trait;
use doorward_core::revocation::PlacedToken;
use doorward_wire::UnixTime;

use super::MemoryStore;
use crate::StatusPlaces;
use crate::act::StoreFailed;

#[async_trait]
impl StatusPlaces for MemoryStore {
    async fn place_token(&self, token: PlacedToken) -> Result<u64, StoreFailed> {
        let mut state = self.state();
        let number = state.place_count;
        state.place_count += 1;
        state.places.insert(number, token);
        Ok(number)
    }

    async fn place_count(&self) -> Result<u64, StoreFailed> {
        Ok(self.state().place_count)
    }

    async fn revoked_places(&self, first: u64, count: u64) -> Result<Vec<u64>, StoreFailed> {
        let state = self.state();
        let range = state.places.range(first..first.saturating_add(count));
        let is_revoked =
            |token: &PlacedToken| state.log.iter().any(|entry| token.ends_by(&entry.revocation));
        Ok(range.filter(|(_, token)| is_revoked(token)).map(|(number, _)| *number).collect())
    }

    async fn sweep_places(&self, now: UnixTime, limit: usize) -> Result<u64, StoreFailed> {
        let mut state = self.state();
        let oldest = state.places.iter().take(limit);
        let past: Vec<u64> =
            oldest.filter(|(_, it)| it.expires_at <= now).map(|(number, _)| *number).collect();
        for number in &past {
            state.places.remove(number);
        }
        Ok(past.len() as u64)
    }
}
