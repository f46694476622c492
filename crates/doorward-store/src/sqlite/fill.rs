//! The thread that fills the table of live sessions: it reads the store from end to end, the newest
//! sessions first, beside everything else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use doorward_wire::{SecretDigest, SessionId};
use rusqlite::Connection;

use super::columns::{Columns, all, bytes, rows};
use super::image::Image;
use super::reader::Readers;
use super::sessions;
use crate::act::{Found, StoreFailed};
use crate::table::{Fill, Part, Read};

/// How many rows are read at once. While they are filled in, a look asks the store.
const SLICE: usize = 256;
/// How long to wait after a failure.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the thread is woken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wake {
    /// The table is to be filled.
    Now,
    /// The table is to be filled once nobody has called for a while: commands come in scripts, and
    /// each of them would make it void again.
    WhenQuiet,
    /// The store is closed.
    End,
}

/// Calls the thread.
#[derive(Clone)]
pub(super) struct Caller(SyncSender<Wake>);

impl Caller {
    pub(super) fn call(&self, wake: Wake) {
        // If a call is waiting already, what it leads to has not begun: one is as good as two.
        let _ = self.0.try_send(wake);
    }
}

/// The thread. Dropped, it ends, and the slice it is reading with it.
pub(super) struct Filler {
    caller: Caller,
    is_ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Filler {
    pub(super) fn start(
        readers: Arc<Readers>,
        image: Arc<Image>,
        quiet: Duration,
    ) -> std::io::Result<Self> {
        let (caller, calls) = sync_channel(1);
        let is_ended = Arc::new(AtomicBool::new(false));
        let filling = Filling { readers, image, calls, is_ended: Arc::clone(&is_ended), quiet };
        let thread = Builder::new().name("doorward-fill".into()).spawn(move || filling.run())?;
        Ok(Self { caller: Caller(caller), is_ended, thread: Some(thread) })
    }

    pub(super) fn caller(&self) -> Caller {
        self.caller.clone()
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        self.is_ended.store(true, Ordering::Relaxed);
        self.caller.call(Wake::End);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that fills the table of sessions panicked");
        }
    }
}

struct Filling {
    readers: Arc<Readers>,
    image: Arc<Image>,
    calls: Receiver<Wake>,
    is_ended: Arc<AtomicBool>,
    quiet: Duration,
}

impl Filling {
    fn run(self) {
        while let Ok(mut wake) = self.calls.recv() {
            while wake == Wake::WhenQuiet {
                wake = self.calls.recv_timeout(self.quiet).unwrap_or(Wake::Now);
            }
            while !self.has_ended() {
                match self.fill() {
                    Ok(()) => break,
                    Err(failure) => tracing::error!(%failure, "the table was not filled"),
                }
                // Whatever call comes, it is to be tried again.
                let _ = self.calls.recv_timeout(PATIENCE);
            }
            if self.has_ended() {
                return;
            }
        }
    }

    fn has_ended(&self) -> bool {
        self.is_ended.load(Ordering::Relaxed)
    }

    /// Fills the table, unless it becomes void meanwhile: whoever made it so has called.
    fn fill(&self) -> Result<(), StoreFailed> {
        let Some(fill) = self.image.table.begin_fill() else { return Ok(()) };
        let mut part = self.each(fill, |db, below: Option<SessionId>| {
            let (sessions, last, is_torn) = slice(db, below, SLICE)?;
            Ok((Read { sessions, is_torn, ..Read::default() }, last))
        })?;
        if part == Part::Next {
            part = self.each(fill, |db, after: Option<SecretDigest>| {
                let retired = retired(db, after, SLICE)?;
                let last = retired.last().copied();
                Ok((Read { retired, ..Read::default() }, last))
            })?;
        }
        if part != Part::Void && self.image.table.end_fill(fill) != Part::Void {
            let size = self.image.table.size();
            let (sessions, bytes, complete) = (size.session_count, size.bytes, size.is_complete);
            tracing::debug!(sessions, bytes, complete, "the table of sessions was filled");
        }
        Ok(())
    }

    /// Reads slice after slice and fills each in, until nothing is left, or no room.
    fn each<T>(
        &self,
        fill: Fill,
        read: impl Fn(&Connection, Option<T>) -> Result<(Read, Option<T>), StoreFailed>,
    ) -> Result<Part, StoreFailed> {
        let mut cursor = None;
        loop {
            if self.has_ended() || self.image.table.begin_slice(fill) == Part::Void {
                return Ok(Part::Void);
            }
            let (slice, last) = self.readers.read(|db| read(db, cursor))?;
            let part = self.image.table.fill(fill, slice);
            if part != Part::Next || last.is_none() {
                return Ok(part);
            }
            cursor = last;
        }
    }
}

/// At most `limit` keys that were retired, after `after`.
fn retired(
    db: &Connection,
    after: Option<SecretDigest>,
    limit: usize,
) -> Result<Vec<SecretDigest>, StoreFailed> {
    const RETIRED: &str = "SELECT key FROM retired_key WHERE key > ?1 ORDER BY key LIMIT ?2";
    let after = after.map_or(Vec::new(), |key| key.0.to_vec());
    all(db, RETIRED, (after, rows(limit)), |row| row.take().map(SecretDigest))
}

/// At most `limit` sessions below `below`, from the newest to the oldest; the last that was looked
/// at, unless there are no more; and whether one of them could not be read.
fn slice(
    db: &Connection,
    below: Option<SessionId>,
    limit: usize,
) -> Result<(Vec<Found>, Option<SessionId>, bool), StoreFailed> {
    const SLICE: &str = sessions::select!("WHERE s.sid < ?1 ORDER BY s.sid DESC LIMIT ?2");
    // Longer than any id, so that it sorts after them all.
    let below = below.map_or(vec![0xFF; 17], |sid| bytes(sid.0).to_vec());
    let mut statement = db.prepare_cached(SLICE)?;
    let mut each = statement.query((below, rows(limit)))?;
    let (mut items, mut last, mut is_torn) = (Vec::with_capacity(limit), None, false);
    while let Some(row) = each.next()? {
        last = Some(SessionId(Columns::of(row).id()?));
        match sessions::found(&mut Columns::of(row)) {
            Ok(found) => items.push(found),
            Err(_) => is_torn = true,
        }
    }
    Ok((items, last, is_torn))
}
