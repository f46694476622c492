//! Public keys as JSON (RFC 7517).

use std::collections::BTreeMap;

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::algorithm::Algorithm;

/// A public key as it is published. It has no member for a private one.
///
/// Reading one that does have `d`, `k` or their like is an error: whoever sends us such a key has
/// just made it worthless, and must hear of it.
///
/// ```
/// use doorward_wire::{jose::Jwk, json};
///
/// // RFC 8037, appendix A.2 and A.3.
/// let public = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
/// let jwk: Jwk = json::strict(public.as_bytes()).unwrap();
/// assert_eq!(jwk.thumbprint().unwrap(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
///
/// let private = public.replace('}', r#","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}"#);
/// assert!(json::strict::<Jwk>(private.as_bytes()).is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Presented")]
pub struct Jwk {
    pub(super) kty: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) crv: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) y: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) e: Option<String>,
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    pub(super) purpose: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key_ops: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) alg: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kid: Option<String>,
}

/// A set of public keys as it is published.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JwkSet {
    /// The keys, in no order that means anything.
    pub keys: Vec<Jwk>,
}

impl Jwk {
    /// The key's name, if it has one.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The key's thumbprint with SHA-256 (RFC 7638): the `jkt` of RFC 9449.
    ///
    /// `None` if a member that it is made of is missing, or the key is of a type we do not know.
    #[must_use]
    pub fn thumbprint(&self) -> Option<String> {
        let members: &[(&str, &Option<String>)] = match self.kty.as_str() {
            "OKP" => &[("crv", &self.crv), ("x", &self.x)],
            "EC" => &[("crv", &self.crv), ("x", &self.x), ("y", &self.y)],
            "RSA" => &[("e", &self.e), ("n", &self.n)],
            _ => return None,
        };
        // A `BTreeMap` writes its members in the order that section 3 asks for.
        let mut canonical = BTreeMap::from([("kty", self.kty.as_str())]);
        for (name, value) in members {
            canonical.insert(name, value.as_deref()?);
        }
        let canonical = serde_json::to_vec(&canonical).ok()?;
        Some(Base64UrlUnpadded::encode_string(&Sha256::digest(canonical)))
    }

    /// A key of ours for this algorithm, still without its numbers.
    pub(super) fn ours(algorithm: Algorithm, kid: &str) -> Self {
        Self {
            kty: algorithm.key_type().to_owned(),
            crv: algorithm.curve().map(str::to_owned),
            x: None,
            y: None,
            n: None,
            e: None,
            purpose: Some("sig".to_owned()),
            key_ops: None,
            alg: Some(algorithm.name().to_owned()),
            kid: Some(kid.to_owned()),
        }
    }

    /// The one algorithm of ours that fits this key: its `alg`, or else its type and curve, of which
    /// each belongs to one.
    pub(super) fn algorithm(&self) -> Option<Algorithm> {
        let fits = |algorithm: &Algorithm| {
            algorithm.key_type() == self.kty
                && algorithm.curve() == self.crv.as_deref()
                && self.alg.as_deref().is_none_or(|name| name == algorithm.name())
        };
        Algorithm::ALL.into_iter().find(fits)
    }

    /// Whether its owner meant it for signatures (RFC 7517, sections 4.2 and 4.3).
    pub(super) fn is_for_signatures(&self) -> bool {
        self.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
            && self.key_ops.as_ref().is_none_or(|acts| acts.iter().any(|act| act == "verify"))
    }
}

/// A key as others send it. Members we do not know are ignored, as RFC 7517, section 4, asks.
#[derive(Deserialize)]
struct Presented {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    kid: Option<String>,
    #[serde(flatten)]
    private: Private,
}

/// The members of RFC 7518, sections 6.2.2, 6.3.2 and 6.4, that nobody else may know.
#[derive(Deserialize)]
struct Private {
    d: Option<IgnoredAny>,
    p: Option<IgnoredAny>,
    q: Option<IgnoredAny>,
    dp: Option<IgnoredAny>,
    dq: Option<IgnoredAny>,
    qi: Option<IgnoredAny>,
    oth: Option<IgnoredAny>,
    k: Option<IgnoredAny>,
}

impl Private {
    fn is_present(&self) -> bool {
        [&self.d, &self.p, &self.q, &self.dp, &self.dq, &self.qi, &self.oth, &self.k]
            .into_iter()
            .any(Option::is_some)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the key is a private one: publish only its public part, and replace it")]
struct HoldsPrivatePart;

impl TryFrom<Presented> for Jwk {
    type Error = HoldsPrivatePart;

    fn try_from(key: Presented) -> Result<Self, HoldsPrivatePart> {
        if key.private.is_present() {
            return Err(HoldsPrivatePart);
        }
        let Presented { kty, crv, x, y, n, e, purpose, key_ops, alg, kid, private: _ } = key;
        Ok(Self { kty, crv, x, y, n, e, purpose, key_ops, alg, kid })
    }
}
