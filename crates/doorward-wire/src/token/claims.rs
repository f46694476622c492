//! What an access token says, as JSON.
//!
//! A claim has the type it must have, or the whole is refused. Claims we do not know are ignored
//! (RFC 7519, section 4), so that a newer issuer can add one.

use std::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::{AccountId, SessionId, TokenId};
use crate::status_list::Status;
use crate::time::UnixTime;

/// 9999-12-31T23:59:59Z: a time beyond it cannot be written in RFC 3339, so it is nobody's.
const LAST_TIME: u64 = 253_402_300_799;

/// What an access token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// Who issued it.
    pub iss: String,
    /// Whose it is.
    pub sub: AccountId,
    /// Whom it is for.
    pub aud: Audiences,
    /// When it ends.
    #[serde(deserialize_with = "numeric_date")]
    pub exp: UnixTime,
    /// When it was issued.
    #[serde(deserialize_with = "numeric_date")]
    pub iat: UnixTime,
    /// Before when it does not count.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present_numeric_date"
    )]
    pub nbf: Option<UnixTime>,
    /// Its own name. Revocation goes by this and by `sid`, never by its bytes.
    pub jti: TokenId,
    /// The client it was issued to.
    pub client_id: String,
    /// What it allows: names with a space between.
    pub scope: String,
    /// The session it came from, and ends with.
    pub sid: SessionId,
    /// When its owner last proved themselves.
    #[serde(deserialize_with = "numeric_date")]
    pub auth_time: UnixTime,
    /// How sure that proof was: `aal1`, `aal2`, `aal3`.
    pub acr: String,
    /// By what means (RFC 8176).
    pub amr: Vec<String>,
    /// The groups its owner belongs to, when granted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// The roles its owner has, when granted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// The key it is bound to, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub cnf: Option<Confirmation>,
    /// Where its status is told, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

/// The key that a token is bound to (RFC 9449, section 6). Another way to bind it is one that we
/// cannot check, so it is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// The key's thumbprint (RFC 7638).
    pub jkt: String,
}

/// Whom a token is for: one at the least. One is written as a string, more as an array.
///
/// ```
/// use doorward_wire::token::Audiences;
///
/// let one = Audiences::one("https://api.example");
/// assert_eq!(serde_json::to_string(&one).unwrap(), r#""https://api.example""#);
/// assert!(one.contains("https://api.example") && !one.contains("https://api.example/"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audiences(Vec<String>);

impl Audiences {
    /// One audience.
    #[must_use]
    pub fn one(audience: impl Into<String>) -> Self {
        Self(vec![audience.into()])
    }

    /// Some audiences, or `None` if there are none: such a token would be for nobody, or for all.
    #[must_use]
    pub fn some(audiences: Vec<String>) -> Option<Self> {
        (!audiences.is_empty()).then_some(Self(audiences))
    }

    /// Whether this one is among them, letter by letter.
    #[must_use]
    pub fn contains(&self, audience: &str) -> bool {
        self.0.iter().any(|one| one == audience)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl Serialize for Audiences {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => serializer.serialize_str(one),
            more => serializer.collect_seq(more),
        }
    }
}

impl<'de> Deserialize<'de> for Audiences {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;

        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Audiences;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an array of strings")
            }

            fn visit_str<E>(self, audience: &str) -> Result<Audiences, E> {
                Ok(Audiences::one(audience))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Audiences, A::Error> {
                let mut audiences = Vec::new();
                while let Some(audience) = seq.next_element()? {
                    audiences.push(audience);
                }
                Audiences::some(audiences).ok_or_else(|| A::Error::invalid_length(0, &self))
            }
        }

        deserializer.deserialize_any(OneOrMore)
    }
}

/// A time in whole seconds that RFC 3339 can write. RFC 7519 would also allow fractions; we write
/// none and read none.
pub(super) fn numeric_date<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<UnixTime, D::Error> {
    match u64::deserialize(deserializer)? {
        seconds @ 0..=LAST_TIME => Ok(UnixTime(seconds)),
        _ => Err(D::Error::custom("a time after the year 9999")),
    }
}

fn present_numeric_date<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<UnixTime>, D::Error> {
    numeric_date(deserializer).map(Some)
}

/// A member that may be absent but not `null`.
pub(super) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
