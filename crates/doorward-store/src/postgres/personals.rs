//! Personal access tokens in PostgreSQL.

use async_trait::async_trait;
use doorward_core::account::Account;
use doorward_core::event::Event;
use doorward_core::grant::Grant;
use doorward_core::label::Label;
use doorward_core::personal::{COUNT_MAX, PersonalToken};
use doorward_core::revocation::Revoked;
use doorward_wire::{AccountId, SecretDigest, TokenId, UnixTime};

use super::acts::{Acted, Verdict};
use super::columns::{
    Bytes, Columns, a_count, all, bytes, change, first, only, params, rows, whole,
};
use super::link::Link;
use super::{PostgresStore, accounts, events, locks, log};
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
impl PersonalTokens for PostgresStore {
    async fn add_personal(
        &self,
        token: PersonalToken,
        key: SecretDigest,
        event: Event,
    ) -> Result<(), PersonalError> {
        let adding = self.acts.act((token, event), move |db, asked| async move {
            let (token, event) = &*asked;
            add(&db, token, key, event).await
        });
        adding.await?
    }

    async fn personal_by_key(
        &self,
        key: SecretDigest,
    ) -> Result<Option<(PersonalToken, Account)>, StoreFailed> {
        const BY_KEY: &str = select!("WHERE key = $1");
        self.readers
            .read(|db| async move {
                let found = first(&db, BY_KEY, params![Bytes(key.0)], personal).await?;
                let Some(token) = found else { return Ok(None) };
                let account = accounts::find(&db, token.account).await?;
                Ok(account.map(|account| (token, account)))
            })
            .await
    }

    async fn personals_of(&self, account: AccountId) -> Result<Vec<PersonalToken>, StoreFailed> {
        // Those of a past epoch count no longer, and go when their time is over.
        const OF: &str = select!(
            "WHERE account = $1 AND epoch = (SELECT epoch FROM account WHERE id = $1)
                ORDER BY id DESC"
        );
        self.readers
            .read(|db| async move { all(&db, OF, params![bytes(account.0)], personal).await })
            .await
    }

    async fn touch_personal(&self, id: TokenId, now: UnixTime) -> Result<(), StoreFailed> {
        const TOUCH: &str = "UPDATE personal_token SET used_at = greatest(used_at, $2)
            WHERE id = $1";
        self.acts
            .act((), move |db, _| async move {
                change(&db, TOUCH, params![bytes(id.0), whole(now.0)]).await?;
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
        const END: &str = "DELETE FROM personal_token WHERE id = $1 AND account = $2";
        self.acts
            .act(event, move |db, event| async move {
                if change(&db, END, params![bytes(id.0), bytes(account.0)]).await? == 0 {
                    return Ok(Verdict::Undo(false));
                }
                events::keep(&db, &event).await?;
                log::append_one(&db, Revoked::Token(id), now).await?;
                Ok(Verdict::Keep(true))
            })
            .await
    }

    async fn sweep_personals(&self, now: UnixTime, limit: usize) -> Result<u64, StoreFailed> {
        const SWEEP: &str = "WITH past AS MATERIALIZED
            (SELECT id FROM personal_token WHERE expires_at <= $1 LIMIT $2
                FOR UPDATE SKIP LOCKED)
            DELETE FROM personal_token USING past WHERE personal_token.id = past.id";
        self.acts
            .act((), move |db, _| async move {
                let forgotten = change(&db, SWEEP, params![whole(now.0), rows(limit)]).await?;
                Ok(Verdict::Keep(forgotten))
            })
            .await
    }
}

/// Keeps a token, under its account's lock: so nobody adds another meanwhile, or moves the epoch.
async fn add(
    db: &Link,
    token: &PersonalToken,
    key: SecretDigest,
    event: &Event,
) -> Acted<Result<(), PersonalError>> {
    const COUNT: &str = "SELECT count(*) FROM personal_token WHERE account = $1 AND epoch = $2";
    const ADD: &str = "INSERT INTO personal_token (id, key, account, epoch, name, audience, scope,
        client, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    locks::account(db, token.account).await?;
    let account = accounts::find(db, token.account).await?;
    if !account.is_some_and(|it| it.epoch == token.epoch && !it.disabled) {
        return Ok(Verdict::Undo(Err(PersonalError::Gone)));
    }
    let (owner, epoch) = (bytes(token.account.0), i64::from(token.epoch.0));
    let count = only(db, COUNT, params![owner, epoch], a_count).await?;
    if count >= COUNT_MAX as u64 {
        return Ok(Verdict::Undo(Err(PersonalError::TooMany)));
    }
    let row = params![
        bytes(token.id.0),
        Bytes(key.0),
        owner,
        epoch,
        token.name.as_str(),
        token.grant.audience,
        token.grant.scope,
        token.grant.client,
        whole(token.created_at.0),
        whole(token.expires_at.0),
    ];
    change(db, ADD, row).await?;
    events::keep(db, event).await?;
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
