use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

mod backup;
mod bounds;
mod faults;
mod histories;
mod model;
mod room;
mod table;

/// A directory of its own for a store, gone when the test ends.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        Self::within(&std::env::temp_dir())
    }

    fn within(place: &Path) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("doorward-store-{}-{n}", std::process::id());
        let path = place.join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("doorward.db")
    }

    fn open(&self) -> SqliteStore {
        SqliteStore::open(&self.file()).unwrap()
    }

    /// With a table of live sessions that is as good as never too old.
    fn open_with_table(&self) -> SqliteStore {
        SqliteStore::open_with_table(&self.file(), shape(64 << 20)).unwrap()
    }
}

/// Waits until all that the store keeps is in its table.
async fn filled(store: SqliteStore) -> SqliteStore {
    while !store.table_size().unwrap().is_complete {
        tokio::task::yield_now().await;
    }
    store
}

/// A table of so many bytes, whose clock stands still a while after noon.
fn shape(bytes_max: usize) -> Shape {
    Shape::new(bytes_max, Arc::new(|| Duration::from_secs(100)))
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Runs something on the connection that writes.
async fn on_writer(store: &SqliteStore, sql: &'static str) {
    let act = move |db: &Connection| {
        db.prepare(sql)?.query(())?.next()?;
        Ok(Verdict::Keep(()))
    };
    store.writer.act(act).await.unwrap();
}

mod laws {
    use super::*;

    crate::store_laws!(async || {
        let directory = Directory::new();
        (Arc::new(directory.open()), directory)
    });
}

mod laws_with_the_table {
    use super::*;

    crate::store_laws!(async || {
        let directory = Directory::new();
        (Arc::new(filled(directory.open_with_table()).await), directory)
    });
}

mod laws_with_a_table_of_a_few_sessions {
    use super::*;

    crate::store_laws!(async || {
        let directory = Directory::new();
        let store = SqliteStore::open_with_table(&directory.file(), shape(5000)).unwrap();
        (Arc::new(store), directory)
    });
}
