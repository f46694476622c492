//! The ledger: what whoever changes the table has to know, and those who look do not.

use std::collections::{HashMap, HashSet};
use std::mem::size_of;
use std::sync::Arc;

use doorward_core::account::Account;
use doorward_wire::{AccountId, SecretDigest, SessionId};

use super::entry::{Entry, Kept, Member, Shared, account_text};
use super::locks::Locks;
use crate::act::Found;

/// What a session costs beside its own entry: the two names it is found by, and idle slots.
const SESSION_BESIDE: usize = 56;
/// What an account costs beside its text.
const MEMBER_BYTES: usize = size_of::<Account>() + 128;
/// What a retired key costs.
const RETIRED_BYTES: usize = 72;

/// What the largest session may take, with an account and a browser that no other has.
const ROOM: usize = 3000;

/// One fill, from its beginning to its end. Another is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fill(u64);

/// What a part of a fill came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Go on.
    Next,
    /// There is no room for more.
    Full,
    /// Somebody else has changed what the store keeps: begin anew.
    Void,
}

/// How much the table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableSize {
    /// Sessions.
    pub session_count: usize,
    /// Memory, as near as can be told.
    pub bytes: usize,
    /// Whether those are all sessions there are.
    pub is_complete: bool,
}

pub(super) struct Ledger<L: Locks> {
    phase: Phase,
    /// What the table lacks to be complete, beside what the fill has not come to.
    lack: Lack,
    /// The number of fills that were begun.
    fill: u64,
    /// What has changed since the slice began that is being read.
    changed: Option<Changed>,
    /// The keys that the commit under way retires, or the last one that did.
    pub(super) announced: Vec<SecretDigest>,
    members: HashMap<AccountId, Arc<Member<L>>>,
    shared: Shared,
    session_count: usize,
    bytes: usize,
    bytes_max: usize,
    version: u64,
    is_changing: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nobody may use the table.
    Void,
    /// It is being filled.
    Filling,
    /// It was filled.
    Filled,
    /// Nobody applies changes any more.
    Dead,
}

/// Why the table is not complete though it was filled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lack {
    Nothing,
    /// There was no room for all.
    Room,
    /// Something could not be read.
    Unreadable,
}

#[derive(Default)]
struct Changed {
    sids: HashSet<SessionId>,
    keys: HashSet<SecretDigest>,
    /// Accounts that are here only because they have changed.
    idle: Vec<AccountId>,
}

impl<L: Locks> Ledger<L> {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            phase: Phase::Void,
            lack: Lack::Nothing,
            fill: 0,
            changed: None,
            announced: Vec::new(),
            members: HashMap::new(),
            shared: Shared::new(),
            session_count: 0,
            bytes: 0,
            bytes_max,
            version: 0,
            is_changing: false,
        }
    }

    /// Begins a change, and returns the word to close the table with.
    pub(super) fn begin_change(&mut self, step: u64) -> u64 {
        // The change before has not ended: nobody knows what it left behind.
        if self.is_changing {
            self.stop();
        }
        self.is_changing = true;
        self.version += step;
        self.version
    }

    pub(super) fn end_change(&mut self) {
        self.is_changing = false;
    }

    /// Whether the table may be used.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Filling | Phase::Filled)
    }

    pub(super) fn is_complete(&self) -> bool {
        self.phase == Phase::Filled && self.lack == Lack::Nothing
    }

    pub(super) fn void(&mut self) {
        if self.phase != Phase::Dead {
            self.phase = Phase::Void;
            self.changed = None;
        }
    }

    pub(super) fn stop(&mut self) {
        self.phase = Phase::Dead;
        self.changed = None;
    }

    pub(super) fn size(&self) -> TableSize {
        let (session_count, is_complete) = (self.session_count, self.is_complete());
        TableSize { session_count, bytes: self.bytes + self.shared.bytes(), is_complete }
    }
}

/// Filling.
impl<L: Locks> Ledger<L> {
    pub(super) fn begin_fill(&mut self) -> Option<Fill> {
        match self.phase {
            Phase::Dead => return None,
            // It was called twice.
            Phase::Filled if !self.wants_fill() => return None,
            Phase::Void | Phase::Filling | Phase::Filled => {}
        }
        self.fill += 1;
        (self.phase, self.lack) = (Phase::Filling, Lack::Nothing);
        self.changed = None;
        (self.members, self.shared) = (HashMap::new(), Shared::new());
        (self.session_count, self.bytes) = (0, 0);
        Some(Fill(self.fill))
    }

    pub(super) fn is_in(&self, fill: Fill) -> bool {
        self.phase == Phase::Filling && fill.0 == self.fill
    }

    pub(super) fn begin_slice(&mut self, fill: Fill) -> Part {
        if !self.is_in(fill) {
            return Part::Void;
        }
        self.changed = Some(Changed::default());
        Part::Next
    }

    pub(super) fn end_slice(&mut self, part: Part) -> Part {
        for id in self.changed.take().unwrap_or_default().idle {
            self.drop_member(id, 1);
        }
        if part == Part::Full {
            self.run_out_of_room();
        }
        part
    }

