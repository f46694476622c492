//! Shared signals in memory.

use async_trait::async_trait;
use doorward_core::revocation::{Revocation, Revoked};
use doorward_core::signal::{Signal, Stream, Told, VERIFICATIONS_MAX};
use doorward_wire::{ClientId, StreamId, UnixTime};

use super::{MemoryStore, State};
use crate::Signals;
use crate::act::StoreFailed;

impl State {
    /// Tells every stream of a revocation, in the act that revokes.
    pub(super) fn signal(&mut self, revocation: &Revocation) {
        let what = match revocation.revoked {
            Revoked::Session(sid) => Told::Session(sid),
            Revoked::Account(account) => Told::Account(account),
            Revoked::Proof(_) | Revoked::Token(_) | Revoked::Client(_) => return,
        };
        let told: Vec<StreamId> =
            self.streams.values().filter(|stream| stream.enabled).map(|stream| stream.id).collect();
        for stream in told {
            self.keep_signal(stream, what.clone(), revocation.not_before);
        }
    }

    fn keep_signal(&mut self, stream: StreamId, what: Told, at: UnixTime) {
        self.signal_count += 1;
        let number = self.signal_count;
        self.signals.insert(number, (stream, Signal { number, what, at }));
    }

    /// Forgets the stream of a client, and what waits for it.
    pub(super) fn forget_stream(&mut self, client: ClientId) -> bool {
        let Some(stream) = self.streams.remove(&client) else { return false };
        self.signals.retain(|_, (of, _)| *of != stream.id);
        true
    }
}

#[async_trait]
impl Signals for MemoryStore {
    async fn add_stream(&self, stream: Stream, most: u64) -> Result<bool, StoreFailed> {
        let mut state = self.state();
        if !state.clients.contains_key(&stream.client) {
            return Err(StoreFailed::because("a stream of no client"));
        }
        if state.streams.len() as u64 >= most || state.streams.contains_key(&stream.client) {
            return Ok(false);
        }
        state.streams.insert(stream.client, stream);
        Ok(true)
    }

    async fn stream_of(&self, client: ClientId) -> Result<Option<Stream>, StoreFailed> {
        Ok(self.state().streams.get(&client).cloned())
    }

    async fn push_streams(&self) -> Result<Vec<Stream>, StoreFailed> {
        let state = self.state();
        let mut pushed: Vec<Stream> = state.streams.values().cloned().collect();
        pushed.retain(|stream| stream.enabled && stream.endpoint.is_some());
        pushed.sort_by_key(|stream| stream.id);
        Ok(pushed)
    }

    async fn change_stream(&self, changed: Stream) -> Result<bool, StoreFailed> {
        let mut state = self.state();
        let Some(stream) = state.streams.get_mut(&changed.client) else { return Ok(false) };
        (stream.endpoint, stream.enabled) = (changed.endpoint, changed.enabled);
        Ok(true)
    }

    async fn delete_stream(&self, client: ClientId) -> Result<bool, StoreFailed> {
        Ok(self.state().forget_stream(client))
    }

    async fn verify_stream(
        &self,
        stream: StreamId,
        text: Option<String>,
        at: UnixTime,
    ) -> Result<bool, StoreFailed> {
        let mut state = self.state();
        let is_one = |(of, signal): &&(StreamId, Signal)| {
            *of == stream && matches!(signal.what, Told::Verification(_))
        };
        if state.signals.values().filter(is_one).count() as u64 >= VERIFICATIONS_MAX {
            return Ok(false);
        }
        state.keep_signal(stream, Told::Verification(text), at);
        Ok(true)
    }

    async fn signals(&self, stream: StreamId, limit: usize) -> Result<Vec<Signal>, StoreFailed> {
        let state = self.state();
        let waiting = state.signals.values().filter(|(of, _)| *of == stream);
        Ok(waiting.take(limit).map(|(_, signal)| signal.clone()).collect())
    }

    async fn acknowledge(&self, stream: StreamId, numbers: &[u64]) -> Result<(), StoreFailed> {
        let heard = |number: &u64, of: StreamId| of == stream && numbers.contains(number);
        self.state().signals.retain(|number, (of, _)| !heard(number, *of));
        Ok(())
    }

    async fn sweep_signals(&self, before: UnixTime, limit: usize) -> Result<u64, StoreFailed> {
        let mut state = self.state();
        let oldest = state.signals.iter().take(limit);
        let past: Vec<u64> =
            oldest.filter(|(_, (_, it))| it.at < before).map(|(number, _)| *number).collect();
        for number in &past {
            state.signals.remove(number);
        }
        Ok(past.len() as u64)
    }
}
