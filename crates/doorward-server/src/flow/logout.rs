//! Ending sessions: one durable act that ends the cookie, the tokens and the refresh tokens.

use doorward_core::device::Device;
use doorward_store::act::StoreFailed;
use doorward_wire::SessionId;

use super::identify::Caller;
use super::refresh;
use crate::App;

/// Ends the caller's own session. When this returns, it is durable.
pub async fn logout(app: &App, caller: &Caller, from: &Device) -> Result<(), StoreFailed> {
    let account = caller.live().account().map(|account| account.id);
    app.store.end_session(caller.sid(), app.ending("logout", account, from)).await?;
    Ok(())
}

/// Ends the session of a refresh token, for a client whose access token is for another service or
/// has expired. Says nothing about tokens it does not know (RFC 7009, section 2.2).
pub async fn logout_by_refresh(app: &App, text: &str, from: &Device) -> Result<(), StoreFailed> {
    let Some(secret) = refresh::read(text) else { return Ok(()) };
    if let Some(sid) = app.store.session_of_refresh(secret.digest()).await? {
        app.store.end_session(sid, app.ending("logout", None, from)).await?;
    }
    Ok(())
}

/// Why a session was not ended.
#[derive(Debug, thiserror::Error)]
pub enum EndError {
    /// The caller has no such session; whether somebody else has is not told.
    #[error("no such session")]
    NotYours,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreFailed),
}

/// Ends one of the caller's own sessions.
pub async fn end_one(
    app: &App,
    caller: &Caller,
    sid: SessionId,
    from: &Device,
) -> Result<(), EndError> {
    let mine = caller.live().account().map(|account| account.id);
    let found = app.store.session(sid).await?;
    let owner = found.and_then(|found| found.session.owner).map(|owner| owner.account);
    if mine.is_none() || owner != mine {
        return Err(EndError::NotYours);
    }
    app.store.end_session(sid, app.ending("ended-by-owner", mine, from)).await?;
    Ok(())
}

/// Ends every session of the caller but this one.
pub async fn end_others(app: &App, caller: &Caller, from: &Device) -> Result<u64, EndError> {
    let account = caller.live().account().ok_or(EndError::NotYours)?.id;
    let ending = app.ending("ended-by-owner", Some(account), from);
    Ok(app.store.end_sessions_of(account, Some(caller.sid()), ending).await?)
}

/// Ends every session of the caller, this one too.
pub async fn end_all(app: &App, caller: &Caller, from: &Device) -> Result<u64, EndError> {
    let account = caller.live().account().ok_or(EndError::NotYours)?.id;
    let ending = app.ending("ended-by-owner", Some(account), from);
    Ok(app.store.end_sessions_of(account, None, ending).await?)
}
