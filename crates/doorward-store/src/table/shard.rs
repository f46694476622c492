//! Where entries lie: in slots, found by sid, and the slots found by digest.

use std::collections::HashSet;

use doorward_wire::{SecretDigest, SessionId};
use hashbrown::HashTable;

use super::entry::Entry;
use super::locks::Locks;

/// How many slots are looked at for one to give up.
const SAMPLE: usize = 8;

/// Some of the sessions: those whose sid falls here.
pub(super) struct Sessions<L: Locks> {
    slots: Vec<Option<Entry<L>>>,
    free: Vec<u32>,
    by_sid: HashTable<u32>,
    /// Where the search for one to give up goes on.
    hand: usize,
}

/// Some of the digests: those that fall here.
pub(super) struct Keys {
    live: HashTable<Pointer>,
    retired: HashSet<SecretDigest>,
}

/// Where an entry lies: in which of the [`Sessions`], and in which slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    shard: u32,
    slot: u32,
}

/// Where a key may lead to. Nearly always it is one place or none, and that needs no memory.
pub(super) struct Places {
    first: Option<Place>,
    others: Vec<Place>,
}

/// Leads from a part of a digest to where its entry lies, if that has not moved. The entry tells.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Pointer {
    part: u32,
    place: u32,
}

impl<L: Locks> Sessions<L> {
    pub(super) fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), by_sid: HashTable::new(), hand: 0 }
    }

    pub(super) fn find(&self, sid: SessionId) -> Option<&Entry<L>> {
        let slot = self.by_sid.find(hash_of(sid), |slot| is_at(&self.slots, *slot, sid))?;
        self.slots[*slot as usize].as_ref()
    }

    pub(super) fn at(&self, place: Place) -> Option<&Entry<L>> {
        self.slots.get(place.slot as usize)?.as_ref()
    }

    /// Whether there is a slot for one more.
    pub(super) fn has_slot(&self) -> bool {
        !self.free.is_empty() || self.slots.len() < Place::SLOT_COUNT_MAX
    }

    /// Puts in an entry whose sid is not here yet, and says in which slot. There has to be one.
    pub(super) fn put(&mut self, entry: Entry<L>) -> u32 {
        let hash = hash_of(entry.sid());
        let slot = self.free.pop().unwrap_or_else(|| {
            // An eighth more, and not twice as much, is idle at the most.
            if self.slots.len() == self.slots.capacity() {
                self.slots.reserve_exact(self.slots.len() / 8 + 8);
            }
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).expect("there was a slot")
        });
        self.slots[slot as usize] = Some(entry);
        let slots = &self.slots;
        let rehash = |slot: &u32| slots[*slot as usize].as_ref().map_or(0, |it| hash_of(it.sid()));
        self.by_sid.insert_unique(hash, slot, rehash);
        slot
    }

    /// Takes out an entry, and says in which slot it was.
    pub(super) fn take(&mut self, sid: SessionId) -> Option<(u32, Entry<L>)> {
        let is_it = |slot: &u32| is_at(&self.slots, *slot, sid);
        let (slot, _) = self.by_sid.find_entry(hash_of(sid), is_it).ok()?.remove();
        self.free.push(slot);
        Some((slot, self.slots[slot as usize].take()?))
    }

    /// The session to give up for another: of some, the one that was not used for longest.
    pub(super) fn least_used(&mut self) -> Option<SessionId> {
        let count = self.slots.len();
        let mut sample = Vec::with_capacity(SAMPLE);
        for _ in 0..count {
            self.hand = (self.hand + 1) % count;
            if let Some(entry) = &self.slots[self.hand] {
                sample.push((entry.seen_at(), entry.sid()));
            }
            if sample.len() == SAMPLE {
                break;
            }
        }
        sample.into_iter().min().map(|(_, sid)| sid)
    }
}

