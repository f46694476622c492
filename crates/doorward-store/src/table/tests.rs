use std::sync::Arc;

use doorward_core::account::Epoch;
use doorward_core::session::Device;
use doorward_wire::{AccountId, SessionId};

use super::*;
use crate::act::{Found, NewSession};
use crate::conformance::sample::{account, after, anonymous, key, session, token_session};

mod looms;

/// A session as the store would find it.
fn found(new: NewSession) -> Found {
    let account = new.session.owner.map(|owner| {
        let n = u64::try_from(owner.account.0).unwrap();
        account(n, &format!("member-{n}")).account
    });
    Found { session: new.session, device: new.device, account }
}

fn put(found: &Found) -> Change {
    Change::Session(found.session.sid, Kept::Here(Box::new(found.clone())))
}

fn dropped(sid: u128) -> Change {
    Change::Session(SessionId(sid), Kept::Gone)
}

/// A table that was filled from a store with these sessions in it.
fn filled(sessions: Vec<Found>) -> Table {
    let table = Table::new(1 << 20);
    let fill = table.begin_fill().unwrap();
    assert_eq!(table.begin_slice(fill), Part::Next);
    assert_eq!(table.fill(fill, Read { sessions, ..Read::default() }), Part::Next);
    assert_eq!(table.end_fill(fill), Part::Next);
    table
}

#[test]
fn every_field_of_a_session_comes_back_as_it_went_in() {
    let mut all = vec![found(anonymous(10)), found(session(11, 1)), found(token_session(12, 1))];
    for (n, ip) in (20..).zip(["203.0.113.9", "2001:db8::1", "203.0.113.09", "", "a socket"]) {
        let mut other = found(session(n, 2));
        other.device = Device::seen("curl/8.5.0", ip.into());
        other.session.remembered = true;
        other.session.seen_at = after(n);
        other.session.proved_at = after(n + 1);
        other.session.opened_at = after(n + 2);
        other.session.generation = 7;
        other.session.owner.as_mut().unwrap().epoch = Epoch(9);
        all.push(other);
    }
    let table = filled(all.clone());
    for kept in all {
        assert_eq!(table.by_sid(kept.session.sid), Answer::Here(kept.clone()));
        if let Some(key) = kept.session.key {
            assert_eq!(table.by_key(key), Answer::Here(kept));
        }
    }
}

#[test]
fn a_table_that_was_never_filled_asks_the_store() {
    let table: Table = Table::new(1 << 20);
    table.apply(vec![put(&found(anonymous(10)))]);
    assert_eq!(table.by_key(key(10)), Answer::Ask);
    assert_eq!(table.is_retired(key(10)), Answer::Ask);
}

#[test]
fn while_it_fills_what_is_there_is_found_and_what_is_not_is_asked_for() {
    let table: Table = Table::new(1 << 20);
    let fill = table.begin_fill().unwrap();
    table.apply(vec![put(&found(anonymous(10)))]);
    assert!(matches!(table.by_key(key(10)), Answer::Here(_)));
    assert_eq!(table.by_key(key(11)), Answer::Ask);
    table.end_fill(fill);
    assert_eq!(table.by_key(key(11)), Answer::Gone);
}

#[test]
fn a_fill_never_revives_and_never_overwrites() {
    let table: Table = Table::new(1 << 20);
    let fill = table.begin_fill().unwrap();
    table.begin_slice(fill);
    let old = [found(anonymous(10)), found(anonymous(11)), found(anonymous(12))];
    // What was read is three sessions; since then one ended, and one was used.
    let mut newer = old[1].clone();
    newer.session.seen_at = after(500);
    table.apply(vec![dropped(10), put(&newer)]);
    table.fill(fill, Read { sessions: old.to_vec(), ..Read::default() });
    table.end_fill(fill);
    assert_eq!(table.by_key(key(10)), Answer::Gone);
    assert_eq!(table.by_key(key(11)), Answer::Here(newer));
    assert_eq!(table.by_key(key(12)), Answer::Here(old[2].clone()));
}