    pub(super) fn end_fill(&mut self, fill: Fill) -> Part {
        if !self.is_in(fill) {
            return Part::Void;
        }
        self.changed = None;
        self.phase = Phase::Filled;
        if self.is_complete() { Part::Next } else { Part::Full }
    }

    /// Whether what had no room would have it now.
    pub(super) fn wants_fill(&self) -> bool {
        let bytes = self.size().bytes;
        self.phase == Phase::Filled && self.lack == Lack::Room && bytes < self.bytes_max / 10 * 9
    }

    pub(super) fn note_change(&mut self, sid: SessionId) {
        if let Some(changed) = &mut self.changed {
            changed.sids.insert(sid);
        }
    }

    pub(super) fn note_changed_key(&mut self, key: SecretDigest) {
        if let Some(changed) = &mut self.changed {
            changed.keys.insert(key);
        }
    }

    pub(super) fn has_changed(&self, sid: SessionId) -> bool {
        self.changed.as_ref().is_none_or(|changed| changed.sids.contains(&sid))
    }

    pub(super) fn has_changed_key(&self, key: SecretDigest) -> bool {
        self.changed.as_ref().is_none_or(|changed| changed.keys.contains(&key))
    }

    /// Something is not here that the store has, and never will be.
    pub(super) fn leave_out(&mut self) {
        self.lack = Lack::Unreadable;
    }

    /// Something is not here that the store has, for there is no room.
    pub(super) fn run_out_of_room(&mut self) {
        if self.lack == Lack::Nothing {
            self.lack = Lack::Room;
        }
    }

    /// Whether there is room for one more, whatever its browser calls itself.
    pub(super) fn has_room(&self) -> bool {
        self.size().bytes + ROOM <= self.bytes_max
    }
}

/// What entries are made of.
impl<L: Locks> Ledger<L> {
    pub(super) fn lay_out(&mut self, found: Found, member: Option<Arc<Member<L>>>) -> Entry<L> {
        let entry = Entry::of(found, member, &mut self.shared);
        self.session_count += 1;
        self.bytes += bytes_of(&entry);
        entry
    }

    pub(super) fn take_apart(&mut self, entry: Entry<L>) {
        self.session_count -= 1;
        self.bytes -= bytes_of(&entry);
        let (member, kind, agent) = entry.into_parts();
        self.shared.release(&kind, &agent);
        if let Some(member) = member {
            // Ours here, and the one in the map.
            self.drop_member(member.id, 2);
        }
    }

    /// The account of a session that was read while the table was filled. If the account is here, it
    /// is at least as new here.
    pub(super) fn member_read(&mut self, found: &Found) -> Option<Arc<Member<L>>> {
        let id = found.session.owner?.account;
        match self.members.get(&id) {
            Some(member) => Some(Arc::clone(member)),
            None => Some(self.add_member(id, standing(found))),
        }
    }

    /// The account of a session as a commit has left both.
    pub(super) fn member_now(&mut self, found: &Found) -> Option<Arc<Member<L>>> {
        let id = found.session.owner?.account;
        match self.members.get(&id) {
            Some(member) => {
                member.change(standing(found));
                Some(Arc::clone(member))
            }
            None => Some(self.add_member(id, standing(found))),
        }
    }

    pub(super) fn keep_account(&mut self, id: AccountId, kept: Kept<Box<Account>>) {
        let kept = kept.unboxed();
        match (self.members.get(&id), &mut self.changed) {
            (Some(member), _) => member.change(kept),
            // What was read of it may be older.
            (None, Some(changed)) => {
                changed.idle.push(id);
                self.add_member(id, kept);
            }
            // It has no session here.
            (None, None) => {}
        }
    }

    fn add_member(&mut self, id: AccountId, standing: Kept<Account>) -> Arc<Member<L>> {
        let bytes = MEMBER_BYTES + account_text(&standing);
        let member = Arc::new(Member::new(id, standing, bytes));
        self.bytes += bytes;
        self.members.insert(id, Arc::clone(&member));
        member
    }

    /// Forgets an account, if no more than `idle` still have it: it has no session here any more.
    fn drop_member(&mut self, id: AccountId, idle: usize) {
        let Some(member) = self.members.get(&id) else { return };
        if Arc::strong_count(member) > idle {
            return;
        }
        if let Some(changed) = &mut self.changed {
            // A slice is being read, and what it has of the account may be older.
            return changed.idle.push(id);
        }
        self.bytes -= member.bytes;
        self.members.remove(&id);
    }

    pub(super) fn count_retired(&mut self) {
        self.bytes += RETIRED_BYTES;
    }

    pub(super) fn forget_retired(&mut self) {
        self.bytes -= RETIRED_BYTES;
    }
}

fn bytes_of<L: Locks>(entry: &Entry<L>) -> usize {
    size_of::<Entry<L>>() + SESSION_BESIDE + entry.bytes_beside()
}

fn standing(found: &Found) -> Kept<Account> {
    found.account.clone().map_or(Kept::Gone, Kept::Here)
}
