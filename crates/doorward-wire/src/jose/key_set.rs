//! The keys a verifier trusts, by name.

use std::collections::BTreeMap;

use super::jwk::JwkSet;
use super::key::VerifyingKey;

/// Keys by `kid`. The only place a verifier looks for one.
///
/// A `kid` is the attacker's to choose (RFC 8725, section 3.10), and all it can do here is to be
/// compared: no path, no query, no address is ever made of it.
///
/// ```
/// use doorward_wire::KeyId;
/// use doorward_wire::jose::{Algorithm, KeySet, SigningKey};
///
/// let key = SigningKey::from_material(KeyId(1), Algorithm::Hs256, &[7; 32]).unwrap();
/// let keys = KeySet::of([key.verifying_key()]).unwrap();
/// assert!(keys.get(&key.kid().to_string()).is_some());
/// assert!(keys.get("../../dev/null").is_none());
/// ```
#[derive(Clone, Debug, Default)]
pub struct KeySet(BTreeMap<Box<str>, VerifyingKey>);

/// Why keys were refused as a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetRefused {
    /// A key has no name, so no token can name it.
    #[error("a key has no kid")]
    Nameless,
    /// Two keys have one name, so it is for chance to say which is meant.
    #[error("two keys have the same kid")]
    SameName,
}

impl KeySet {
    /// Makes a set of keys that each have a name of their own.
    pub fn of(keys: impl IntoIterator<Item = VerifyingKey>) -> Result<Self, KeySetRefused> {
        let mut set = Self::default();
        keys.into_iter().try_for_each(|key| set.insert(key))?;
        Ok(set)
    }

    /// Reads a published set.
    ///
    /// Keys that we could not use are left out (RFC 7517, section 5): of another kind, for another
    /// purpose, weak, damaged, or without a name. Two usable keys of one name refuse the set.
    pub fn from_jwks(published: &JwkSet) -> Result<Self, KeySetRefused> {
        let usable = published.keys.iter().filter_map(|jwk| VerifyingKey::from_jwk(jwk).ok());
        Self::of(usable.filter(|key| key.kid().is_some()))
    }

    /// Adds a key.
    pub fn insert(&mut self, key: VerifyingKey) -> Result<(), KeySetRefused> {
        let kid: Box<str> = key.kid().ok_or(KeySetRefused::Nameless)?.into();
        if self.0.contains_key(&kid) {
            return Err(KeySetRefused::SameName);
        }
        self.0.insert(kid, key);
        Ok(())
    }

    /// The key of that name.
    #[must_use]
    pub fn get(&self, kid: &str) -> Option<&VerifyingKey> {
        self.0.get(kid)
    }

    /// How many keys there are.
    #[must_use]
    pub fn key_count(&self) -> usize {
        self.0.len()
    }

    /// The set to publish: every key but the shared secrets.
    #[must_use]
    pub fn published(&self) -> JwkSet {
        JwkSet { keys: self.0.values().filter_map(|key| key.jwk().cloned()).collect() }
    }
}
