//! Laws of signing keys.

use doorward_core::event::EventKind;
use doorward_wire::jose::Algorithm;
use doorward_wire::{KeyId, UnixTime};

use super::sample::{Tried, after, at_once, event};
use crate::act::SealedKey;

fn sealed(n: u128, algorithm: Algorithm, created_at: UnixTime) -> SealedKey {
    SealedKey { kid: KeyId(n), algorithm, sealed: vec![1, 2, 3], created_at }
}

async fn keep(store: &Tried, key: &SealedKey) -> SealedKey {
    let mut event = event(u64::try_from(key.kid.0).unwrap());
    event.kind = EventKind::KeyCreated;
    store.keep_first_key(key.clone(), event).await.unwrap()
}

/// Law: every key that may still verify a token is listed.
#[doc(hidden)]
pub async fn keys_are_listed_oldest_first(store: Tried) {
    assert_eq!(store.keys().await.unwrap(), []);
    let young = sealed(1, Algorithm::EdDsa, after(2));
    let old = sealed(2, Algorithm::Es256, after(1));
    keep(&store, &young).await;
    keep(&store, &old).await;
    assert_eq!(store.keys().await.unwrap(), [old, young]);
}

/// Law: of nodes that make a first key at once, all sign with the same.
#[doc(hidden)]
pub async fn of_two_first_keys_one_is_kept(store: Tried) {
    let kept = at_once(&store, 20, |store, n| async move {
        keep(&store, &sealed(n.into(), Algorithm::EdDsa, after(n))).await
    });
    let kept = kept.await;
    assert!(kept.iter().all(|key| *key == kept[0]));
    assert_eq!(store.keys().await.unwrap(), kept[..1]);
    assert_eq!(store.active_key(Algorithm::EdDsa).await.unwrap().as_ref(), Some(&kept[0]));
    assert_eq!(store.events(99).await.unwrap().len(), 1);
}

/// Law: a key signs by one algorithm, and no other makes it superfluous.
#[doc(hidden)]
pub async fn each_algorithm_has_its_own_first_key(store: Tried) {
    for (n, algorithm) in (1..).zip(Algorithm::ALL) {
        assert_eq!(store.active_key(algorithm).await.unwrap(), None);
        let key = sealed(n, algorithm, after(0));
        assert_eq!(keep(&store, &key).await, key);
        assert_eq!(store.active_key(algorithm).await.unwrap(), Some(key));
    }
    assert_eq!(store.keys().await.unwrap().len(), Algorithm::ALL.len());
}
