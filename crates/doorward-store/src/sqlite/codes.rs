//! Authorization codes in SQLite.

use async_trait::async_trait;
use doorward_core::client::SITES;
use doorward_core::code::{Code, CodeRefusal};
use doorward_core::grant::Grant;
use doorward_core::refresh::RefreshToken;
use doorward_core::revocation::Revoked;
use doorward_wire::pkce::Challenge;
use doorward_wire::{ClientId, SecretDigest, SessionId, TokenId, UnixTime};
use rusqlite::{Connection, params};

use super::columns::{Columns, bytes, change, first, rows, whole};
use super::writer::{Acted, Verdict};
use super::{SqliteStore, log, refresh, sessions};
use crate::Codes;
use crate::act::{RedeemError, Redeemed, Redeeming, StoreFailed};

#[async_trait]
impl Codes for SqliteStore {
    async fn keep_code(&self, code: Code) -> Result<bool, StoreFailed> {
        const KEEP: &str = "INSERT INTO authorization_code (key, sid, client, redirect_uri,
            challenge, audience, scope, expires_at) SELECT ?1, sid, ?3, ?4, ?5, ?6, ?7, ?8
            FROM session WHERE sid = ?2 AND (?9 OR EXISTS (SELECT 1 FROM client WHERE id = ?3))";
        self.writer
            .act(move |db| {
                let row = params![
                    code.key.0,
                    bytes(code.sid.0),
                    bytes(code.client.0),
                    code.redirect_uri,
                    code.challenge.0,
                    code.grant.audience,
                    code.grant.scope,
                    whole(code.expires_at.0),
                    code.client == SITES,
                ];
                Ok(Verdict::Keep(change(db, KEEP, row)? == 1))
            })
            .await
    }

    async fn redeem_code(&self, redeeming: Redeeming) -> Result<Redeemed, RedeemError> {
        self.writer.act(move |db| redeem(db, &redeeming)).await?
    }

    async fn sweep_codes(&self, now: UnixTime, limit: usize) -> Result<u64, StoreFailed> {
        const SWEEP: &str = "DELETE FROM authorization_code WHERE key IN
            (SELECT key FROM authorization_code WHERE expires_at <= ?1 LIMIT ?2)";
        self.writer
            .act(move |db| {
                let forgotten = change(db, SWEEP, (whole(now.0), rows(limit)))?;
                Ok(Verdict::Keep(forgotten as u64))
            })
            .await
    }
}

fn redeem(db: &Connection, asked: &Redeeming) -> Acted<Result<Redeemed, RedeemError>> {
    const USE: &str = "UPDATE authorization_code SET used = ?2 WHERE key = ?1";
    let Some(code) = find(db, asked.key)? else {
        return Ok(Verdict::Undo(Err(RedeemError::Refused)));
    };
    match code.present(&asked.redemption, asked.now) {
        Ok(()) => {}
        Err(CodeRefusal::Refused) => return Ok(Verdict::Undo(Err(RedeemError::Refused))),
        Err(CodeRefusal::Again(token)) => {
            refresh::forget_those_of(db, code.sid, code.client)?;
            log::append_one(db, Revoked::Token(token), asked.now)?;
            return Ok(Verdict::Keep(Err(RedeemError::Again(code.sid))));
        }
    }
    let Some(found) = sessions::find(db, code.sid)? else {
        return Ok(Verdict::Undo(Err(RedeemError::Refused)));
    };
    let device = found.device.clone();
    let Ok(live) = found.renew(&asked.lifetimes, asked.now) else {
        return Ok(Verdict::Undo(Err(RedeemError::Refused)));
    };
    change(db, USE, (asked.key.0, bytes(asked.token.0)))?;
    let grant = Grant { jkt: asked.jkt, ..code.grant };
    let (sid, issued_at) = (code.sid, asked.now);
    if let Some(key) = asked.refresh {
        let grant = grant.clone();
        let token = RefreshToken { key, sid, grant, issued_at, used: None };
        refresh::insert(db, &token, None)?;
    }
    sessions::touch(db, sid, live.used(asked.now).from(None))?;
    Ok(Verdict::Keep(Ok(Redeemed { live, device, grant })))
}

fn find(db: &Connection, key: SecretDigest) -> Result<Option<Code>, StoreFailed> {
    const FIND: &str = "SELECT key, sid, client, redirect_uri, challenge, audience, scope,
        expires_at, used FROM authorization_code WHERE key = ?1";
    first(db, FIND, (key.0,), code)
}

fn code(row: &mut Columns<'_>) -> Result<Code, StoreFailed> {
    let (key, sid, client) = (row.digest()?, row.id().map(SessionId)?, row.id().map(ClientId)?);
    let (redirect_uri, challenge) = (row.take()?, row.take().map(Challenge)?);
    let (audience, scope) = (row.take()?, row.take()?);
    let grant = Grant { audience, scope, client: client.to_string(), jkt: None };
    let expires_at = row.time()?;
    let used = row.take::<Option<[u8; 16]>>()?.map(|id| TokenId(u128::from_be_bytes(id)));
    Ok(Code { key, sid, client, redirect_uri, challenge, grant, expires_at, used })
}
