//! Laws of proofs that were shown.

use super::sample::{Tried, after, at_once};
use crate::act::ProofSpending;

/// Law: a proof counts once.
#[doc(hidden)]
pub async fn a_proof_is_taken_once(store: Tried) {
    let spend = async |n: u8| store.spend_proof([n; 32], after(600), 100).await.unwrap();
    assert_eq!(spend(1).await, ProofSpending::First);
    assert_eq!(spend(1).await, ProofSpending::Again);
    assert_eq!(spend(2).await, ProofSpending::First);
    assert_eq!(spend(1).await, ProofSpending::Again);
}

/// Law: of a proof that is shown many times at once one counts.
#[doc(hidden)]
pub async fn of_parallel_showings_of_one_proof_one_counts(store: Tried) {
    let spent = at_once(&store, 20, |store, _| async move {
        store.spend_proof([1; 32], after(600), 100).await.unwrap()
    })
    .await;
    let first = spent.iter().filter(|spending| **spending == ProofSpending::First).count();
    assert_eq!(first, 1, "{spent:?}");
}

/// Law: no more are kept than may be, and each goes when its time is over.
#[doc(hidden)]
pub async fn proofs_are_bounded_and_go_when_their_time_is_over(store: Tried) {
    let spend =
        async |n: u8, until: u64| store.spend_proof([n; 32], after(until), 3).await.unwrap();
    for n in 1..=3 {
        assert_eq!(spend(n, 10 * u64::from(n)).await, ProofSpending::First);
    }
    assert_eq!(spend(4, 40).await, ProofSpending::Full);
    assert_eq!(store.sweep_proofs(after(9), 10).await.unwrap(), 0);
    assert_eq!(store.sweep_proofs(after(20), 1).await.unwrap(), 1, "in slices");
    assert_eq!(store.sweep_proofs(after(20), 10).await.unwrap(), 1);
    assert_eq!(spend(4, 40).await, ProofSpending::First);
    assert_eq!(spend(3, 40).await, ProofSpending::Again);
}
