use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

mod faults;
mod model;
mod room;

/// A directory of its own for a store, gone when the test ends.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("doorward-store-{}-{n}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("doorward.db")
    }

    fn open(&self) -> SqliteStore {
        SqliteStore::open(&self.file()).unwrap()
    }
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

crate::store_laws!(async || {
    let directory = Directory::new();
    (Arc::new(directory.open()), directory)
});
