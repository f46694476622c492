//! The database file: made private, and watched, for what goes into a removed file is lost.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::fault::Fault;

const PRIVATE: u32 = 0o600;

/// Makes the file, readable by its owner alone, before SQLite sees it. Its log and its index take
/// their mode from it. A file that others can read, restored from a copy perhaps, is closed to them.
///
/// Must not be called while the file is open as a database: closing a second handle would drop
/// SQLite's locks (POSIX).
pub(super) fn make_private(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(path) {
        Ok(file) => file.sync_all()?,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            if fs::metadata(path)?.mode() & 0o077 != 0 {
                fs::set_permissions(path, Permissions::from_mode(PRIVATE))?;
            }
            return Ok(());
        }
        Err(error) => return Err(error),
    }
    // A file is there for good only once its directory is, too.
    match path.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

/// The files we have open, by what they are and not only by name.
pub(super) struct DatabaseFile {
    path: PathBuf,
    watched: [(PathBuf, (u64, u64)); 2],
    lost: AtomicBool,
}

impl DatabaseFile {
    /// Remembers the database and its write-ahead log, which must be open.
    pub(super) fn watch(path: PathBuf) -> io::Result<Self> {
        let mut log = path.clone().into_os_string();
        log.push("-wal");
        let log = PathBuf::from(log);
        let watched = [(path.clone(), identity(&path)?), (log.clone(), identity(&log)?)];
        Ok(Self { path, watched, lost: AtomicBool::new(false) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Refuses once a look has found the file gone. It never comes back without a restart: what was
    /// written in between could not be told apart.
    pub(super) fn still_ours(&self) -> Result<(), Fault> {
        if self.lost.load(Ordering::Acquire) { Err(Fault::FileLost) } else { Ok(()) }
    }

    /// Looks whether the names still lead to the files that we write to.
    pub(super) fn look(&self) -> Result<(), Fault> {
        let there = |(path, known): &(PathBuf, _)| identity(path).is_ok_and(|now| now == *known);
        if !self.watched.iter().all(there) {
            self.lost.store(true, Ordering::Release);
        }
        self.still_ours()
    }
}

/// Device and inode. Asks for the name without opening it; see [`make_private`].
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::metadata(path).map(|found| (found.dev(), found.ino()))
}
