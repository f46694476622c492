//! Everything kept in memory: for tests, and to say in few lines what a store is.
//!
//! Every act holds the one lock, looks before it writes, and so happens whole or not at all. Nothing
//! survives the process, and finding a session by its key looks at each of them.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::hash::BuildHasher;
use std::ops::Bound;

use async_trait::async_trait;
use doorward_core::account::Account;
use doorward_core::client::Client;
use doorward_core::code::Code;
use doorward_core::credential::PasswordHash;
use doorward_core::data::{DataKey, Datum};
use doorward_core::event::Event;
use doorward_core::notice;
use doorward_core::personal::PersonalToken;
use doorward_core::refresh::RefreshToken;
use doorward_core::retired::Retired;
use doorward_core::revocation::{LogEntry, PlacedToken, Revocation, Revoked, revoke};
use doorward_core::session::{Device, Owner, Session};
use doorward_core::signal::{Signal, Stream};
use doorward_core::whereabouts::Visit;
use doorward_wire::jose::Algorithm;
use doorward_wire::{
    AccountId, ClientId, EventId, KeyId, SecretDigest, SessionId, StreamId, TokenId, UnixTime,
};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;

use crate::act::{
    AccountError, Ending, Found, KeptBinding, KeptSite, NewAccount, Page, ProofSpending, SealedKey,
    StoreFailed,
};
use crate::{Events, Keys, Probe, Proofs, RevocationLog, Setup, Turns};

mod accounts;
mod bindings;
mod clients;
mod codes;
mod data;
mod notices;
mod personals;
mod places;
mod refresh;
mod sessions;
mod signals;
mod sites;
#[cfg(test)]
mod tests;

/// Everything kept in memory.
pub struct MemoryStore {
    state: Mutex<State>,
    log_name: [u8; 16],
}

impl Default for MemoryStore {
    fn default() -> Self {
        // Each hasher of the standard library has keys of its own, which the system draws.
        let drawn = [(); 2].map(|()| RandomState::new().hash_one(0));
        let mut log_name = [0; 16];
        log_name[..8].copy_from_slice(&drawn[0].to_le_bytes());
        log_name[8..].copy_from_slice(&drawn[1].to_le_bytes());
        Self { state: Mutex::default(), log_name }
    }
}

#[derive(Default)]
struct State {
    clients: BTreeMap<ClientId, Client>,
    sites: BTreeMap<String, KeptSite>,
    appended: watch::Sender<u64>,
    accounts: BTreeMap<AccountId, (Account, PasswordHash)>,
    sessions: BTreeMap<SessionId, (Session, Device)>,
    retired: HashMap<SecretDigest, (SessionId, Retired)>,
    /// Where the sweep goes on: after this session.
    swept: Option<SessionId>,
    data: BTreeMap<(SessionId, DataKey), Datum>,
    /// The highest version of a key that was removed, by session.
    removed: HashMap<SessionId, u64>,
    bindings: HashMap<SessionId, KeptBinding>,
    refresh: HashMap<SecretDigest, KeptToken>,
    codes: HashMap<SecretDigest, Code>,
    proofs: VecDeque<([u8; 32], UnixTime)>,
    places: BTreeMap<u64, PlacedToken>,
    place_count: u64,
    streams: BTreeMap<ClientId, Stream>,
    signals: BTreeMap<u64, (StreamId, Signal)>,
    signal_count: u64,
    personals: BTreeMap<TokenId, (SecretDigest, PersonalToken)>,
    keys: Vec<SealedKey>,
    head: u64,
    log: Vec<LogEntry>,
    events: BTreeMap<EventId, Event>,
    /// The alarming events that were not answered yet.
    notices: BTreeSet<EventId>,
    /// Where accounts signed in from lately.
    visits: HashMap<AccountId, Vec<Visit>>,
    setup: Option<(SecretDigest, UnixTime)>,
}

struct KeptToken {
    token: RefreshToken,
    /// The token it succeeds.
    predecessor: Option<SecretDigest>,
    /// Whether its successor was used.
    spent: bool,
}

impl MemoryStore {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl State {
    fn note(&mut self, event: Event) {
        let is_same = |open: &Event| {
            open.account == event.account
                && open.kind == event.kind
                && open.session == event.session
                && open.session.is_some()
        };
        let is_open = self.notices.iter().filter_map(|id| self.events.get(id)).any(is_same);
        if notice::is_alarming(&event) && !is_open {
            self.notices.insert(event.id);
        }
        self.events.insert(event.id, event);
    }

