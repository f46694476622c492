//! Everything kept in a PostgreSQL database: the store that many nodes share.
//!
//! ```text
//!   "who is this?" ──▶ the sessions that were read of late (see `recent`)
//!   reads    ──▶ a few connections that all share (see `readers`)
//!   acts     ──▶ one transaction each, on a connection of its own (see `acts`)
//!   the log  ──▶ one connection that listens for entries of other nodes (see `listener`)
//! ```
//!
//! # The order of locks
//!
//! A transaction sees what others have committed, statement by statement. What SQLite's one writer rules
//! out by being alone is ruled out here by locks on rows, taken in one order, so that no two acts wait
//! for each other:
//!
//! 1. the setup link, where an administrator is made;
//! 2. the account: whoever opens or renames a session of it, changes its password, moves its epoch, or
//!    adds what is counted for each account;
//! 3. the client;
//! 4. the session, or sessions by rising id: whoever writes anything that hangs from one;
//! 5. what hangs from it: data, refresh tokens, codes, bindings; then events and notices;
//! 6. the head of the revocation log: the number of an entry is taken under the lock on its one row,
//!    which is held until the commit. So numbers have no gap, and none becomes visible before the one
//!    below it;
//! 7. streams of signals, which the log's trigger reads.
//!
//! Where two acts meet in another order all the same, the server notices, and one is done again.
//!
//! # What this module answers
//!
//! - *A crash*: nothing is answered before the server has committed, with `synchronous_commit` at least
//!   `on` whatever the server's default is. A commit that was cut off is a failure.
//! - *A server that restarts, fails over, hangs, or is cut off*: acts and reads fail within seconds, and
//!   grant nothing. They work again when it does; nobody restarts us.
//! - *A flood*: connections are few, what waits for one is bounded in number and time, and what does not
//!   fit is refused at once.
//! - *Two nodes that start at once*, or that are of two versions: see `schema`.
//! - *An eavesdropper, or a false server*: whenever TLS is used, the server's certificate is verified.
//! - *A stolen database*: digests, sealed keys and password hashes; no secret opens a door from here.
//!
//! # What is not here
//!
//! No rule. What an act leads to is decided by `doorward-core`, inside the act.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use doorward_wire::{SessionId, UnixTime};
use parking_lot::Mutex;
use tokio::sync::watch;

use self::acts::{Acts, Verdict};
use self::address::Address;
use self::columns::{change, exists, params, whole};
use self::fault::Fault;
use self::follow::Follower;
use self::listener::Listener;
use self::readers::Readers;
use crate::act::StoreFailed;
use crate::recent::{self, Recent};
use crate::{Probe, Turns};

mod accounts;
mod acts;
mod address;
mod bindings;
mod clients;
mod codes;
mod columns;
mod data;
mod events;
mod fault;
mod follow;
mod keys;
mod link;
mod listener;
mod locks;
mod log;
mod notices;
mod personals;
mod places;
mod pool;
mod proofs;
mod readers;
mod refresh;
mod schema;
mod sessions;
mod setup;
mod signals;
mod sites;
mod sweep;
#[cfg(test)]
mod tests;
mod tls;
mod touch;
mod visits;
mod words;

/// The most connections for acts.
pub const POOL_MAX: usize = 16;

/// The connections for reads, which share them.
pub const READERS: usize = 4;

/// The most acts that are under way or wait for a connection. One more is refused at once.
pub const QUEUE_MAX: usize = 4096;

/// How long an act waits for a connection.
pub const WAIT_MAX: Duration = Duration::from_secs(2);

/// How long an act takes at most once it has a connection, and a read in all. Then it has failed.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// How long an act takes at most that ends all sessions of an account, whose number nobody limits.
pub const LONG_DEADLINE: Duration = Duration::from_mins(1);

/// How long what another node has done to a session can go unnoticed, whatever happens.
pub const STALE_MAX: Duration = recent::BOUND;

/// The most sessions that one call of a sweep looks at.
const LOOK_MAX: usize = 5000;

