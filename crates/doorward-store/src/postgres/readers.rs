//! Connections for reads: a few that all share. What is asked for goes out at once, one behind the
//! other, and the answers come back in that order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Mutex;
use tokio::time::timeout;

use super::address::Address;
use super::fault::Fault;
use super::link::Link;
use super::{DEADLINE, READERS};
use crate::act::StoreFailed;

pub(super) struct Readers {
    address: Address,
    links: [Mutex<Option<Arc<Link>>>; READERS],
    next: AtomicUsize,
}

impl Readers {
    pub(super) fn new(address: Address) -> Self {
        Self {
            address,
            links: std::array::from_fn(|_| Mutex::default()),
            next: AtomicUsize::new(0),
        }
    }

    /// Reads something, in time or not at all.
    pub(super) async fn read<T, F>(
        &self,
        ask: impl FnOnce(Arc<Link>) -> F,
    ) -> Result<T, StoreFailed>
    where
        F: Future<Output = Result<T, StoreFailed>>,
    {
        let n = self.next.fetch_add(1, Ordering::Relaxed) % READERS;
        let asking = async {
            let link = self.link(n).await?;
            let answer = ask(Arc::clone(&link)).await;
            if answer.is_err() {
                self.forget(n, &link).await;
            }
            answer
        };
        match timeout(DEADLINE, asking).await {
            Ok(answer) => answer,
            Err(_late) => {
                // Whoever shares it waits for the same server. If it cannot be had now, somebody is
                // making another already.
                if let Ok(mut kept) = self.links[n].try_lock() {
                    *kept = None;
                }
                Err(Fault::TooLate.into())
            }
        }
    }

    /// A connection, made anew if it was lost. Of many who miss it one makes it.
    async fn link(&self, n: usize) -> Result<Arc<Link>, Fault> {
        let mut kept = self.links[n].lock().await;
        if let Some(link) = kept.as_ref().filter(|link| !link.is_closed()) {
            return Ok(Arc::clone(link));
        }
        let link = Link::open(&self.address).await?;
        link.perform("SET default_transaction_read_only = on").await?;
        Ok(Arc::clone(kept.insert(Arc::new(link))))
    }

    /// Lets go of a connection that has failed.
    async fn forget(&self, n: usize, failed: &Arc<Link>) {
        let mut kept = self.links[n].lock().await;
        if kept.as_ref().is_some_and(|link| Arc::ptr_eq(link, failed)) {
            *kept = None;
        }
    }
}
