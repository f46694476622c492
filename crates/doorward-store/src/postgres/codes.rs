//! Authorization codes in PostgreSQL.

use async_trait::async_trait;
use doorward_core::client::SITES;
use doorward_core::code::{Code, CodeRefusal};
use doorward_core::grant::Grant;
use doorward_core::refresh::RefreshToken;
use doorward_core::revocation::Revoked;
use doorward_wire::pkce::Challenge;
use doorward_wire::{ClientId, SecretDigest, SessionId, TokenId, UnixTime};

use super::acts::{Acted, Verdict};
use super::columns::{Bytes, Columns, bytes, change, exists, first, params, rows, whole};
use super::link::Link;
use super::{PostgresStore, log, refresh, sessions, touch};
use crate::Codes;
use crate::act::{RedeemError, Redeemed, Redeeming, StoreFailed};

#[async_trait]
impl Codes for PostgresStore {
    async fn keep_code(&self, code: Code) -> Result<bool, StoreFailed> {
        self.acts
            .act(code, |db, code| async move { Ok(Verdict::Keep(keep(&db, &code).await?)) })
            .await
    }

    async fn redeem_code(&self, redeeming: Redeeming) -> Result<Redeemed, RedeemError> {
        self.acts.act(redeeming, |db, asked| async move { redeem(&db, &asked).await }).await?
    }

    async fn sweep_codes(&self, now: UnixTime, limit: usize) -> Result<u64, StoreFailed> {
        const SWEEP: &str = "WITH past AS MATERIALIZED
            (SELECT key FROM authorization_code WHERE expires_at <= $1 LIMIT $2
                FOR UPDATE SKIP LOCKED)
            DELETE FROM authorization_code USING past WHERE authorization_code.key = past.key";
        self.acts
            .act((), move |db, _| async move {
                let forgotten = change(&db, SWEEP, params![whole(now.0), rows(limit)]).await?;
                Ok(Verdict::Keep(forgotten))
            })
            .await
    }
}

/// Keeps a code, and says whether its session and its client were there: both stay until it is kept.
async fn keep(db: &Link, code: &Code) -> Result<bool, StoreFailed> {
    const CLIENT: &str = "SELECT 1 FROM client WHERE id = $1 FOR KEY SHARE";
    const SESSION: &str = "SELECT 1 FROM session WHERE sid = $1 FOR KEY SHARE";
    const KEEP: &str = "INSERT INTO authorization_code (key, sid, client, redirect_uri,
        challenge, audience, scope, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let (client, sid) = (bytes(code.client.0), bytes(code.sid.0));
    let has_client = code.client == SITES || exists(db, CLIENT, params![client]).await?;
    if !has_client || !exists(db, SESSION, params![sid]).await? {
        return Ok(false);
    }
    let row = params![
        Bytes(code.key.0),
        sid,
        client,
        code.redirect_uri,
        Bytes(code.challenge.0),
        code.grant.audience,
        code.grant.scope,
        whole(code.expires_at.0),
    ];
    Ok(change(db, KEEP, row).await? == 1)
}

async fn redeem(db: &Link, asked: &Redeeming) -> Acted<Result<Redeemed, RedeemError>> {
    const USE: &str = "UPDATE authorization_code SET used = $2 WHERE key = $1";
    lock_session(db, asked.key).await?;
    let Some(code) = find(db, asked.key).await? else {
        return Ok(Verdict::Undo(Err(RedeemError::Refused)));
    };
    match code.present(&asked.redemption, asked.now) {
        Ok(()) => {}
        Err(CodeRefusal::Refused) => return Ok(Verdict::Undo(Err(RedeemError::Refused))),
        Err(CodeRefusal::Again(token)) => {
            refresh::forget_those_of(db, code.sid, code.client).await?;
            log::append_one(db, Revoked::Token(token), asked.now).await?;
            return Ok(Verdict::Keep(Err(RedeemError::Again(code.sid))));
        }
    }
    let Some(found) = sessions::find(db, code.sid).await? else {
        return Ok(Verdict::Undo(Err(RedeemError::Refused)));
    };
    let device = found.device.clone();
    let Ok(live) = found.renew(&asked.lifetimes, asked.now) else {
        return Ok(Verdict::Undo(Err(RedeemError::Refused)));
    };
    change(db, USE, params![Bytes(asked.key.0), bytes(asked.token.0)]).await?;
    let grant = Grant { jkt: asked.jkt, ..code.grant };
    let (sid, issued_at) = (code.sid, asked.now);
    if let Some(key) = asked.refresh {
        let grant = grant.clone();
        let token = RefreshToken { key, sid, grant, issued_at, used: None };
        refresh::insert_new(db, &token, None).await?;
    }
    touch::one(db, sid, live.used(asked.now).from(None)).await?;
    Ok(Verdict::Keep(Ok(Redeemed { live, device, grant })))
}

/// Locks the session that a code hangs from. It is always the same one.
async fn lock_session(db: &Link, key: SecretDigest) -> Result<(), StoreFailed> {
    const LOCK: &str = "SELECT 1 FROM session
        WHERE sid = (SELECT sid FROM authorization_code WHERE key = $1) FOR NO KEY UPDATE";
    db.query(LOCK, params![Bytes(key.0)]).await?;
    Ok(())
}

/// Finds a code, which nobody else takes meanwhile.
async fn find(db: &Link, key: SecretDigest) -> Result<Option<Code>, StoreFailed> {
    const FIND: &str = "SELECT key, sid, client, redirect_uri, challenge, audience, scope,
        expires_at, used FROM authorization_code WHERE key = $1 FOR UPDATE";
    first(db, FIND, params![Bytes(key.0)], code).await
}

fn code(row: &mut Columns<'_>) -> Result<Code, StoreFailed> {
    let (key, sid, client) = (row.digest()?, row.id().map(SessionId)?, row.id().map(ClientId)?);
    let (redirect_uri, challenge) = (row.take()?, row.array().map(Challenge)?);
    let (audience, scope) = (row.take()?, row.take()?);
    let grant = Grant { audience, scope, client: client.to_string(), jkt: None };
    let expires_at = row.time()?;
    let used = row.maybe_id()?.map(TokenId);
    Ok(Code { key, sid, client, redirect_uri, challenge, grant, expires_at, used })
}
