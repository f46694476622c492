//! A backup made into a database that goes on from there.
//!
//! ```text
//!   backup ──rows──▶ draft ──▶ up to date ──▶ begins again ──▶ checked ──▶ on the disk
//! ```
//!
//! # What this module answers
//!
//! - *Followers that know more than the database does*: it gets a log of another name. Whoever follows
//!   sees by the name that its numbers mean other entries, and reads them all.
//! - *What works once, and did so after the backup*: codes and the setup link are forgotten. They were
//!   good for minutes.
//! - *Sessions that ended after the backup*: they count again, unless all are ended here. With that the
//!   epoch of each account moves, and its tokens are revoked by the account's name too: of sessions that
//!   were opened after the backup nobody here knows the names.
//!
//! # What is not here
//!
//! Putting the draft in the database's place: that is for whoever knows that no server runs.

use std::fs;
use std::path::Path;

use doorward_core::event::Event;
use doorward_wire::{AccountId, SessionId};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::backup::{copy_rows, log_of, open_at_rest};
use super::check::{self, Examined};
use super::columns::{all, change};
use super::{Sizes, columns, events, log, schema, sessions};
use crate::act::{Ending, StoreFailed};

/// How a database begins that was restored.
#[derive(Clone, Debug)]
pub struct Beginning {
    /// The name of its log. Draw it: no log had it before.
    pub log: [u8; 16],
    /// What to write in the event log.
    pub event: Event,
    /// How every session ends, if they end.
    pub ending: Option<Ending>,
}

/// Makes the draft of a database from a backup, and returns what was found in it when it is on the disk.
///
/// Its shape is today's. A draft that fails is removed.
pub fn begin_again(
    backup: &Path,
    draft: &Path,
    beginning: &Beginning,
) -> Result<Examined, StoreFailed> {
    let copied = copy_rows(|| open_at_rest(backup), draft, |_| Ok(()));
    let begun = copied.and_then(|()| {
        begin(draft, beginning)?;
        let examined = check::examine_copy(draft)?;
        fs::File::open(draft).and_then(|file| file.sync_all()).map_err(StoreFailed::because)?;
        Ok(examined)
    });
    if begun.as_ref().map_or(true, |examined| examined.failed().is_some()) {
        // What is told is why there is none.
        drop(fs::remove_file(draft));
    }
    begun
}

fn begin(draft: &Path, beginning: &Beginning) -> Result<(), StoreFailed> {
    let mut db = Connection::open(draft)?;
    columns::prepare(&db, Sizes::default().patience)?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    // What is forgotten here is not to be found in the file either.
    db.pragma_update(None, "secure_delete", true)?;
    schema::migrate(&mut db)?;
    let act = db.transaction()?;
    change(&act, "UPDATE revocation_log SET name = ?1", (beginning.log,))?;
    change(&act, "DELETE FROM authorization_code", ())?;
    change(&act, "DELETE FROM setup", ())?;
    events::keep(&act, &beginning.event)?;
    if let Some(ending) = &beginning.ending {
        end_all(&act, ending)?;
    }
    act.commit()?;
    Ok(())
}

/// Ends every session of everybody, as part of an act.
fn end_all(db: &Connection, ending: &Ending) -> Result<(), StoreFailed> {
    const END: &str = "DELETE FROM session RETURNING sid, account, epoch";
    let mut ended = all(db, END, (), |row| Ok((SessionId(row.id()?), sessions::owner(row)?)))?;
    ended.sort_by_key(|(sid, _)| *sid);
    log::append_ends(db, ended.iter().map(|(sid, _)| *sid), ending.now)?;
    for ((sid, owner), n) in ended.iter().zip(0..) {
        events::keep(db, &ending.event_of(*sid, *owner, n))?;
    }
    let accounts =
        all(db, "SELECT id FROM account ORDER BY id", (), |row| row.id().map(AccountId))?;
    change(db, "UPDATE account SET epoch = epoch + 1", ())?;
    log::append_accounts(db, accounts.into_iter(), ending.now)
}

/// How a database was left that is to be replaced.
#[derive(Debug)]
pub enum Rest {
    /// It is one file: its log was moved into it. Nobody opens it until this is dropped.
    Whole(Held),
    /// Some process has it open.
    InUse,
    /// It cannot be read. Its log lies beside it, if it has one.
    Damaged,
}

/// A database that no other process can open: one that could would make it a log again, under a name
/// that is the next database's soon.
#[derive(Debug)]
pub struct Held(#[expect(dead_code, reason = "it holds the lock")] Connection);

/// Moves the log of a database into it, so that the one file is all of it, and holds it.
pub fn lay_down(database: &Path) -> Result<Rest, StoreFailed> {
    match hold(database) {
        Ok(Some(held)) => {
            let has_log = log_of(database).try_exists().map_err(StoreFailed::because)?;
            Ok(if has_log { Rest::Damaged } else { Rest::Whole(held) })
        }
        Ok(None) => Ok(Rest::InUse),
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Ok(Rest::InUse),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Ok(Rest::Damaged),
            _ => Err(error.into()),
        },
    }
}

fn hold(database: &Path) -> Result<Option<Held>, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(database, flags)?;
    db.busy_timeout(Sizes::default().patience)?;
    db.pragma_update(None, "synchronous", "FULL")?;
    // Only who has the file alone leaves the write-ahead log.
    let mode: String =
        db.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get(0))?;
    if mode != "delete" {
        return Ok(None);
    }
    db.execute_batch("BEGIN EXCLUSIVE")?;
    Ok(Some(Held(db)))
}