    /// The events of an account, newest first, older than `before`.
    fn newest_of(
        &self,
        account: AccountId,
        before: Option<EventId>,
    ) -> impl Iterator<Item = &Event> {
        let end = before.map_or(Bound::Unbounded, Bound::Excluded);
        let rest = self.events.range((Bound::Unbounded, end)).rev().map(|(_, event)| event);
        rest.filter(move |event| event.account == Some(account))
    }

    fn revoke(&mut self, revocation: Revocation) {
        self.head += 1;
        self.log.push(LogEntry { seq: self.head, revocation });
        self.appended.send_replace(self.head);
        self.signal(&revocation);
    }

    fn account_of(&self, owner: Owner) -> Option<&Account> {
        self.accounts.get(&owner.account).map(|(account, _)| account)
    }

    fn find(&self, sid: SessionId) -> Option<Found> {
        let (session, device) = self.sessions.get(&sid)?.clone();
        let account = session.owner.and_then(|owner| self.account_of(owner)).cloned();
        Some(Found { session, device, account })
    }

    fn sid_of(&self, key: SecretDigest) -> Option<SessionId> {
        self.sessions.values().find(|(kept, _)| kept.key == Some(key)).map(|(kept, _)| kept.sid)
    }

    /// Takes out a session with all that hangs from it.
    fn forget(&mut self, sid: SessionId) -> Option<Session> {
        let (session, _) = self.sessions.remove(&sid)?;
        self.retired.retain(|_, (of, _)| *of != sid);
        self.data.retain(|(of, _), _| *of != sid);
        self.removed.remove(&sid);
        self.bindings.remove(&sid);
        self.refresh.retain(|_, kept| kept.token.sid != sid);
        self.codes.retain(|_, code| code.sid != sid);
        Some(session)
    }

    /// Ends a session, the `n`th of an act, and says whether there was one.
    fn end(&mut self, sid: SessionId, ending: &Ending, n: u64) -> bool {
        let Some(session) = self.forget(sid) else { return false };
        self.revoke(revoke(Revoked::Session(sid), ending.now));
        self.note(ending.event_of(sid, session.owner, n));
        true
    }

    /// Moves an account's epoch; the session `except` joins the new one.
    fn move_epoch(&mut self, account: AccountId, except: Option<SessionId>) {
        let Some((kept, _)) = self.accounts.get_mut(&account) else { return };
        let before = kept.epoch;
        kept.epoch = before.next();
        let joins = Owner { account, epoch: before };
        if let Some((session, _)) = except.and_then(|sid| self.sessions.get_mut(&sid))
            && session.owner == Some(joins)
        {
            session.owner = Some(Owner { epoch: before.next(), ..joins });
        }
    }

    fn end_all_of(
        &mut self,
        account: AccountId,
        except: Option<SessionId>,
        ending: &Ending,
    ) -> u64 {
        let ends = |session: &Session| {
            session.owner.is_some_and(|owner| owner.account == account)
                && Some(session.sid) != except
        };
        let sids: Vec<_> = self
            .sessions
            .values()
            .filter(|(kept, _)| ends(kept))
            .map(|(kept, _)| kept.sid)
            .collect();
        for (sid, n) in sids.iter().zip(0..) {
            self.end(*sid, ending, n);
        }
        sids.len() as u64
    }

    fn newest_key(&self, algorithm: Algorithm) -> Option<&SealedKey> {
        let of_algorithm = self.keys.iter().filter(|key| key.algorithm == algorithm);
        of_algorithm.max_by_key(|key| key.number)
    }
}

#[async_trait]
impl Keys for MemoryStore {
    async fn keys(&self) -> Result<Vec<SealedKey>, StoreFailed> {
        let mut keys = self.state().keys.clone();
        keys.sort_by_key(|key| (key.algorithm.name(), key.number));
        Ok(keys)
    }

    async fn keep_key(&self, key: SealedKey, event: Event) -> Result<SealedKey, StoreFailed> {
        let mut state = self.state();
        if let Some(newest) = state.newest_key(key.algorithm).filter(|it| it.number >= key.number) {
            return Ok(newest.clone());
        }
        state.keys.push(key.clone());
        state.note(event);
        Ok(key)
    }

    async fn retire_key(
        &self,
        kid: KeyId,
        now: UnixTime,
        event: Event,
    ) -> Result<bool, StoreFailed> {
        let mut state = self.state();
        let usable = |key: &&mut SealedKey| key.kid == kid && key.retired_at.is_none();
        let Some(key) = state.keys.iter_mut().find(usable) else { return Ok(false) };
        key.retired_at = Some(now);
        state.note(event);
        Ok(true)
    }

