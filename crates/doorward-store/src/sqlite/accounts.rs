//! Accounts in SQLite.

use async_trait::async_trait;
use doorward_core::account::{Account, Email, PasswordVersion, Role};
use doorward_core::credential::PasswordHash;
use doorward_core::username::Username;
use doorward_wire::AccountId;
use rusqlite::{Connection, params};

use super::columns::{Columns, all, bytes, change, first, is_taken, only, rows, whole};
use super::sessions::{end_all_of, open, rename};
use super::writer::{Acted, Verdict};
use super::{SqliteStore, events, setup};
use crate::Accounts;
use crate::act::{
    AccountError, NewAccount, NewSecret, Page, PasswordChange, SessionError, StoreFailed,
};

/// Reads accounts, as [`account`] takes them.
macro_rules! select {
    ($where:literal) => {
        concat!(
            "SELECT id, username, email, role, epoch, password_version, disabled, created_at,
                password FROM account ",
            $where
        )
    };
}

#[async_trait]
impl Accounts for SqliteStore {
    async fn open_account(&self, new: NewAccount) -> Result<(), AccountError> {
        self.writer.act(move |db| keep(db, &new)).await?
    }

    async fn account(&self, id: AccountId) -> Result<Option<Account>, StoreFailed> {
        self.readers.read(|db| find(db, id))
    }

    async fn account_named(
        &self,
        username: &Username,
    ) -> Result<Option<(Account, PasswordHash)>, StoreFailed> {
        self.readers.read(|db| {
            first(db, select!("WHERE username = ?1"), (username.as_str(),), |row| {
                Ok((account(row)?, password(row)?))
            })
        })
    }

    async fn password(
        &self,
        id: AccountId,
    ) -> Result<Option<(PasswordHash, PasswordVersion)>, StoreFailed> {
        const PASSWORD: &str = "SELECT password, password_version FROM account WHERE id = ?1";
        let read = |row: &mut Columns<'_>| Ok((password(row)?, row.take().map(PasswordVersion)?));
        self.readers.read(|db| first(db, PASSWORD, (bytes(id.0),), read))
    }

    async fn rehash(
        &self,
        id: AccountId,
        old: &PasswordHash,
        new: PasswordHash,
    ) -> Result<(), StoreFailed> {
        const REHASH: &str = "UPDATE account SET password = ?3 WHERE id = ?1 AND password = ?2";
        let old = old.clone();
        self.writer
            .act(move |db| {
                change(db, REHASH, params![bytes(id.0), old.expose(), new.expose()])?;
                Ok(Verdict::Keep(()))
            })
            .await
    }

    async fn change_password(&self, change: PasswordChange) -> Result<(), SessionError> {
        self.writer.act(move |db| change_password(db, change)).await?
    }

    async fn accounts(
        &self,
        after: Option<AccountId>,
        limit: usize,
    ) -> Result<Page<Account>, StoreFailed> {
        const PAGE: &str = select!("WHERE id > ?1 ORDER BY id LIMIT ?2");
        let after = after.map_or(Vec::new(), |id| bytes(id.0).to_vec());
        let one_more = rows(limit).saturating_add(1);
        let items = self.readers.read(|db| all(db, PAGE, (after, one_more), account))?;
        Ok(Page::cut(items, limit))
    }

    async fn has_administrator(&self) -> Result<bool, StoreFailed> {
        const THERE: &str = "SELECT EXISTS (SELECT 1 FROM account WHERE role = 'administrator')";
        self.readers.read(|db| only(db, THERE, ()))
    }
}

/// Finds an account.
pub(super) fn find(db: &Connection, id: AccountId) -> Result<Option<Account>, StoreFailed> {
    first(db, select!("WHERE id = ?1"), (bytes(id.0),), account)
}

/// Keeps a new account and its first session, as part of an act.
pub(super) fn keep(db: &Connection, new: &NewAccount) -> Acted<Result<(), AccountError>> {
    const KEEP: &str = "INSERT INTO account (id, username, skeleton, email, role, epoch,
        password_version, disabled, created_at, password)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    let account = &new.account;
    let row = params![
        bytes(account.id.0),
        account.username.as_str(),
        account.username.skeleton(),
        account.email.as_ref().map(Email::as_str),
        account.role.name(),
        account.epoch.0,
        account.password_version.0,
        account.disabled,
        whole(account.created_at.0),
        new.password.expose(),
    ];
    match change(db, KEEP, row) {
        Err(error) if is_taken(&error) => return Ok(Verdict::Undo(Err(AccountError::Taken))),
        kept => kept?,
    };
    events::keep(db, &new.event)?;
    if account.role == Role::Administrator {
        setup::forget(db)?;
    }
    let Some(session) = &new.session else { return Ok(Verdict::Keep(Ok(()))) };
    match open(db, session)? {
        Verdict::Keep(Ok(())) if new.brings_its_own_session() => Ok(Verdict::Keep(Ok(()))),
        _ => Ok(Verdict::Undo(Err(AccountError::SessionRefused))),
    }
}

fn change_password(db: &Connection, asked: PasswordChange) -> Acted<Result<(), SessionError>> {
    const CHANGE: &str = "UPDATE account SET password = ?4, epoch = ?5, password_version = ?6
        WHERE id = ?1 AND epoch = ?2 AND password_version = ?3 AND NOT disabled";
    let epoch = asked.renamed.session.owner.map_or(asked.expected, |owner| owner.epoch);
    let proved = asked.expected_password.next();
    let row = params![
        bytes(asked.account.0),
        asked.expected.0,
        asked.expected_password.0,
        asked.password.expose(),
        epoch.0,
        proved.0,
    ];
    if change(db, CHANGE, row)? == 0 {
        return Ok(Verdict::Undo(Err(SessionError::Gone)));
    }
    let PasswordChange { renamed, device, refresh, event, .. } = asked;
    let sid = renamed.session.sid;
    let new = NewSecret { renamed, device, proved, refresh, event };
    if let refused @ Verdict::Undo(_) = rename(db, &new)? {
        return Ok(refused);
    }
    if epoch != asked.expected {
        end_all_of(db, asked.account, Some(sid), &asked.ended)?;
    }
    Ok(Verdict::Keep(Ok(())))
}

/// Reads the columns of an account.
pub(super) fn account(row: &mut Columns<'_>) -> Result<Account, StoreFailed> {
    Ok(Account {
        id: row.id().map(AccountId)?,
        username: row.take().map(Username::kept)?,
        email: row.maybe_text(|text| Email::parse(text).ok())?,
        role: row.text(Role::from_name)?,
        epoch: row.epoch()?,
        password_version: row.take().map(PasswordVersion)?,
        disabled: row.take()?,
        created_at: row.time()?,
    })
}

fn password(row: &mut Columns<'_>) -> Result<PasswordHash, StoreFailed> {
    row.text(|text| PasswordHash::parse(text).ok())
}
