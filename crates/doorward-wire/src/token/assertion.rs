//! Assertions: what a proxy tells an app about whoever is asking, signed, for a minute.
//!
//! # What this module answers
//!
//! - *A header that anybody could have sent*: `Remote-User` is worth as much as the network between
//!   proxy and app. An assertion is signed, and an app can check it whatever the network does.
//! - *An assertion of another app*: its audience is the app's own origin.
//! - *An assertion taken for a token, or the reverse* (RFC 8725, section 3.11): it has a type of its own.

use serde::{Deserialize, Serialize};

use super::claims::numeric_date;
use super::{TokenRefusal, check_times, is_of_type, signed_claims};
use crate::id::{AccountId, SessionId, TokenId};
use crate::jose::{Algorithm, KeySet, SignFailed, SigningKey, sign_compact};
use crate::time::UnixTime;

/// The type that an assertion's header names.
pub const ASSERTION_TYPE: &str = "doorward-assertion+jwt";

/// The header field that carries it.
pub const ASSERTION_HEADER: &str = "doorward-assertion";

/// What an assertion says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssertionClaims {
    /// Who says so.
    pub iss: String,
    /// Who is asking.
    pub sub: AccountId,
    /// The app that is asked: its origin.
    pub aud: String,
    /// When it ends.
    #[serde(deserialize_with = "numeric_date")]
    pub exp: UnixTime,
    /// When it was said.
    #[serde(deserialize_with = "numeric_date")]
    pub iat: UnixTime,
    /// Its own name.
    pub jti: TokenId,
    /// The session that was shown.
    pub sid: SessionId,
    /// When its owner last proved themselves.
    #[serde(deserialize_with = "numeric_date")]
    pub auth_time: UnixTime,
    /// How sure that proof was: `aal1`, `aal2`, `aal3`.
    pub acr: String,
    /// By what means (RFC 8176).
    pub amr: Vec<String>,
    /// The name they log in with.
    pub preferred_username: String,
    /// Where mail for them goes, if they have said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The roles that they have.
    #[serde(default)]
    pub roles: Vec<String>,
    /// The groups that they belong to.
    #[serde(default)]
    pub groups: Vec<String>,
}

impl AssertionClaims {
    /// Signs them.
    pub fn sign(&self, key: &SigningKey) -> Result<String, SignFailed> {
        sign_compact(key, ASSERTION_TYPE, self)
    }

    /// Verifies an assertion, in the same order as a token: the first failure decides.
    ///
    /// ```
    /// use doorward_wire::jose::{Algorithm, KeySet, SigningKey};
    /// use doorward_wire::token::{AssertionClaims, TokenRefusal};
    /// use doorward_wire::{AccountId, KeyId, SessionId, TokenId, UnixTime};
    ///
    /// let now = UnixTime(1_700_000_000);
    /// let key = SigningKey::from_material(KeyId(1), Algorithm::Hs256, &[7; 32]).unwrap();
    /// let claims = AssertionClaims {
    ///     iss: "https://id.example".into(),
    ///     sub: AccountId(1),
    ///     aud: "https://wiki.example".into(),
    ///     exp: UnixTime(now.0 + 60),
    ///     iat: now,
    ///     jti: TokenId(1),
    ///     sid: SessionId(1),
    ///     auth_time: now,
    ///     acr: "aal1".into(),
    ///     amr: vec!["pwd".into()],
    ///     preferred_username: "ada".into(),
    ///     email: None,
    ///     roles: vec![],
    ///     groups: vec![],
    /// };
    /// let text = claims.sign(&key).unwrap();
    /// let keys = KeySet::of([key.verifying_key()]).unwrap();
    /// let verify = |audience| {
    ///     let names = ("https://id.example", audience);
    ///     AssertionClaims::verify(&text, &keys, names, &[Algorithm::Hs256], now)
    /// };
    /// assert_eq!(verify("https://wiki.example"), Ok(claims));
    /// assert_eq!(verify("https://blog.example"), Err(TokenRefusal::Audience));
    /// ```
    pub fn verify(
        text: &str,
        keys: &KeySet,
        (issuer, audience): (&str, &str),
        algorithms: &[Algorithm],
        now: UnixTime,
    ) -> Result<Self, TokenRefusal> {
        let is_one = |typ: &str| is_of_type(typ, ASSERTION_TYPE);
        let (claims, _): (Self, _) = signed_claims(text, is_one, keys, algorithms)?;
        if claims.iss != issuer {
            return Err(TokenRefusal::Issuer);
        }
        if claims.aud != audience {
            return Err(TokenRefusal::Audience);
        }
        check_times((claims.exp, claims.iat), None, now)?;
        Ok(claims)
    }
}