    async fn forget_key(&self, kid: KeyId, event: Event) -> Result<bool, StoreFailed> {
        let mut state = self.state();
        let Some(key) = state.keys.iter().find(|key| key.kid == kid) else { return Ok(false) };
        if state.newest_key(key.algorithm).is_some_and(|newest| newest.kid == kid) {
            return Ok(false);
        }
        state.keys.retain(|key| key.kid != kid);
        state.note(event);
        Ok(true)
    }
}

#[async_trait]
impl RevocationLog for MemoryStore {
    async fn log_name(&self) -> Result<[u8; 16], StoreFailed> {
        Ok(self.log_name)
    }

    fn appended(&self) -> watch::Receiver<u64> {
        self.state().appended.subscribe()
    }

    async fn head(&self) -> Result<u64, StoreFailed> {
        Ok(self.state().head)
    }

    async fn revocations(&self, after: u64, limit: usize) -> Result<Vec<LogEntry>, StoreFailed> {
        let state = self.state();
        Ok(state.log.iter().filter(|entry| entry.seq > after).take(limit).copied().collect())
    }

    async fn sweep_revocations(&self, now: UnixTime, limit: usize) -> Result<u64, StoreFailed> {
        let mut state = self.state();
        let expired = |entry: &&LogEntry| entry.revocation.expires_at <= now;
        let count = state.log.iter().take(limit).take_while(expired).count();
        state.log.drain(..count);
        Ok(count as u64)
    }
}

#[async_trait]
impl Proofs for MemoryStore {
    async fn spend_proof(
        &self,
        key: [u8; 32],
        until: UnixTime,
        most: u64,
    ) -> Result<ProofSpending, StoreFailed> {
        let mut state = self.state();
        if state.proofs.len() as u64 >= most {
            return Ok(ProofSpending::Full);
        }
        if state.proofs.iter().any(|(known, _)| *known == key) {
            return Ok(ProofSpending::Again);
        }
        state.proofs.push_back((key, until));
        Ok(ProofSpending::First)
    }

    async fn sweep_proofs(&self, now: UnixTime, limit: usize) -> Result<u64, StoreFailed> {
        let mut state = self.state();
        let before = state.proofs.len();
        let mut looked = 0;
        state.proofs.retain(|(_, until)| {
            looked += 1;
            looked > limit || *until > now
        });
        Ok((before - state.proofs.len()) as u64)
    }
}

#[async_trait]
impl Events for MemoryStore {
    async fn note(&self, event: Event) -> Result<(), StoreFailed> {
        self.state().note(event);
        Ok(())
    }

    async fn sweep_events(&self, before: UnixTime, limit: usize) -> Result<u64, StoreFailed> {
        let mut state = self.state();
        let oldest = state.events.iter().take(limit);
        let past: Vec<_> =
            oldest.filter(|(_, event)| event.at < before).map(|(id, _)| *id).collect();
        for id in &past {
            state.events.remove(id);
            state.notices.remove(id);
        }
        Ok(past.len() as u64)
    }

    async fn events(&self, limit: usize) -> Result<Vec<Event>, StoreFailed> {
        Ok(self.state().events.values().rev().take(limit).cloned().collect())
    }

    async fn events_of(
        &self,
        account: AccountId,
        before: Option<EventId>,
        limit: usize,
    ) -> Result<Page<Event>, StoreFailed> {
        let state = self.state();
        let items = state.newest_of(account, before).take(limit.saturating_add(1));
        Ok(Page::cut(items.cloned().collect(), limit))
    }
}

#[async_trait]
impl Setup for MemoryStore {
    async fn keep_setup(&self, key: SecretDigest, expires_at: UnixTime) -> Result<(), StoreFailed> {
        self.state().setup = Some((key, expires_at));
        Ok(())
    }

    async fn has_setup(&self, key: SecretDigest, now: UnixTime) -> Result<bool, StoreFailed> {
        let setup = self.state().setup;
        Ok(setup.is_some_and(|(kept, expires_at)| kept == key && now < expires_at))
    }

    async fn spend_setup(
        &self,
        key: SecretDigest,
        new: NewAccount,
        now: UnixTime,
    ) -> Result<(), AccountError> {
        let mut state = self.state();
        if !state.setup.is_some_and(|(kept, expires_at)| kept == key && now < expires_at) {
            return Err(AccountError::LinkSpent);
        }
        state.keep_account(new)?;
        state.setup = None;
        Ok(())
    }
}

impl Turns for MemoryStore {
    fn has_turn(&self) -> bool {
        true
    }
}

#[async_trait]
impl Probe for MemoryStore {
    async fn probe(&self, _now: UnixTime) -> Result<(), StoreFailed> {
        Ok(())
    }
}
