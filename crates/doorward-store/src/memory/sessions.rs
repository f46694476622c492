//! Sessions in memory.

use std::ops::Bound;

use async_trait::async_trait;
use doorward_core::account::Account;
use doorward_core::retired::Retired;
use doorward_core::revocation::{Revoked, revoke};
use doorward_core::session::{Carrier, Lifetimes, Touch};
use doorward_wire::{AccountId, SecretDigest, SessionId, UnixTime};

use super::{MemoryStore, State};
use crate::Sessions;
use crate::act::{Ending, Found, NewSecret, NewSession, Page, SessionError, StoreFailed, Swept};
use crate::derived::{LOOK_MAX, admits, past_limits};

impl State {
    /// Looks whether a session may be opened, where `account` is its owner's.
    pub(super) fn check_open(
        &self,
        new: &NewSession,
        account: Option<&Account>,
    ) -> Result<(), SessionError> {
        let session = &new.session;
        if session.owner.is_some_and(|owner| !admits(account, owner, new.proved)) {
            return Err(SessionError::Gone);
        }
        let taken = self.sessions.contains_key(&session.sid)
            || session.key.is_some_and(|key| self.sid_of(key).is_some())
            || new.refresh.as_ref().is_some_and(|token| self.refresh.contains_key(&token.key));
        if taken {
            return Err(SessionError::Taken);
        }
        Ok(())
    }

    /// Opens a session that was looked at.
    pub(super) fn open(&mut self, new: NewSession) {
        let renewed = |key| self.retired.get(&key).map(|(sid, _)| *sid);
        let before = new.replaces.and_then(|key| self.sid_of(key).or_else(|| renewed(key)));
        let ending = new.replacing();
        let sid = new.session.sid;
        self.arrive(&new);
        self.sessions.insert(sid, (new.session, new.device));
        if let Some(token) = new.refresh {
            self.keep_token(token, None);
        }
        self.note(new.event);
        if let Some(before) = before {
            // Somebody else's data does not go over.
            if self.sessions.get(&before).is_some_and(|(kept, _)| kept.owner.is_none()) {
                self.carry((before, sid), &new.carry);
            }
            self.end(before, &ending, 0);
        }
    }

    /// Looks whether a rename may happen, where `account` is its owner's.
    pub(super) fn check_rename(
        &self,
        new: &NewSecret,
        account: Option<&Account>,
    ) -> Result<(), SessionError> {
        let session = &new.renamed.session;
        if session.owner.is_some_and(|owner| !admits(account, owner, Some(new.proved))) {
            return Err(SessionError::Gone);
        }
        let (kept, _) = self.sessions.get(&session.sid).ok_or(SessionError::Gone)?;
        let follows = kept.generation.checked_add(1) == Some(session.generation);
        if kept.key != new.renamed.retired.map(|retired| retired.key) || !follows {
            return Err(SessionError::Gone);
        }
        let namesake = session.key.and_then(|key| self.sid_of(key));
        if namesake.is_some_and(|sid| sid != session.sid) {
            return Err(SessionError::Taken);
        }
        let forgotten = |sid| session.carrier == Carrier::Token && sid == session.sid;
        let known = new.refresh.as_ref().and_then(|token| self.refresh.get(&token.key));
        if known.is_some_and(|kept| !forgotten(kept.token.sid)) {
            return Err(SessionError::Taken);
        }
        Ok(())
    }

    /// Does a rename that was looked at.
    pub(super) fn rename(&mut self, new: NewSecret) {
        let session = &new.renamed.session;
        if let Some((kept, device)) = self.sessions.get_mut(&session.sid) {
            *device = new.device;
            kept.key = session.key;
            kept.owner = session.owner;
            kept.proved_at = session.proved_at;
            kept.seen_at = kept.seen_at.max(session.seen_at);
            kept.generation = session.generation;
            kept.amr.clone_from(&session.amr);
            kept.acr = session.acr;
        }
        if let Some(retired) = new.renamed.retired {
            self.retired.insert(retired.key, (session.sid, retired));
        }
        self.revoke(revoke(Revoked::Proof(session.sid), session.proved_at));
        if session.carrier == Carrier::Token {
            self.refresh.retain(|_, kept| kept.token.sid != session.sid);
        }
        if let Some(token) = new.refresh {
            self.keep_token(token, None);
        }
        self.note(new.event);
    }

