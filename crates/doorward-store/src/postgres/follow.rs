//! Follows the revocation log, so that what other nodes end is not remembered here.
//!
//! It makes things sooner, and nothing depends on it: what is remembered is forgotten by itself.

use std::sync::Arc;

use doorward_core::revocation::{LogEntry, Revoked};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::log;
use super::readers::Readers;
use crate::act::StoreFailed;
use crate::recent::{Changed, Recent};

/// How many entries are read at once.
const SLICE: usize = 1000;

/// Follows until it is dropped.
pub(super) struct Follower(JoinHandle<()>);

impl Follower {
    pub(super) fn start(
        readers: Arc<Readers>,
        recent: Arc<Recent>,
        appended: watch::Receiver<u64>,
    ) -> Self {
        Self(tokio::spawn(follow(readers, recent, appended)))
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn follow(readers: Arc<Readers>, recent: Arc<Recent>, mut appended: watch::Receiver<u64>) {
    let mut after = None;
    // The listener tells of each new beginning, too: what could not be read is read then.
    while appended.changed().await.is_ok() {
        match catch_up(&readers, &recent, after).await {
            Ok(head) => after = Some(head),
            Err(failure) => tracing::warn!(%failure, "what other nodes have ended comes late"),
        }
    }
}

/// Takes up what is new after an entry, and says which was the last.
async fn catch_up(
    readers: &Readers,
    recent: &Recent,
    after: Option<u64>,
) -> Result<u64, StoreFailed> {
    let head = readers.read(|db| async move { log::head(&db).await }).await?;
    // Nothing was remembered before the first look; and a log that ends earlier is another one.
    let mut after = after.filter(|after| *after <= head).unwrap_or(head);
    loop {
        let entries = readers.read(|db| async move { log::after(&db, after, SLICE).await }).await?;
        recent.tell(entries.iter().filter_map(changed));
        match entries.last() {
            Some(last) => after = last.seq,
            None => return Ok(after),
        }
    }
}

fn changed(entry: &LogEntry) -> Option<Changed> {
    match entry.revocation.revoked {
        Revoked::Session(sid) | Revoked::Proof(sid) => Some(Changed::Session(sid)),
        Revoked::Account(account) => Some(Changed::Account(account)),
        Revoked::Token(_) | Revoked::Client(_) => None,
    }
}
