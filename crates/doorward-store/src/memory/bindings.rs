//! Bindings in memory.

use async_trait::async_trait;
use doorward_core::session::Carrier;
use doorward_wire::SessionId;

use super::MemoryStore;
use crate::Bindings;
use crate::act::{BindError, KeptBinding, NewBinding, Spending, StoreFailed};

#[async_trait]
impl Bindings for MemoryStore {
    async fn bind(&self, new: NewBinding) -> Result<(), BindError> {
        let mut state = self.state();
        let (session, _) = state.sessions.get_mut(&new.sid).ok_or(BindError::Gone)?;
        if session.bound.is_some() {
            return Err(BindError::Bound);
        }
        if session.carrier != Carrier::Cookie {
            return Err(BindError::Gone);
        }
        session.bound = Some(new.bound);
        state.bindings.insert(new.sid, KeptBinding { jwk: new.jwk, spent: new.spent });
        state.note(new.event);
        Ok(())
    }

    async fn binding(&self, sid: SessionId) -> Result<Option<KeptBinding>, StoreFailed> {
        Ok(self.state().bindings.get(&sid).cloned())
    }

    async fn spend_challenge(&self, sid: SessionId, number: u64) -> Result<Spending, StoreFailed> {
        let mut state = self.state();
        let Some(kept) = state.bindings.get_mut(&sid) else { return Ok(Spending::Gone) };
        if number <= kept.spent {
            return Ok(Spending::Late);
        }
        kept.spent = number;
        Ok(Spending::Counted)
    }
}
