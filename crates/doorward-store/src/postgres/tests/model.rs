//! The same random acts on PostgreSQL and in memory: they must answer alike and end alike.

use super::*;
use crate::conformance::alike::{self, Hits};
use crate::memory::MemoryStore;

#[tokio::test]
async fn postgres_and_memory_answer_alike_whatever_they_are_asked() {
    let mut hits = Hits::default();
    for seed in [1, 2, 3] {
        let (postgres, _database) = fresh().await;
        let memory = MemoryStore::default();
        hits = hits.and(alike::check((&*postgres, &memory), (seed, 1500), |_| {}).await);
    }
    hits.must_be_of_each_kind();
}
