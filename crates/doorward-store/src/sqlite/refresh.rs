//! Refresh tokens in SQLite.
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
use rusqlite::{Connection, params};

use super::columns::{Columns, all, bytes, change, first, whole};
use super::writer::{Acted, Verdict};
use super::{SqliteStore, sessions};
use crate::RefreshTokens;
use crate::act::{Presented, RotateError, Rotated, StoreFailed};

#[async_trait]
impl RefreshTokens for SqliteStore {
    async fn rotate(&self, presented: Presented) -> Result<Rotated, RotateError> {
        self.writer.act(move |db| rotate(db, &presented)).await?
    }

    async fn session_of_refresh(
        &self,
        key: SecretDigest,
    ) -> Result<Option<SessionId>, StoreFailed> {
        const SESSION: &str = "SELECT sid FROM refresh_token WHERE key = ?1";
        self.readers.read(|db| first(db, SESSION, (key.0,), |row| row.id().map(SessionId)))
    }

    async fn end_grant(&self, sid: SessionId, client: ClientId) -> Result<bool, StoreFailed> {
        self.writer.act(move |db| Ok(Verdict::Keep(forget_those_of(db, sid, client)?))).await
    }

    async fn tokens_of(&self, sids: &[SessionId]) -> Result<Vec<HangingToken>, StoreFailed> {
        const UNUSED: &str = "SELECT sid, issued_at, predecessor IS NOT NULL, audience, scope,
            client, jkt FROM refresh_token WHERE sid = ?1 AND used_at IS NULL ORDER BY issued_at";
        self.readers.read(|db| {
            let mut hanging = Vec::new();
            for sid in sids {
                hanging.extend(all(db, UNUSED, (bytes(sid.0),), hangs)?);
            }
            Ok(hanging)
        })
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

fn rotate(db: &Connection, presented: &Presented) -> Acted<Result<Rotated, RotateError>> {
    let now = presented.now;
    let Some(kept) = find(db, presented.key)? else {
        return Ok(Verdict::Undo(Err(RotateError::Unknown)));
    };
    // Of one that was spent long ago it is not kept whose it was.
    let client = &kept.token.grant.client;
    if *client != presented.client && !client.is_empty() {
        return Ok(Verdict::Undo(Err(RotateError::Unknown)));
    }
    let sid = kept.token.sid;
    let Some(found) = sessions::find(db, sid)? else {
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
            succeed(db, &kept, presented)?;
            presented.salt
        }
        Ok(Turn::Again(salt)) => salt,
        Err(_reuse) => {
            sessions::end(db, sid, &presented.reusing(), 0)?;
            return Ok(Verdict::Keep(Err(RotateError::Reused(sid))));
        }
    };
    sessions::touch(db, sid, live.used(now).from(presented.ip))?;
    Ok(Verdict::Keep(Ok(Rotated { live, device, grant: kept.token.grant, salt })))
}

/// Marks the first use of a token, spends its predecessor, and keeps its successor.
fn succeed(db: &Connection, kept: &Kept, presented: &Presented) -> Result<(), StoreFailed> {
    const USE: &str = "UPDATE refresh_token SET used_at = ?2, salt = ?3, predecessor = NULL
        WHERE key = ?1";
    const SPEND: &str = "UPDATE refresh_token SET salt = NULL, audience = '', scope = ''
        WHERE key = ?1";
    change(db, USE, params![presented.key.0, whole(presented.now.0), presented.salt])?;
    if let Some(predecessor) = kept.predecessor {
        change(db, SPEND, (predecessor.0,))?;
    }
    let successor = RefreshToken {
        key: presented.successor,
        issued_at: presented.now,
        used: None,
        ..kept.token.clone()
    };
    insert(db, &successor, Some(presented.key))?;
    Ok(())
}

/// Keeps a token, as part of an act.
pub(super) fn insert(
    db: &Connection,
    token: &RefreshToken,
    predecessor: Option<SecretDigest>,
) -> Result<(), rusqlite::Error> {
    const INSERT: &str = "INSERT INTO refresh_token (key, sid, predecessor, issued_at, used_at,
        salt, audience, scope, client, jkt) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    let row = params![
        token.key.0,
        token.sid.0.to_be_bytes(),
        predecessor.map(|key| key.0),
        whole(token.issued_at.0),
        token.used.map(|used| whole(used.at.0)),
        token.used.map(|used| used.salt),
        token.grant.audience,
        token.grant.scope,
        token.grant.client,
        token.grant.jkt.map(|key| key.0),
    ];
    change(db, INSERT, row).map(|_| ())
}

/// Forgets the tokens of a client in a session, as part of an act.
pub(super) fn forget_those_of(
    db: &Connection,
    sid: SessionId,
    client: ClientId,
) -> Result<bool, StoreFailed> {
    const FORGET: &str = "DELETE FROM refresh_token WHERE sid = ?1 AND client = ?2";
    Ok(change(db, FORGET, (bytes(sid.0), client.to_string()))? > 0)
}

/// Forgets the tokens of a client, as part of an act.
pub(super) fn forget_all_of_client(db: &Connection, client: ClientId) -> Result<(), StoreFailed> {
    change(db, "DELETE FROM refresh_token WHERE client = ?1", (client.to_string(),))?;
    Ok(())
}

/// Forgets the tokens of a session, as part of an act.
pub(super) fn forget_all_of(db: &Connection, sid: SessionId) -> Result<(), StoreFailed> {
    const FORGET: &str = "DELETE FROM refresh_token WHERE sid = ?1";
    change(db, FORGET, (sid.0.to_be_bytes(),))?;
    Ok(())
}

fn find(db: &Connection, key: SecretDigest) -> Result<Option<Kept>, StoreFailed> {
    const FIND: &str = "SELECT key, sid, predecessor, issued_at, used_at, salt, audience, scope,
        client, jkt FROM refresh_token WHERE key = ?1";
    first(db, FIND, (key.0,), kept)
}

fn grant(row: &mut Columns<'_>) -> Result<Grant, StoreFailed> {
    let (audience, scope, client) = (row.take()?, row.take()?, row.take()?);
    Ok(Grant { audience, scope, client, jkt: row.take::<Option<_>>()?.map(Thumbprint) })
}

fn hangs(row: &mut Columns<'_>) -> Result<HangingToken, StoreFailed> {
    let (sid, issued_at, is_successor) = (row.id().map(SessionId)?, row.time()?, row.take()?);
    let grant = grant(row)?;
    Ok(HangingToken { sid, grant, issued_at, is_successor })
}

fn kept(row: &mut Columns<'_>) -> Result<Kept, StoreFailed> {
    let (key, sid) = (row.digest()?, row.id().map(SessionId)?);
    let predecessor = row.take::<Option<_>>()?.map(SecretDigest);
    let issued_at = row.time()?;
    let used_at = row.take::<Option<i64>>()?;
    let salt = row.take::<Option<[u8; 32]>>()?;
    let grant = grant(row)?;
    let spent = used_at.is_some() && salt.is_none();
    // The salt of a spent token is gone, and nothing asks for it any more.
    let used = used_at.map(|at| Used {
        at: UnixTime(u64::try_from(at).unwrap_or(0)),
        salt: salt.unwrap_or_default(),
    });
    Ok(Kept { token: RefreshToken { key, sid, grant, issued_at, used }, predecessor, spent })
}
