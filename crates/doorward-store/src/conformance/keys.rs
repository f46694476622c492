//! Laws of signing keys.

use doorward_core::event::{Event, EventKind};
use doorward_wire::jose::Algorithm;
use doorward_wire::{KeyId, UnixTime};

use super::sample::{Tried, after, at_once, event};
use crate::act::SealedKey;

fn sealed(n: u128, algorithm: Algorithm, number: u64) -> SealedKey {
    SealedKey {
        kid: KeyId(n),
        algorithm,
        number,
        sealed: vec![1, 2, 3],
        created_at: after(number),
        active_at: after(number * 100),
        retired_at: None,
    }
}

fn told(n: u128, kind: EventKind) -> Event {
    Event { kind, ..event(u64::try_from(n).unwrap()) }
}

async fn keep(store: &Tried, key: &SealedKey) -> SealedKey {
    store.keep_key(key.clone(), told(key.kid.0, EventKind::KeyCreated)).await.unwrap()
}

/// Law: every key is listed as it was kept, those of an algorithm one after the other.
#[doc(hidden)]
pub async fn keys_are_listed_one_after_the_other(store: Tried) {
    assert_eq!(store.keys().await.unwrap(), []);
    let es256 = sealed(9, Algorithm::Es256, 1);
    let (first, second) = (sealed(2, Algorithm::EdDsa, 1), sealed(1, Algorithm::EdDsa, 2));
    for key in [&first, &es256, &second] {
        assert_eq!(keep(&store, key).await, *key);
    }
    let kept = store.keys().await.unwrap();
    let of = |algorithm| {
        kept.iter().filter(move |key| key.algorithm == algorithm).cloned().collect::<Vec<_>>()
    };
    assert_eq!(of(Algorithm::EdDsa), [first, second]);
    assert_eq!(of(Algorithm::Es256), [es256]);
}

/// Law: of nodes that make the next key at once, the first or a later one, all go on with the same.
#[doc(hidden)]
pub async fn of_two_keys_of_one_number_one_is_kept(store: Tried) {
    for number in 1..=3 {
        let kept = at_once(&store, 20, move |store, n| async move {
            let kid = u128::from(number * 100 + n);
            keep(&store, &sealed(kid, Algorithm::EdDsa, number)).await
        });
        let kept = kept.await;
        assert!(kept.iter().all(|key| *key == kept[0]));
        assert_eq!(store.keys().await.unwrap().len() as u64, number);
        assert_eq!(store.events(99).await.unwrap().len() as u64, number);
    }
    // Whoever is behind learns of the newest.
    let late = keep(&store, &sealed(7, Algorithm::EdDsa, 2)).await;
    assert_eq!(late.number, 3);
}

/// Law: a key is retired once, for good, and only a key that is there.
#[doc(hidden)]
pub async fn a_key_is_retired_once(store: Tried) {
    let key = keep(&store, &sealed(1, Algorithm::EdDsa, 1)).await;
    let retire = async |kid: u128, at: UnixTime, n| {
        store.retire_key(KeyId(kid), at, told(n, EventKind::KeyRetired)).await.unwrap()
    };
    assert!(retire(1, after(5), 2).await);
    assert!(!retire(1, after(6), 3).await && !retire(8, after(6), 4).await);
    let expected = SealedKey { retired_at: Some(after(5)), ..key };
    assert_eq!(store.keys().await.unwrap(), [expected]);
    assert_eq!(store.events(99).await.unwrap().len(), 2, "what did not happen is not told");
}

/// Law: the newest key of an algorithm is never forgotten, so that its number does not come again.
#[doc(hidden)]
pub async fn a_key_is_forgotten_when_another_follows(store: Tried) {
    let forget = async |kid: u128, n| {
        store.forget_key(KeyId(kid), told(n, EventKind::KeyGone)).await.unwrap()
    };
    keep(&store, &sealed(1, Algorithm::EdDsa, 1)).await;
    keep(&store, &sealed(9, Algorithm::Es256, 2)).await;
    assert!(!forget(1, 2).await);
    let second = keep(&store, &sealed(3, Algorithm::EdDsa, 2)).await;
    assert!(forget(1, 4).await);
    assert!(!forget(1, 5).await && !forget(3, 6).await);
    assert!(store.keys().await.unwrap().contains(&second));
    assert_eq!(store.keys().await.unwrap().len(), 2);
    let kinds = store.events(99).await.unwrap();
    assert_eq!(kinds.iter().filter(|event| event.kind == EventKind::KeyGone).count(), 1);
}
