//! Accounts in memory.

use std::ops::Bound;

use async_trait::async_trait;
use doorward_core::account::{Account, PasswordVersion, Role};
use doorward_core::credential::PasswordHash;
use doorward_core::username::Username;
use doorward_wire::AccountId;

use super::{MemoryStore, State};
use crate::Accounts;
use crate::act::{
    AccountError, NewAccount, NewSecret, Page, PasswordChange, SessionError, StoreFailed,
};

impl State {
    pub(super) fn keep_account(&mut self, new: NewAccount) -> Result<(), AccountError> {
        let account = &new.account;
        let skeleton = account.username.skeleton();
        // Capitals do not make another mailbox, or a reset link could go to the wrong one.
        let same_mailbox = |kept: &Account| match (&kept.email, &account.email) {
            (Some(kept), Some(email)) => kept.as_str().eq_ignore_ascii_case(email.as_str()),
            _ => false,
        };
        let clashes = |kept: &Account| {
            kept.id == account.id || kept.username.skeleton() == skeleton || same_mailbox(kept)
        };
        if self.accounts.values().any(|(kept, _)| clashes(kept)) {
            return Err(AccountError::Taken);
        }
        if let Some(session) = &new.session {
            if !new.brings_its_own_session() {
                return Err(AccountError::SessionRefused);
            }
            self.check_open(session, Some(account)).map_err(|_| AccountError::SessionRefused)?;
        }
        if account.role == Role::Administrator {
            self.setup = None;
        }
        self.accounts.insert(account.id, (new.account, new.password));
        self.note(new.event);
        if let Some(session) = new.session {
            self.open(session);
        }
        Ok(())
    }

    fn change_password(&mut self, asked: PasswordChange) -> Result<(), SessionError> {
        let (account, _) = self.accounts.get(&asked.account).ok_or(SessionError::Gone)?;
        if account.epoch != asked.expected
            || account.password_version != asked.expected_password
            || account.disabled
        {
            return Err(SessionError::Gone);
        }
        let session = &asked.renamed.session;
        let epoch = session.owner.map_or(asked.expected, |owner| owner.epoch);
        let proved = asked.expected_password.next();
        let moved = Account { epoch, password_version: proved, ..account.clone() };
        let (renamed, device) = (asked.renamed, asked.device);
        let (refresh, event) = (asked.refresh, asked.event);
        let new = NewSecret { renamed, device, proved, refresh, event };
        self.check_rename(&new, Some(&moved))?;

        let sid = new.renamed.session.sid;
        self.accounts.insert(asked.account, (moved, asked.password));
        self.rename(new);
        if epoch != asked.expected {
            self.end_all_of(asked.account, Some(sid), &asked.ended);
        }
        Ok(())
    }
}

#[async_trait]
impl Accounts for MemoryStore {
    async fn open_account(&self, new: NewAccount) -> Result<(), AccountError> {
        self.state().keep_account(new)
    }

    async fn account(&self, id: AccountId) -> Result<Option<Account>, StoreFailed> {
        Ok(self.state().accounts.get(&id).map(|(account, _)| account.clone()))
    }

    async fn account_named(
        &self,
        username: &Username,
    ) -> Result<Option<(Account, PasswordHash)>, StoreFailed> {
        let state = self.state();
        Ok(state.accounts.values().find(|(account, _)| account.username == *username).cloned())
    }

    async fn password(
        &self,
        id: AccountId,
    ) -> Result<Option<(PasswordHash, PasswordVersion)>, StoreFailed> {
        let state = self.state();
        let found = state.accounts.get(&id);
        Ok(found.map(|(account, password)| (password.clone(), account.password_version)))
    }

    async fn rehash(
        &self,
        id: AccountId,
        old: &PasswordHash,
        new: PasswordHash,
    ) -> Result<(), StoreFailed> {
        if let Some((_, password)) = self.state().accounts.get_mut(&id)
            && *password == *old
        {
            *password = new;
        }
        Ok(())
    }

    async fn change_password(&self, change: PasswordChange) -> Result<(), SessionError> {
        self.state().change_password(change)
    }

    async fn accounts(
        &self,
        after: Option<AccountId>,
        limit: usize,
    ) -> Result<Page<Account>, StoreFailed> {
        let state = self.state();
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rest = state.accounts.range((start, Bound::Unbounded));
        let one_more = limit.saturating_add(1);
        let items = rest.take(one_more).map(|(_, (account, _))| account.clone()).collect();
        Ok(Page::cut(items, limit))
    }

    async fn has_administrator(&self) -> Result<bool, StoreFailed> {
        let state = self.state();
        Ok(state.accounts.values().any(|(account, _)| account.role == Role::Administrator))
    }
}
