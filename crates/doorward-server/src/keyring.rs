//! The key ring: the keys that sign our tokens, made on first need, followed by others in time, and
//! kept sealed.
//!
//! When which key does what is decided in [`doorward_core::key`]; here they are held, parsed once.

use std::sync::Arc;

use base64ct::{Base64UrlUnpadded, Encoding};
use doorward_core::event::{Event, EventKind};
use doorward_core::key::{self, KeyTimes, Stage};
use doorward_store::Store;
use doorward_store::act::{SealedKey, StoreFailed};
use doorward_wire::cookie::PassKey;
use doorward_wire::dbsc::TicketKey;
use doorward_wire::dpop::NonceKey;
use doorward_wire::jose::{Algorithm, KeySet, SigningKey};
use doorward_wire::seal::{MasterKey, derive};
use doorward_wire::{KeyId, UnixTime};
use parking_lot::RwLock;
use sha2::{Digest, Sha256};

use crate::ambient::{Ambient, KeyNotMade};

/// The keys of one server.
pub struct Keyring {
    master: MasterKey,
    tickets: TicketKey,
    passes: PassKey,
    nonces: NonceKey,
    /// The audiences whose tokens are signed with a shared secret.
    sharing: Vec<String>,
    ring: RwLock<Ring>,
    /// One reads at a time: an older answer must not come last.
    reading: tokio::sync::Mutex<()>,
    making: tokio::sync::Mutex<()>,
}

/// What is known of the keys in the store.
#[derive(Default)]
struct Ring {
    held: Vec<Held>,
    verifying: Arc<KeySet>,
    published: Published,
}

/// A key of the store, parsed. One that services share has become one for each of them: whoever
/// verifies HS256 could sign with the same secret.
#[derive(Clone)]
struct Held {
    row: SealedKey,
    keys: Vec<(String, Arc<SigningKey>)>,
}

/// The public keys, as they are published (RFC 7517). No symmetric key is among them.
#[derive(Clone, Debug, Default)]
pub struct Published {
    /// The set, in JSON.
    pub json: Arc<str>,
    /// Its strong `ETag`: another set has another.
    pub etag: Arc<str>,
}

