//! Writes: one thread that commits together whatever is waiting.
//!
//! ```text
//!   act ──▶ queue ──▶ ┌ BEGIN ─────────────────────────────────┐
//!   act ──▶   ·   ──▶ │ savepoint · savepoint · savepoint · …  │ COMMIT ─▶ look ─▶ table ─▶ answers
//!   act ──▶   ·       └────────────────────────────────────────┘
//! ```
//!
//! A commit waits for the disk, and one wait serves all: with many clients, durability costs each of
//! them next to nothing. An act that refuses or fails undoes itself alone. No act is answered before
//! the commit, and if that fails every act of the batch has failed.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{Builder, JoinHandle};

use rusqlite::Connection;
use tokio::sync::{oneshot, watch};

use super::Sizes;
use super::columns::change;
use super::fault::Fault;
use super::file::DatabaseFile;
use super::image::Keeper;
use crate::act::StoreFailed;

/// What an act that did not fail wants done with its changes. What it answers is apart from that:
/// the reuse of a refresh token is refused, and the end of its session is kept.
pub(super) enum Verdict<T> {
    /// Keep the changes, and answer.
    Keep(T),
    /// Take them back, and answer.
    Undo(T),
}

/// What an act comes to. A failure takes its changes back, too.
pub(super) type Acted<T> = Result<Verdict<T>, StoreFailed>;

/// The one place that writes.
pub(super) struct Writer {
    queue: Option<SyncSender<Asked>>,
    thread: Option<JoinHandle<()>>,
    committed: watch::Receiver<u64>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(
        db: Connection,
        file: Arc<DatabaseFile>,
        keeper: Option<Keeper>,
        sizes: Sizes,
    ) -> std::io::Result<Self> {
        let (queue, waiting) = sync_channel(sizes.queue_max);
        let committed = watch::Sender::new(0);
        let appended = committed.subscribe();
        let batches = Batches { db, file, keeper, waiting, committed, batch_max: sizes.batch_max };
        let thread = Builder::new().name("doorward-sqlite".into()).spawn(move || batches.run())?;
        Ok(Self { queue: Some(queue), thread: Some(thread), committed: appended })
    }

    /// Does an act, and returns once it is durable. If the caller goes away, it happens all the same.
    pub(super) async fn act<T, F>(&self, act: F) -> Result<T, StoreFailed>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Acted<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let waiting = Box::new(Act { work: Some(act), outcome: None, answer });
        let queue = self.queue.as_ref().ok_or(Fault::WriterStopped)?;
        queue.try_send(Asked::Act(waiting)).map_err(|refused| match refused {
            TrySendError::Full(_) => Fault::QueueFull,
            TrySendError::Disconnected(_) => Fault::WriterStopped,
        })?;
        answered.await.map_err(|_| Fault::WriterStopped)?
    }

    /// Changes after each commit, before anybody is answered.
    pub(super) fn committed(&self) -> watch::Receiver<u64> {
        self.committed.clone()
    }

    /// Asks for a look whether another process has written. Says whether it will be made.
    pub(super) fn ask_for_a_look(&self) -> bool {
        self.queue.as_ref().is_some_and(|queue| queue.try_send(Asked::Look).is_ok())
    }
}

/// Waits until everything that was asked for is done.
impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writer of the database panicked");
        }
    }
}

/// What waits in the queue.
enum Asked {
    Act(Box<dyn Waiting>),
    /// A look whether another process has written. It is made with each batch.
    Look,
}

/// An act in the queue, whatever its type.
trait Waiting: Send {
    /// Acts in a savepoint of its own. An error is one of the whole batch.
    fn run(&mut self, db: &Connection) -> Result<(), Fault>;

    /// Tells whoever waits, after the batch was committed or was not.
    fn answer(self: Box<Self>, batch: &Result<(), Fault>);
}

struct Act<T, F> {
    work: Option<F>,
    outcome: Option<Result<T, StoreFailed>>,
    answer: oneshot::Sender<Result<T, StoreFailed>>,
}

