//! Acts: each one transaction on a connection of its own.
//!
//! ```text
//!   act ──▶ a place among those that wait ──▶ a connection ──▶ BEGIN · … · COMMIT ──▶ answer
//!                                                    ▲               │
//!                                                    └── once more ◀─┘ others stood in its way
//! ```
//!
//! An act runs in a task of its own: if the caller goes away, it happens all the same. It is done again
//! only where the server says that it took everything back (a deadlock, a failed serialization).
//! Whatever else goes wrong is a failure, a connection lost during the commit too: then nobody knows,
//! and nothing is claimed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

use super::address::Address;
use super::fault::{Fault, is_passing};
use super::link::Link;
use super::pool::Pool;
use super::{DEADLINE, LONG_DEADLINE, Sizes};
use crate::act::StoreFailed;
use crate::recent::Recent;

/// How often an act is begun before those who stand in its way are too many.
const TRIES_MAX: u32 = 5;

/// How long to wait before the first further try. Each one after waits as much longer.
const PAUSE: Duration = Duration::from_millis(5);

/// The connection that an act has.
pub(super) type Db = Arc<Link>;

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

/// The one way to write.
pub(super) struct Acts(Arc<Shared>);

struct Shared {
    pool: Pool,
    waiting: Semaphore,
    appended: watch::Sender<u64>,
    recent: Option<Arc<Recent>>,
}

impl Acts {
    pub(super) fn new(
        address: Address,
        appended: watch::Sender<u64>,
        recent: Option<Arc<Recent>>,
        sizes: Sizes,
    ) -> Self {
        let (pool, waiting) = (Pool::new(address, sizes), Semaphore::new(sizes.queue_max));
        Self(Arc::new(Shared { pool, waiting, appended, recent }))
    }

    /// Does an act with what was asked for, and returns once it is durable.
    pub(super) async fn act<A, T, W, F>(&self, asked: A, work: W) -> Result<T, StoreFailed>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
        W: Fn(Db, Arc<A>) -> F + Send + Sync + 'static,
        F: Future<Output = Acted<T>> + Send + 'static,
    {
        self.act_within(DEADLINE, asked, work).await
    }

    /// Does an act of which nobody knows how much it has to change: of an account whose password got
    /// about, all sessions must end, however many a thief has opened.
    pub(super) async fn long_act<A, T, W, F>(&self, asked: A, work: W) -> Result<T, StoreFailed>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
        W: Fn(Db, Arc<A>) -> F + Send + Sync + 'static,
        F: Future<Output = Acted<T>> + Send + 'static,
    {
        self.act_within(LONG_DEADLINE, asked, work).await
    }

    async fn act_within<A, T, W, F>(
        &self,
        deadline: Duration,
        asked: A,
        work: W,
    ) -> Result<T, StoreFailed>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
        W: Fn(Db, Arc<A>) -> F + Send + Sync + 'static,
        F: Future<Output = Acted<T>> + Send + 'static,
    {
        let (shared, asked) = (Arc::clone(&self.0), Arc::new(asked));
        let acting = tokio::spawn(async move { shared.perform(deadline, &asked, work).await });
        acting.await.map_err(|error| Fault::Stopped(error.to_string()))?
    }
}

impl Shared {
    async fn perform<A, T, W, F>(
        &self,
        deadline: Duration,
        asked: &Arc<A>,
        work: W,
    ) -> Result<T, StoreFailed>
    where
        W: Fn(Db, Arc<A>) -> F,
        F: Future<Output = Acted<T>>,
    {
        let _place = self.waiting.try_acquire().map_err(|_| Fault::QueueFull)?;
        for n in 1.. {
            let outcome = self.once(deadline, asked, &work).await;
            match outcome {
                Err(failure) if n < TRIES_MAX && is_passing(&failure) => sleep(PAUSE * n).await,
                outcome => return outcome,
            }
        }
        Err(Fault::NotWhole.into())
    }

    async fn once<A, T, W, F>(
        &self,
        deadline: Duration,
        asked: &Arc<A>,
        work: &W,
    ) -> Result<T, StoreFailed>
    where
        W: Fn(Db, Arc<A>) -> F,
        F: Future<Output = Acted<T>>,
    {
        let taken = self.pool.take().await?;
        let link = taken.link();
        let acting = async {
            // The first statement goes out behind the beginning, which waits for nobody.
            let acted = work(Arc::clone(link), Arc::clone(asked));
            let (begun, acted) = tokio::join!(biased; link.begin(), acted);
            begun?;
            finish(link, acted).await
        };
        let outcome = timeout(deadline, acting).await;
        // Whatever came of it: of a commit that was cut off nobody knows.
        if let Some(recent) = &self.recent {
            recent.tell(link.changed());
        }
        let outcome = outcome.map_err(|_late| Fault::TooLate)?;
        if link.has_appended() && outcome.is_ok() {
            self.appended.send_modify(|count| *count = count.wrapping_add(1));
        }
        // One on which anything else went wrong is closed, and so rolled back.
        if outcome.as_ref().err().is_none_or(is_passing) {
            taken.give_back();
        }
        outcome
    }
}

/// Keeps what was done, or takes it back.
async fn finish<T>(link: &Link, acted: Acted<T>) -> Result<T, StoreFailed> {
    match acted {
        Ok(Verdict::Keep(value)) => {
            link.commit().await?;
            Ok(value)
        }
        Ok(Verdict::Undo(value)) => {
            link.perform("ROLLBACK").await?;
            Ok(value)
        }
        Err(failure) => {
            if is_passing(&failure) {
                link.perform("ROLLBACK").await?;
            }
            Err(failure)
        }
    }
}
