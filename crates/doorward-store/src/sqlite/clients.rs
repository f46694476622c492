//! Clients in SQLite.

use async_trait::async_trait;
use doorward_core::client::{Client, ClientName};
use doorward_core::event::Event;
use doorward_core::redirect::RedirectUri;
use doorward_core::revocation::Revoked;
use doorward_wire::{ClientId, SecretDigest, UnixTime};
use rusqlite::{Connection, params};

use super::columns::{Columns, all, bytes, change, first, rows, whole};
use super::writer::{Acted, Verdict};
use super::{SqliteStore, events, log, refresh};
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
impl Clients for SqliteStore {
    async fn add_client(&self, client: Client, event: Event) -> Result<(), StoreFailed> {
        const ADD: &str = "INSERT INTO client (id, name, scopes, serves, redirects, audience,
            is_public, created_at, secret, tokens_from)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
        self.writer
            .act(move |db| {
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
                    client.secret.0,
                    whole(client.tokens_from.0),
                ];
                change(db, ADD, row)?;
                events::keep(db, &event)?;
                Ok(Verdict::Keep(()))
            })
            .await
    }

    async fn client(&self, id: ClientId) -> Result<Option<Client>, StoreFailed> {
        self.readers.read(|db| first(db, select!("WHERE id = ?1"), (bytes(id.0),), client))
    }

    async fn clients(
        &self,
        after: Option<ClientId>,
        limit: usize,
    ) -> Result<Page<Client>, StoreFailed> {
        let begin = after.map_or([0; 16], |id| bytes(id.0));
        let found = self.readers.read(|db| {
            let page = (begin, rows(limit.saturating_add(1)));
            all(db, select!("WHERE id > ?1 ORDER BY id LIMIT ?2"), page, client)
        });
        Ok(Page::cut(found?, limit))
    }

    async fn rotate_client_secret(
        &self,
        id: ClientId,
        secret: SecretDigest,
        event: Event,
    ) -> Result<bool, StoreFailed> {
        const ROTATE: &str = "UPDATE client SET secret = ?2 WHERE id = ?1";
        self.writer
            .act(move |db| {
                let is_there = change(db, ROTATE, (bytes(id.0), secret.0))? == 1;
                told(db, is_there, &event)
            })
            .await
    }

    async fn revoke_client(
        &self,
        id: ClientId,
        now: UnixTime,
        event: Event,
    ) -> Result<bool, StoreFailed> {
        const REVOKE: &str = "UPDATE client SET tokens_from = max(tokens_from, ?2) WHERE id = ?1";
        self.writer
            .act(move |db| {
                let from = Client::revoked_at(now);
                let is_there = change(db, REVOKE, (bytes(id.0), whole(from.0)))? == 1;
                end_tokens(db, id, is_there, from)?;
                told(db, is_there, &event)
            })
            .await
    }

    async fn delete_client(
        &self,
        id: ClientId,
        now: UnixTime,
        event: Event,
    ) -> Result<bool, StoreFailed> {
        self.writer
            .act(move |db| {
                const CODES: &str = "DELETE FROM authorization_code WHERE client = ?1";
                let is_there = change(db, "DELETE FROM client WHERE id = ?1", (bytes(id.0),))? == 1;
                change(db, CODES, (bytes(id.0),))?;
                end_tokens(db, id, is_there, Client::revoked_at(now))?;
                told(db, is_there, &event)
            })
            .await
    }
}

fn end_tokens(
    db: &Connection,
    id: ClientId,
    is_there: bool,
    from: UnixTime,
) -> Result<(), StoreFailed> {
    if !is_there {
        return Ok(());
    }
    refresh::forget_all_of_client(db, id)?;
    log::append_one(db, Revoked::Client(id), from)
}

fn told(db: &Connection, is_there: bool, event: &Event) -> Acted<bool> {
    if !is_there {
        return Ok(Verdict::Undo(false));
    }
    events::keep(db, event)?;
    Ok(Verdict::Keep(true))
}

fn client(row: &mut Columns<'_>) -> Result<Client, StoreFailed> {
    let lines = |text: String| text.lines().map(str::to_owned).collect();
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