/// What a key is good for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its name.
    pub kid: KeyId,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// What it is good for.
    pub stage: Stage,
    /// When it was made.
    pub created_at: UnixTime,
    /// From when it signs, or signed.
    pub active_at: UnixTime,
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
        now: UnixTime,
    ) -> Result<Self, KeyError> {
        let (ring, reading, making) = Default::default();
        let tickets = TicketKey::from_secret(&master.derive("tickets of bound sessions"));
        let passes = PassKey::from_secret(&master.derive("passes of protected sites"));
        let nonces = NonceKey::from_secret(&master.derive("nonces of proofs"));
        let keyring = Self { master, tickets, passes, nonces, sharing, ring, reading, making };
        keyring.refresh(store, now).await?;
        Ok(keyring)
    }

    /// Whether a master key opens a key of the store.
    #[must_use]
    pub fn is_sealed_with(master: &MasterKey, row: &SealedKey) -> bool {
        master.open(&purpose(row.kid, row.algorithm), &row.sealed).is_ok()
    }

    /// Reads the keys again, which other processes change too, and lets those go whose time is over.
    /// What was parsed stays parsed.
    pub async fn refresh(&self, store: &dyn Store, now: UnixTime) -> Result<(), KeyError> {
        let _one_at_a_time = self.reading.lock().await;
        let rows = store.keys().await?;
        let before = self.ring.read().held.clone();
        let mut held = Vec::with_capacity(rows.len());
        for row in rows {
            let known = before.iter().find(|held| held.row.kid == row.kid);
            let keys = match known.filter(|held| held.row.sealed == row.sealed) {
                Some(known) => known.keys.clone(),
                None => self.parse(&row)?,
            };
            held.push(Held { row, keys });
        }
        let mut verifying = KeySet::default();
        for held in held.iter().filter(|it| stage_in(&held, &it.row, now).verifies()) {
            for (_, key) in &held.keys {
                // Two keys of one name: the store has been tampered with.
                verifying.insert(key.verifying_key()).map_err(|_| KeyError::Sealed)?;
            }
        }
        let published = Published::of(&verifying)?;
        *self.ring.write() = Ring { held, verifying: Arc::new(verifying), published };
        Ok(())
    }

    /// The keys that verify our tokens.
    #[must_use]
    pub fn verifying(&self) -> Arc<KeySet> {
        Arc::clone(&self.ring.read().verifying)
    }

    /// The public keys.
    #[must_use]
    pub fn published(&self) -> Published {
        self.ring.read().published.clone()
    }

    /// The key of what bound sessions show: the same on every node and after every restart.
    #[must_use]
    pub fn tickets(&self) -> &TicketKey {
        &self.tickets
    }

    /// The key of the passes of protected sites: the same on every node and after every restart.
    #[must_use]
    pub fn passes(&self) -> &PassKey {
        &self.passes
    }

    /// The key of the nonces that proofs are made with: the same on every node and after every restart.
    #[must_use]
    pub fn nonces(&self) -> &NonceKey {
        &self.nonces
    }

    /// Whether there is a key of this algorithm already.
    #[must_use]
    pub fn has(&self, algorithm: Algorithm) -> bool {
        self.ring.read().held.iter().any(|held| held.row.algorithm == algorithm)
    }

    /// What every key is good for, those of each algorithm one after the other.
    #[must_use]
    pub fn standings(&self, now: UnixTime) -> Vec<Standing> {
        let ring = self.ring.read();
        let standing = |held: &Held| Standing {
            kid: held.row.kid,
            algorithm: held.row.algorithm,
            stage: stage_in(&ring.held, &held.row, now),
            created_at: held.row.created_at,
            active_at: held.row.active_at,
        };
        ring.held.iter().map(standing).collect()
    }

    /// The key that signs tokens for `audience` with `algorithm`, made now if there is none yet.
    pub async fn signing(
        &self,
        (algorithm, audience): (Algorithm, &str),
        store: &dyn Store,
        ambient: &Arc<Ambient>,
    ) -> Result<Arc<SigningKey>, KeyError> {
        if let Some(key) = self.find(algorithm, audience, ambient.now()) {
            return Ok(key);
        }
        let _one_at_a_time = self.making.lock().await;
        if let Some(key) = self.find(algorithm, audience, ambient.now()) {
            return Ok(key);
        }
        self.make(algorithm, ambient.now(), store, ambient).await?;
        self.find(algorithm, audience, ambient.now()).ok_or(KeyError::NotMade(KeyNotMade))
    }

    /// Makes the next key of an algorithm, which signs from `active_at` on. If another process has made
    /// it meanwhile, that one is the next.
    pub async fn follow_up(
        &self,
        algorithm: Algorithm,
        active_at: UnixTime,
        store: &dyn Store,
        ambient: &Arc<Ambient>,
    ) -> Result<(), KeyError> {
        let _one_at_a_time = self.making.lock().await;
        self.make(algorithm, active_at, store, ambient).await
    }

    async fn make(
        &self,
        algorithm: Algorithm,
        active_at: UnixTime,
        store: &dyn Store,
        ambient: &Arc<Ambient>,
    ) -> Result<(), KeyError> {
        let newest = self.newest(algorithm);
        let machine = Arc::clone(ambient);
        // An RSA key takes up to a second: not on a thread that answers requests.
        let material = tokio::task::spawn_blocking(move || machine.entropy.signing_key(algorithm))
            .await
            .map_err(|_| KeyNotMade)??;
        let (kid, now) = (ambient.key_id(), ambient.now());
        let key = SealedKey {
            kid,
            algorithm,
            number: newest + 1,
            sealed: self.master.seal(&purpose(kid, algorithm), &material, ambient.random()),
            created_at: now,
            active_at,
            retired_at: None,
        };
        store.keep_key(key, event(EventKind::KeyCreated, (kid, algorithm), ambient)).await?;
        self.refresh(store, now).await
    }

    fn newest(&self, algorithm: Algorithm) -> u64 {
        let ring = self.ring.read();
        let numbers = ring.held.iter().filter(|held| held.row.algorithm == algorithm);
        numbers.map(|held| held.row.number).max().unwrap_or(0)
    }

    fn find(&self, algorithm: Algorithm, audience: &str, now: UnixTime) -> Option<Arc<SigningKey>> {
        let ring = self.ring.read();
        let signer = key::signer(&times(&ring.held, algorithm), now)?.kid;
        let held = ring.held.iter().find(|held| held.row.kid == signer)?;
        let audience = if algorithm.shares_secret() { audience } else { "" };
        let found = held.keys.iter().find(|(name, _)| name == audience)?;
        Some(Arc::clone(&found.1))
    }

    /// What is due: a successor where a key's time is nearly over, and an end of those whose time is.
    pub async fn turn(&self, store: &dyn Store, ambient: &Arc<Ambient>) -> Result<(), KeyError> {
        let now = ambient.now();
        self.refresh(store, now).await?;
        if !store.has_turn() {
            return Ok(());
        }
        for algorithm in Algorithm::ALL {
            let times = times(&self.ring.read().held, algorithm);
            if let Some(active_at) = key::next_active_at(&times, now) {
                self.follow_up(algorithm, active_at, store, ambient).await?;
            }
        }
        for standing in self.standings(now) {
            let is_over = match standing.stage {
                Stage::Gone => true,
                // It stays in the list for as long as it would have signed.
                Stage::Retired => standing.active_at.after(key::LIFE) <= now,
                Stage::Announced | Stage::Active | Stage::Retiring => false,
            };
            if is_over {
                let told = event(EventKind::KeyGone, (standing.kid, standing.algorithm), ambient);
                store.forget_key(standing.kid, told).await?;
            }
        }
        self.refresh(store, now).await
    }

    /// Retires a key, in an emergency: nothing it signed counts from now on. If it was the one that
    /// signs, another does at once. Says whether there was one to retire.
    pub async fn retire(
        &self,
        kid: KeyId,
        store: &dyn Store,
        ambient: &Arc<Ambient>,
    ) -> Result<bool, KeyError> {
        let now = ambient.now();
        let Some(was) = self.standings(now).into_iter().find(|it| it.kid == kid) else {
            return Ok(false);
        };
        // The successor first: in between there is one key too many, and never one too few.
        if was.stage == Stage::Active {
            self.follow_up(was.algorithm, now, store, ambient).await?;
        }
        let told = event(EventKind::KeyRetired, (kid, was.algorithm), ambient);
        let retired = store.retire_key(kid, now, told).await?;
        self.refresh(store, now).await?;
        Ok(retired)
    }

    fn parse(&self, row: &SealedKey) -> Result<Vec<(String, Arc<SigningKey>)>, KeyError> {
        let (kid, algorithm) = (row.kid, row.algorithm);
        let opened = self.master.open(&purpose(kid, algorithm), &row.sealed);
        let material = opened.map_err(|_| KeyError::Sealed)?;
        let parse = |kid, material: &[u8]| {
            let parsed = SigningKey::from_material(kid, algorithm, material);
            parsed.map(Arc::new).map_err(|_| KeyError::Sealed)
        };
        if !algorithm.shares_secret() {
            return Ok(vec![(String::new(), parse(kid, &material)?)]);
        }
        let own = self.sharing.iter().map(|audience| {
            let own_kid = derive(&material, "kid", audience);
            let mut bits = [0; 16];
            bits.copy_from_slice(&own_kid[..16]);
            let secret = derive(&material, "secret", audience);
            Ok((audience.clone(), parse(KeyId(u128::from_be_bytes(bits)), &*secret)?))
        });
        own.collect()
    }
}

