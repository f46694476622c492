//! Authorization codes in memory.

use async_trait::async_trait;
use doorward_core::client::SITES;
use doorward_core::code::{Code, CodeRefusal};
use doorward_core::grant::Grant;
use doorward_core::refresh::RefreshToken;
use doorward_core::revocation::{Revoked, revoke};
use doorward_wire::{ClientId, SessionId, UnixTime};

use super::{MemoryStore, State};
use crate::Codes;
use crate::act::{RedeemError, Redeemed, Redeeming, StoreFailed};

impl State {
    /// Forgets the refresh tokens of a client, in a session or in all of them.
    pub(super) fn forget_tokens_of(&mut self, client: ClientId, sid: Option<SessionId>) {
        let name = client.to_string();
        self.refresh.retain(|_, kept| {
            kept.token.grant.client != name || sid.is_some_and(|sid| kept.token.sid != sid)
        });
    }

    fn redeem(&mut self, asked: &Redeeming) -> Result<Redeemed, RedeemError> {
        let code = self.codes.get(&asked.key).cloned().ok_or(RedeemError::Refused)?;
        match code.present(&asked.redemption, asked.now) {
            Ok(()) => {}
            Err(CodeRefusal::Refused) => return Err(RedeemError::Refused),
            Err(CodeRefusal::Again(token)) => {
                self.forget_tokens_of(code.client, Some(code.sid));
                self.revoke(revoke(Revoked::Token(token), asked.now));
                return Err(RedeemError::Again(code.sid));
            }
        }
        let found = self.find(code.sid).ok_or(RedeemError::Refused)?;
        let device = found.device.clone();
        let live = found.renew(&asked.lifetimes, asked.now).map_err(|_| RedeemError::Refused)?;
        if let Some(kept) = self.codes.get_mut(&asked.key) {
            kept.used = Some(asked.token);
        }
        let grant = Grant { jkt: asked.jkt, ..code.grant };
        let (sid, issued_at) = (code.sid, asked.now);
        if let Some(key) = asked.refresh {
            let grant = grant.clone();
            self.keep_token(RefreshToken { key, sid, grant, issued_at, used: None }, None);
        }
        self.touch(sid, live.used(asked.now).from(None));
        Ok(Redeemed { live, device, grant })
    }
}

#[async_trait]
impl Codes for MemoryStore {
    async fn keep_code(&self, code: Code) -> Result<bool, StoreFailed> {
        let mut state = self.state();
        let is_known = code.client == SITES || state.clients.contains_key(&code.client);
        if !state.sessions.contains_key(&code.sid) || !is_known {
            return Ok(false);
        }
        if state.codes.contains_key(&code.key) {
            return Err(StoreFailed::because("two codes of one secret"));
        }
        state.codes.insert(code.key, code);
        Ok(true)
    }

    async fn redeem_code(&self, redeeming: Redeeming) -> Result<Redeemed, RedeemError> {
        self.state().redeem(&redeeming)
    }

    async fn sweep_codes(&self, now: UnixTime, limit: usize) -> Result<u64, StoreFailed> {
        let mut state = self.state();
        let past = state.codes.values().filter(|code| code.expires_at <= now);
        let past: Vec<_> = past.take(limit).map(|code| code.key).collect();
        for key in &past {
            state.codes.remove(key);
        }
        Ok(past.len() as u64)
    }
}
