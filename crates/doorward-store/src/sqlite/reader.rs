//! Reads: a few connections that cannot write, used right on the caller's thread.
//!
//! A point read takes microseconds: less than it takes to hand it to another thread. In the
//! write-ahead log readers wait for nobody, and each statement sees every commit before it.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags};

use super::columns;
use super::file::DatabaseFile;
use crate::act::StoreFailed;

/// How many idle connections are kept. No more are in use at once than there are threads that read.
const IDLE_MAX: usize = 16;

pub(super) struct Readers {
    file: Arc<DatabaseFile>,
    patience: Duration,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    /// Begins with one connection, so that what keeps us from reading shows at the start.
    pub(super) fn start(file: Arc<DatabaseFile>, patience: Duration) -> Result<Self, StoreFailed> {
        let readers = Self { file, patience, idle: Mutex::new(Vec::new()) };
        let first = readers.open()?;
        readers.idle.lock().push(first);
        Ok(readers)
    }

    /// Fails once the file is known to be gone.
    pub(super) fn still_ours(&self) -> Result<(), StoreFailed> {
        Ok(self.file.still_ours()?)
    }

    /// Reads something. Fails closed: once the file is known to be gone, nothing is read.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreFailed>,
    ) -> Result<T, StoreFailed> {
        self.file.still_ours()?;
        let idle = self.idle.lock().pop();
        let db = match idle {
            Some(db) => db,
            None => self.open()?,
        };
        let result = read(&db);
        if result.is_err() {
            // A file that was removed fails in many ways, and only one of them says so.
            self.file.look()?;
        }
        let mut idle = self.idle.lock();
        if idle.len() < IDLE_MAX {
            idle.push(db);
        }
        result
    }

    fn open(&self) -> Result<Connection, StoreFailed> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(self.file.path(), flags);
        // A file put in the place of ours must not answer for it.
        self.file.look()?;
        let db = opened?;
        db.pragma_update(None, "query_only", true)?;
        columns::prepare(&db, self.patience)?;
        Ok(db)
    }
}
