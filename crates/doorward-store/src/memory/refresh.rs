//! Refresh tokens in memory.

use async_trait::async_trait;
use doorward_core::refresh::{HangingToken, RefreshToken, Turn, Used};
use doorward_wire::{ClientId, SecretDigest, SessionId};

use super::{KeptToken, MemoryStore, State};
use crate::RefreshTokens;
use crate::act::{Presented, RotateError, Rotated, StoreFailed};

impl KeptToken {
    fn hanging(&self) -> HangingToken {
        HangingToken {
            sid: self.token.sid,
            grant: self.token.grant.clone(),
            issued_at: self.token.issued_at,
            is_successor: self.predecessor.is_some(),
        }
    }
}

impl State {
    pub(super) fn keep_token(&mut self, token: RefreshToken, predecessor: Option<SecretDigest>) {
        self.refresh.insert(token.key, KeptToken { token, predecessor, spent: false });
    }

    fn rotate(&mut self, presented: &Presented) -> Result<Rotated, RotateError> {
        let now = presented.now;
        let kept = self.refresh.get(&presented.key).ok_or(RotateError::Unknown)?;
        let (token, spent, predecessor) = (kept.token.clone(), kept.spent, kept.predecessor);
        if token.grant.client != presented.client {
            return Err(RotateError::Unknown);
        }
        let found = self.find(token.sid).ok_or(RotateError::Unknown)?;
        let device = found.device.clone();
        let live = found.renew(&presented.lifetimes, now).map_err(RotateError::Refused)?;
        if token.grant.jkt != presented.jkt {
            return Err(RotateError::Key);
        }
        let salt = match token.present(spent, now) {
            Ok(_) if presented.withheld => return Err(RotateError::Withheld),
            Ok(Turn::First) => {
                self.succeed(&token, predecessor, presented);
                presented.salt
            }
            Ok(Turn::Again(salt)) => salt,
            Err(_reuse) => {
                self.end(token.sid, &presented.reusing(), 0);
                return Err(RotateError::Reused(token.sid));
            }
        };
        self.touch(token.sid, live.used(now).from(presented.ip));
        Ok(Rotated { live, device, grant: token.grant, salt })
    }

    /// Marks the first use of a token, spends its predecessor, and keeps its successor.
    fn succeed(
        &mut self,
        token: &RefreshToken,
        predecessor: Option<SecretDigest>,
        presented: &Presented,
    ) {
        if let Some(kept) = self.refresh.get_mut(&token.key) {
            kept.token.used = Some(Used { at: presented.now, salt: presented.salt });
        }
        if let Some(kept) = predecessor.and_then(|key| self.refresh.get_mut(&key)) {
            kept.spent = true;
        }
        let key = presented.successor;
        let successor = RefreshToken { key, issued_at: presented.now, ..token.clone() };
        self.keep_token(successor, Some(token.key));
    }
}

#[async_trait]
impl RefreshTokens for MemoryStore {
    async fn rotate(&self, presented: Presented) -> Result<Rotated, RotateError> {
        self.state().rotate(&presented)
    }

    async fn session_of_refresh(
        &self,
        key: SecretDigest,
    ) -> Result<Option<SessionId>, StoreFailed> {
        Ok(self.state().refresh.get(&key).map(|kept| kept.token.sid))
    }

    async fn end_grant(&self, sid: SessionId, client: ClientId) -> Result<bool, StoreFailed> {
        let mut state = self.state();
        let before = state.refresh.len();
        state.forget_tokens_of(client, Some(sid));
        Ok(state.refresh.len() < before)
    }

    async fn tokens_of(&self, sids: &[SessionId]) -> Result<Vec<HangingToken>, StoreFailed> {
        let state = self.state();
        let unused = state.refresh.values().filter(|kept| kept.token.used.is_none());
        let mut hanging: Vec<_> = unused
            .filter_map(|kept| Some((sids.iter().position(|sid| *sid == kept.token.sid)?, kept)))
            .map(|(place, kept)| (place, kept.hanging()))
            .collect();
        hanging.sort_by_key(|(place, token)| (*place, token.issued_at));
        Ok(hanging.into_iter().map(|(_, token)| token).collect())
    }
}
