//! Everything kept in one SQLite file: the store that needs no server.
//!
//! ```text
//!   "who is this?" ──▶ the table of live sessions, in memory (see `image`)
//!   other reads    ──▶ a few read-only connections, on the caller's thread
//!   writes         ──▶ one thread, which commits together what is waiting (see `writer`)
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
use self::fill::Filler;
use self::image::{Age, Image, Keeper};
use self::reader::Readers;
use self::writer::{Verdict, Writer};
use crate::act::StoreFailed;
use crate::derived::LOOK_MAX;
use crate::table::{Answer, Table, TableSize};
use crate::{Probe, Turns};

mod accounts;
mod backup;
mod bindings;
mod changes;
mod check;
mod clients;
mod codes;
mod columns;
mod data;
mod events;
mod fault;
mod file;
mod fill;
mod image;
mod keys;
mod log;
mod notices;
mod personals;
mod places;
mod proofs;
mod reader;
mod refresh;
mod restore;
mod schema;
mod sessions;
mod setup;
mod signals;
mod sites;
mod stamp;
mod sweep;
#[cfg(test)]
mod tests;
mod visits;
mod words;
mod writer;

pub use self::backup::back_up;
pub use self::check::{Check, Examined, Finding, examine, examine_copy};
pub use self::image::{Elapsed, Shape};
pub use self::restore::{Beginning, Held, Rest, begin_again, lay_down};
pub use self::schema::missing_steps;

/// Everything kept in one SQLite file. Dropping it waits until everything asked for is done.
pub struct SqliteStore {
    // First, so that they are dropped first: the last connection to close moves the log into the
    // database, and only the writer can.
    readers: Arc<Readers>,
    table: Option<(Arc<Image>, Filler)>,
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
    /// Pages of the write-ahead log that a commit may leave before it moves them into the database.
    log_pages: u32,
    /// How long to wait for another process that holds the database.
    patience: Duration,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            queue_max: 4096,
            batch_max: 512,
            look_max: LOOK_MAX,
            log_pages: 1000,
            patience: Duration::from_secs(2),
        }
    }
}

impl SqliteStore {
    /// Opens a database file, and makes it if there is none. Its directory must be there.
    ///
    /// Every read asks the database: right for a command, which reads a few things and ends.
    pub fn open(path: &Path) -> Result<Self, StoreFailed> {
        Self::open_sized(path, None, Sizes::default())
    }

    /// Opens a database file as [`open`](Self::open) does, with a table of live sessions in front of
    /// it, which begins to fill: right for a server.
    pub fn open_with_table(path: &Path, shape: Shape) -> Result<Self, StoreFailed> {
        Self::open_sized(path, Some(shape), Sizes::default())
    }

    fn open_sized(path: &Path, shape: Option<Shape>, sizes: Sizes) -> Result<Self, StoreFailed> {
        file::make_private(path).map_err(StoreFailed::because)?;
        // An absolute path keeps its meaning, and is never taken for a URI.
        let path = path.canonicalize().map_err(StoreFailed::because)?;
        let mut db = Connection::open(&path)?;
        prepare(&db, sizes)?;
        schema::migrate(&mut db)?;
        let file = Arc::new(DatabaseFile::watch(path).map_err(StoreFailed::because)?);
        let readers = Arc::new(Readers::start(Arc::clone(&file), sizes.patience)?);
        let (table, keeper) = match shape {
            Some(shape) => {
                let (table, keeper) = Self::start_table(&db, &readers, shape)?;
                (Some(table), Some(keeper))
            }
            None => (None, None),
        };
        let writer = Writer::start(db, file, keeper, sizes).map_err(StoreFailed::because)?;
        let look_max = sizes.look_max;
        Ok(Self { readers, table, writer, swept: Mutex::new(None), look_max })
    }

    fn start_table(
        db: &Connection,
        readers: &Arc<Readers>,
        shape: Shape,
    ) -> Result<((Arc<Image>, Filler), Keeper), StoreFailed> {
        let quiet = shape.stale_max;
        let image = Arc::new(Image::new(shape));
        let filler = Filler::start(Arc::clone(readers), Arc::clone(&image), quiet)
            .map_err(StoreFailed::because)?;
        let keeper = Keeper::new(db, Arc::clone(&image), filler.caller())?;
        Ok(((image, filler), keeper))
    }

    /// How much the table of live sessions holds, if there is one.
    #[must_use]
    pub fn table_size(&self) -> Option<TableSize> {
        self.table.as_ref().map(|(image, _)| image.table.size())
    }

    /// Asks the table of live sessions, if it may be asked. Fails closed, as a read does: once the
    /// file is known to be gone, nothing is answered from memory either.
    fn ask<T>(&self, ask: impl FnOnce(&Table) -> Answer<T>) -> Result<Answer<T>, StoreFailed> {
        let Some((image, _)) = &self.table else { return Ok(Answer::Ask) };
        self.readers.still_ours()?;
        let age = image.age();
        if age != Age::Fresh && image.is_first_to_ask() && !self.writer.ask_for_a_look() {
            // The queue is full, and so a look is made with the next batch anyway.
            image.may_ask_again();
        }
        Ok(if age == Age::Stale { Answer::Ask } else { ask(&image.table) })
    }
}

/// Sets up the connection that writes.
fn prepare(db: &Connection, sizes: Sizes) -> Result<(), StoreFailed> {
    columns::prepare(db, sizes.patience)?;
    let mode: String = db.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(Fault::NoWriteAheadLog(mode).into());
    }
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "wal_autocheckpoint", sizes.log_pages)?;
    // Deleted rows are overwritten in pages that are written anyway; freed pages are not.
    db.pragma_update(None, "secure_delete", "FAST")?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    // Of pages, in KiB.
    db.pragma_update(None, "cache_size", -8 * 1024)?;
    Ok(())
}

impl Turns for SqliteStore {
    fn has_turn(&self) -> bool {
        true
    }
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
