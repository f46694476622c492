//! Personal access tokens in memory.

use async_trait::async_trait;
use doorward_core::account::Account;
use doorward_core::event::Event;
use doorward_core::personal::{COUNT_MAX, PersonalToken};
use doorward_core::revocation::{Revoked, revoke};
use doorward_wire::{AccountId, SecretDigest, TokenId, UnixTime};

use super::{MemoryStore, State};
use crate::PersonalTokens;
use crate::act::{PersonalError, StoreFailed};

impl State {
    fn personals_of(&self, account: AccountId) -> Vec<PersonalToken> {
        let Some((owner, _)) = self.accounts.get(&account) else { return Vec::new() };
        let all = self.personals.values().rev().map(|(_, token)| token);
        all.filter(|it| it.account == account && it.epoch == owner.epoch).cloned().collect()
    }
}

#[async_trait]
impl PersonalTokens for MemoryStore {
    async fn add_personal(
        &self,
        token: PersonalToken,
        key: SecretDigest,
        event: Event,
    ) -> Result<(), PersonalError> {
        let mut state = self.state();
        let owner = state.accounts.get(&token.account).map(|(account, _)| account);
        if !owner.is_some_and(|it| it.epoch == token.epoch && !it.disabled) {
            return Err(PersonalError::Gone);
        }
        if state.personals_of(token.account).len() >= COUNT_MAX {
            return Err(PersonalError::TooMany);
        }
        let is_taken = state.personals.values().any(|(known, _)| *known == key);
        if is_taken || state.personals.contains_key(&token.id) {
            return Err(StoreFailed::because("two personal tokens of one id or secret").into());
        }
        state.personals.insert(token.id, (key, token));
        state.note(event);
        Ok(())
    }

    async fn personal_by_key(
        &self,
        key: SecretDigest,
    ) -> Result<Option<(PersonalToken, Account)>, StoreFailed> {
        let state = self.state();
        let found = state.personals.values().find(|(known, _)| *known == key);
        let Some((_, token)) = found else { return Ok(None) };
        let account = state.accounts.get(&token.account).map(|(account, _)| account.clone());
        Ok(account.map(|account| (token.clone(), account)))
    }

    async fn personals_of(&self, account: AccountId) -> Result<Vec<PersonalToken>, StoreFailed> {
        Ok(self.state().personals_of(account))
    }

    async fn touch_personal(&self, id: TokenId, now: UnixTime) -> Result<(), StoreFailed> {
        if let Some((_, token)) = self.state().personals.get_mut(&id) {
            token.used_at = token.used_at.max(Some(now));
        }
        Ok(())
    }

    async fn end_personal(
        &self,
        account: AccountId,
        id: TokenId,
        now: UnixTime,
        event: Event,
    ) -> Result<bool, StoreFailed> {
        let mut state = self.state();
        let is_theirs = state.personals.get(&id).is_some_and(|(_, it)| it.account == account);
        if is_theirs {
            state.personals.remove(&id);
            state.revoke(revoke(Revoked::Token(id), now));
            state.note(event);
        }
        Ok(is_theirs)
    }

    async fn sweep_personals(&self, now: UnixTime, limit: usize) -> Result<u64, StoreFailed> {
        let mut state = self.state();
        let past = state.personals.values().filter(|(_, token)| token.expires_at <= now);
        let past: Vec<TokenId> = past.take(limit).map(|(_, token)| token.id).collect();
        for id in &past {
            state.personals.remove(id);
        }
        Ok(past.len() as u64)
    }
}
