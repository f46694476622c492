//! Laws of the revocation log.

use doorward_core::revocation::{Revoked, revoke};
use doorward_wire::{SessionId, UnixTime};

use super::sample::{Tried, after, anonymous, at_once, ending, open};
use crate::RevocationLog;
use crate::act::Ending;
use crate::memory::MemoryStore;

async fn numbers(store: &Tried, after: u64, limit: usize) -> Vec<u64> {
    store.revocations(after, limit).await.unwrap().iter().map(|entry| entry.seq).collect()
}

async fn open_and_end(store: &Tried, n: u64, now: UnixTime) {
    open(store, &[&anonymous(n)]).await;
    store.end_session(SessionId(n.into()), Ending { now, ..ending(n) }).await.unwrap();
}

/// Law: numbers follow each other, and who has read up to one has missed nothing before it.
#[doc(hidden)]
pub async fn parallel_endings_leave_no_gap(store: Tried) {
    for n in 0..200 {
        open(&store, &[&anonymous(n)]).await;
    }
    let heads = at_once(&store, 200, |store, n| async move {
        store.end_session(SessionId(n.into()), ending(n)).await.unwrap();
        let head = store.head().await.unwrap();
        // Whatever the head is by now, everything up to it can be read.
        let entries = store.revocations(0, 1000).await.unwrap();
        let mine = Revoked::Session(SessionId(n.into()));
        let told = entries.iter().any(|entry| entry.revocation.revoked == mine);
        told && entries.len() as u64 >= head && entries.iter().zip(1..).all(|(e, n)| e.seq == n)
    });
    assert!(heads.await.iter().all(|whole| *whole));
    assert_eq!(store.head().await.unwrap(), 200);
    assert_eq!(numbers(&store, 0, 1000).await, (1..=200).collect::<Vec<_>>());
}

/// Law: an entry lives as long as the tokens it affects, and its number is never given again.
#[doc(hidden)]
pub async fn a_sweep_of_the_log_leaves_no_gap_and_reuses_no_number(store: Tried) {
    for n in 0..5 {
        open_and_end(&store, n, after(n * 10)).await;
    }
    let expires_at = |n: u64| revoke(Revoked::Session(SessionId(0)), after(n * 10)).expires_at;
    let just_before = UnixTime(expires_at(0).0 - 1);
    assert_eq!(store.sweep_revocations(just_before, 9).await.unwrap(), 0);
    assert_eq!(store.sweep_revocations(expires_at(0), 9).await.unwrap(), 1);
    assert_eq!(numbers(&store, 0, 9).await, [2, 3, 4, 5]);
    assert_eq!(store.sweep_revocations(expires_at(3), 2).await.unwrap(), 2);
    assert_eq!(numbers(&store, 0, 9).await, [4, 5]);
    assert_eq!(store.sweep_revocations(expires_at(9), 9).await.unwrap(), 2);
    assert_eq!(store.head().await.unwrap(), 5);
    open_and_end(&store, 9, after(100)).await;
    assert_eq!(numbers(&store, 0, 9).await, [6]);

    // One from a clock that ran ahead keeps those behind it, for what is left must have no gap.
    open_and_end(&store, 10, after(1_000_000)).await;
    open_and_end(&store, 11, after(100)).await;
    assert_eq!(store.sweep_revocations(after(10_000), 9).await.unwrap(), 1);
    assert_eq!(numbers(&store, 0, 9).await, [7, 8]);
}

/// Law: a log has one name, and another log another.
#[doc(hidden)]
pub async fn the_log_has_a_name_of_its_own(store: Tried) {
    let name = store.log_name().await.unwrap();
    assert_eq!(store.log_name().await.unwrap(), name);
    let other = MemoryStore::default().log_name().await.unwrap();
    assert!(name != other && name != [0; 16]);
}

/// Law: whoever waits for entries is told after each commit, and finds them.
#[doc(hidden)]
pub async fn who_waits_for_entries_is_told(store: Tried) {
    for n in 0..20 {
        let mut appended = store.appended();
        appended.borrow_and_update();
        let ending = tokio::spawn({
            let store = store.clone();
            async move { open_and_end(&store, n, after(0)).await }
        });
        while numbers(&store, n, 9).await.is_empty() {
            appended.changed().await.unwrap();
        }
        ending.await.unwrap();
    }
}

/// Law: a follower reads on from where it was.
#[doc(hidden)]
pub async fn the_log_is_read_in_pages(store: Tried) {
    assert_eq!(store.head().await.unwrap(), 0);
    for n in 0..5 {
        open_and_end(&store, n, after(0)).await;
    }
    assert_eq!(numbers(&store, 0, 2).await, [1, 2]);
    assert_eq!(numbers(&store, 2, 2).await, [3, 4]);
    assert_eq!(numbers(&store, 4, 2).await, [5]);
    assert!(numbers(&store, 5, 2).await.is_empty());
    assert!(numbers(&store, u64::MAX, 2).await.is_empty());
}
