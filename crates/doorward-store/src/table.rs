//! The table of live sessions: an image, in memory, of what the store keeps. Never a guess.
//!
//! ```text
//!            begin_fill ──▶ Filling ──all was read──▶ Complete ──▶ a miss is "no such session"
//!                ▲             └────no room for all──▶ Partial ──▶ a miss asks the store
//!                │
//!              Void ◀──void, from any of them: another process wrote. Every look asks the store
//!              Dead ◀──stop: the same, for good
//! ```
//!
//! One thread changes what the store keeps, and applies here what each commit has changed, before
//! anybody hears of it. Another reads the store from end to end, and fills in what is not here yet.
//! Any number look.
//!
//! # What this module answers
//!
//! - *An end that was acknowledged*: it was applied before, so no look that begins later finds the
//!   session.
//! - *Half a change*: the word is closed while a change is made, and a look counts only if the word
//!   was open before it and the same after. So every answer is a state that was committed, whole.
//! - *A fill that brings back what has ended*: it had read the session before. What has changed since
//!   the reading of a slice began is left as that change left it, and nothing is overwritten.
//! - *A miss that is none*, while not all is here: it asks the store, like all that is not certain.
//! - *A change that stops in the middle*, because of a bug: the word stays closed for good.
//! - *Memory*: bounded. Beyond the bound those used last are here, and a miss asks the store.
//!
//! `table/tests/looms.rs` tries these in every order of the threads' steps, and `tests/models` the whole
//! protocol in every order of its own.
//!
//! # What is not here
//!
//! No database and no clock: whether the table is fresh enough to be asked is decided by who asks.

use std::sync::Arc;

use doorward_core::account::Account;
use doorward_wire::{AccountId, SecretDigest, SessionId};

use self::entry::{Entry, Member};
use self::ledger::Ledger;
use self::locks::{Lock, Locks, Plain, Word};
use self::shard::{Keys, Place, Sessions, shard_of, shard_of_key};
use crate::act::Found;

pub(crate) use self::entry::Kept;
pub use self::ledger::TableSize;
pub(crate) use self::ledger::{Fill, Part};

mod entry;
mod ledger;
mod locks;
mod shard;
#[cfg(test)]
mod tests;

/// How many shards there are. The lock of one is held for no longer than one session takes.
const SHARD_COUNT: usize = 64;

/// Set in the word while the table may be used.
const OPEN: u64 = 1;
/// Set in the word while the table has every session.
const COMPLETE: u64 = 2;
/// Added to the word by each change, so that no look takes it for the one before.
const CHANGE: u64 = 4;

/// The table of live sessions.
pub(crate) struct Table<L: Locks = Plain> {
    word: L::Word,
    sessions: Box<[L::Lock<Sessions<L>>]>,
    keys: Box<[L::Lock<Keys>]>,
    /// Held by whoever changes anything, and not by those who look.
    ledger: L::Lock<Ledger<L>>,
}

/// What the table has to say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer<T> {
    /// This, for certain.
    Here(T),
    /// There is none, for certain.
    Gone,
    /// Nothing that counts: ask the store.
    Ask,
}

/// What a commit has changed, as it is after it.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// A session, with its account.
    Session(SessionId, Kept<Box<Found>>),
    /// An account.
    Account(AccountId, Kept<Box<Account>>),
    /// Whether a key is one that was retired.
    Retired(SecretDigest, Kept<()>),
}

/// A part of what the store keeps, as it was read.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// Sessions, with their accounts.
    pub(crate) sessions: Vec<Found>,
    /// Keys that were retired.
    pub(crate) retired: Vec<SecretDigest>,
    /// Whether there was something that could not be read.
    pub(crate) is_torn: bool,
}

/// What a look comes to, if nothing changed meanwhile.
enum Sight<T> {
    Seen(T),
    /// Nothing of that name.
    Missed,
    /// Something that cannot be told from here.
    Unsure,
}

/// Looking: by anybody, at any time.
impl<L: Locks> Table<L> {
    /// Finds the session that answers to a secret.
    pub(crate) fn by_key(&self, key: SecretDigest) -> Answer<Found> {
        self.look(|| {
            let places = self.keys(key).look(|keys| keys.places(key));
            let mut sight = Sight::Missed;
            for place in places {
                let seen = self.sessions[place.shard()].look(|sessions| {
                    sessions.at(place).filter(|entry| entry.key() == Some(key)).map(seen)
                });
                match seen {
                    Some(seen) => return seen,
                    // Another session's digest has a part in common, which only chance brings about.
                    None => sight = Sight::Unsure,
                }
            }
            sight
        })
    }

    /// Finds a session by its id.
    pub(crate) fn by_sid(&self, sid: SessionId) -> Answer<Found> {
        self.look(|| self.shard(sid).look(|them| them.find(sid).map_or(Sight::Missed, seen)))
    }

