//! Personal access tokens in SQLite.

use async_trait::async_trait;
use doorward_core::account::Account;
use doorward_core::event::Event;
use doorward_core::grant::Grant;
use doorward_core::label::Label;
use doorward_core::personal::{COUNT_MAX, PersonalToken};
use doorward_core::revocation::Revoked;
use doorward_wire::{AccountId, SecretDigest, TokenId, UnixTime};
use rusqlite::{Connection, params};

use super::columns::{Columns, all, bytes, change, first, only, rows, whole};
use super::writer::{Acted, Verdict};
use super::{SqliteStore, accounts, events, log};
use crate::PersonalTokens;
use crate::act::{PersonalError, StoreFailed};

/// Reads tokens, as [`personal`] takes them.
macro_rules! select {
    ($where:literal) => {
        concat!(
            "SELECT id, account, epoch, name, audience, scope, client, created_at, expires_at,
                used_at FROM personal_token ",
            $where
        )
    };
}

#[async_trait]
impl PersonalTokens for SqliteStore {
    async fn add_personal(
        &self,
        token: PersonalToken,
        key: SecretDigest,
        event: Event,
    ) -> Result<(), PersonalError> {
        self.writer.act(move |db| add(db, &token, key, &event)).await?
    }

    async fn personal_by_key(
        &self,
        key: SecretDigest,
    ) -> Result<Option<(PersonalToken, Account)>, StoreFailed> {
        self.readers.read(|db| {
            let found = first(db, select!("WHERE key = ?1"), (key.0,), personal)?;
            let Some(token) = found else { return Ok(None) };
            Ok(accounts::find(db, token.account)?.map(|account| (token, account)))
        })
    }

    async fn personals_of(&self, account: AccountId) -> Result<Vec<PersonalToken>, StoreFailed> {
        // Those of a past epoch count no longer, and go when their time is over.
        const OF: &str = select!(
            "WHERE account = ?1 AND epoch = (SELECT epoch FROM account WHERE id = ?1)
                ORDER BY id DESC"
        );
        self.readers.read(|db| all(db, OF, (bytes(account.0),), personal))
    }

    async fn touch_personal(&self, id: TokenId, now: UnixTime) -> Result<(), StoreFailed> {
        const TOUCH: &str = "UPDATE personal_token SET used_at = max(ifnull(used_at, 0), ?2)
            WHERE id = ?1";
        self.writer
            .act(move |db| {
                change(db, TOUCH, (bytes(id.0), whole(now.0)))?;
                Ok(Verdict::Keep(()))
            })
            .await
    }

    async fn end_personal(
        &self,
        account: AccountId,
        id: TokenId,
        now: UnixTime,
        event: Event,
    ) -> Result<bool, StoreFailed> {
        const END: &str = "DELETE FROM personal_token WHERE id = ?1 AND account = ?2";
        self.writer
            .act(move |db| {
                if change(db, END, (bytes(id.0), bytes(account.0)))? == 0 {
                    return Ok(Verdict::Undo(false));
                }
                log::append_one(db, Revoked::Token(id), now)?;
                events::keep(db, &event)?;
                Ok(Verdict::Keep(true))
            })
            .await
    }

    async fn sweep_personals(&self, now: UnixTime, limit: usize) -> Result<u64, StoreFailed> {
        const SWEEP: &str = "DELETE FROM personal_token WHERE id IN
            (SELECT id FROM personal_token WHERE expires_at <= ?1 LIMIT ?2)";
        self.writer
            .act(move |db| {
                let forgotten = change(db, SWEEP, (whole(now.0), rows(limit)))?;
                Ok(Verdict::Keep(forgotten as u64))
            })
            .await
    }
}

fn add(
    db: &Connection,
    token: &PersonalToken,
    key: SecretDigest,
    event: &Event,
) -> Acted<Result<(), PersonalError>> {
    const COUNT: &str = "SELECT count(*) FROM personal_token WHERE account = ?1 AND epoch = ?2";
    const ADD: &str = "INSERT INTO personal_token (id, key, account, epoch, name, audience, scope,
        client, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    let account = accounts::find(db, token.account)?;
    if !account.is_some_and(|it| it.epoch == token.epoch && !it.disabled) {
        return Ok(Verdict::Undo(Err(PersonalError::Gone)));
    }
    let owner = bytes(token.account.0);
    if only::<i64>(db, COUNT, (owner, token.epoch.0))? >= rows(COUNT_MAX) {
        return Ok(Verdict::Undo(Err(PersonalError::TooMany)));
    }
    let row = params![
        bytes(token.id.0),
        key.0,
        owner,
        token.epoch.0,
        token.name.as_str(),
        token.grant.audience,
        token.grant.scope,
        token.grant.client,
        whole(token.created_at.0),
        whole(token.expires_at.0),
    ];
    change(db, ADD, row)?;
    events::keep(db, event)?;
    Ok(Verdict::Keep(Ok(())))
}

fn personal(row: &mut Columns<'_>) -> Result<PersonalToken, StoreFailed> {
    Ok(PersonalToken {
        id: row.id().map(TokenId)?,
        account: row.id().map(AccountId)?,
        epoch: row.epoch()?,
        name: row.text(|name| Label::parse(name).ok())?,
        grant: Grant { audience: row.take()?, scope: row.take()?, client: row.take()?, jkt: None },
        created_at: row.time()?,
        expires_at: row.time()?,
        used_at: row.maybe_time()?,
    })
}
