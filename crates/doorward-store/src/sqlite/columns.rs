//! Values in and out of rows. What a row holds was written by us, and is read as if it was not.

use std::time::Duration;

use doorward_core::account::Epoch;
use doorward_wire::{SecretDigest, UnixTime};
use rusqlite::config::DbConfig;
use rusqlite::types::{FromSql, ValueRef};
use rusqlite::{Connection, Params, Row};

use super::fault::Fault;
use crate::act::StoreFailed;

/// How many statements each connection keeps prepared: all there are.
const STATEMENTS_MAX: usize = 128;

/// The bytes of an id. They sort as the ids do.
pub(super) fn bytes(id: u128) -> [u8; 16] {
    id.to_be_bytes()
}

/// A time, a count or a version as SQLite keeps it. One beyond its range (292 thousand million
/// years) stops there.
pub(super) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A count or a version as SQLite kept it, which we never let fall below zero.
pub(super) fn count(kept: i64) -> u64 {
    u64::try_from(kept).unwrap_or(0)
}

/// A limit on a number of rows.
pub(super) fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Sets up what readers and the writer have in common.
pub(super) fn prepare(db: &Connection, patience: Duration) -> Result<(), rusqlite::Error> {
    db.busy_timeout(patience)?;
    // A plan never depends on the values it is used with. Otherwise a statement that meets a partial
    // index is planned anew each time, which takes ten times as long as to find the row.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(())
}

/// The columns of a row, read from left to right.
pub(super) struct Columns<'row> {
    row: &'row Row<'row>,
    next: usize,
}

impl<'row> Columns<'row> {
    pub(super) fn of(row: &'row Row<'row>) -> Self {
        Self { row, next: 0 }
    }

    /// The next column as it is.
    pub(super) fn take<T: FromSql>(&mut self) -> Result<T, StoreFailed> {
        let value = self.row.get(self.next);
        self.next += 1;
        value.map_err(|_| self.unreadable())
    }

    /// The next column: the bits of an id.
    pub(super) fn id(&mut self) -> Result<u128, StoreFailed> {
        self.take().map(u128::from_be_bytes)
    }

    /// The next column: the bits of an id, if there is one.
    pub(super) fn maybe_id(&mut self) -> Result<Option<u128>, StoreFailed> {
        Ok(self.take::<Option<_>>()?.map(u128::from_be_bytes))
    }

    /// The next column: a digest.
    pub(super) fn digest(&mut self) -> Result<SecretDigest, StoreFailed> {
        self.take().map(SecretDigest)
    }

    /// The next column: a number that is not negative.
    pub(super) fn count(&mut self) -> Result<u64, StoreFailed> {
        let number = self.take::<i64>()?;
        u64::try_from(number).map_err(|_| self.unreadable())
    }

    /// The next column: a time.
    pub(super) fn time(&mut self) -> Result<UnixTime, StoreFailed> {
        self.count().map(UnixTime)
    }

    /// The next column: a time, if there is one.
    pub(super) fn maybe_time(&mut self) -> Result<Option<UnixTime>, StoreFailed> {
        if self.is_null()? {
            self.next += 1;
            return Ok(None);
        }
        self.time().map(Some)
    }

    /// The next column: an epoch.
    pub(super) fn epoch(&mut self) -> Result<Epoch, StoreFailed> {
        self.take().map(Epoch)
    }

    /// The next column: text that `read` understands.
    pub(super) fn text<T>(
        &mut self,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, StoreFailed> {
        let value = self.row.get_ref(self.next)?.as_str().ok().and_then(read);
        self.next += 1;
        value.ok_or_else(|| self.unreadable())
    }

    /// The next column: text that `read` understands, if there is one.
    pub(super) fn maybe_text<T>(
        &mut self,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, StoreFailed> {
        if self.is_null()? {
            self.next += 1;
            return Ok(None);
        }
        self.text(read).map(Some)
    }

    /// Whether the next column holds nothing. Reads no further.
    pub(super) fn is_null(&self) -> Result<bool, StoreFailed> {
        Ok(self.row.get_ref(self.next)? == ValueRef::Null)
    }

    /// The failure of having read the column before.
    fn unreadable(&self) -> StoreFailed {
        let name = self.row.as_ref().column_name(self.next - 1).unwrap_or("?");
        Fault::Unreadable(name.to_owned()).into()
    }
}

/// The first row of a query, read.
pub(super) fn first<T>(
    db: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&mut Columns<'_>) -> Result<T, StoreFailed>,
) -> Result<Option<T>, StoreFailed> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    match rows.next()? {
        Some(row) => read(&mut Columns::of(row)).map(Some),
        None => Ok(None),
    }
}

/// The first column of the first row of a query.
pub(super) fn value<T: FromSql>(
    db: &Connection,
    sql: &str,
    params: impl Params,
) -> Result<Option<T>, StoreFailed> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    match rows.next()? {
        Some(row) => Ok(Some(row.get(0)?)),
        None => Ok(None),
    }
}

/// The one value of a query that always has one.
pub(super) fn only<T: FromSql>(
    db: &Connection,
    sql: &str,
    params: impl Params,
) -> Result<T, StoreFailed> {
    value(db, sql, params)?.ok_or_else(|| rusqlite::Error::QueryReturnedNoRows.into())
}

/// All rows of a query, read.
pub(super) fn all<T>(
    db: &Connection,
    sql: &str,
    params: impl Params,
    read: impl Fn(&mut Columns<'_>) -> Result<T, StoreFailed>,
) -> Result<Vec<T>, StoreFailed> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(&mut Columns::of(row))?);
    }
    Ok(found)
}

/// Changes rows, and says how many.
pub(super) fn change(
    db: &Connection,
    sql: &str,
    params: impl Params,
) -> Result<usize, rusqlite::Error> {
    db.prepare_cached(sql)?.execute(params)
}

/// Whether the row was not kept because its name is in use.
pub(super) fn is_taken(error: &rusqlite::Error) -> bool {
    use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
    let code = error.sqlite_error().map(|error| error.extended_code);
    matches!(code, Some(SQLITE_CONSTRAINT_PRIMARYKEY | SQLITE_CONSTRAINT_UNIQUE))
}
