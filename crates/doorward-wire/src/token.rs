//! Access tokens (RFC 9068): who may do what, signed, for five minutes.
//!
//! ```text
//! AccessClaims ──sign──▶ text ──verify──▶ VerifiedToken ──is its session open?──▶ AccessClaims
//!                                 │
//!                                 └──▶ TokenRefusal: the first step that failed
//! ```
//!
//! # What this module answers
//!
//! - *One kind of token used as another* (RFC 8725, section 3.11): `typ` is read before anything
//!   else, and only `at+jwt` passes.
//! - *A token for somebody else*: `iss` and `aud` are compared letter by letter, and both are
//!   required.
//! - *Claims of the wrong kind* (CVE-2026-25537: an `nbf` that is a string was skipped): a claim has
//!   the type it must have, or the token is refused.
//! - *A bound token in a thief's hands* (RFC 9449): presented as a plain bearer token it is refused.
//!
//! # What is not here
//!
//! Revocation. The session that a token carries may have ended since: that is known to the
//! revocation log, which lives elsewhere. [`VerifiedToken::unrevoked`] marks the place.

use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::id::{AccountId, SessionId, TokenId};
use crate::jose::{Algorithm, Compact, KeySet, SignFailed, SigningKey, VerifyingKey, sign_compact};
use crate::json;
use crate::time::UnixTime;

mod assertion;
mod claims;
mod client;
mod explain;
mod seen;
#[cfg(test)]
mod tests;

pub use assertion::{ASSERTION_HEADER, ASSERTION_TYPE, AssertionClaims};
pub use claims::{AccessClaims, Audiences, Confirmation};
pub use client::{ClientClaims, VerifiedClientToken};
pub use explain::{Explanation, Step, Unverified, Verdict};
pub use seen::SeenTokens;

/// The type that an access token's header names (RFC 9068, section 2.1).
pub const ACCESS_TOKEN_TYPE: &str = "at+jwt";

/// How far two clocks may differ.
pub const LEEWAY: Duration = Duration::from_secs(30);

/// What a verifier asks of a token.
#[derive(Clone, Copy, Debug)]
pub struct Expectation<'a> {
    /// The issuer, exactly.
    pub issuer: &'a str,
    /// The audience that must be among the token's.
    pub audience: &'a str,
    /// The algorithms this audience accepts.
    pub algorithms: &'a [Algorithm],
    /// How the token was shown.
    pub shown: Shown<'a>,
}

/// How a token was shown to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown<'a> {
    /// As `Authorization: Bearer`: whoever has it may use it.
    Bearer,
    /// Not at all: somebody asks about it, or wants it to end. Whoever is shown it has to see the proof.
    AskedAbout,
    /// As `Authorization: DPoP`, with a proof by the key of this thumbprint. The proof has been
    /// checked by whoever says so.
    WithProof {
        /// The thumbprint of the key that made the proof.
        jkt: &'a str,
    },
}

/// A token that was good when it was signed and has not expired.
///
/// It may still have been revoked: ask the revocation log about [`sid`](Self::sid),
/// [`sub`](Self::sub), [`jti`](Self::jti) and [`iat`](Self::iat), and only then say
/// [`unrevoked`](Self::unrevoked).
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct VerifiedToken(AccessClaims);

/// The first step at which a token was refused. The caller hears `invalid_token`; the log hears this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenRefusal {
    /// It is too long, or not a compact token with a header we accept.
    Malformed,
    /// It is another kind of token.
    Type,
    /// Its algorithm is not one this audience accepts.
    Algorithm,
    /// Its key is unknown, or of another algorithm.
    Key,
    /// Its signature is not that key's.
    Signature,
    /// A claim is missing, or not of the type it must have.
    Claims,
    /// Somebody else issued it.
    Issuer,
    /// It is for somebody else.
    Audience,
    /// It has ended.
    Expired,
    /// It does not count yet.
    NotYet,
    /// It was issued in the future.
    IssuedAhead,
    /// It is bound to a key that was not shown, or was shown with a proof though bound to none.
    Binding,
}

