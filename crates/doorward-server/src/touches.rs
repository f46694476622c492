//! Uses of sessions that wait to be written: many in one act, and each session once.
//!
//! A busy server has thousands of sessions in use at once, and each is written once a minute. One at
//! a time that is a task and an act each; gathered for a moment, it is one act for all.
//!
//! # What is not here
//!
//! Nothing that must not be lost. A server that is killed forgets the uses of a moment; a session may
//! then be called idle that much early, as it may by [`Lifetimes::touch`] anyway.
//!
//! [`Lifetimes::touch`]: doorward_core::session::Lifetimes::touch

use std::collections::HashMap;
use std::time::Duration;

use doorward_core::session::Touch;
use doorward_wire::SessionId;
use parking_lot::Mutex;

/// How long uses are gathered before they are written.
pub(crate) const GATHERING: Duration = Duration::from_millis(250);

/// The most sessions in one act: it holds up the others for a few milliseconds.
const SLICE: usize = 512;

/// The most sessions that wait. The use of one more is written with its next request.
const WAITING_MAX: usize = 64 * 1024;

/// Uses of sessions that wait to be written.
#[derive(Debug, Default)]
pub(crate) struct Touches(Mutex<HashMap<SessionId, Touch>>);

impl Touches {
    /// Adds the use of a session, and says whether it is the first: then somebody must come and
    /// [`take`](Self::take) them.
    pub(crate) fn add(&self, sid: SessionId, touch: Touch) -> bool {
        let mut waiting = self.0.lock();
        let is_first = waiting.is_empty();
        if waiting.len() >= WAITING_MAX && !waiting.contains_key(&sid) {
            return false;
        }
        waiting.entry(sid).and_modify(|kept| *kept = later(*kept, touch)).or_insert(touch);
        is_first
    }

    /// Takes out everything that waits, in slices of an act each.
    pub(crate) fn take(&self) -> Vec<Vec<(SessionId, Touch)>> {
        let waiting: Vec<_> = std::mem::take(&mut *self.0.lock()).into_iter().collect();
        waiting.chunks(SLICE).map(<[_]>::to_vec).collect()
    }
}

/// What two uses of one session come to: the later time; and of one generation the lower assurance
/// and the later address, of two those of the later.
fn later(one: Touch, other: Touch) -> Touch {
    let (mut newer, older) =
        if other.generation >= one.generation { (other, one) } else { (one, other) };
    if newer.generation == older.generation {
        newer.acr = newer.acr.min(older.acr);
        newer.ip = if older.seen_at > newer.seen_at { older.ip } else { newer.ip };
    }
    Touch { seen_at: newer.seen_at.max(older.seen_at), ..newer }
}

#[cfg(test)]
mod tests {
    use doorward_core::session::Assurance;
    use doorward_wire::UnixTime;

    use super::*;

    fn touch(seen_at: u64, acr: Assurance, generation: u32) -> Touch {
        Touch { seen_at: UnixTime(seen_at), acr, generation, ip: None }
    }

    #[test]
    fn a_session_waits_once_and_the_first_is_told() {
        let touches = Touches::default();
        assert!(touches.add(SessionId(1), touch(9, Assurance::Aal2, 0)));
        assert!(!touches.add(SessionId(1), touch(7, Assurance::Aal1, 0)));
        assert!(!touches.add(SessionId(2), touch(8, Assurance::Aal1, 0)));
        let mut taken = touches.take().concat();
        taken.sort_by_key(|(sid, _)| *sid);
        assert_eq!(taken[0], (SessionId(1), touch(9, Assurance::Aal1, 0)));
        assert_eq!(taken.len(), 2);
        assert_eq!(touches.take().len(), 0);
        assert!(
            touches.add(SessionId(3), touch(9, Assurance::Aal1, 0)),
            "somebody must come again"
        );
    }

    #[test]
    fn a_use_from_before_a_proof_does_not_lower_what_it_has_shown() {
        let (before, after) = (touch(9, Assurance::Aal1, 0), touch(8, Assurance::Aal2, 1));
        assert_eq!(later(before, after), touch(9, Assurance::Aal2, 1));
        assert_eq!(later(after, before), touch(9, Assurance::Aal2, 1));
    }

    #[test]
    fn of_two_uses_the_later_address_stands() {
        let from = |seen_at, generation, ip: &str| {
            touch(seen_at, Assurance::Aal1, generation).from(ip.parse().ok())
        };
        let (before, after) = (from(8, 0, "192.0.2.1"), from(9, 0, "192.0.2.2"));
        assert_eq!(later(before, after), after);
        assert_eq!(later(after, before), after);
        let proved = from(7, 1, "192.0.2.3");
        assert_eq!(later(after, proved).ip, proved.ip);
        assert_eq!(later(proved, after).ip, proved.ip);
    }

    #[test]
    fn what_waits_is_bounded_and_goes_in_slices() {
        let touches = Touches::default();
        for n in 0..WAITING_MAX as u128 + 10 {
            touches.add(SessionId(n), touch(1, Assurance::Aal1, 0));
        }
        let slices = touches.take();
        assert_eq!(slices.iter().map(Vec::len).sum::<usize>(), WAITING_MAX);
        assert!(slices.iter().all(|slice| slice.len() <= SLICE));
    }
}
