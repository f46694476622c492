//! Random histories of sessions, with power cuts.

use super::*;
use crate::conformance::histories::{self, Plan, Trial};
use crate::conformance::sample::Tried;

/// A store in a directory of its own, below some place.
struct Kept {
    // First, so that it has closed its files when its directory goes.
    store: Arc<SqliteStore>,
    directory: Directory,
    place: PathBuf,
    /// How large its table of live sessions may be, if it has one.
    table: Option<usize>,
}

impl Kept {
    fn below(place: &Path, table: Option<usize>) -> Self {
        let directory = Directory::within(place);
        Self { store: open(&directory, table), directory, place: place.to_owned(), table }
    }
}

/// Opens a store that moves its log into the database often: crashes come between, and a copy is
/// small.
fn open(directory: &Directory, table: Option<usize>) -> Arc<SqliteStore> {
    let sizes = Sizes { log_pages: 100, ..Sizes::default() };
    Arc::new(SqliteStore::open_sized(&directory.file(), table.map(shape), sizes).unwrap())
}

impl Trial for Kept {
    fn store(&self) -> Tried {
        self.store.clone()
    }

    /// What a power cut leaves: the files as they are now, not closed by anybody. Those in memory are
    /// as durable as those on a disk, so long as nothing is lost that was written.
    fn crash(&mut self) -> bool {
        let copy = Directory::within(&self.place);
        for suffix in ["", "-wal"] {
            let name = format!("doorward.db{suffix}");
            fs::copy(self.directory.0.join(&name), copy.0.join(&name)).unwrap();
        }
        self.store = open(&copy, self.table);
        self.directory = copy;
        true
    }
}

/// Files in memory where there are such: ten thousand histories would wait for the disk for minutes.
fn quick_place() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

/// As a server has it.
#[test]
fn ten_thousand_histories_of_sessions_go_by_the_rules() {
    let place = quick_place();
    histories::hold(|| Kept::below(&place, Some(64 << 20)), Plan { first: 0, count: 10_000 });
}

/// As a command has it: every read asks the database.
#[test]
fn histories_without_a_table_go_by_the_rules() {
    let place = quick_place();
    histories::hold(|| Kept::below(&place, None), Plan { first: 10_000, count: 1000 });
}

#[test]
fn histories_with_a_table_of_a_few_sessions_go_by_the_rules() {
    let place = quick_place();
    histories::hold(|| Kept::below(&place, Some(5000)), Plan { first: 12_000, count: 1000 });
}

#[test]
fn histories_on_a_real_disk_go_by_the_rules() {
    let place = std::env::temp_dir();
    histories::hold(|| Kept::below(&place, Some(64 << 20)), Plan { first: 14_000, count: 200 });
}