/// Signs an access token.
pub fn sign(claims: &AccessClaims, key: &SigningKey) -> Result<String, SignFailed> {
    sign_compact(key, ACCESS_TOKEN_TYPE, claims)
}

/// Verifies an access token, in the order of the contract: the first failure decides.
///
/// Structure and size, `typ`, `alg`, `kid`, signature, claims, `iss`, `aud`, `exp`, `nbf`, `iat`,
/// `cnf`. Nothing of the payload is read before the signature is verified.
///
/// ```
/// use doorward_wire::jose::{Algorithm, KeySet, SigningKey};
/// use doorward_wire::token::{self, AccessClaims, Audiences, Expectation, Shown, TokenRefusal};
/// use doorward_wire::{AccountId, KeyId, SessionId, TokenId, UnixTime};
///
/// let now = UnixTime(1_700_000_000);
/// let key = SigningKey::from_material(KeyId(1), Algorithm::Hs256, &[7; 32]).unwrap();
/// let claims = AccessClaims {
///     iss: "https://id.example".into(),
///     sub: AccountId(1),
///     aud: Audiences::one("https://api.example"),
///     exp: UnixTime(now.0 + 300),
///     iat: now,
///     nbf: None,
///     jti: TokenId(1),
///     client_id: "shop".into(),
///     scope: "orders".into(),
///     sid: SessionId(1),
///     auth_time: now,
///     acr: "aal1".into(),
///     amr: vec!["pwd".into()],
///     groups: vec![],
///     roles: vec![],
///     cnf: None, status: None,
/// };
/// let text = token::sign(&claims, &key).unwrap();
///
/// let keys = KeySet::of([key.verifying_key()]).unwrap();
/// let expected = Expectation {
///     issuer: "https://id.example",
///     audience: "https://api.example",
///     algorithms: &[Algorithm::Hs256],
///     shown: Shown::Bearer,
/// };
/// assert_eq!(token::verify(&text, &keys, &expected, now).unwrap().sid(), SessionId(1));
///
/// let later = UnixTime(now.0 + 330);
/// assert_eq!(token::verify(&text, &keys, &expected, later), Err(TokenRefusal::Expired));
/// ```
pub fn verify(
    token: &str,
    keys: &KeySet,
    expected: &Expectation<'_>,
    now: UnixTime,
) -> Result<VerifiedToken, TokenRefusal> {
    let (claims, _) = signed_claims(token, is_access_token, keys, expected.algorithms)?;
    let token = VerifiedToken(claims);
    token.check(expected, now)?;
    Ok(token)
}

/// What a token says, and the key that signed it: every step up to the claims.
fn signed_claims<'a, T: DeserializeOwned>(
    token: &str,
    is_type: impl Fn(&str) -> bool,
    keys: &'a KeySet,
    algorithms: &[Algorithm],
) -> Result<(T, &'a VerifyingKey), TokenRefusal> {
    let token = Compact::parse(token).map_err(|_| TokenRefusal::Malformed)?;
    if !token.typ().is_some_and(is_type) {
        return Err(TokenRefusal::Type);
    }
    let algorithm = token.algorithm().map_err(|_| TokenRefusal::Algorithm)?;
    if !algorithms.contains(&algorithm) {
        return Err(TokenRefusal::Algorithm);
    }
    let key = token.kid().and_then(|kid| keys.get(kid)).ok_or(TokenRefusal::Key)?;
    if key.algorithm() != algorithm {
        return Err(TokenRefusal::Key);
    }
    let payload = token.verify_ours(key).map_err(|_| TokenRefusal::Signature)?;
    Ok((json::strict(payload).map_err(|_| TokenRefusal::Claims)?, key))
}

fn is_access_token(typ: &str) -> bool {
    is_of_type(typ, ACCESS_TOKEN_TYPE)
}

