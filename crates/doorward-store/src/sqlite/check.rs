//! Checks of a whole database, or of a backup. Nothing is changed.
//!
//! Each is made only if those before it passed: a file that is no database has no log.

use std::path::Path;

use rusqlite::{Connection, ErrorCode};

use super::backup::{open_at_rest, open_to_read};
use super::columns::{Columns, all, count, first, only};
use super::fault::Fault;
use super::stamp::{self, Stamp};
use super::{keys, schema};
use crate::act::{SealedKey, StoreFailed};

/// One thing that is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Every byte of a backup is as it was written.
    Stamp,
    /// It is a database of Doorward's.
    Kind,
    /// This program knows its version, and everything that belongs to that version is there.
    Shape,
    /// SQLite finds every page, every row and every index as it should be.
    Integrity,
    /// No row hangs from one that is gone.
    References,
    /// The revocation log has no gap and ends where its head says.
    Log,
}

/// What a check came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// All is well.
    Passed,
    /// There is nothing to check: a copy that was not made by us has no stamp.
    Absent,
    /// What is wrong.
    Failed(String),
    /// One before it failed.
    NotReached,
}

/// What was found in a database.
#[derive(Debug, Default)]
pub struct Examined {
    /// Each check, in order.
    pub checks: Vec<(Check, Finding)>,
    /// Its signing keys, sealed, if all checks passed.
    pub keys: Vec<SealedKey>,
    /// How many sessions it keeps, if all checks passed.
    pub session_count: u64,
}

impl Check {
    /// Those of what SQLite reads.
    const INSIDE: [Self; 5] =
        [Self::Kind, Self::Shape, Self::Integrity, Self::References, Self::Log];

    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stamp => "stamp",
            Self::Kind => "kind",
            Self::Shape => "shape",
            Self::Integrity => "integrity",
            Self::References => "references",
            Self::Log => "log",
        }
    }

    /// What is true if it passes.
    #[must_use]
    pub const fn claim(self) -> &'static str {
        match self {
            Self::Stamp => "Every byte is as it was when the backup was made",
            Self::Kind => "It is a database of Doorward's",
            Self::Shape => "Its version is known, and nothing of it is missing",
            Self::Integrity => "SQLite finds all pages, rows and indexes whole",
            Self::References => "No row hangs from one that is gone",
            Self::Log => "The revocation log has no gap and the right head",
        }
    }

    fn make(self, db: &Connection) -> Result<Finding, StoreFailed> {
        match self {
            Self::Stamp => Ok(Finding::Absent),
            Self::Kind => kind(db),
            Self::Shape => shape(db),
            Self::Integrity => integrity(db),
            Self::References => references(db),
            Self::Log => log(db),
        }
    }
}

impl Finding {
    /// Its stable name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Absent => "absent",
            Self::Failed(_) => "failed",
            Self::NotReached => "not reached",
        }
    }

    /// What is wrong, if something is.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        match self {
            Self::Failed(why) => Some(why),
            Self::Passed | Self::Absent | Self::NotReached => None,
        }
    }
}

impl Examined {
    /// The check that failed, and what is wrong.
    #[must_use]
    pub fn failed(&self) -> Option<(Check, &str)> {
        self.checks.iter().find_map(|(check, finding)| Some((*check, finding.failure()?)))
    }
}

/// Examines a database that may be in use.
pub fn examine(database: &Path) -> Result<Examined, StoreFailed> {
    let mut examined = Examined::default();
    look_into(&open_to_read(database)?, &mut examined)?;
    Ok(examined)
}

/// Examines a backup, or another copy that nobody writes to. Nothing is made beside it.
pub fn examine_copy(copy: &Path) -> Result<Examined, StoreFailed> {
    let stamp = match stamp::read(copy).map_err(StoreFailed::because)? {
        Stamp::Whole => Finding::Passed,
        Stamp::Missing => Finding::Absent,
        Stamp::Broken => Finding::Failed("bytes of it were changed, or are missing".to_owned()),
    };
    let mut examined = Examined { checks: vec![(Check::Stamp, stamp)], ..Examined::default() };
    look_into(&open_at_rest(copy)?, &mut examined)?;
    Ok(examined)
}