    /// Whether a key is one that was retired. The table knows no more of it.
    pub(crate) fn is_retired(&self, key: SecretDigest) -> Answer<()> {
        self.look(|| {
            let is_retired = self.keys(key).look(|keys| keys.is_retired(key));
            if is_retired { Sight::Seen(()) } else { Sight::Missed }
        })
    }

    fn look<T>(&self, look: impl FnOnce() -> Sight<T>) -> Answer<T> {
        let before = self.word.load();
        if before & OPEN == 0 {
            return Answer::Ask;
        }
        let sight = look();
        // The word was closed before anything was changed. So whoever has seen a part of a change
        // sees another word now.
        if self.word.load() != before {
            return Answer::Ask;
        }
        match sight {
            Sight::Seen(seen) => Answer::Here(seen),
            Sight::Missed if before & COMPLETE != 0 => Answer::Gone,
            Sight::Missed | Sight::Unsure => Answer::Ask,
        }
    }

    fn shard(&self, sid: SessionId) -> &L::Lock<Sessions<L>> {
        &self.sessions[shard_of(sid, self.sessions.len())]
    }

    fn keys(&self, key: SecretDigest) -> &L::Lock<Keys> {
        &self.keys[shard_of_key(key, self.keys.len())]
    }

    /// How much it holds.
    pub(crate) fn size(&self) -> TableSize {
        self.ledger.look(Ledger::size)
    }

    /// Whether there is room now for what had none, and a fill would find it.
    pub(crate) fn wants_fill(&self) -> bool {
        self.ledger.look(Ledger::wants_fill)
    }
}

fn seen<L: Locks>(entry: &Entry<L>) -> Sight<Found> {
    entry.found().map_or(Sight::Unsure, Sight::Seen)
}

