//! Clients in memory.

use async_trait::async_trait;
use doorward_core::client::Client;
use doorward_core::event::Event;
use doorward_core::revocation::{Revoked, revoke};
use doorward_wire::{ClientId, SecretDigest, UnixTime};

use super::MemoryStore;
use crate::Clients;
use crate::act::{Page, StoreFailed};

#[async_trait]
impl Clients for MemoryStore {
    async fn add_client(&self, client: Client, event: Event) -> Result<(), StoreFailed> {
        let mut state = self.state();
        if state.clients.contains_key(&client.id) {
            return Err(StoreFailed::because("two clients of one id"));
        }
        state.clients.insert(client.id, client);
        state.note(event);
        Ok(())
    }

    async fn client(&self, id: ClientId) -> Result<Option<Client>, StoreFailed> {
        Ok(self.state().clients.get(&id).cloned())
    }

    async fn clients(
        &self,
        after: Option<ClientId>,
        limit: usize,
    ) -> Result<Page<Client>, StoreFailed> {
        let state = self.state();
        let rest = state.clients.values().filter(|client| after.is_none_or(|id| client.id > id));
        Ok(Page::cut(rest.take(limit.saturating_add(1)).cloned().collect(), limit))
    }

    async fn rotate_client_secret(
        &self,
        id: ClientId,
        secret: SecretDigest,
        event: Event,
    ) -> Result<bool, StoreFailed> {
        let mut state = self.state();
        let Some(client) = state.clients.get_mut(&id) else { return Ok(false) };
        client.secret = secret;
        state.note(event);
        Ok(true)
    }

    async fn revoke_client(
        &self,
        id: ClientId,
        now: UnixTime,
        event: Event,
    ) -> Result<bool, StoreFailed> {
        let mut state = self.state();
        let from = Client::revoked_at(now);
        let Some(client) = state.clients.get_mut(&id) else { return Ok(false) };
        client.tokens_from = client.tokens_from.max(from);
        state.forget_tokens_of(id, None);
        state.revoke(revoke(Revoked::Client(id), from));
        state.note(event);
        Ok(true)
    }

    async fn delete_client(
        &self,
        id: ClientId,
        now: UnixTime,
        event: Event,
    ) -> Result<bool, StoreFailed> {
        let mut state = self.state();
        if state.clients.remove(&id).is_none() {
            return Ok(false);
        }
        state.forget_stream(id);
        state.forget_tokens_of(id, None);
        state.codes.retain(|_, code| code.client != id);
        state.revoke(revoke(Revoked::Client(id), Client::revoked_at(now)));
        state.note(event);
        Ok(true)
    }
}