fn is_at<L: Locks>(slots: &[Option<Entry<L>>], slot: u32, sid: SessionId) -> bool {
    slots[slot as usize].as_ref().is_some_and(|entry| entry.sid() == sid)
}

impl Keys {
    pub(super) fn new() -> Self {
        Self { live: HashTable::new(), retired: HashSet::new() }
    }

    /// Where the entries may lie whose key this is. There is more than one only by chance.
    pub(super) fn places(&self, key: SecretDigest) -> Places {
        let part = part_of(key);
        let all = self.live.iter_hash(spread(part)).filter(|pointer| pointer.part == part);
        let mut places = all.map(|pointer| Place::unpack(pointer.place));
        Places { first: places.next(), others: places.collect() }
    }

    pub(super) fn point(&mut self, key: SecretDigest, place: Place) {
        let pointer = Pointer { part: part_of(key), place: place.pack() };
        self.live.insert_unique(spread(pointer.part), pointer, |other| spread(other.part));
    }

    pub(super) fn unpoint(&mut self, key: SecretDigest, place: Place) {
        let pointer = Pointer { part: part_of(key), place: place.pack() };
        if let Ok(found) = self.live.find_entry(spread(pointer.part), |other| *other == pointer) {
            found.remove();
        }
    }

    pub(super) fn is_retired(&self, key: SecretDigest) -> bool {
        self.retired.contains(&key)
    }

    /// Keeps in mind that a key was retired; says whether that is new.
    pub(super) fn retire(&mut self, key: SecretDigest) -> bool {
        self.retired.insert(key)
    }

    /// Forgets that; says whether it was kept.
    pub(super) fn forget_retired(&mut self, key: SecretDigest) -> bool {
        self.retired.remove(&key)
    }
}

impl Place {
    /// Bits of a place that say which shard.
    const SHARD_BITS: u32 = 7;
    /// The most shards there can be.
    pub(super) const SHARD_COUNT_MAX: usize = 1 << Self::SHARD_BITS;
    /// The most slots of one shard.
    const SLOT_COUNT_MAX: usize = 1 << (u32::BITS - Self::SHARD_BITS);

    pub(super) fn of(shard: usize, slot: u32) -> Self {
        Self { shard: u32::try_from(shard).expect("no more shards than SHARD_COUNT_MAX"), slot }
    }

    pub(super) fn shard(self) -> usize {
        self.shard as usize
    }

    fn pack(self) -> u32 {
        (self.slot << Self::SHARD_BITS) | self.shard
    }

    fn unpack(bits: u32) -> Self {
        Self { shard: bits & ((1 << Self::SHARD_BITS) - 1), slot: bits >> Self::SHARD_BITS }
    }
}

impl IntoIterator for Places {
    type Item = Place;
    type IntoIter = std::iter::Chain<std::option::IntoIter<Place>, std::vec::IntoIter<Place>>;

    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter().chain(self.others)
    }
}

/// Sids are ours, and nobody can choose one: mixing is enough.
fn hash_of(sid: SessionId) -> u64 {
    let halves = (sid.0 ^ (sid.0 >> 64)) & u128::from(u64::MAX);
    u64::try_from(halves).unwrap_or_default().wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// Which of `count` shards a session falls in. The bits are others than those that find its slot.
pub(super) fn shard_of(sid: SessionId, count: usize) -> usize {
    (hash_of(sid) >> 32) as usize % count
}

/// Which of `count` shards a digest falls in.
pub(super) fn shard_of_key(key: SecretDigest, count: usize) -> usize {
    usize::from(u16::from_be_bytes([key.0[0], key.0[1]])) % count
}

/// The part of a digest that leads to its entry. Digests are random, whoever chose the secret.
fn part_of(key: SecretDigest) -> u32 {
    u32::from_be_bytes([key.0[4], key.0[5], key.0[6], key.0[7]])
}

/// Spreads a part over the bits that a hash table looks at.
fn spread(part: u32) -> u64 {
    u64::from(part).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}