/// Changing: by one at a time.
impl<L: Locks> Table<L> {
    /// An empty table that nobody may use yet, for so many bytes.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self::of_shards(SHARD_COUNT, bytes_max)
    }

    fn of_shards(count: usize, bytes_max: usize) -> Self {
        assert!(count <= Place::SHARD_COUNT_MAX, "a place has no room for more");
        Self {
            word: Word::new(0),
            sessions: (0..count).map(|_| Lock::new(Sessions::new())).collect(),
            keys: (0..count).map(|_| Lock::new(Keys::new())).collect(),
            ledger: Lock::new(Ledger::new(bytes_max)),
        }
    }

    /// Tells, *before* the commit, which keys it will retire.
    ///
    /// Whoever has just read in the store that a key answers no more must not hear from here that it
    /// was never retired. Of a retired key the table only knows that the store is to be asked, so
    /// knowing it too early does no harm, and neither does a commit that then fails.
    pub(crate) fn announce(&self, keys: Vec<SecretDigest>) {
        self.change(|ledger| {
            for key in &keys {
                self.retire(ledger, *key);
            }
            ledger.announced = keys;
        });
    }

    /// Applies what a commit has changed. Call it after the commit, in the order of commits, and
    /// before anybody hears of them.
    pub(crate) fn apply(&self, changes: Vec<Change>) {
        self.change(|ledger| {
            if !ledger.is_open() {
                // The next fill will read it.
                return;
            }
            for change in changes {
                match change {
                    Change::Session(sid, kept) => self.keep_session(ledger, sid, kept),
                    Change::Account(id, kept) => ledger.keep_account(id, kept),
                    Change::Retired(key, kept) => self.keep_retired(ledger, key, &kept),
                }
            }
        });
    }

    /// Makes void all that the table has: somebody else has changed what the store keeps.
    pub(crate) fn void(&self) {
        self.change(Ledger::void);
    }

    /// Says that nobody applies changes any more.
    pub(crate) fn stop(&self) {
        self.change(Ledger::stop);
    }

    /// Begins a fill, from nothing. `None` if there is nothing to fill, or the table has stopped.
    pub(crate) fn begin_fill(&self) -> Option<Fill> {
        let (fill, _old) = self.change(|ledger| {
            let fill = ledger.begin_fill()?;
            let empty =
                |shard: &L::Lock<_>| shard.change(|it| std::mem::replace(it, Sessions::new()));
            let old_sessions: Vec<_> = self.sessions.iter().map(empty).collect();
            let empty = |shard: &L::Lock<_>| shard.change(|it| std::mem::replace(it, Keys::new()));
            let old_keys: Vec<_> = self.keys.iter().map(empty).collect();
            for key in ledger.announced.clone() {
                self.retire(ledger, key);
            }
            Some((fill, (old_sessions, old_keys)))
        })?;
        // A million entries take a while to drop. Nobody waits for it here.
        Some(fill)
    }

    /// Begins a slice of a fill. Call it *before* the reading begins: what changes from now on, and
    /// may or may not have been read, is left as the change leaves it.
    pub(crate) fn begin_slice(&self, fill: Fill) -> Part {
        self.change(|ledger| ledger.begin_slice(fill))
    }

    /// Fills in what was read of a slice.
    pub(crate) fn fill(&self, fill: Fill, read: Read) -> Part {
        self.change(|ledger| {
            if !ledger.is_in(fill) {
                return Part::Void;
            }
            if read.is_torn {
                ledger.leave_out();
            }
            for found in read.sessions {
                let sid = found.session.sid;
                if ledger.has_changed(sid) || self.shard(sid).look(|them| them.find(sid).is_some())
                {
                    continue;
                }
                if !self.has_room(ledger, sid) {
                    return ledger.end_slice(Part::Full);
                }
                let member = ledger.member_read(&found);
                self.put(ledger, found, member);
            }
            for key in read.retired {
                if !ledger.has_changed_key(key) {
                    self.retire(ledger, key);
                }
            }
            ledger.end_slice(Part::Next)
        })
    }

    /// Ends a fill that has read everything, or has no room for more.
    pub(crate) fn end_fill(&self, fill: Fill) -> Part {
        self.change(|ledger| ledger.end_fill(fill))
    }

    /// Makes a change while nobody else does, with the word closed.
    fn change<R>(&self, change: impl FnOnce(&mut Ledger<L>) -> R) -> R {
        self.ledger.change(|ledger| {
            let closed = ledger.begin_change(CHANGE);
            self.word.store(closed);
            let result = change(ledger);
            ledger.end_change();
            let open = if ledger.is_open() { OPEN } else { 0 };
            let complete = if ledger.is_complete() { COMPLETE } else { 0 };
            self.word.store(closed | open | complete);
            result
        })
    }

    fn keep_session(&self, ledger: &mut Ledger<L>, sid: SessionId, kept: Kept<Box<Found>>) {
        ledger.note_change(sid);
        self.drop_session(ledger, sid);
        match kept {
            Kept::Gone => {}
            Kept::Unreadable => ledger.leave_out(),
            Kept::Here(found) => {
                if self.make_room(ledger, sid) {
                    let member = ledger.member_now(&found);
                    self.put(ledger, *found, member);
                }
            }
        }
    }

    fn keep_retired(&self, ledger: &mut Ledger<L>, key: SecretDigest, kept: &Kept<()>) {
        ledger.note_changed_key(key);
        match kept {
            Kept::Here(()) => self.retire(ledger, key),
            Kept::Unreadable => ledger.leave_out(),
            Kept::Gone => {
                if self.keys(key).change(|keys| keys.forget_retired(key)) {
                    ledger.forget_retired();
                }
            }
        }
    }

    fn retire(&self, ledger: &mut Ledger<L>, key: SecretDigest) {
        if !ledger.has_room() {
            ledger.run_out_of_room();
        } else if self.keys(key).change(|keys| keys.retire(key)) {
            ledger.count_retired();
        }
    }

    /// Puts in a session that is not here. There has to be room.
    fn put(&self, ledger: &mut Ledger<L>, found: Found, member: Option<Arc<Member<L>>>) {
        let (sid, key) = (found.session.sid, found.session.key);
        let entry = ledger.lay_out(found, member);
        let shard = shard_of(sid, self.sessions.len());
        let slot = self.sessions[shard].change(|sessions| sessions.put(entry));
        if let Some(key) = key {
            self.keys(key).change(|keys| keys.point(key, Place::of(shard, slot)));
        }
    }

    /// Takes a session out, if it is here.
    fn drop_session(&self, ledger: &mut Ledger<L>, sid: SessionId) {
        let shard = shard_of(sid, self.sessions.len());
        let taken = self.sessions[shard].change(|sessions| sessions.take(sid));
        let Some((slot, entry)) = taken else { return };
        if let Some(key) = entry.key() {
            self.keys(key).change(|keys| keys.unpoint(key, Place::of(shard, slot)));
        }
        ledger.take_apart(entry);
    }

    fn has_room(&self, ledger: &Ledger<L>, sid: SessionId) -> bool {
        ledger.has_room() && self.shard(sid).look(Sessions::has_slot)
    }

    /// Gives up sessions beside `sid` that were used least, until there is room. Says whether there
    /// is.
    fn make_room(&self, ledger: &mut Ledger<L>, sid: SessionId) -> bool {
        while !self.has_room(ledger, sid) {
            ledger.run_out_of_room();
            let Some(least) = self.shard(sid).change(Sessions::least_used) else { return false };
            self.drop_session(ledger, least);
        }
        true
    }
}
