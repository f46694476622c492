//! Clients in PostgreSQL.

use async_trait::async_trait;
use doorward_core::client::{Client, ClientName};
use doorward_core::event::Event;
use doorward_core::redirect::RedirectUri;
use doorward_core::revocation::Revoked;
use doorward_wire::{ClientId, SecretDigest, UnixTime};

use super::acts::{Acted, Verdict};
use super::columns::{
    Bytes, Columns, all, beyond, bytes, change, exists, first, params, rows, whole,
};
use super::link::Link;
use super::{PostgresStore, events, log, refresh};
use crate::Clients;
use crate::act::{Page, StoreFailed};

/// Reads clients, as [`client`] takes them.
macro_rules! select {
    ($where:literal) => {
        concat!(
            "SELECT id, name, scopes, serves, redirects, audience, is_public, created_at, secret,
                tokens_from FROM client ",
            $where
        )
    };
}

#[async_trait]
impl Clients for PostgresStore {
    async fn add_client(&self, client: Client, event: Event) -> Result<(), StoreFailed> {
        self.acts
            .act((client, event), |db, asked| async move {
                insert(&db, &asked.0).await?;
                events::keep(&db, &asked.1).await?;
                Ok(Verdict::Keep(()))
            })
            .await
    }

    async fn client(&self, id: ClientId) -> Result<Option<Client>, StoreFailed> {
        const ONE: &str = select!("WHERE id = $1");
        self.readers
            .read(|db| async move { first(&db, ONE, params![bytes(id.0)], client).await })
            .await
    }

    async fn clients(
        &self,
        after: Option<ClientId>,
        limit: usize,
    ) -> Result<Page<Client>, StoreFailed> {
        const PAGE: &str = select!("WHERE id > $1 ORDER BY id LIMIT $2");
        let after = beyond(after.map(|id| id.0));
        let one_more = rows(limit).saturating_add(1);
        let items = self
            .readers
            .read(|db| async move { all(&db, PAGE, params![after, one_more], client).await });
        Ok(Page::cut(items.await?, limit))
    }

    async fn rotate_client_secret(
        &self,
        id: ClientId,
        secret: SecretDigest,
        event: Event,
    ) -> Result<bool, StoreFailed> {
        const ROTATE: &str = "UPDATE client SET secret = $2 WHERE id = $1";
        self.acts
            .act(event, move |db, event| async move {
                let row = params![bytes(id.0), Bytes(secret.0)];
                if change(&db, ROTATE, row).await? == 0 {
                    return Ok(Verdict::Undo(false));
                }
                events::keep(&db, &event).await?;
                Ok(Verdict::Keep(true))
            })
            .await
    }

    async fn revoke_client(
        &self,
        id: ClientId,
        now: UnixTime,
        event: Event,
    ) -> Result<bool, StoreFailed> {
        const REVOKE: &str =
            "UPDATE client SET tokens_from = greatest(tokens_from, $2) WHERE id = $1";
        self.acts
            .act(event, move |db, event| async move {
                let from = Client::revoked_at(now);
                if change(&db, REVOKE, params![bytes(id.0), whole(from.0)]).await? == 0 {
                    return Ok(Verdict::Undo(false));
                }
                events::keep(&db, &event).await?;
                end_tokens(&db, id, from).await?;
                Ok(Verdict::Keep(true))
            })
            .await
    }

    async fn delete_client(
        &self,
        id: ClientId,
        now: UnixTime,
        event: Event,
    ) -> Result<bool, StoreFailed> {
        self.acts
            .act(event, move |db, event| async move { delete(&db, (id, now), &event).await })
            .await
    }
}

async fn insert(db: &Link, client: &Client) -> Result<(), StoreFailed> {
    const ADD: &str = "INSERT INTO client (id, name, scopes, serves, redirects, audience,
        is_public, created_at, secret, tokens_from)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let redirects: Vec<_> = client.redirects.iter().map(RedirectUri::as_str).collect();
    let row = params![
        bytes(client.id.0),
        client.name.as_str(),
        client.scopes.join("\n"),
        client.serves.join("\n"),
        redirects.join("\n"),
        client.audience,
        client.is_public,
        whole(client.created_at.0),
        Bytes(client.secret.0),
        whole(client.tokens_from.0),
    ];
    change(db, ADD, row).await?;
    Ok(())
}

/// Deletes a client. Its row goes last: with it goes its stream, which comes after the log in the order
/// of locks.
async fn delete(db: &Link, (id, now): (ClientId, UnixTime), event: &Event) -> Acted<bool> {
    const LOCK: &str = "SELECT 1 FROM client WHERE id = $1 FOR UPDATE";
    const CODES: &str = "DELETE FROM authorization_code WHERE client = $1";
    const DELETE: &str = "DELETE FROM client WHERE id = $1";
    if !exists(db, LOCK, params![bytes(id.0)]).await? {
        return Ok(Verdict::Undo(false));
    }
    change(db, CODES, params![bytes(id.0)]).await?;
    events::keep(db, event).await?;
    end_tokens(db, id, Client::revoked_at(now)).await?;
    change(db, DELETE, params![bytes(id.0)]).await?;
    Ok(Verdict::Keep(true))
}

async fn end_tokens(db: &Link, id: ClientId, from: UnixTime) -> Result<(), StoreFailed> {
    refresh::forget_all_of_client(db, id).await?;
    log::append_one(db, Revoked::Client(id), from).await
}

fn client(row: &mut Columns<'_>) -> Result<Client, StoreFailed> {
    let lines = |text: &str| text.lines().map(str::to_owned).collect();
    Ok(Client {
        id: row.id().map(ClientId)?,
        name: row.text(|name| ClientName::parse(name).ok())?,
        scopes: row.take().map(lines)?,
        serves: row.take().map(lines)?,
        redirects: row
            .text(|text| text.lines().map(RedirectUri::parse).collect::<Result<_, _>>().ok())?,
        audience: row.take()?,
        is_public: row.take()?,
        created_at: row.time()?,
        secret: row.digest()?,
        tokens_from: row.time()?,
    })
}
