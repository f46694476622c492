//! Everything kept in one SQLite file: the store that needs no server.
//!
//! ```text
//!   reads  ──▶ a few read-only connections, on the caller's thread
//!   writes ──▶ one thread, which commits together what is waiting (see `writer`)
//! ```
//!
//! # What this module answers
//!
//! - *A crash*: `synchronous=FULL`; nothing is answered before its commit is on the disk.
//! - *A full disk*: the whole batch is refused and nothing of it was granted. It heals by itself.
//! - *A file removed or replaced beneath us*: noticed before the next answer. From then on every
//!   act and every read fails, so that nothing is acknowledged that the next start would not find.
//! - *A stolen file*: digests, sealed keys and password hashes; no secret opens a door from here.
//!   The file is readable by its owner alone, and what is deleted is overwritten where that costs no
//!   further write.
//! - *A flood of writes*: the queue is bounded, and what does not fit is refused at once.
//!
//! # What is not here
//!
//! No rule. What an act leads to is decided by `doorward-core`, inside the act.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use doorward_wire::{SessionId, UnixTime};
use parking_lot::Mutex;
use rusqlite::Connection;

use self::columns::{change, only, whole};
use self::fault::Fault;
use self::file::DatabaseFile;
use self::reader::Readers;
use self::writer::{Verdict, Writer};
use crate::Probe;
use crate::act::StoreFailed;
use crate::derived::LOOK_MAX;

mod accounts;
mod bindings;
mod columns;
mod data;
mod events;
mod fault;
mod file;
mod keys;
mod log;
mod notices;
mod reader;
mod refresh;
mod schema;
mod sessions;
mod setup;
mod sweep;
#[cfg(test)]
mod tests;
mod visits;
mod words;
mod writer;

/// Everything kept in one SQLite file. Dropping it waits until everything asked for is done.
pub struct SqliteStore {
    // First, so that they are dropped first: the last connection to close moves the log into the
    // database, and only the writer can.
    readers: Arc<Readers>,
    writer: Writer,
    /// Where the sweep goes on: after this session.
    swept: Mutex<Option<SessionId>>,
    look_max: usize,
}

/// How much may wait, and for how long.
#[derive(Clone, Copy)]
struct Sizes {
    /// Acts in the queue. One more is refused.
    queue_max: usize,
    /// Acts in a commit.
    batch_max: usize,
    /// Sessions that one call of a sweep looks at.
    look_max: usize,
    /// How long to wait for another process that holds the database.
    patience: Duration,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            queue_max: 4096,
            batch_max: 512,
            look_max: LOOK_MAX,
            patience: Duration::from_secs(2),
        }
    }
}

impl SqliteStore {
    /// Opens a database file, and makes it if there is none. Its directory must be there.
    pub fn open(path: &Path) -> Result<Self, StoreFailed> {
        Self::open_sized(path, Sizes::default())
    }

    fn open_sized(path: &Path, sizes: Sizes) -> Result<Self, StoreFailed> {
        file::make_private(path).map_err(StoreFailed::because)?;
        // An absolute path keeps its meaning, and is never taken for a URI.
        let path = path.canonicalize().map_err(StoreFailed::because)?;
        let mut db = Connection::open(&path)?;
        prepare(&db, sizes.patience)?;
        schema::migrate(&mut db)?;
        let file = Arc::new(DatabaseFile::watch(path).map_err(StoreFailed::because)?);
        let readers = Arc::new(Readers::start(Arc::clone(&file), sizes.patience)?);
        let writer = Writer::start(db, file, sizes).map_err(StoreFailed::because)?;
        Ok(Self { readers, writer, swept: Mutex::new(None), look_max: sizes.look_max })
    }
}

/// Sets up the connection that writes.
fn prepare(db: &Connection, patience: Duration) -> Result<(), StoreFailed> {
    columns::prepare(db, patience)?;
    let mode: String = db.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(Fault::NoWriteAheadLog(mode).into());
    }
    db.pragma_update(None, "synchronous", "FULL")?;
    // Deleted rows are overwritten in pages that are written anyway; freed pages are not.
    db.pragma_update(None, "secure_delete", "FAST")?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    // Of pages, in KiB.
    db.pragma_update(None, "cache_size", -8 * 1024)?;
    Ok(())
}

#[async_trait]
impl Probe for SqliteStore {
    async fn probe(&self, now: UnixTime) -> Result<(), StoreFailed> {
        self.readers.read(|db| only::<i64>(db, "SELECT at FROM probe", ()))?;
        self.writer
            .act(move |db| {
                change(db, "UPDATE probe SET at = ?1", (whole(now.0),))?;
                Ok(Verdict::Keep(()))
            })
            .await
    }
}
