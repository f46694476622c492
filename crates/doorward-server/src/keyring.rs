//! The key ring: the keys that sign our tokens, made on first need and kept sealed.

use std::collections::HashMap;
use std::sync::Arc;

use doorward_core::event::{Event, EventKind};
use doorward_store::Store;
use doorward_store::act::{SealedKey, StoreFailed};
use doorward_wire::KeyId;
use doorward_wire::dbsc::TicketKey;
use doorward_wire::jose::{Algorithm, JwkSet, KeySet, SigningKey};
use doorward_wire::seal::{MasterKey, derive};
use parking_lot::RwLock;

use crate::ambient::{Ambient, KeyNotMade};

/// The keys of one server.
pub struct Keyring {
    master: MasterKey,
    tickets: TicketKey,
    /// The audiences whose tokens are signed with a shared secret.
    sharing: Vec<String>,
    parsed: RwLock<Parsed>,
    making: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Parsed {
    signing: HashMap<Name, Arc<SigningKey>>,
    verifying: Arc<KeySet>,
}

/// Which key: one for each algorithm, and of those that share a secret one for each audience.
///
/// A service that verifies HS256 could sign with the same secret, so no two services have one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Name {
    algorithm: Algorithm,
    audience: String,
}

impl Name {
    fn of(algorithm: Algorithm, audience: &str) -> Self {
        let audience = if algorithm.shares_secret() { audience } else { "" };
        Self { algorithm, audience: audience.to_owned() }
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A key in the store cannot be opened: it was sealed with another master key.
    #[error("a signing key cannot be opened: it was sealed with another master key")]
    Sealed,
    /// A key could not be made.
    #[error(transparent)]
    NotMade(#[from] KeyNotMade),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreFailed),
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyring(…)")
    }
}

impl Keyring {
    /// Opens every key in the store. One that cannot be opened is an error: the server would
    /// otherwise sign with a second key and refuse every token of the first.
    ///
    /// `sharing` names the audiences whose tokens are signed with a shared secret.
    pub async fn open(
        store: &dyn Store,
        master: MasterKey,
        sharing: Vec<String>,
    ) -> Result<Self, KeyError> {
        let (parsed, making) = Default::default();
        let tickets = TicketKey::from_secret(&master.derive("tickets of bound sessions"));
        let keyring = Self { master, tickets, sharing, parsed, making };
        for key in store.keys().await? {
            keyring.add(&key)?;
        }
        Ok(keyring)
    }

    /// The keys that verify our tokens.
    #[must_use]
    pub fn verifying(&self) -> Arc<KeySet> {
        Arc::clone(&self.parsed.read().verifying)
    }

    /// The public keys, to be published (RFC 7517). No symmetric key is among them.
    #[must_use]
    pub fn public(&self) -> JwkSet {
        self.parsed.read().verifying.published()
    }

    /// The key of what bound sessions show: the same on every node and after every restart.
    #[must_use]
    pub fn tickets(&self) -> &TicketKey {
        &self.tickets
    }

    /// Whether there is a key of this algorithm already.
    #[must_use]
    pub fn has(&self, algorithm: Algorithm) -> bool {
        self.parsed.read().signing.keys().any(|name| name.algorithm == algorithm)
    }

    /// The key that signs tokens for `audience` with `algorithm`, made now if there is none yet.
    pub async fn signing(
        &self,
        (algorithm, audience): (Algorithm, &str),
        store: &dyn Store,
        ambient: &Arc<Ambient>,
    ) -> Result<Arc<SigningKey>, KeyError> {
        let name = Name::of(algorithm, audience);
        if let Some(key) = self.find(&name) {
            return Ok(key);
        }
        let _one_at_a_time = self.making.lock().await;
        if let Some(key) = self.find(&name) {
            return Ok(key);
        }
        let machine = Arc::clone(ambient);
        // An RSA key takes up to a second: not on a thread that answers requests.
        let material = tokio::task::spawn_blocking(move || machine.entropy.signing_key(algorithm))
            .await
            .map_err(|_| KeyNotMade)??;
        let (kid, now) = (ambient.key_id(), ambient.now());
        let sealed = self.master.seal(&purpose(kid, algorithm), &material, ambient.random());
        let event = Event {
            id: ambient.event_id(),
            at: now,
            kind: EventKind::KeyCreated,
            account: None,
            session: None,
            ip: None,
            reason: Some(algorithm.name().into()),
            device: None,
        };
        let key = SealedKey { kid, algorithm, sealed, created_at: now };
        self.add(&store.keep_first_key(key, event).await?)?;
        self.find(&name).ok_or(KeyError::NotMade(KeyNotMade))
    }

    fn find(&self, name: &Name) -> Option<Arc<SigningKey>> {
        self.parsed.read().signing.get(name).map(Arc::clone)
    }

    fn add(&self, key: &SealedKey) -> Result<(), KeyError> {
        let (kid, algorithm) = (key.kid, key.algorithm);
        let opened = self.master.open(&purpose(kid, algorithm), &key.sealed);
        let material = opened.map_err(|_| KeyError::Sealed)?;
        if !algorithm.shares_secret() {
            return self.insert(Name::of(algorithm, ""), kid, &material);
        }
        self.sharing.iter().try_for_each(|audience| {
            let own_kid = derive(&material, "kid", audience);
            let mut bits = [0; 16];
            bits.copy_from_slice(&own_kid[..16]);
            let secret = derive(&material, "secret", audience);
            self.insert(Name::of(algorithm, audience), KeyId(u128::from_be_bytes(bits)), &*secret)
        })
    }

    fn insert(&self, name: Name, kid: KeyId, material: &[u8]) -> Result<(), KeyError> {
        let parsed = SigningKey::from_material(kid, name.algorithm, material);
        let signing = Arc::new(parsed.map_err(|_| KeyError::Sealed)?);
        let mut ring = self.parsed.write();
        let mut verifying = (*ring.verifying).clone();
        // Two keys of one name: the store has been tampered with.
        verifying.insert(signing.verifying_key()).map_err(|_| KeyError::Sealed)?;
        ring.verifying = Arc::new(verifying);
        ring.signing.insert(name, signing);
        Ok(())
    }
}

/// What a key is sealed for: a row of the store cannot be opened as another's.
fn purpose(kid: KeyId, algorithm: Algorithm) -> String {
    format!("{kid} {algorithm}")
}