fn look_into(db: &Connection, examined: &mut Examined) -> Result<(), StoreFailed> {
    // All of it as it is at one moment, whoever writes meanwhile.
    db.execute_batch("BEGIN")?;
    for check in Check::INSIDE {
        let finding = match examined.failed() {
            Some(_) => Finding::NotReached,
            None => told(check.make(db))?,
        };
        examined.checks.push((check, finding));
    }
    if examined.failed().is_none() {
        examined.keys = keys::of_version(db, schema::found(db)?)?;
        examined.session_count = only(db, "SELECT count(*) FROM session", ()).map(count)?;
    }
    Ok(())
}

/// A file that cannot be read as it should be is an answer. That it cannot be read at all is none.
fn told(made: Result<Finding, StoreFailed>) -> Result<Finding, StoreFailed> {
    let failure = match made {
        Ok(finding) => return Ok(finding),
        Err(failure) => failure,
    };
    let code = failure.0.downcast_ref().and_then(rusqlite::Error::sqlite_error_code);
    match (code, failure.0.downcast_ref::<Fault>()) {
        (Some(ErrorCode::NotADatabase), _) => {
            Ok(Finding::Failed("it is no SQLite database".to_owned()))
        }
        (Some(ErrorCode::DatabaseCorrupt), _) | (_, Some(_)) => {
            Ok(Finding::Failed(failure.0.to_string()))
        }
        _ => Err(failure),
    }
}

fn kind(db: &Connection) -> Result<Finding, StoreFailed> {
    schema::found(db)?;
    Ok(Finding::Passed)
}

fn shape(db: &Connection) -> Result<Finding, StoreFailed> {
    const NAMES: &str = "SELECT type || ' ' || name FROM sqlite_schema ORDER BY 1";
    let version = schema::found(db)?;
    let here = all(db, NAMES, (), text)?;
    let expected = all(&schema::empty(version)?, NAMES, (), text)?;
    let missing = expected.iter().find(|name| !here.contains(name));
    Ok(missing.map_or(Finding::Passed, |name| Finding::Failed(format!("{name} is missing"))))
}

fn text(row: &mut Columns<'_>) -> Result<String, StoreFailed> {
    row.take()
}

fn integrity(db: &Connection) -> Result<Finding, StoreFailed> {
    let told: String = only(db, "PRAGMA integrity_check(1)", ())?;
    Ok(if told == "ok" { Finding::Passed } else { Finding::Failed(told) })
}

fn references(db: &Connection) -> Result<Finding, StoreFailed> {
    let dangling = first(db, "PRAGMA foreign_key_check", (), text)?;
    Ok(dangling.map_or(Finding::Passed, |table| {
        Finding::Failed(format!("a row of {table} hangs from one that is gone"))
    }))
}

fn log(db: &Connection) -> Result<Finding, StoreFailed> {
    const LOG: &str = "SELECT count(*), ifnull(min(seq), 0), ifnull(max(seq), 0) FROM revocation";
    let head: i64 = only(db, "SELECT seq FROM revocation_head", ())?;
    let read = |row: &mut Columns<'_>| Ok((row.take()?, row.take()?, row.take()?));
    let (length, oldest, newest): (i64, i64, i64) = first(db, LOG, (), read)?.unwrap_or_default();
    // An empty log has a head too: its numbers never come again.
    if length > 0 && newest != head {
        return Ok(Finding::Failed(format!("it ends at {newest}, and its head is {head}")));
    }
    if length > 0 && newest - oldest + 1 != length {
        let missing = newest - oldest + 1 - length;
        return Ok(Finding::Failed(format!("{missing} entries are missing in it")));
    }
    Ok(Finding::Passed)
}
