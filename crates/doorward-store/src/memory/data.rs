//! Session data in memory.

use async_trait::async_trait;
use doorward_core::data::{DataKey, Datum, KEY_COUNT_MAX, Precondition, QUOTA};
use doorward_wire::SessionId;

use super::{MemoryStore, State};
use crate::SessionData;
use crate::act::{DataError, StoreFailed, Written};

impl State {
    /// Moves the named keys of one session to another. Their versions stay, and no version of a key
    /// that does not go over is given again.
    pub(super) fn carry(&mut self, (from, to): (SessionId, SessionId), keys: &[DataKey]) {
        for key in keys {
            if let Some(datum) = self.data.remove(&(from, key.clone())) {
                self.data.insert((to, key.clone()), datum);
            }
        }
        let left = self.data_of(from).map(|(_, datum)| datum.version).max().unwrap_or(0);
        self.removed.insert(to, left.max(self.removed_from(from)));
    }

    fn removed_from(&self, sid: SessionId) -> u64 {
        self.removed.get(&sid).copied().unwrap_or(0)
    }

    fn data_of(&self, sid: SessionId) -> impl Iterator<Item = (&DataKey, &Datum)> {
        let of_session = self.data.iter().filter(move |((of, _), _)| *of == sid);
        of_session.map(|((_, key), datum)| (key, datum))
    }

    /// The version that a key has, or 0, and the one that a write would make, if it may happen.
    fn versions(
        &self,
        at: &(SessionId, DataKey),
        condition: Precondition,
    ) -> Result<(u64, u64), DataError> {
        if !self.sessions.contains_key(&at.0) {
            return Err(DataError::Gone);
        }
        let current = self.data.get(at).map_or(0, |datum| datum.version);
        let next = condition.next(current, self.removed_from(at.0));
        let next = next.map_err(|conflict| DataError::Conflict(conflict.current))?;
        Ok((current, next))
    }
}

#[async_trait]
impl SessionData for MemoryStore {
    async fn data(&self, sid: SessionId) -> Result<Vec<(DataKey, Datum)>, StoreFailed> {
        let state = self.state();
        Ok(state.data_of(sid).map(|(key, datum)| (key.clone(), datum.clone())).collect())
    }

    async fn write_datum(
        &self,
        sid: SessionId,
        key: &DataKey,
        json: &str,
        condition: Precondition,
    ) -> Result<Written, DataError> {
        let mut state = self.state();
        let at = (sid, key.clone());
        let (before, version) = state.versions(&at, condition)?;
        let others = state.data_of(sid).filter(|(other, _)| *other != key);
        let size = |key: &DataKey, json: &str| key.as_str().len() + json.len();
        let sizes: Vec<usize> = others.map(|(key, datum)| size(key, &datum.json)).collect();
        let total: usize = sizes.iter().sum();
        if total + size(key, json) > QUOTA || sizes.len() + 1 > KEY_COUNT_MAX {
            return Err(DataError::TooLarge);
        }
        state.data.insert(at, Datum { json: json.to_owned(), version });
        Ok(Written { version, is_new: before == 0 })
    }

    async fn remove_datum(
        &self,
        sid: SessionId,
        key: &DataKey,
        condition: Precondition,
    ) -> Result<(), DataError> {
        let mut state = self.state();
        let at = (sid, key.clone());
        let (current, _) = state.versions(&at, condition)?;
        state.data.remove(&at);
        let removed = state.removed.entry(sid).or_default();
        *removed = current.max(*removed);
        Ok(())
    }
}
