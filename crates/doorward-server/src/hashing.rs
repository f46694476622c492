//! The threads that check passwords: a fixed number, with a bounded queue.
//!
//! Argon2 costs 15 ms and 19 MiB on purpose. On these threads it can cost no more than that: each
//! keeps one arena for ever, a flood of logins fills the queue and is told to come back, and nothing
//! else ever waits behind it (attack 31).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use doorward_core::credential::{HashFailure, HashParams, Hasher};
use parking_lot::Mutex;
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce(&mut Hasher) + Send>;

/// How many logins may wait: about half a second of work on two cores.
pub const QUEUE_MAX: usize = 64;

/// A pool of threads that hash.
pub struct HashPool {
    jobs: SyncSender<Job>,
    waiting: Arc<AtomicUsize>,
}

/// The queue is full, or the pool is stopping. Come back later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many logins at once")]
pub struct Busy;

/// The threads could not be started, or had no memory.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    /// No memory for an arena.
    #[error(transparent)]
    Memory(#[from] HashFailure),
    /// No thread.
    #[error(transparent)]
    Thread(#[from] std::io::Error),
}

impl std::fmt::Debug for HashPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HashPool({} waiting)", self.waiting())
    }
}

impl HashPool {
    /// Starts `threads` threads; each calls `on_start` first, to lower its priority for example.
    pub fn start(threads: usize, params: &HashParams, on_start: fn()) -> Result<Self, NotStarted> {
        let (jobs, queue) = sync_channel::<Job>(QUEUE_MAX);
        let queue = Arc::new(Mutex::new(queue));
        let waiting = Arc::new(AtomicUsize::new(0));
        for number in 0..threads.max(1) {
            let (queue, waiting) = (Arc::clone(&queue), Arc::clone(&waiting));
            let hasher = Hasher::new(params)?;
            thread::Builder::new().name(format!("hash-{number}")).spawn(move || {
                on_start();
                work(hasher, &queue, &waiting);
            })?;
        }
        Ok(Self { jobs, waiting })
    }

    /// How many jobs wait or run.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Runs a job on one of the threads. When the caller has gone by then, it is not run.
    pub async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Hasher) -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |hasher| {
            if !answer.is_closed() {
                // The caller may go while we hash; nobody is left to tell.
                let _ = answer.send(job(hasher));
            }
        });
        self.waiting.fetch_add(1, Ordering::Relaxed);
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = self.jobs.try_send(job)
        {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(Busy);
        }
        answered.await.map_err(|_| Busy)
    }
}

fn work(mut hasher: Hasher, queue: &Mutex<Receiver<Job>>, waiting: &AtomicUsize) {
    loop {
        let job = queue.lock().recv();
        let Ok(job) = job else { return };
        // A job that panics is one login's trouble; without this thread it would be everybody's.
        if catch_unwind(AssertUnwindSafe(|| job(&mut hasher))).is_err() {
            tracing::error!("a check of a password panicked");
        }
        waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_full_queue_is_told_to_come_back_and_loses_nothing() {
        let pool = Arc::new(HashPool::start(1, &HashParams::dangerous_cheap(), || ()).unwrap());
        let ((open, gate), (started, start)) = (mpsc::channel::<()>(), oneshot::channel());
        let blocked = tokio::spawn({
            let pool = Arc::clone(&pool);
            let job = move |_: &mut Hasher| started.send(()).is_ok() && gate.recv().is_ok();
            async move { pool.run(job).await }
        });
        start.await.unwrap();
        let mut queued = Vec::new();
        loop {
            let pool = Arc::clone(&pool);
            let mut job = Box::pin(async move { pool.run(|_| ()).await });
            match futures_poll_once(job.as_mut()).await {
                Some(answer) => {
                    assert_eq!(answer, Err(Busy));
                    break;
                }
                None => queued.push(job),
            }
        }
        assert_eq!(queued.len(), QUEUE_MAX);
        open.send(()).unwrap();
        assert_eq!(blocked.await.unwrap(), Ok(true));
        for job in queued {
            assert_eq!(job.await, Ok(()));
        }
    }

    async fn futures_poll_once<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(match std::pin::Pin::new(&mut future).poll(context) {
                std::task::Poll::Ready(output) => Some(output),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }
}
