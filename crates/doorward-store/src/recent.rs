//! Sessions that were read of late: what stands before a store that is a network away.
//!
//! ```text
//!   a secret ──▶ read within the last second? ──yes──▶ changed since? ──no──▶ as it was read
//!                       │no                              │yes
//!                       └──────────▶ the store ◀─────────┘
//! ```
//!
//! # What this module answers
//!
//! - *An end on another node*: what was read counts for [`BOUND`] at the most, from before the
//!   store was asked. Nothing has to arrive for that: a node that is cut off from all others is no further
//!   behind. What does arrive makes it sooner.
//! - *An end on this node*: it is told here before it is answered. What was being read meanwhile began
//!   before, and so counts no more than what was read before.
//! - *A session that another node has opened*: that there is no session is never remembered.
//! - *A flood of secrets*: only what was found is remembered, at most [`COUNT_MAX`] of it.
//!
//! # What is not here
//!
//! No decision: whoever gets a session from here checks it, as one from the store.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use doorward_wire::{AccountId, SecretDigest, SessionId};
use parking_lot::{Mutex, RwLock};
use tokio::time::Instant;

use crate::act::Found;

/// How long what was read counts.
pub(crate) const BOUND: Duration = Duration::from_secs(1);

/// The most sessions that are remembered: about 50 MB of them.
const COUNT_MAX: usize = 100_000;

/// How many locks there are. More than cores, so that they seldom meet at one.
const SHARDS: usize = 64;

/// The sessions that were read of late.
pub(crate) struct Recent {
    shards: [Mutex<Aging<SecretDigest, Read>>; SHARDS],
    /// When what it is made of changed last, as far as that matters to what is remembered.
    changed: RwLock<Aging<Changed, Instant>>,
    bound: Duration,
}

/// A session, and when it was asked for.
struct Read {
    found: Found,
    begun: Instant,
}

/// What has changed of what a session was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Changed {
    Session(SessionId),
    Account(AccountId),
}

/// When a read began: what the store says after that is at least as new.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun(Instant);

impl Begun {
    /// Before the store is asked.
    pub(crate) fn now() -> Self {
        Self(Instant::now())
    }
}

/// Entries of the last while. They go in two generations, so that nobody looks for those that are old.
struct Aging<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    since: Instant,
}

impl<K: Eq + Hash, V> Aging<K, V> {
    fn new() -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), since: Instant::now() }
    }

    fn get(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// Keeps an entry for at least `life`, if no more than `young_max` come within that.
    fn keep(&mut self, key: K, value: V, (life, young_max): (Duration, usize)) {
        let now = Instant::now();
        if now.duration_since(self.since) >= life || self.young.len() >= young_max {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young = HashMap::new();
            self.since = now;
        }
        self.young.insert(key, value);
    }
}