#[test]
fn a_slice_that_was_read_before_the_table_became_void_is_not_filled_in() {
    let table: Table = Table::new(1 << 20);
    let before = table.begin_fill().unwrap();
    table.begin_slice(before);
    table.void();
    let now = table.begin_fill().unwrap();
    table.begin_slice(now);
    let read = || Read { sessions: vec![found(anonymous(10))], ..Read::default() };
    assert_eq!(table.fill(before, read()), Part::Void);
    assert_eq!(table.begin_slice(before), Part::Void);
    assert_eq!(table.end_fill(before), Part::Void);
    assert_eq!(table.by_key(key(10)), Answer::Ask);
}

#[test]
fn accounts_and_browsers_are_kept_once_and_go_with_their_last_session() {
    let table = filled(Vec::new());
    let empty = table.size();
    let mut sizes = Vec::new();
    for n in 10..20 {
        table.apply(vec![put(&found(session(n, 1)))]);
        sizes.push(table.size().bytes);
    }
    let (first, second) = (sizes[0] - empty.bytes, sizes[1] - sizes[0]);
    assert!(first > second && second < 200, "{sizes:?}");
    for n in 10..20 {
        table.apply(vec![dropped(n)]);
    }
    assert_eq!(table.size(), empty);
}

#[test]
fn an_account_that_changes_while_a_slice_is_read_is_not_overwritten_by_it() {
    let table: Table = Table::new(1 << 20);
    let fill = table.begin_fill().unwrap();
    table.begin_slice(fill);
    let old = found(session(10, 1));
    let mut now = old.account.clone().unwrap();
    now.disabled = true;
    table.apply(vec![Change::Account(AccountId(1), Kept::Here(Box::new(now.clone())))]);
    table.fill(fill, Read { sessions: vec![old], ..Read::default() });
    table.end_fill(fill);
    let Answer::Here(kept) = table.by_key(key(10)) else { panic!("it was filled in") };
    assert_eq!(kept.account, Some(now));
    table.apply(vec![dropped(10)]);
    assert_eq!(table.size().bytes, 0, "and it is not kept without a session");
}

#[test]
fn two_digests_with_a_part_in_common_are_told_apart() {
    let table = filled(Vec::new());
    let mut twin = found(anonymous(11));
    let (first, mut second) = (key(10), key(11));
    second.0[..8].copy_from_slice(&first.0[..8]);
    twin.session.key = Some(second);
    table.apply(vec![put(&found(anonymous(10))), put(&twin)]);
    let sid_of = |key| match table.by_key(key) {
        Answer::Here(found) => found.session.sid,
        other => panic!("{other:?}"),
    };
    assert_eq!((sid_of(first), sid_of(second)), (SessionId(10), SessionId(11)));
    table.apply(vec![dropped(10)]);
    assert_eq!(sid_of(second), SessionId(11));
    // Only the store can tell a third from these: it has the whole digest.
    assert_eq!(table.by_key(first), Answer::Ask);
}

#[test]
fn a_change_that_panics_closes_the_table_for_good() {
    let table = Arc::new(filled(vec![found(anonymous(10))]));
    let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        table.change(|_| panic!("a bug"));
    }));
    assert!(broken.is_err());
    assert_eq!(table.by_key(key(10)), Answer::Ask);
    table.apply(vec![put(&found(anonymous(11)))]);
    assert_eq!(table.by_key(key(11)), Answer::Ask);
    assert_eq!(table.begin_fill(), None);
}

#[test]
fn a_key_is_known_to_be_retired_before_the_commit_that_retires_it() {
    let table = filled(vec![found(anonymous(10))]);
    assert_eq!(table.is_retired(key(10)), Answer::Gone);
    table.announce(vec![key(10)]);
    assert_eq!(table.is_retired(key(10)), Answer::Here(()));
    assert!(matches!(table.by_key(key(10)), Answer::Here(_)), "and it still answers");
    // Also if the table is filled anew while the commit is under way.
    table.void();
    let fill = table.begin_fill().unwrap();
    table.end_fill(fill);
    assert_eq!(table.is_retired(key(10)), Answer::Here(()));
    table.apply(vec![Change::Retired(key(10), Kept::Gone)]);
    assert_eq!(table.is_retired(key(10)), Answer::Gone);
}
