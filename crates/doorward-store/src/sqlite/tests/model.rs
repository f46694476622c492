//! The same random acts on SQLite and in memory: they must answer alike and end alike.

use doorward_wire::SessionId;

use super::*;
use crate::act::Found;
use crate::conformance::alike::{self, Hits};
use crate::conformance::sample::key;
use crate::memory::MemoryStore;
use crate::table::Answer;

const ACTS: u64 = 1500;

/// Checks that the table of live sessions says for certain what the database says.
fn check_image(store: &SqliteStore, seed: u64, n: u64) {
    let read = |select: &dyn Fn(&Connection) -> Result<Option<Found>, StoreFailed>| {
        store.readers.read(|db| select(db)).unwrap().map_or(Answer::Gone, Answer::Here)
    };
    for sid in (1..=12).map(SessionId) {
        let kept = read(&|db| sessions::find(db, sid));
        assert_eq!(store.ask(|table| table.by_sid(sid)).unwrap(), kept, "seed {seed}, act {n}");
    }
    for key in (1..=24).map(key) {
        let kept = read(&|db| sessions::find_by_key(db, key));
        assert_eq!(store.ask(|table| table.by_key(key)).unwrap(), kept, "seed {seed}, act {n}");
        let retired = store.readers.read(|db| changes::is_retired(db, key)).unwrap();
        let kept = if retired { Answer::Here(()) } else { Answer::Gone };
        assert_eq!(store.ask(|table| table.is_retired(key)).unwrap(), kept, "seed {seed}, act {n}");
    }
}

#[tokio::test]
async fn sqlite_and_memory_answer_alike_whatever_they_are_asked() {
    let mut hits = Hits::default();
    for seed in [1, 2, 3, 0xD00B] {
        let directory = Directory::new();
        let (sqlite, memory) = (filled(directory.open_with_table()).await, MemoryStore::default());
        let then = |n| check_image(&sqlite, seed, n);
        hits = hits.and(alike::check((&sqlite, &memory), (seed, ACTS), then).await);
    }
    hits.must_be_of_each_kind();
}
