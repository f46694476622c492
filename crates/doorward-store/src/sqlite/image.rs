//! The image: the table of live sessions in front of the database, kept true, and its age kept.
//!
//! ```text
//!   act ──▶ savepoints ──▶ read back what changed ──▶ COMMIT ──▶ look ──▶ apply ──▶ answers
//!                                                       └─ failed: nothing is applied
//!   a request ──▶ is the image at most a second old? ──▶ table ──▶ here · no such session · ask
//! ```
//!
//! # What this module answers
//!
//! - *An act is answered before the table knows of it*: it is applied first, on the writer's thread.
//! - *A commit that fails*: nothing is applied. Nothing is dropped, and nothing comes back.
//! - *Another process writes to the file*, such as a command beside a running server: SQLite counts
//!   that (`PRAGMA data_version`), and the writer looks with each batch, and when a request finds the
//!   last look a while ago. Then the table is void until it has been filled anew. Between the two no
//!   more than [`Shape::stale_max`] passes: a table that was not looked after for so long is not asked.
//! - *The writer has died*: then so has the table.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::Connection;

use super::changes::Changes;
use super::columns::only;
use super::fill::{Caller, Wake};
use crate::act::StoreFailed;
use crate::table::{Change, Kept, Table};

/// How long ago something began: a clock that never steps, which a caller brings along.
pub type Elapsed = Arc<dyn Fn() -> Duration + Send + Sync>;

/// How large the table of live sessions may be, and how old.
#[derive(Clone)]
pub struct Shape {
    /// The most bytes that it may hold.
    pub bytes_max: usize,
    /// The longest that a change by another process may go unnoticed: one second.
    pub stale_max: Duration,
    /// Tells the time since any one moment.
    pub elapsed: Elapsed,
}

impl Shape {
    /// A table of so many bytes that notices another process within a second.
    #[must_use]
    pub fn new(bytes_max: usize, elapsed: Elapsed) -> Self {
        Self { bytes_max, stale_max: Duration::from_secs(1), elapsed }
    }
}

/// The table with its age.
pub(super) struct Image {
    pub(super) table: Table,
    shape: Shape,
    /// The latest moment, in microseconds, of which it is known that no other process had written
    /// what the table does not know. 0 before there was one.
    as_of: AtomicU64,
    /// Whether a look was asked for that has not been made.
    is_asked: AtomicBool,
}

/// Whether the table may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    /// It may.
    Fresh,
    /// It may, but it is time to look.
    Ripe,
    /// It may not.
    Stale,
}

impl Image {
    pub(super) fn new(shape: Shape) -> Self {
        Self {
            table: Table::new(shape.bytes_max),
            shape,
            as_of: AtomicU64::new(0),
            is_asked: AtomicBool::new(false),
        }
    }

    pub(super) fn age(&self) -> Age {
        let as_of = self.as_of.load(Ordering::Acquire);
        let age = Duration::from_micros(self.now().saturating_sub(as_of));
        if as_of == 0 || age > self.shape.stale_max {
            return Age::Stale;
        }
        if age > self.shape.stale_max / 4 { Age::Ripe } else { Age::Fresh }
    }

    /// Whether a look has to be asked for: it has not been yet.
    pub(super) fn is_first_to_ask(&self) -> bool {
        !self.is_asked.load(Ordering::Relaxed) && !self.is_asked.swap(true, Ordering::Relaxed)
    }

    /// Says that the look that was asked for was made, or cannot be.
    pub(super) fn may_ask_again(&self) {
        self.is_asked.store(false, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        u64::try_from((self.shape.elapsed)().as_micros()).unwrap_or(u64::MAX).max(1)
    }
}

/// The writer's side of the image: what keeps it true. When the writer is gone, the table is not
/// asked any more.
pub(super) struct Keeper {
    image: Arc<Image>,
    changes: Changes,
    filler: Caller,
    /// What SQLite counted the last time. It moves when another connection commits, and not when this
    /// one does.
    data_version: Option<i64>,
}

impl Keeper {
    pub(super) fn new(
        db: &Connection,
        image: Arc<Image>,
        filler: Caller,
    ) -> Result<Self, StoreFailed> {
        Ok(Self { image, changes: Changes::watch(db)?, filler, data_version: None })
    }

    /// Looks whether somebody else has written. In a transaction that writes nobody else can, until
    /// it ends.
    pub(super) fn look(&mut self, db: &Connection) {
        self.image.may_ask_again();
        let now = self.image.now();
        let counted = match only::<i64>(db, "PRAGMA data_version", ()) {
            Ok(counted) => Some(counted),
            Err(failure) => {
                tracing::error!(%failure, "nobody can say whether another process writes");
                None
            }
        };
        if counted.is_none() || counted != self.data_version {
            self.image.table.void();
            let is_first = self.data_version.is_none();
            self.filler.call(if is_first { Wake::Now } else { Wake::WhenQuiet });
        }
        self.data_version = counted;
        self.image.as_of.store(now, Ordering::Release);
    }

    /// Forgets what acts have named whose batch was not kept.
    pub(super) fn forget(&self) {
        self.changes.forget();
    }

    /// Reads what the acts of a batch have changed, inside its transaction, and announces what has to
    /// be known before the commit.
    pub(super) fn read(&self, db: &Connection) -> Vec<Change> {
        let changes = self.changes.read(db);
        let retired = changes.iter().filter_map(|change| match change {
            Change::Retired(key, Kept::Here(())) => Some(*key),
            _ => None,
        });
        let retired: Vec<_> = retired.collect();
        if !retired.is_empty() {
            self.image.table.announce(retired);
        }
        changes
    }

    /// Applies it, once it is kept for certain.
    pub(super) fn apply(&self, changes: Vec<Change>) {
        if !changes.is_empty() {
            self.image.table.apply(changes);
        }
        if self.image.table.wants_fill() {
            self.filler.call(Wake::Now);
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.image.table.stop();
    }
}