/// How much may be under way, and how much may wait.
#[derive(Clone, Copy)]
struct Sizes {
    pool_max: usize,
    queue_max: usize,
    look_max: usize,
    /// How long an act waits for a connection.
    patience: Duration,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { pool_max: POOL_MAX, queue_max: QUEUE_MAX, look_max: LOOK_MAX, patience: WAIT_MAX }
    }
}

/// Everything kept in a PostgreSQL database.
pub struct PostgresStore {
    address: Address,
    readers: Arc<Readers>,
    acts: Acts,
    /// The sessions that were read of late, where many are asked for.
    recent: Option<Arc<Recent>>,
    _follower: Option<Follower>,
    listener: Listener,
    appended: watch::Sender<u64>,
    /// Where the sweep goes on: after this session. Each node goes its own way.
    swept: Mutex<Option<SessionId>>,
    look_max: usize,
}

impl PostgresStore {
    /// Connects to a database, `postgresql://user:password@host/database`, and brings it up to date.
    ///
    /// It must be empty or ours. The URL takes what libpq's does; of many hosts the one that takes
    /// writes is chosen. `sslmode` is `prefer` unless it is given; with `require` the way is private or
    /// not taken. Whenever it is private the server's certificate is verified: against whom the machine
    /// trusts, or against the file in `sslrootcert`.
    ///
    /// Every read asks the database: right for a command, which reads a few things and ends.
    pub async fn connect(url: &str) -> Result<Self, StoreFailed> {
        Self::connect_sized(url, None, Sizes::default()).await
    }

    /// Connects to a database as [`connect`](Self::connect) does, and remembers sessions that were read of
    /// late: right for a server.
    ///
    /// What another node has done to a session counts here as soon as it is heard of, and after
    /// [`STALE_MAX`] in any case.
    pub async fn connect_as_node(url: &str) -> Result<Self, StoreFailed> {
        Self::connect_sized(url, Some(STALE_MAX), Sizes::default()).await
    }

    /// Does the steps that a database lacks for this program, takes them back, and says which they are.
    pub async fn migrate_dry_run(url: &str) -> Result<Vec<&'static str>, StoreFailed> {
        Ok(schema::rehearse(&Address::parse(url)?).await?)
    }

    async fn connect_sized(
        url: &str,
        remembered: Option<Duration>,
        sizes: Sizes,
    ) -> Result<Self, StoreFailed> {
        let address = Address::parse(url)?;
        schema::migrate(&address).await?;
        let appended = watch::Sender::new(0);
        let readers = Arc::new(Readers::new(address.clone()));
        let recent = remembered.map(|bound| Arc::new(Recent::within(bound)));
        let follow = |recent: &Arc<Recent>| {
            Follower::start(Arc::clone(&readers), Arc::clone(recent), appended.subscribe())
        };
        Ok(Self {
            _follower: recent.as_ref().map(follow),
            readers,
            acts: Acts::new(address.clone(), appended.clone(), recent.clone(), sizes),
            recent,
            listener: Listener::start(address.clone(), appended.clone()),
            address,
            appended,
            swept: Mutex::new(None),
            look_max: sizes.look_max,
        })
    }

    /// How long ago the listener heard from the server, whom it asks four times a second. Beyond a
    /// second or two, entries of other nodes come late.
    #[must_use]
    pub fn last_heard(&self) -> Duration {
        self.listener.last_heard()
    }
}

/// Shows no password.
impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Turns for PostgresStore {
    fn has_turn(&self) -> bool {
        self.listener.has_turn()
    }
}

#[async_trait]
impl Probe for PostgresStore {
    async fn probe(&self, now: UnixTime) -> Result<(), StoreFailed> {
        let read = self.readers.read(async |db| exists(&db, "SELECT at FROM probe", &[]).await);
        if !read.await? {
            return Err(Fault::Unreadable("probe.at".to_owned()).into());
        }
        self.acts
            .act((), move |db, _| async move {
                change(&db, "UPDATE probe SET at = $1", params![whole(now.0)]).await?;
                Ok(Verdict::Keep(()))
            })
            .await
    }
}
