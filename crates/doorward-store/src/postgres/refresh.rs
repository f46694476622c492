//! Refresh tokens in PostgreSQL.
//!
//! ```text
//!   unused: predecessor      used: salt            spent: neither
//!   ──────────────────── ──▶ ───────────────── ──▶ ──────────────
//!                  first use           first use of the successor
//! ```

use async_trait::async_trait;
use doorward_core::grant::Grant;
use doorward_core::refresh::{HangingToken, RefreshToken, Turn, Used};
use doorward_wire::jose::Thumbprint;
use doorward_wire::{ClientId, SecretDigest, SessionId, UnixTime};

use super::acts::{Acted, Verdict};
use super::columns::{Bytes, Columns, all, bytes, change, first, params, whole};
use super::link::Link;
use super::{PostgresStore, locks, sessions, touch};
use crate::RefreshTokens;
use crate::act::{Presented, RotateError, Rotated, StoreFailed};

#[async_trait]
impl RefreshTokens for PostgresStore {
    async fn rotate(&self, presented: Presented) -> Result<Rotated, RotateError> {
        self.acts
            .act(presented, |db, presented| async move { rotate(&db, &presented).await })
            .await?
    }

    async fn session_of_refresh(
        &self,
        key: SecretDigest,
    ) -> Result<Option<SessionId>, StoreFailed> {
        const SESSION: &str = "SELECT sid FROM refresh_token WHERE key = $1";
        let sid = |row: &mut Columns<'_>| row.id().map(SessionId);
        self.readers
            .read(|db| async move { first(&db, SESSION, params![Bytes(key.0)], sid).await })
            .await
    }

    async fn end_grant(&self, sid: SessionId, client: ClientId) -> Result<bool, StoreFailed> {
        self.acts
            .act((), move |db, _| async move {
                locks::session(&db, sid).await?;
                Ok(Verdict::Keep(forget_those_of(&db, sid, client).await?))
            })
            .await
    }

    async fn tokens_of(&self, sids: &[SessionId]) -> Result<Vec<HangingToken>, StoreFailed> {
        const UNUSED: &str = "SELECT t.sid, t.issued_at, t.predecessor IS NOT NULL, t.audience,
                t.scope, t.client, t.jkt
            FROM unnest($1::bytea[]) WITH ORDINALITY AS asked (sid, n)
                JOIN refresh_token AS t ON t.sid = asked.sid
            WHERE t.used_at IS NULL ORDER BY asked.n, t.issued_at, t.key";
        let sids: Vec<_> = sids.iter().map(|sid| bytes(sid.0)).collect();
        self.readers.read(|db| async move { all(&db, UNUSED, params![sids], hangs).await }).await
    }
}

/// A refresh token as it is kept.
struct Kept {
    token: RefreshToken,
    /// The token it succeeds, until its own first use.
    predecessor: Option<SecretDigest>,
    /// Whether its successor was used.
    spent: bool,
}

async fn rotate(db: &Link, presented: &Presented) -> Acted<Result<Rotated, RotateError>> {
    let now = presented.now;
    lock_session(db, presented.key).await?;
    let Some(kept) = find(db, presented.key).await? else {
        return Ok(Verdict::Undo(Err(RotateError::Unknown)));
    };
    // Of one that was spent long ago it is not kept whose it was.
    let client = &kept.token.grant.client;
    if *client != presented.client && !client.is_empty() {
        return Ok(Verdict::Undo(Err(RotateError::Unknown)));
    }
    let sid = kept.token.sid;
    let Some(found) = sessions::find(db, sid).await? else {
        return Ok(Verdict::Undo(Err(RotateError::Unknown)));
    };
    let device = found.device.clone();
    let live = match found.renew(&presented.lifetimes, now) {
        Ok(live) => live,
        Err(refusal) => return Ok(Verdict::Undo(Err(RotateError::Refused(refusal)))),
    };
    if kept.token.grant.jkt != presented.jkt {
        return Ok(Verdict::Undo(Err(RotateError::Key)));
    }
    let salt = match kept.token.present(kept.spent, now) {
        Ok(_) if presented.withheld => return Ok(Verdict::Undo(Err(RotateError::Withheld))),
        Ok(Turn::First) => {
            succeed(db, &kept, presented).await?;
            presented.salt
        }
        Ok(Turn::Again(salt)) => salt,
        Err(_reuse) => {
            sessions::end(db, sid, &presented.reusing(), 0).await?;
            return Ok(Verdict::Keep(Err(RotateError::Reused(sid))));
        }
    };
    touch::one(db, sid, live.used(now).from(presented.ip)).await?;
    Ok(Verdict::Keep(Ok(Rotated { live, device, grant: kept.token.grant, salt })))
}

/// Locks the session that a token hangs from. It is always the same one.
async fn lock_session(db: &Link, key: SecretDigest) -> Result<(), StoreFailed> {
    const LOCK: &str = "SELECT 1 FROM session
        WHERE sid = (SELECT sid FROM refresh_token WHERE key = $1) FOR NO KEY UPDATE";
    db.query(LOCK, params![Bytes(key.0)]).await?;
    Ok(())
}