impl Recent {
    /// A memory in which what was read counts for so long.
    pub(crate) fn within(bound: Duration) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::new(Aging::new())),
            changed: RwLock::new(Aging::new()),
            bound,
        }
    }

    /// The session that answers to a secret, if it was read of late and has not changed since.
    pub(crate) fn find(&self, key: SecretDigest) -> Option<Found> {
        let shard = self.shard(key).lock();
        let read = shard.get(&key)?;
        self.counts(&read.found, Begun(read.begun)).then(|| read.found.clone())
    }

    /// Whether what was asked for then counts still: it is not too long ago, and nothing of it has changed.
    pub(crate) fn counts(&self, found: &Found, Begun(begun): Begun) -> bool {
        if begun.elapsed() >= self.bound {
            return false;
        }
        let changed = self.changed.read();
        // At the very moment that the read began, or later.
        let is_changed = |what| changed.get(&what).is_some_and(|at| *at >= begun);
        let Found { session, account, .. } = found;
        !is_changed(Changed::Session(session.sid))
            && !account.as_ref().is_some_and(|it| is_changed(Changed::Account(it.id)))
    }

    /// Remembers what the store has said.
    pub(crate) fn keep(&self, key: SecretDigest, found: &Found, Begun(begun): Begun) {
        let read = Read { found: found.clone(), begun };
        self.shard(key).lock().keep(key, read, (self.bound, COUNT_MAX / SHARDS / 2));
    }

    /// Says what has changed: whatever was asked for before counts no more.
    ///
    /// After the commit, and before anybody is answered.
    pub(crate) fn tell(&self, all: impl IntoIterator<Item = Changed>) {
        let mut changed = self.changed.write();
        let now = Instant::now();
        for what in all {
            // Not bounded in number: each was a change that the store has kept.
            changed.keep(what, now, (self.bound, usize::MAX));
        }
    }

    fn shard(&self, key: SecretDigest) -> &Mutex<Aging<SecretDigest, Read>> {
        &self.shards[usize::from(key.0[0]) % SHARDS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::sample::{account, device, key, session};

    fn found(n: u64) -> Found {
        Found { session: session(n, 1).session, device: device(), account: None }
    }

    async fn pass(time: Duration) {
        tokio::time::advance(time).await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_read_counts_for_a_second_from_before_the_store_was_asked() {
        let recent = Recent::within(BOUND);
        assert_eq!(recent.find(key(1)), None);
        let begun = Begun::now();
        pass(Duration::from_millis(600)).await;
        recent.keep(key(1), &found(7), begun);
        assert_eq!(recent.find(key(1)), Some(found(7)));
        pass(Duration::from_millis(399)).await;
        assert_eq!(recent.find(key(1)), Some(found(7)));
        pass(Duration::from_millis(1)).await;
        assert_eq!(recent.find(key(1)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_changed_counts_no_more_and_neither_does_what_was_being_read() {
        let recent = Recent::within(BOUND);
        recent.keep(key(1), &found(7), Begun::now());
        recent.keep(key(2), &found(8), Begun::now());
        let before = Begun::now();
        recent.tell([Changed::Session(SessionId(7))]);
        assert_eq!(recent.find(key(1)), None);
        assert_eq!(recent.find(key(2)), Some(found(8)), "another");
        recent.keep(key(1), &found(7), before);
        assert_eq!(recent.find(key(1)), None, "asked for before the change");
        pass(Duration::from_millis(1)).await;
        recent.keep(key(1), &found(7), Begun::now());
        assert_eq!(recent.find(key(1)), Some(found(7)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_counts_no_more_when_its_account_has_changed() {
        let recent = Recent::within(BOUND);
        let account = account(3, "ada").account;
        let found = Found { account: Some(account.clone()), ..found(7) };
        recent.keep(key(1), &found, Begun::now());
        recent.tell([Changed::Account(AccountId(4)), Changed::Session(SessionId(3))]);
        assert_eq!(recent.find(key(1)), Some(found));
        recent.tell([Changed::Account(account.id)]);
        assert_eq!(recent.find(key(1)), None);
    }

    /// A change is remembered for as long as anything that was read before it could count.
    #[tokio::test(start_paused = true)]
    async fn a_change_outlives_what_it_changed_whatever_else_changes() {
        let recent = Recent::within(BOUND);
        for step in 0..40 {
            let begun = Begun::now();
            recent.tell([Changed::Session(SessionId(7))]);
            for n in 0..20 {
                recent.tell([Changed::Session(SessionId(1000 + n))]);
                pass(Duration::from_millis(step)).await;
                recent.keep(key(1), &found(7), begun);
                assert_eq!(recent.find(key(1)), None, "step {step}, after {n}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_are_remembered_than_may_be() {
        let recent = Recent::within(BOUND);
        let begun = Begun::now();
        for n in 0..COUNT_MAX as u64 + 40_000 {
            recent.keep(key(n), &found(n), begun);
        }
        let count = |shard: &Mutex<Aging<_, _>>| {
            let shard = shard.lock();
            shard.young.len() + shard.old.len()
        };
        assert!(recent.shards.iter().map(count).sum::<usize>() <= COUNT_MAX);
    }
}
