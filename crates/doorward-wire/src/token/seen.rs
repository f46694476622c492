//! Tokens that were seen before: a signature is verified once, everything else each time.
//!
//! ```text
//!   token ──digest──▶ seen? ──yes──▶ still its key? ──▶ issuer, audience, times, binding ──▶ as verified
//!                       │no
//!                       └──────────▶ verify in full ──good──▶ remember
//! ```
//!
//! # What this module answers
//!
//! - *Cost*: a signature takes some fifty microseconds, a look by digest less than one.
//! - *A memory that outlives the truth*: what is remembered is only that these bytes were signed by
//!   that key. The key must still be among those trusted, and the token must still count: an expired
//!   token, a key that was retired and another audience are refused as if it had never been seen.
//! - *A flood of tokens*: only tokens that were good are remembered, at most a stated number of them,
//!   and those shown lately stay.
//!
//! # What is not here
//!
//! Revocation: what is handed out is a [`VerifiedToken`], which has to pass the revocation log each
//! time.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::{Expectation, TokenRefusal, VerifiedToken, is_access_token, signed_claims};
use crate::jose::{KeySet, VerifyingKey};
use crate::time::UnixTime;

/// How many locks the memory has. More than cores, so that they seldom meet at one.
const SHARDS: usize = 16;

/// Remembers tokens that were verified, a bounded number of them.
///
/// ```
/// # use doorward_wire::jose::{Algorithm, KeySet, SigningKey};
/// # use doorward_wire::token::{self, AccessClaims, Audiences, Expectation, Shown};
/// # use doorward_wire::{AccountId, KeyId, SessionId, TokenId, UnixTime};
/// use doorward_wire::token::SeenTokens;
///
/// # let now = UnixTime(1_700_000_000);
/// # let key = SigningKey::from_material(KeyId(1), Algorithm::Hs256, &[7; 32]).unwrap();
/// # let claims = AccessClaims {
/// #     iss: "https://id.example".into(), sub: AccountId(1), aud: Audiences::one("https://api.example"),
/// #     exp: UnixTime(now.0 + 300), iat: now, nbf: None, jti: TokenId(1), client_id: "shop".into(),
/// #     scope: "orders".into(), sid: SessionId(1), auth_time: now, acr: "aal1".into(),
/// #     amr: vec!["pwd".into()], groups: vec![], roles: vec![], cnf: None, status: None,
/// # };
/// # let text = token::sign(&claims, &key).unwrap();
/// # let keys = KeySet::of([key.verifying_key()]).unwrap();
/// # let expected = Expectation {
/// #     issuer: "https://id.example", audience: "https://api.example",
/// #     algorithms: &[Algorithm::Hs256], shown: Shown::Bearer,
/// # };
/// let seen = SeenTokens::at_most(10_000);
/// let first = seen.verify(&text, &keys, &expected, now).unwrap();
/// let again = seen.verify(&text, &keys, &expected, now).unwrap();
/// assert_eq!(first.sid(), again.sid());
/// // Its key is trusted no longer.
/// assert!(seen.verify(&text, &KeySet::default(), &expected, now).is_err());
/// ```
pub struct SeenTokens {
    shards: [Mutex<Shard>; SHARDS],
    young_max: usize,
}

/// Two generations: when the young are many they become the old, and the old are forgotten. What is
/// shown again meanwhile is young again.
#[derive(Default)]
struct Shard {
    young: HashMap<[u8; 32], Seen>,
    old: HashMap<[u8; 32], Seen>,
}

#[derive(Clone)]
struct Seen {
    token: Arc<VerifiedToken>,
    key: VerifyingKey,
}

impl SeenTokens {
    /// A memory of at most `count` tokens, and of 32 at the least. Each takes about a kilobyte.
    #[must_use]
    pub fn at_most(count: usize) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            young_max: (count / SHARDS / 2).max(1),
        }
    }

    /// Decides as [`verify`](super::verify) does, and looks at the signature only the first time.
    pub fn verify(
        &self,
        token: &str,
        keys: &KeySet,
        expected: &Expectation<'_>,
        now: UnixTime,
    ) -> Result<Arc<VerifiedToken>, TokenRefusal> {
        let digest: [u8; 32] = Sha256::digest(token).into();
        let shard = &self.shards[usize::from(digest[0]) % SHARDS];
        let found = lock(shard).find(&digest, self.young_max);
        if let Some(seen) = found.filter(|seen| seen.is_signed_by_one_of(keys)) {
            if !expected.algorithms.contains(&seen.key.algorithm()) {
                return Err(TokenRefusal::Algorithm);
            }
            seen.token.check(expected, now)?;
            return Ok(seen.token);
        }
        let (claims, key) = signed_claims(token, is_access_token, keys, expected.algorithms)?;
        let verified = VerifiedToken(claims);
        verified.check(expected, now)?;
        let seen = Seen { token: Arc::new(verified), key: key.clone() };
        let verified = Arc::clone(&seen.token);
        lock(shard).keep(digest, seen, self.young_max);
        Ok(verified)
    }
}

