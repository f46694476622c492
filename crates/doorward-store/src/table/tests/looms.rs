//! The table under loom: every order in which the threads' steps can meet, up to a number of turns
//! taken out of turn.
//!
//! The threads are the real ones: the writer, which commits to the store, applies, and only then
//! acknowledges; the one that fills; and requests, which ask the table, and the store where the table
//! says so. The store is one value behind a lock, as atomic as a transaction is.

use loom::model::Builder;
use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use loom::sync::{Arc, Mutex, RwLock};
use loom::thread;

use super::*;

/// How many turns out of turn are tried. Each mistake that was put in on purpose was found with two.
const PREEMPTIONS: usize = 3;

struct Loom;

impl Locks for Loom {
    type Lock<T: Send + Sync> = RwLock<T>;
    type Word = AtomicU64;
}

impl<T: Send + Sync> Lock<T> for RwLock<T> {
    fn new(value: T) -> Self {
        Self::new(value)
    }

    fn look<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.read().unwrap())
    }

    fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        change(&mut self.write().unwrap())
    }
}

impl Word for AtomicU64 {
    fn new(value: u64) -> Self {
        Self::new(value)
    }

    fn load(&self) -> u64 {
        self.load(Ordering::Acquire)
    }

    fn store(&self, value: u64) {
        self.store(value, Ordering::Release);
    }
}

/// A store with one session at the most, and the table in front of it.
struct Node {
    table: Table<Loom>,
    /// There is one writer.
    writer: Mutex<()>,
    kept: Mutex<Option<Found>>,
    retired: Mutex<Option<SecretDigest>>,
}

impl Node {
    fn new(kept: Option<Found>) -> Self {
        Self {
            table: Table::of_shards(1, 1 << 20),
            writer: Mutex::new(()),
            kept: Mutex::new(kept),
            retired: Mutex::new(None),
        }
    }

    /// As it is once everything was read.
    fn filled(kept: Option<Found>) -> Arc<Self> {
        let node = Self::new(kept);
        node.fill();
        Arc::new(node)
    }

    fn fill(&self) {
        let Some(fill) = self.table.begin_fill() else { return };
        self.table.begin_slice(fill);
        let sessions = self.kept.lock().unwrap().clone().into_iter().collect();
        let retired = self.retired.lock().unwrap().into_iter().collect();
        self.table.fill(fill, Read { sessions, retired, is_torn: false });
        self.table.end_fill(fill);
    }

    /// An act on the session: it is committed, what it left is applied, and then it is acknowledged.
    fn act(&self, act: impl FnOnce(&mut Option<Found>)) {
        let _one_writer = self.writer.lock().unwrap();
        let change = {
            let mut kept = self.kept.lock().unwrap();
            act(&mut kept);
            kept.as_ref().map_or(dropped(10), put)
        };
        self.table.apply(vec![change]);
    }

    fn end(&self) {
        self.act(|kept| *kept = None);
    }

    fn open(&self) {
        self.act(|kept| *kept = Some(found(anonymous(10))));
    }

    fn touch(&self) {
        self.act(|kept| {
            if let Some(kept) = kept {
                kept.session.seen_at = after(60);
            }
        });
    }

    /// A request with the `n`th secret.
    fn check(&self, n: u64) -> Option<Found> {
        let key = key(n);
        match self.table.by_key(key) {
            Answer::Here(found) => Some(found),
            Answer::Gone => None,
            Answer::Ask => {
                self.kept.lock().unwrap().clone().filter(|kept| kept.session.key == Some(key))
            }
        }
    }

    fn has_retired(&self, n: u64) -> bool {
        match self.table.is_retired(key(n)) {
            Answer::Gone => false,
            Answer::Here(()) | Answer::Ask => *self.retired.lock().unwrap() == Some(key(n)),
        }
    }
}

fn model(run: impl Fn() + Send + Sync + 'static) {
    model_with(PREEMPTIONS, run);
}

fn model_with(preemptions: usize, run: impl Fn() + Send + Sync + 'static) {
    let mut model = Builder::new();
    model.preemption_bound = Some(preemptions);
    model.check(run);
}

/// A request beside an end. Whatever it is answered itself: if the end was acknowledged before the
/// request began, it is refused.
fn check_beside_an_end(node: &Arc<Node>) {
    let acknowledged = Arc::new(AtomicBool::new(false));
    let writer = {
        let (node, acknowledged) = (Arc::clone(node), Arc::clone(&acknowledged));
        thread::spawn(move || {
            node.end();
            acknowledged.store(true, Ordering::Release);
        })
    };
    let was_acknowledged = acknowledged.load(Ordering::Acquire);
    let accepted = node.check(10).is_some();
    assert!(!(was_acknowledged && accepted), "accepted after its end was acknowledged");
    writer.join().unwrap();
    assert!(node.check(10).is_none());
}