impl Published {
    fn of(keys: &KeySet) -> Result<Self, KeyError> {
        let json = serde_json::to_string(&keys.published()).map_err(|_| KeyError::Sealed)?;
        let digest = Sha256::digest(json.as_bytes());
        let etag = format!("\"{}\"", Base64UrlUnpadded::encode_string(&digest[..16]));
        Ok(Self { json: json.into(), etag: etag.into() })
    }
}

fn times(held: &[Held], algorithm: Algorithm) -> Vec<KeyTimes> {
    let of_algorithm = held.iter().filter(|held| held.row.algorithm == algorithm);
    of_algorithm.map(|held| times_of(&held.row)).collect()
}

fn times_of(row: &SealedKey) -> KeyTimes {
    KeyTimes { kid: row.kid, active_at: row.active_at, retired_at: row.retired_at }
}

fn stage_in(held: &[Held], row: &SealedKey, now: UnixTime) -> Stage {
    key::stage(&times_of(row), &times(held, row.algorithm), now)
}

fn event(what: EventKind, (kid, algorithm): (KeyId, Algorithm), ambient: &Ambient) -> Event {
    Event {
        id: ambient.event_id(),
        at: ambient.now(),
        kind: what,
        account: None,
        session: None,
        ip: None,
        reason: Some(format!("{algorithm} {kid}").into()),
        device: None,
    }
}

/// What a key is sealed for: a row of the store cannot be opened as another's.
fn purpose(kid: KeyId, algorithm: Algorithm) -> String {
    format!("{kid} {algorithm}")
}