impl<T, F> Waiting for Act<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Acted<T> + Send,
{
    fn run(&mut self, db: &Connection) -> Result<(), Fault> {
        let Some(work) = self.work.take() else { return Ok(()) };
        perform(db, "SAVEPOINT act")?;
        let (outcome, undo) = match work(db) {
            Ok(Verdict::Keep(value)) => (Ok(value), false),
            Ok(Verdict::Undo(value)) => (Ok(value), true),
            Err(failure) => (Err(failure), true),
        };
        self.outcome = Some(outcome);
        // A full disk and the like make SQLite roll back everything, the acts before this one too.
        if db.is_autocommit() {
            return Err(Fault::RolledBack);
        }
        if undo {
            perform(db, "ROLLBACK TO act")?;
        }
        perform(db, "RELEASE act")
    }

    fn answer(self: Box<Self>, batch: &Result<(), Fault>) {
        let answer = match (self.outcome, batch) {
            // What an act saw and answered came perhaps from an act of the same batch.
            (Some(Ok(_)) | None, Err(fault)) => Err(fault.clone().into()),
            (Some(outcome), _) => outcome,
            (None, Ok(())) => Err(Fault::WriterStopped.into()),
        };
        // Whoever asked may have hung up.
        drop(self.answer.send(answer));
    }
}

fn perform(db: &Connection, sql: &str) -> Result<(), Fault> {
    change(db, sql, ()).map(|_| ()).map_err(|error| Fault::NotCommitted(Arc::new(error)))
}

/// The thread's side.
struct Batches {
    db: Connection,
    file: Arc<DatabaseFile>,
    keeper: Option<Keeper>,
    waiting: Receiver<Asked>,
    committed: watch::Sender<u64>,
    batch_max: usize,
}

impl Batches {
    /// Runs until nobody can ask any more and all was answered.
    fn run(mut self) {
        self.look();
        let mut batch = Vec::with_capacity(self.batch_max);
        while let Ok(first) = self.waiting.recv() {
            let rest = self.waiting.try_iter().take(self.batch_max - 1);
            batch.extend(std::iter::once(first).chain(rest).filter_map(|asked| match asked {
                Asked::Act(act) => Some(act),
                Asked::Look => None,
            }));
            if batch.is_empty() {
                self.look();
                continue;
            }
            // A file that was removed fails in many ways, and only one of them says so.
            let outcome = self.commit(&mut batch).or_else(|fault| {
                self.file.look()?;
                Err(fault)
            });
            if let Err(fault) = &outcome {
                tracing::error!(acts = batch.len(), %fault, "a batch was not kept");
                self.roll_back();
            }
            for act in batch.drain(..) {
                act.answer(&outcome);
            }
        }
    }

    fn commit(&mut self, batch: &mut [Box<dyn Waiting>]) -> Result<(), Fault> {
        self.file.still_ours()?;
        perform(&self.db, "BEGIN IMMEDIATE")?;
        self.look();
        for act in batch {
            act.run(&self.db)?;
        }
        let changes = self.keeper.as_ref().map(|keeper| keeper.read(&self.db));
        perform(&self.db, "COMMIT")?;
        // What went into a file that has no name any more is lost at the next start. So it must not
        // be acknowledged, however well the commit went.
        self.file.look()?;
        // Before any answer: what has ended is refused from the moment its end is acknowledged.
        if let Some((keeper, changes)) = self.keeper.as_ref().zip(changes) {
            keeper.apply(changes);
        }
        self.committed.send_modify(|count| *count = count.wrapping_add(1));
        Ok(())
    }

    fn look(&mut self) {
        if let Some(keeper) = &mut self.keeper {
            keeper.look(&self.db);
        }
    }

    fn roll_back(&self) {
        if let Some(keeper) = &self.keeper {
            keeper.forget();
        }
        if !self.db.is_autocommit()
            && let Err(error) = self.db.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "a batch could not be rolled back");
        }
    }
}