impl Seen {
    fn is_signed_by_one_of(&self, keys: &KeySet) -> bool {
        self.key.kid().and_then(|kid| keys.get(kid)).is_some_and(|key| key.is_same(&self.key))
    }
}

impl Shard {
    fn find(&mut self, digest: &[u8; 32], young_max: usize) -> Option<Seen> {
        if let Some(seen) = self.young.get(digest) {
            return Some(seen.clone());
        }
        let seen = self.old.remove(digest)?;
        self.keep(*digest, seen.clone(), young_max);
        Some(seen)
    }

    fn keep(&mut self, digest: [u8; 32], seen: Seen, young_max: usize) {
        if self.young.len() >= young_max {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.insert(digest, seen);
    }
}

/// A holder that panicked left a memory that is whole: each change is one insertion or one move.
fn lock(shard: &Mutex<Shard>) -> std::sync::MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

// It holds what bearer secrets say.
impl fmt::Debug for SeenTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SeenTokens(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{EXPECTED, NOW, claims, key, keys};
    use super::super::{AccessClaims, Shown, sign, verify};
    use super::*;
    use crate::id::TokenId;
    use crate::jose::Algorithm;
    use crate::jose::sample::signing_key;

    fn text(jti: u128) -> String {
        sign(&AccessClaims { jti: TokenId(jti), ..claims() }, &key()).unwrap()
    }

    fn count(seen: &SeenTokens) -> usize {
        let of = |shard: &Shard| shard.young.len() + shard.old.len();
        seen.shards.iter().map(|shard| of(&lock(shard))).sum()
    }

    #[test]
    fn a_token_seen_before_is_judged_as_one_that_was_not() {
        let (seen, token) = (SeenTokens::at_most(100), text(1));
        let other_issuer = Expectation { issuer: "https://evil.example", ..EXPECTED };
        let other_audience = Expectation { audience: "https://other.example", ..EXPECTED };
        let other_algorithm = Expectation { algorithms: &[Algorithm::Es256], ..EXPECTED };
        let as_bound = Expectation { shown: Shown::WithProof { jkt: "x" }, ..EXPECTED };
        let without = KeySet::of([signing_key(Algorithm::Es256).verifying_key()]).unwrap();
        for _ in 0..2 {
            for (expected, now) in [
                (EXPECTED, NOW),
                (EXPECTED, UnixTime(NOW.0 + 329)),
                (EXPECTED, UnixTime(NOW.0 + 330)),
                (EXPECTED, UnixTime(NOW.0 - 31)),
                (other_issuer, NOW),
                (other_audience, NOW),
                (other_algorithm, NOW),
                (as_bound, NOW),
            ] {
                for keys in [&keys(), &without] {
                    let got = seen.verify(&token, keys, &expected, now);
                    let plain = verify(&token, keys, &expected, now);
                    assert_eq!(got.map(|token| (*token).clone()), plain, "{expected:?} {now:?}");
                }
            }
        }
        assert_eq!(count(&seen), 1);
    }

    #[test]
    fn a_key_of_the_same_name_is_not_the_same_key() {
        let (seen, token) = (SeenTokens::at_most(100), text(1));
        assert!(seen.verify(&token, &keys(), &EXPECTED, NOW).is_ok());
        let jwk = serde_json::json!({
            "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": key().kid().to_string(),
            // That of RFC 8032, section 7.1, test 2.
            "x": "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw",
        });
        let jwk = serde_json::from_value(jwk).unwrap();
        let impostor = VerifyingKey::from_jwk(&jwk).unwrap();
        assert_eq!(impostor.kid(), key().verifying_key().kid());
        let keys = KeySet::of([impostor]).unwrap();
        assert_eq!(seen.verify(&token, &keys, &EXPECTED, NOW), Err(TokenRefusal::Signature));
    }

    #[test]
    fn what_is_refused_is_not_remembered_and_the_memory_is_bounded() {
        let seen = SeenTokens::at_most(64);
        for n in 0..200 {
            let mut forged = text(n);
            forged.replace_range(forged.len() - 8..forged.len() - 4, "AAAA");
            assert!(seen.verify(&forged, &keys(), &EXPECTED, NOW).is_err());
            assert!(seen.verify(&text(n), &keys(), &EXPECTED, UnixTime(NOW.0 + 400)).is_err());
        }
        assert_eq!(count(&seen), 0);
        let kept = text(1000);
        for n in 0..500 {
            assert!(seen.verify(&text(n), &keys(), &EXPECTED, NOW).is_ok());
            assert!(seen.verify(&kept, &keys(), &EXPECTED, NOW).is_ok());
        }
        assert!(count(&seen) <= 64, "{}", count(&seen));
        let digest: [u8; 32] = Sha256::digest(&kept).into();
        let shard = &seen.shards[usize::from(digest[0]) % SHARDS];
        assert!(lock(shard).find(&digest, 2).is_some(), "shown all the time, and forgotten");
    }
}
