//! What can go wrong beneath the store, in sentences for whoever runs it.

use std::sync::Arc;

use crate::act::StoreFailed;

/// Why the database could not do as asked. Many waiting acts can share one.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("too much is waiting to be written")]
    QueueFull,
    #[error("the writer has stopped; restart")]
    WriterStopped,
    #[error("the database file was removed or replaced; restore it and restart")]
    FileLost,
    #[error("nothing of this batch was kept: {0}")]
    NotCommitted(Arc<rusqlite::Error>),
    #[error("the database gave up the batch in the middle: nothing of it was kept")]
    RolledBack,
    #[error("what is kept in column `{0}` cannot be read")]
    Unreadable(String),
    #[error("the database has version {found}, and this program knows {known}: use a newer one")]
    FromTheFuture { found: usize, known: usize },
    #[error("the database was not brought up to date: rows in it hang from nothing")]
    Dangling,
    #[error("the file is a database of some other program")]
    NotOurs,
    #[error("no write-ahead log is possible here (journal mode `{0}`): is it a network drive?")]
    NoWriteAheadLog(String),
}

impl From<Fault> for StoreFailed {
    fn from(fault: Fault) -> Self {
        Self::because(fault)
    }
}

impl From<rusqlite::Error> for StoreFailed {
    fn from(error: rusqlite::Error) -> Self {
        Self::because(error)
    }
}