/// Marks the first use of a token, spends its predecessor, and keeps its successor.
async fn succeed(db: &Link, kept: &Kept, presented: &Presented) -> Result<(), StoreFailed> {
    const USE: &str = "UPDATE refresh_token SET used_at = $2, salt = $3, predecessor = NULL
        WHERE key = $1";
    const SPEND: &str = "UPDATE refresh_token SET salt = NULL, audience = '', scope = ''
        WHERE key = $1";
    let row = params![Bytes(presented.key.0), whole(presented.now.0), Bytes(presented.salt)];
    change(db, USE, row).await?;
    if let Some(predecessor) = kept.predecessor {
        change(db, SPEND, params![Bytes(predecessor.0)]).await?;
    }
    let successor = RefreshToken {
        key: presented.successor,
        issued_at: presented.now,
        used: None,
        ..kept.token.clone()
    };
    insert_new(db, &successor, Some(presented.key)).await
}

/// Keeps a token that nobody can have yet, as part of an act.
pub(super) async fn insert_new(
    db: &Link,
    token: &RefreshToken,
    predecessor: Option<SecretDigest>,
) -> Result<(), StoreFailed> {
    if insert(db, token, predecessor).await? {
        return Ok(());
    }
    Err(StoreFailed::because("a refresh token of that name exists"))
}

/// Keeps a token, as part of an act. Says whether its name was free.
pub(super) async fn insert(
    db: &Link,
    token: &RefreshToken,
    predecessor: Option<SecretDigest>,
) -> Result<bool, StoreFailed> {
    const INSERT: &str = "INSERT INTO refresh_token (key, sid, predecessor, issued_at, used_at,
        salt, audience, scope, client, jkt) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT DO NOTHING";
    let row = params![
        Bytes(token.key.0),
        bytes(token.sid.0),
        predecessor.map(|key| Bytes(key.0)),
        whole(token.issued_at.0),
        token.used.map(|used| whole(used.at.0)),
        token.used.map(|used| Bytes(used.salt)),
        token.grant.audience,
        token.grant.scope,
        token.grant.client,
        token.grant.jkt.map(|key| Bytes(key.0)),
    ];
    Ok(change(db, INSERT, row).await? == 1)
}

/// Forgets the tokens of a client in a session, as part of an act that holds the session.
pub(super) async fn forget_those_of(
    db: &Link,
    sid: SessionId,
    client: ClientId,
) -> Result<bool, StoreFailed> {
    const FORGET: &str = "DELETE FROM refresh_token WHERE sid = $1 AND client = $2";
    Ok(change(db, FORGET, params![bytes(sid.0), client.to_string()]).await? > 0)
}

/// Forgets the tokens of a client, as part of an act.
///
/// It holds none of their sessions. A token that was being turned when this began is waited for, and
/// leaves a successor that this has not seen: so it looks until there is none.
pub(super) async fn forget_all_of_client(db: &Link, client: ClientId) -> Result<(), StoreFailed> {
    const FORGET: &str = "DELETE FROM refresh_token WHERE client = $1";
    while change(db, FORGET, params![client.to_string()]).await? > 0 {}
    Ok(())
}

/// Forgets the tokens of a session, as part of an act that holds it.
pub(super) async fn forget_all_of(db: &Link, sid: SessionId) -> Result<(), StoreFailed> {
    change(db, "DELETE FROM refresh_token WHERE sid = $1", params![bytes(sid.0)]).await?;
    Ok(())
}

/// Finds a token, which nobody else takes meanwhile.
async fn find(db: &Link, key: SecretDigest) -> Result<Option<Kept>, StoreFailed> {
    const FIND: &str = "SELECT key, sid, predecessor, issued_at, used_at, salt, audience, scope,
        client, jkt FROM refresh_token WHERE key = $1 FOR UPDATE";
    first(db, FIND, params![Bytes(key.0)], kept).await
}

fn grant(row: &mut Columns<'_>) -> Result<Grant, StoreFailed> {
    let (audience, scope, client) = (row.take()?, row.take()?, row.take()?);
    Ok(Grant { audience, scope, client, jkt: row.maybe_array()?.map(Thumbprint) })
}

fn hangs(row: &mut Columns<'_>) -> Result<HangingToken, StoreFailed> {
    let (sid, issued_at, is_successor) = (row.id().map(SessionId)?, row.time()?, row.take()?);
    let grant = grant(row)?;
    Ok(HangingToken { sid, grant, issued_at, is_successor })
}

fn kept(row: &mut Columns<'_>) -> Result<Kept, StoreFailed> {
    let (key, sid) = (row.digest()?, row.id().map(SessionId)?);
    let predecessor = row.maybe_array()?.map(SecretDigest);
    let (issued_at, used_at) = (row.time()?, row.maybe_time()?);
    let salt = row.maybe_array()?;
    let grant = grant(row)?;
    let spent = used_at.is_some() && salt.is_none();
    // The salt of a spent token is gone, and nothing asks for it any more.
    let used = used_at.map(|at: UnixTime| Used { at, salt: salt.unwrap_or_default() });
    Ok(Kept { token: RefreshToken { key, sid, grant, issued_at, used }, predecessor, spent })
}
