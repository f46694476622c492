//! The shape of the database, and the way to it from any older shape.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::backup;
use super::columns::rows;
use super::fault::Fault;
use crate::act::StoreFailed;

/// Every step there ever was, in order. A step that was released is never edited.
pub(super) const MIGRATIONS: [&str; 15] = [
    include_str!("migrations/0001_first.sql"),
    include_str!("migrations/0002_life.sql"),
    include_str!("migrations/0003_user_agents.sql"),
    include_str!("migrations/0004_binding.sql"),
    include_str!("migrations/0005_account_events.sql"),
    include_str!("migrations/0006_signals.sql"),
    include_str!("migrations/0007_log_name.sql"),
    include_str!("migrations/0008_clients.sql"),
    include_str!("migrations/0009_key_life.sql"),
    include_str!("migrations/0010_dpop.sql"),
    include_str!("migrations/0011_personal_tokens.sql"),
    include_str!("migrations/0012_token_places.sql"),
    include_str!("migrations/0013_signals.sql"),
    include_str!("migrations/0014_codes.sql"),
    include_str!("migrations/0015_sites.sql"),
];

/// What the steps are called, for whoever asks what is missing.
const NAMES: [&str; MIGRATIONS.len()] = [
    "0001 first",
    "0002 life",
    "0003 user agents",
    "0004 binding",
    "0005 account events",
    "0006 signals",
    "0007 log name",
    "0008 clients",
    "0009 key life",
    "0010 dpop",
    "0011 personal tokens",
    "0012 token places",
    "0013 signals",
    "0014 codes",
    "0015 sites",
];

/// Marks a file as ours: `door`.
pub(super) const APPLICATION_ID: i64 = 0x646F_6F72;

/// Brings the database up to date, whole or not at all.
///
/// A file of a newer Doorward is refused: an old program would write rows that the new one takes
/// for its own.
///
/// Foreign keys are off until it is done: a step that makes a table anew drops the old one, and what
/// hangs from its rows must stay. They are on from then on.
pub(super) fn migrate(db: &mut Connection) -> Result<(), StoreFailed> {
    db.pragma_update(None, "foreign_keys", false)?;
    bring_up(db)?;
    db.pragma_update(None, "foreign_keys", true)?;
    Ok(())
}

fn bring_up(db: &mut Connection) -> Result<(), StoreFailed> {
    // Immediate, so that of two processes that start at once the second waits and finds it done.
    let act = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let empty = number(&act, "SELECT count(*) FROM sqlite_schema")? == 0;
    let done = if empty { 0 } else { found(&act)? };
    let missing = &MIGRATIONS[done..];
    for step in missing {
        act.execute_batch(step)?;
    }
    if !missing.is_empty() {
        if act.prepare("PRAGMA foreign_key_check")?.exists(())? {
            return Err(Fault::Dangling.into());
        }
        act.pragma_update(None, "application_id", APPLICATION_ID)?;
        act.pragma_update(None, "user_version", rows(MIGRATIONS.len()))?;
    }
    act.commit()?;
    Ok(())
}

/// The version of a database of ours: how many steps it has behind it. None is beyond those we know.
pub(super) fn found(db: &Connection) -> Result<usize, StoreFailed> {
    if number(db, "PRAGMA application_id")? != APPLICATION_ID {
        return Err(Fault::NotOurs.into());
    }
    let found = usize::try_from(number(db, "PRAGMA user_version")?).map_err(|_| Fault::NotOurs)?;
    let known = MIGRATIONS.len();
    if found > known { Err(Fault::FromTheFuture { found, known }.into()) } else { Ok(found) }
}

/// A database without a row, as it was at a version.
pub(super) fn empty(version: usize) -> Result<Connection, StoreFailed> {
    let db = Connection::open_in_memory()?;
    db.pragma_update(None, "foreign_keys", false)?;
    for step in &MIGRATIONS[..version] {
        db.execute_batch(step)?;
    }
    Ok(db)
}

/// The names of the steps that a database misses, which is not changed.
pub fn missing_steps(database: &Path) -> Result<Vec<&'static str>, StoreFailed> {
    let found = found(&backup::open_to_read(database)?)?;
    Ok(NAMES[found..].to_vec())
}

fn number(db: &Connection, sql: &str) -> Result<i64, rusqlite::Error> {
    db.query_row(sql, (), |row| row.get(0))
}
