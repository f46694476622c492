//! What the numbers of a history are called in a store.

use doorward_core::account::{Epoch, PasswordVersion};
use doorward_core::event::{Event, EventKind};
use doorward_core::session::{self as core, Carrier, Method, Owner};
use doorward_wire::{AccountId, EventId, SecretDigest, SessionId};

use super::super::sample::{self, after};
use super::model::Session;
use super::request::Proof;
use crate::act::Ending;

/// How many numbers each history has for itself.
pub(super) const NUMBERS: u64 = 1024;

/// What the numbers of a history are called in the store it shares with others.
#[derive(Clone, Copy)]
pub(super) struct Names {
    base: u64,
    /// Whether ids fall as sessions are opened: two machines need not agree on the time.
    falling: bool,
}

impl Names {
    /// The names of the `n`th history in a store.
    pub(super) fn new(n: u64, seed: u64) -> Self {
        Self { base: (1 + n) * NUMBERS, falling: seed.is_multiple_of(2) }
    }

    /// A number as the samples have it.
    pub(super) fn number_of(self, n: u64) -> u64 {
        self.base + n
    }

    pub(super) fn sid(self, n: u64) -> SessionId {
        let n = if self.falling { NUMBERS - 1 - n } else { n };
        SessionId((self.base + n).into())
    }

    pub(super) fn number(self, sid: SessionId) -> Option<u64> {
        (0..NUMBERS).find(|n| self.sid(*n) == sid)
    }

    pub(super) fn account(self, n: u64) -> AccountId {
        AccountId((self.base + n).into())
    }

    pub(super) fn key(self, n: u64) -> SecretDigest {
        sample::key(self.base + n)
    }

    pub(super) fn event(self, n: u64) -> Event {
        sample::event(self.base + n)
    }

    pub(super) fn ending(self, n: u64) -> Ending {
        // Beside the event of the same act, and the ends that hang from it.
        let id = EventId(self.event(n).id.0 + 256);
        Ending {
            now: after(n),
            event: Event { id, kind: EventKind::SessionEnded, ..self.event(n) },
        }
    }

    pub(super) fn proof(self, by: Proof) -> (Owner, PasswordVersion) {
        let owner = Owner { account: self.account(by.account), epoch: Epoch(by.epoch) };
        (owner, PasswordVersion(by.version))
    }

    pub(super) fn session(self, sid: u64, it: &Session) -> core::Session {
        let owner = it.owner.map(|(account, epoch)| Proof { account, epoch, version: 0 });
        core::Session {
            sid: self.sid(sid),
            key: it.key.map(|key| self.key(key)),
            owner: owner.map(|by| self.proof(by).0),
            carrier: if it.key.is_some() { Carrier::Cookie } else { Carrier::Token },
            remembered: it.remembered,
            opened_at: after(it.opened_at),
            proved_at: after(it.proved_at),
            seen_at: after(it.seen_at),
            generation: it.generation,
            amr: it.owner.map(|_| Method::Password).into_iter().collect(),
            acr: core::Assurance::Aal1,
            bound: None,
        }
    }
}