    pub(super) fn touch(&mut self, sid: SessionId, used: Touch) {
        if let Some((session, device)) = self.sessions.get_mut(&sid) {
            if let Some(ip) = used.moves(session) {
                device.ip = ip.to_string();
            }
            session.apply(used);
        }
    }

    fn sweep(&mut self, lifetimes: &Lifetimes, now: UnixTime, limit: usize) -> Swept {
        let start = self.swept.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self.sessions.range((start, Bound::Unbounded));
        let (mut past, mut looks) = (Vec::new(), 0);
        while past.len() < limit && looks < LOOK_MAX {
            let next = rest.next();
            self.swept = next.map(|(sid, _)| *sid);
            let Some((sid, (session, _))) = next else { break };
            looks += 1;
            if past_limits(session.clone(), lifetimes, now) {
                past.push(*sid);
            }
        }
        let is_done = self.swept.is_none();
        for sid in &past {
            self.forget(*sid);
            self.revoke(revoke(Revoked::Session(*sid), now));
        }
        Swept { forgotten: past.len() as u64, is_done }
    }
}

#[async_trait]
impl Sessions for MemoryStore {
    async fn open_session(&self, new: NewSession) -> Result<(), SessionError> {
        let mut state = self.state();
        let account = new.session.owner.and_then(|owner| state.account_of(owner));
        state.check_open(&new, account)?;
        state.open(new);
        Ok(())
    }

    async fn session_by_key(&self, key: SecretDigest) -> Result<Option<Found>, StoreFailed> {
        let state = self.state();
        Ok(state.sid_of(key).and_then(|sid| state.find(sid)))
    }

    async fn session_by_retired_key(
        &self,
        key: SecretDigest,
    ) -> Result<Option<(Found, Retired)>, StoreFailed> {
        let state = self.state();
        let kept = state.retired.get(&key);
        Ok(kept.and_then(|(sid, retired)| Some((state.find(*sid)?, *retired))))
    }

    async fn session(&self, sid: SessionId) -> Result<Option<Found>, StoreFailed> {
        Ok(self.state().find(sid))
    }

    async fn sessions_of(
        &self,
        account: AccountId,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Page<Found>, StoreFailed> {
        let state = self.state();
        let end = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rest = state.sessions.range((Bound::Unbounded, end)).rev();
        let items = rest
            .filter(|(_, (kept, _))| kept.owner.is_some_and(|owner| owner.account == account))
            .filter_map(|(sid, _)| state.find(*sid))
            .take(limit.saturating_add(1))
            .collect();
        Ok(Page::cut(items, limit))
    }

    async fn touch(&self, touches: Vec<(SessionId, Touch)>) -> Result<(), StoreFailed> {
        let mut state = self.state();
        for (sid, used) in touches {
            state.touch(sid, used);
        }
        Ok(())
    }

    async fn rename(&self, new: NewSecret) -> Result<(), SessionError> {
        let mut state = self.state();
        let account = new.renamed.session.owner.and_then(|owner| state.account_of(owner));
        state.check_rename(&new, account)?;
        state.rename(new);
        Ok(())
    }

    async fn end_session(&self, sid: SessionId, ending: Ending) -> Result<bool, StoreFailed> {
        Ok(self.state().end(sid, &ending, 0))
    }

    async fn end_sessions_of(
        &self,
        account: AccountId,
        except: Option<SessionId>,
        ending: Ending,
    ) -> Result<u64, StoreFailed> {
        let mut state = self.state();
        state.move_epoch(account, except);
        Ok(state.end_all_of(account, except, &ending))
    }

    async fn sweep(
        &self,
        lifetimes: &Lifetimes,
        now: UnixTime,
        limit: usize,
    ) -> Result<Swept, StoreFailed> {
        Ok(self.state().sweep(lifetimes, now, limit))
    }
}
