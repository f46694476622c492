//! A copy of the database in one file, made while others read and write.
//!
//! `VACUUM INTO` reads one snapshot: a commit is in the copy or is not. In the write-ahead log it waits
//! for no writer, and none waits for it; the log cannot be moved into the database meanwhile, and grows.
//! Only rows are copied. What was deleted, and still lies in pages that are free, stays behind.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::columns;
use super::{Sizes, schema, stamp};
use crate::act::StoreFailed;

/// Copies a database into a new file, readable by its owner alone, and returns when that is on the disk.
///
/// The database may be one of an older shape. It is not changed. A copy that fails is removed.
pub fn back_up(database: &Path, copy: &Path) -> Result<(), StoreFailed> {
    copy_rows(|| open_to_read(database), copy, stamp::append)
}

/// Copies the rows of what `open` opens into a new file, and has it `finish`ed.
pub(super) fn copy_rows(
    open: impl FnOnce() -> Result<Connection, StoreFailed>,
    copy: &Path,
    finish: impl FnOnce(&Path) -> io::Result<()>,
) -> Result<(), StoreFailed> {
    let mut new = OpenOptions::new();
    // SQLite takes an empty file as a place that is free.
    new.write(true).create_new(true).mode(0o600);
    drop(new.open(copy).map_err(StoreFailed::because)?);
    let filled = open().and_then(|db| {
        schema::found(&db)?;
        let to = copy.canonicalize().map_err(StoreFailed::because)?;
        let to = to.to_str().ok_or_else(|| StoreFailed::because("the path is no text"))?;
        db.execute("VACUUM INTO ?1", (to,))?;
        Ok(())
    });
    let done = filled.and_then(|()| finish(copy).map_err(StoreFailed::because));
    if done.is_err() {
        // What is told is why there is no copy.
        drop(fs::remove_file(copy));
    }
    done
}

/// Opens a database that others may be using, and changes nothing in it; but an act that was cut off in
/// the middle is taken back first, which only who may write can do.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, StoreFailed> {
    let path = path.canonicalize().map_err(StoreFailed::because)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(&path, flags)?;
    prepare(&db)?;
    if db.query_row(LOOK, (), |_| Ok(())).is_err_and(|error| is_cut_off(&error)) {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let other = Connection::open_with_flags(&path, flags)?;
        other.busy_timeout(Sizes::default().patience)?;
        other.query_row(LOOK, (), |_| Ok(()))?;
    }
    Ok(db)
}

/// The least that reads the file.
const LOOK: &str = "SELECT count(*) FROM sqlite_schema";

fn is_cut_off(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    code == Some(rusqlite::ffi::SQLITE_READONLY_ROLLBACK)
}

/// Opens a file that nobody writes to, and makes none beside it; also where nothing can be written.
///
/// A copy of a database after a crash has a log or a journal beside it, and is opened with that.
pub(super) fn open_at_rest(path: &Path) -> Result<Connection, StoreFailed> {
    if log_of(path).exists() || beside(path, "-journal").exists() {
        return open_to_read(path);
    }
    let path = path.canonicalize().map_err(StoreFailed::because)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let db = Connection::open_with_flags(uri(&path), flags)?;
    prepare(&db)?;
    Ok(db)
}

fn prepare(db: &Connection) -> Result<(), StoreFailed> {
    columns::prepare(db, Sizes::default().patience)?;
    // Rows out of a file from somewhere are looked at more closely, and call no function of ours.
    db.pragma_update(None, "cell_size_check", true)?;
    db.pragma_update(None, "trusted_schema", false)?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(())
}

/// The write-ahead log of a database.
pub(super) fn log_of(path: &Path) -> PathBuf {
    beside(path, "-wal")
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(end);
    PathBuf::from(name)
}

/// A file's name as SQLite reads it where something is said of the file too.
fn uri(path: &Path) -> String {
    use std::fmt::Write;
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            // Writing into text cannot fail.
            let _ = write!(uri, "%{byte:02x}");
        }
    }
    uri + "?immutable=1"
}
