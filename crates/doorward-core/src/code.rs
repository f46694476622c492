//! An authorization code (RFC 6749, section 4.1): what a client takes home from a browser, once, for tokens
//! of the session that the browser has.
//!
//! # What this module answers
//!
//! - *A code that was read on its way*: it is worth something only to its client, with the address it was
//!   sent to and the verifier whose hash the client told before (RFC 7636), for a minute.
//! - *A code that comes twice* (RFC 6749, section 4.1.2): the second time there is nothing, and what came of
//!   the first ends.
//! - *A session that ended meanwhile*: its codes are gone with it.

use std::time::Duration;

use doorward_wire::pkce::Challenge;
use doorward_wire::{ClientId, SecretDigest, SessionId, TokenId, UnixTime};

use crate::grant::Grant;

/// What every code begins with.
pub const PREFIX: &str = "dwa_";

/// How long a code counts.
pub const CODE_LIFE: Duration = Duration::from_mins(1);

/// A code as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// The digest of its secret.
    pub key: SecretDigest,
    /// The session whose browser took it.
    pub sid: SessionId,
    /// Whose it is.
    pub client: ClientId,
    /// The address that it was sent to.
    pub redirect_uri: String,
    /// What its client must know.
    pub challenge: Challenge,
    /// What its tokens may be used for.
    pub grant: Grant,
    /// When it ends.
    pub expires_at: UnixTime,
    /// The access token that came of it, if it was used.
    pub used: Option<TokenId>,
}

/// Who presents a code, and what they know.
#[derive(Clone, Debug)]
pub struct Redemption {
    /// The client.
    pub client: ClientId,
    /// The address that it says the code was sent to.
    pub redirect_uri: String,
    /// The challenge that its verifier meets.
    pub challenge: Challenge,
}

/// Why a code gives nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeRefusal {
    /// It is another's, or too old: it stays as it is.
    Refused,
    /// It was used before: what came of it ends.
    Again(TokenId),
}

impl Code {
    /// Decides what presenting this code leads to.
    pub fn present(&self, shown: &Redemption, now: UnixTime) -> Result<(), CodeRefusal> {
        let is_its = self.client == shown.client
            && self.redirect_uri == shown.redirect_uri
            && self.challenge == shown.challenge;
        if !is_its {
            return Err(CodeRefusal::Refused);
        }
        if let Some(token) = self.used {
            return Err(CodeRefusal::Again(token));
        }
        if now >= self.expires_at {
            return Err(CodeRefusal::Refused);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: UnixTime = UnixTime(1_800_000_000);

    fn code() -> Code {
        Code {
            key: SecretDigest([1; 32]),
            sid: SessionId(1),
            client: ClientId(1),
            redirect_uri: "https://shop.example/cb".into(),
            challenge: Challenge([5; 32]),
            grant: Grant::default(),
            expires_at: NOON,
            used: None,
        }
    }

    fn owner() -> Redemption {
        let Code { client, redirect_uri, challenge, .. } = code();
        Redemption { client, redirect_uri, challenge }
    }

    #[test]
    fn a_code_is_for_one_client_one_address_one_verifier_and_one_minute() {
        let before = UnixTime(NOON.0 - 1);
        assert_eq!(code().present(&owner(), before), Ok(()));
        assert_eq!(code().present(&owner(), NOON), Err(CodeRefusal::Refused));
        for other in [
            Redemption { client: ClientId(2), ..owner() },
            Redemption { redirect_uri: "https://shop.example/cb2".into(), ..owner() },
            Redemption { challenge: Challenge([6; 32]), ..owner() },
        ] {
            assert_eq!(code().present(&other, before), Err(CodeRefusal::Refused));
        }
    }

    #[test]
    fn a_code_that_comes_twice_ends_what_came_of_it_and_only_its_owner_can_do_that() {
        let used = Code { used: Some(TokenId(7)), ..code() };
        for at in [UnixTime(NOON.0 - 1), NOON] {
            assert_eq!(used.present(&owner(), at), Err(CodeRefusal::Again(TokenId(7))));
        }
        let thief = Redemption { challenge: Challenge([6; 32]), ..owner() };
        assert_eq!(used.present(&thief, NOON), Err(CodeRefusal::Refused));
    }
}