#[test]
fn no_check_accepts_after_an_acknowledged_end() {
    model(|| check_beside_an_end(&Node::filled(Some(found(anonymous(10))))));
}

#[test]
fn no_fill_revives_what_ends_beside_it() {
    model(|| {
        let node = Arc::new(Node::new(Some(found(anonymous(10)))));
        let filler = {
            let node = Arc::clone(&node);
            thread::spawn(move || node.fill())
        };
        node.end();
        assert!(node.check(10).is_none(), "the fill is still under way, perhaps");
        filler.join().unwrap();
        assert!(node.check(10).is_none());
    });
}

#[test]
fn no_fill_loses_what_is_opened_beside_it() {
    model(|| {
        let node = Arc::new(Node::new(None));
        let filler = {
            let node = Arc::clone(&node);
            thread::spawn(move || node.fill())
        };
        node.open();
        assert!(node.check(10).is_some(), "it was acknowledged");
        filler.join().unwrap();
        assert!(node.check(10).is_some());
    });
}

#[test]
fn a_fill_beside_a_use_leaves_the_later_use() {
    model(|| {
        let node = Arc::new(Node::new(Some(found(anonymous(10)))));
        let filler = {
            let node = Arc::clone(&node);
            thread::spawn(move || node.fill())
        };
        node.touch();
        filler.join().unwrap();
        assert_eq!(node.check(10).unwrap().session.seen_at, after(60));
    });
}

#[test]
fn no_honest_request_is_refused_beside_a_new_secret() {
    model(|| {
        let node = Node::filled(Some(found(anonymous(10))));
        let mut renamed = found(anonymous(10));
        renamed.session.key = Some(key(20));
        renamed.session.generation = 1;
        let writer = {
            let node = Arc::clone(&node);
            thread::spawn(move || {
                node.touch();
                node.table.announce(vec![key(10)]);
                {
                    let (mut kept, mut retired) =
                        (node.kept.lock().unwrap(), node.retired.lock().unwrap());
                    (*kept, *retired) = (Some(renamed.clone()), Some(key(10)));
                }
                node.table.apply(vec![put(&renamed), Change::Retired(key(10), Kept::Here(()))]);
                assert!(node.check(20).is_some(), "it was acknowledged");
                assert!(node.check(10).is_none(), "so was the end of this one");
            })
        };
        // It is this session's secret, or it was: never one that nobody knows.
        assert!(node.check(10).is_some() || node.has_retired(10));
        writer.join().unwrap();
    });
}

#[test]
fn a_look_sees_a_change_of_account_and_session_together_or_not() {
    model(|| {
        let node = Node::filled(Some(found(session(10, 1))));
        let mut moved = found(session(10, 1));
        let account = moved.account.as_mut().unwrap();
        account.epoch = account.epoch.next();
        moved.session.owner.as_mut().unwrap().epoch = account.epoch;
        let changed = account.clone();
        let writer = {
            let node = Arc::clone(&node);
            thread::spawn(move || {
                *node.kept.lock().unwrap() = Some(moved.clone());
                let account = Change::Account(AccountId(1), Kept::Here(Box::new(changed)));
                node.table.apply(vec![account, put(&moved)]);
            })
        };
        let seen = node.check(10).unwrap();
        assert_eq!(seen.session.owner.unwrap().epoch, seen.account.unwrap().epoch);
        writer.join().unwrap();
    });
}

#[test]
fn no_use_revives_what_ends_beside_it() {
    // Three threads have very many orders.
    model_with(2, || {
        let node = Node::filled(Some(found(anonymous(10))));
        let toucher = {
            let node = Arc::clone(&node);
            thread::spawn(move || node.touch())
        };
        check_beside_an_end(&node);
        toucher.join().unwrap();
    });
}

#[test]
fn a_table_made_void_beside_a_fill_and_an_end_revives_nothing() {
    model(|| {
        let node = Arc::new(Node::new(Some(found(anonymous(10)))));
        let filler = {
            let node = Arc::clone(&node);
            thread::spawn(move || {
                node.fill();
                node.fill();
            })
        };
        // Another process ends the session; the writer notices, and what was read counts no more.
        *node.kept.lock().unwrap() = None;
        node.table.void();
        assert!(node.check(10).is_none());
        filler.join().unwrap();
        assert!(node.check(10).is_none());
    });
}
