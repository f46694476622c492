//! Accounts in PostgreSQL.

use async_trait::async_trait;
use doorward_core::account::{Account, Email, PasswordVersion, Role};
use doorward_core::credential::PasswordHash;
use doorward_core::username::Username;
use doorward_wire::AccountId;

use super::acts::{Acted, Verdict};
use super::columns::{Columns, all, beyond, bytes, change, exists, first, params, rows, whole};
use super::link::Link;
use super::sessions::{end_all_before_log, new_proof, open, rename_before_log};
use super::{PostgresStore, events, locks, log, setup};
use crate::Accounts;
use crate::act::{
    AccountError, NewAccount, NewSecret, Page, PasswordChange, SessionError, StoreFailed,
};
use crate::recent::Changed;

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
impl Accounts for PostgresStore {
    async fn open_account(&self, new: NewAccount) -> Result<(), AccountError> {
        self.acts.act(new, |db, new| async move { keep(&db, &new).await }).await?
    }

    async fn account(&self, id: AccountId) -> Result<Option<Account>, StoreFailed> {
        self.readers.read(|db| async move { find(&db, id).await }).await
    }

    async fn account_named(
        &self,
        username: &Username,
    ) -> Result<Option<(Account, PasswordHash)>, StoreFailed> {
        const NAMED: &str = select!("WHERE username = $1");
        let read = |row: &mut Columns<'_>| Ok((account(row)?, password(row)?));
        self.readers
            .read(|db| async move { first(&db, NAMED, params![username.as_str()], read).await })
            .await
    }

    async fn password(
        &self,
        id: AccountId,
    ) -> Result<Option<(PasswordHash, PasswordVersion)>, StoreFailed> {
        const PASSWORD: &str = "SELECT password, password_version FROM account WHERE id = $1";
        let read = |row: &mut Columns<'_>| Ok((password(row)?, row.number().map(PasswordVersion)?));
        self.readers
            .read(|db| async move { first(&db, PASSWORD, params![bytes(id.0)], read).await })
            .await
    }

    async fn rehash(
        &self,
        id: AccountId,
        old: &PasswordHash,
        new: PasswordHash,
    ) -> Result<(), StoreFailed> {
        const REHASH: &str = "UPDATE account SET password = $3 WHERE id = $1 AND password = $2";
        self.acts
            .act((old.clone(), new), move |db, asked| async move {
                let (old, new) = &*asked;
                change(&db, REHASH, params![bytes(id.0), old.expose(), new.expose()]).await?;
                Ok(Verdict::Keep(()))
            })
            .await
    }

    async fn change_password(&self, change: PasswordChange) -> Result<(), SessionError> {
        self.acts
            .long_act(change, |db, asked| async move { change_password(&db, &asked).await })
            .await?
    }

    async fn accounts(
        &self,
        after: Option<AccountId>,
        limit: usize,
    ) -> Result<Page<Account>, StoreFailed> {
        const PAGE: &str = select!("WHERE id > $1 ORDER BY id LIMIT $2");
        let after = beyond(after.map(|id| id.0));
        let one_more = rows(limit).saturating_add(1);
        let items = self
            .readers
            .read(|db| async move { all(&db, PAGE, params![after, one_more], account).await });
        Ok(Page::cut(items.await?, limit))
    }

    async fn has_administrator(&self) -> Result<bool, StoreFailed> {
        const THERE: &str = "SELECT 1 FROM account WHERE role = 'administrator' LIMIT 1";
        self.readers.read(|db| async move { exists(&db, THERE, &[]).await }).await
    }
}

/// Finds an account.
pub(super) async fn find(db: &Link, id: AccountId) -> Result<Option<Account>, StoreFailed> {
    first(db, select!("WHERE id = $1"), params![bytes(id.0)], account).await
}

/// Keeps a new account and its first session, as part of an act.
pub(super) async fn keep(db: &Link, new: &NewAccount) -> Acted<Result<(), AccountError>> {
    if new.account.role == Role::Administrator {
        setup::forget(db).await?;
    }
    if !insert(db, new).await? {
        return Ok(Verdict::Undo(Err(AccountError::Taken)));
    }
    events::keep(db, &new.event).await?;
    let Some(session) = &new.session else { return Ok(Verdict::Keep(Ok(()))) };
    match open(db, session).await? {
        Verdict::Keep(Ok(())) if new.brings_its_own_session() => Ok(Verdict::Keep(Ok(()))),
        _ => Ok(Verdict::Undo(Err(AccountError::SessionRefused))),
    }
}

/// Inserts an account, and says whether its names were free.
async fn insert(db: &Link, new: &NewAccount) -> Result<bool, StoreFailed> {
    const KEEP: &str = "INSERT INTO account (id, username, skeleton, email, role, epoch,
        password_version, disabled, created_at, password)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING";
    let account = &new.account;
    let row = params![
        bytes(account.id.0),
        account.username.as_str(),
        account.username.skeleton(),
        account.email.as_ref().map(Email::as_str),
        account.role.name(),
        i64::from(account.epoch.0),
        i64::from(account.password_version.0),
        account.disabled,
        whole(account.created_at.0),
        new.password.expose(),
    ];
    Ok(change(db, KEEP, row).await? == 1)
}

async fn change_password(db: &Link, asked: &PasswordChange) -> Acted<Result<(), SessionError>> {
    const CHANGE: &str = "UPDATE account SET password = $4, epoch = $5, password_version = $6
        WHERE id = $1 AND epoch = $2 AND password_version = $3 AND NOT disabled";
    let epoch = asked.renamed.session.owner.map_or(asked.expected, |owner| owner.epoch);
    let proved = asked.expected_password.next();
    let row = params![
        bytes(asked.account.0),
        i64::from(asked.expected.0),
        i64::from(asked.expected_password.0),
        asked.password.expose(),
        i64::from(epoch.0),
        i64::from(proved.0),
    ];
    db.changes([Changed::Account(asked.account)]);
    if change(db, CHANGE, row).await? == 0 {
        return Ok(Verdict::Undo(Err(SessionError::Gone)));
    }
    if epoch != asked.expected {
        locks::sessions_of(db, asked.account).await?;
    }
    let new = NewSecret {
        renamed: asked.renamed.clone(),
        device: asked.device.clone(),
        proved,
        refresh: asked.refresh.clone(),
        event: asked.event.clone(),
    };
    if let refused @ Verdict::Undo(_) = rename_before_log(db, &new).await? {
        return Ok(refused);
    }
    let mut told = vec![new_proof(&new)];
    if epoch != asked.expected {
        let mine = Some(asked.renamed.session.sid);
        told.extend(end_all_before_log(db, asked.account, mine, &asked.ended).await?);
    }
    log::append(db, &told).await?;
    Ok(Verdict::Keep(Ok(())))
}

/// Reads the columns of an account.
pub(super) fn account(row: &mut Columns<'_>) -> Result<Account, StoreFailed> {
    Ok(Account {
        id: row.id().map(AccountId)?,
        username: row.take().map(Username::kept)?,
        email: row.maybe(|text| Email::parse(text).ok())?,
        role: row.text(Role::from_name)?,
        epoch: row.epoch()?,
        password_version: row.number().map(PasswordVersion)?,
        disabled: row.take()?,
        created_at: row.time()?,
    })
}

fn password(row: &mut Columns<'_>) -> Result<PasswordHash, StoreFailed> {
    row.text(|text| PasswordHash::parse(text).ok())
}
