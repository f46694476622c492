//! Access tokens of clients themselves (RFC 6749, section 4.4): nobody is signed in.
//!
//! # What this module answers
//!
//! - *A client taken for an account* (RFC 9700, section 4.15): such a token has another `sub`, `cli_…`,
//!   no session and no time of a proof. Neither kind can be read as the other: [`verify`](super::verify)
//!   refuses these, and [`VerifiedClientToken::verify`] those of accounts.

use serde::{Deserialize, Serialize};

use super::claims::{Confirmation, numeric_date, present};
use super::{
    ACCESS_TOKEN_TYPE, Audiences, Expectation, TokenRefusal, check_binding, check_times,
    is_access_token, signed_claims,
};
use crate::id::{ClientId, TokenId};
use crate::jose::{KeySet, SignFailed, SigningKey, sign_compact};
use crate::status_list::Status;
use crate::time::UnixTime;

/// What an access token of a client itself says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientClaims {
    /// Who issued it.
    pub iss: String,
    /// The client.
    pub sub: ClientId,
    /// Whom it is for.
    pub aud: Audiences,
    /// When it ends.
    #[serde(deserialize_with = "numeric_date")]
    pub exp: UnixTime,
    /// When it was issued.
    #[serde(deserialize_with = "numeric_date")]
    pub iat: UnixTime,
    /// Its own name.
    pub jti: TokenId,
    /// The client again (RFC 9068, section 2.2).
    pub client_id: ClientId,
    /// What it allows: names with a space between.
    pub scope: String,
    /// The key it is bound to, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub cnf: Option<Confirmation>,
    /// Where its status is told, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

/// A client's token that was good when it was signed and has not expired. Whether the client is still
/// there, and its tokens of then still count, is for the caller to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct VerifiedClientToken(ClientClaims);

impl ClientClaims {
    /// Signs them.
    pub fn sign(&self, key: &SigningKey) -> Result<String, SignFailed> {
        sign_compact(key, ACCESS_TOKEN_TYPE, self)
    }
}

impl VerifiedClientToken {
    /// Verifies a client's token, in the same order as one of an account.
    ///
    /// ```
    /// use doorward_wire::jose::{Algorithm, KeySet, SigningKey};
    /// use doorward_wire::token::{
    ///     self, Audiences, ClientClaims, Expectation, Shown, TokenRefusal, VerifiedClientToken,
    /// };
    /// use doorward_wire::{ClientId, KeyId, TokenId, UnixTime};
    ///
    /// let now = UnixTime(1_700_000_000);
    /// let key = SigningKey::from_material(KeyId(1), Algorithm::Hs256, &[7; 32]).unwrap();
    /// let claims = ClientClaims {
    ///     iss: "https://id.example".into(),
    ///     sub: ClientId(1),
    ///     aud: Audiences::one("https://id.example"),
    ///     exp: UnixTime(now.0 + 300),
    ///     iat: now,
    ///     jti: TokenId(1),
    ///     client_id: ClientId(1),
    ///     scope: "doorward.revocations".into(),
    ///     cnf: None, status: None,
    /// };
    /// let text = claims.sign(&key).unwrap();
    /// let keys = KeySet::of([key.verifying_key()]).unwrap();
    /// let expected = Expectation {
    ///     issuer: "https://id.example",
    ///     audience: "https://id.example",
    ///     algorithms: &[Algorithm::Hs256],
    ///     shown: Shown::Bearer,
    /// };
    /// let verified = VerifiedClientToken::verify(&text, &keys, &expected, now).unwrap();
    /// assert_eq!(verified.unrevoked().sub, ClientId(1));
    /// // It is nobody's session.
    /// assert_eq!(token::verify(&text, &keys, &expected, now), Err(TokenRefusal::Claims));
    /// ```
    pub fn verify(
        token: &str,
        keys: &KeySet,
        expected: &Expectation<'_>,
        now: UnixTime,
    ) -> Result<Self, TokenRefusal> {
        let (claims, _): (ClientClaims, _) =
            signed_claims(token, is_access_token, keys, expected.algorithms)?;
        if claims.sub != claims.client_id {
            return Err(TokenRefusal::Claims);
        }
        if claims.iss != expected.issuer {
            return Err(TokenRefusal::Issuer);
        }
        if !claims.aud.contains(expected.audience) {
            return Err(TokenRefusal::Audience);
        }
        let token = Self(claims);
        token.check_time(now)?;
        check_binding(token.0.cnf.as_ref(), expected.shown)?;
        Ok(token)
    }

    /// The client.
    #[must_use]
    pub fn client(&self) -> ClientId {
        self.0.sub
    }

    /// Whether it allows `scope`.
    #[must_use]
    pub fn allows(&self, scope: &str) -> bool {
        self.0.scope.split(' ').any(|granted| granted == scope)
    }

    /// When it was issued.
    #[must_use]
    pub fn iat(&self) -> UnixTime {
        self.0.iat
    }

    /// Decides again whether it counts at this time.
    pub fn check_time(&self, now: UnixTime) -> Result<(), TokenRefusal> {
        check_times((self.0.exp, self.0.iat), None, now)
    }

    /// What it says. Call it when the client is still there, and its tokens of then count.
    #[must_use]
    pub fn unrevoked(self) -> ClientClaims {
        self.0
    }
}