/// A media type is compared without regard to case, and `application/` may be left out (RFC 7515,
/// section 4.1.9).
fn is_of_type(typ: &str, expected: &str) -> bool {
    const PREFIX: &str = "application/";
    let short = match typ.split_at_checked(PREFIX.len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) => rest,
        _ => typ,
    };
    short.eq_ignore_ascii_case(expected)
}

impl VerifiedToken {
    /// The session it came from. If that has ended, so has this.
    #[must_use]
    pub fn sid(&self) -> SessionId {
        self.0.sid
    }

    /// The account it is for. If its epoch has moved since [`iat`](Self::iat), this has ended.
    #[must_use]
    pub fn sub(&self) -> AccountId {
        self.0.sub
    }

    /// Its own name, by which it alone can be revoked.
    #[must_use]
    pub fn jti(&self) -> TokenId {
        self.0.jti
    }

    /// When it was issued.
    #[must_use]
    pub fn iat(&self) -> UnixTime {
        self.0.iat
    }

    /// When it ends.
    #[must_use]
    pub fn exp(&self) -> UnixTime {
        self.0.exp
    }

    /// Every step from the issuer on.
    fn check(&self, expected: &Expectation<'_>, now: UnixTime) -> Result<(), TokenRefusal> {
        if self.0.iss != expected.issuer {
            return Err(TokenRefusal::Issuer);
        }
        if !self.0.aud.contains(expected.audience) {
            return Err(TokenRefusal::Audience);
        }
        self.check_time(now)?;
        self.check_binding(expected.shown)
    }

    /// Decides again whether it counts at this time, for a verifier that remembers tokens.
    ///
    /// With [`LEEWAY`] to either side. `exp` is refused when it is reached (RFC 7519, section
    /// 4.1.4), `nbf` is met when it is reached (section 4.1.5).
    pub fn check_time(&self, now: UnixTime) -> Result<(), TokenRefusal> {
        let AccessClaims { exp, nbf, iat, .. } = self.0;
        check_times((exp, iat), nbf, now)
    }

    /// Decides again whether it may be shown like this, for a verifier that remembers tokens.
    pub fn check_binding(&self, shown: Shown<'_>) -> Result<(), TokenRefusal> {
        check_binding(self.0.cnf.as_ref(), shown)
    }

    /// What it says. Call it when the revocation log has nothing against it, and not before.
    #[must_use]
    pub fn unrevoked(self) -> AccessClaims {
        self.0
    }

    /// The same, for a token that others remember too.
    #[must_use]
    pub fn as_unrevoked(&self) -> &AccessClaims {
        &self.0
    }
}

fn check_binding(cnf: Option<&Confirmation>, shown: Shown<'_>) -> Result<(), TokenRefusal> {
    match (cnf, shown) {
        (None, Shown::Bearer) | (_, Shown::AskedAbout) => Ok(()),
        (Some(bound), Shown::WithProof { jkt }) if bound.jkt == jkt => Ok(()),
        _ => Err(TokenRefusal::Binding),
    }
}

fn check_times(
    (exp, iat): (UnixTime, UnixTime),
    nbf: Option<UnixTime>,
    now: UnixTime,
) -> Result<(), TokenRefusal> {
    if now >= exp.after(LEEWAY) {
        return Err(TokenRefusal::Expired);
    }
    if nbf.is_some_and(|nbf| nbf > now.after(LEEWAY)) {
        return Err(TokenRefusal::NotYet);
    }
    if iat > now.after(LEEWAY) {
        return Err(TokenRefusal::IssuedAhead);
    }
    Ok(())
}

impl TokenRefusal {
    /// One word for the log.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Type => "type",
            Self::Algorithm => "algorithm",
            Self::Key => "key",
            Self::Signature => "signature",
            Self::Claims => "claims",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Expired => "expired",
            Self::NotYet => "not-yet",
            Self::IssuedAhead => "issued-ahead",
            Self::Binding => "binding",
        }
    }
}
