//! Laws of sweeping.

use std::collections::BTreeSet;
use std::time::Duration;

use doorward_core::session::{AHEAD_MAX, Assurance, Lifetimes, Session};
use doorward_wire::{SessionId, UnixTime};

use super::sample::{
    NOON, Tried, anonymous, check_there, key, open, session, token_session, with_two_accounts,
};
use crate::act::{NewSession, Swept};

const NOW: UnixTime = UnixTime(NOON.0 + 100 * 24 * 60 * 60);

/// Sessions of each kind, at, just under and just over each of their limits.
fn of_every_age(lifetimes: &Lifetimes) -> Vec<NewSession> {
    let second = Duration::from_secs(1);
    let mut sessions = Vec::new();
    for remembered in [false, true] {
        for acr in [Assurance::Aal1, Assurance::Aal2, Assurance::Aal3] {
            let kind = Session { remembered, acr, ..anonymous(0).session };
            let limits = lifetimes.of(&kind);
            let around =
                |limit: Duration| [second, limit.saturating_sub(second), limit, limit + second];
            for age in around(limits.absolute) {
                for silence in around(limits.idle) {
                    let n = 100 + sessions.len() as u64;
                    let mut new = if n.is_multiple_of(2) { session(n, 1) } else { anonymous(n) };
                    new.session.remembered = remembered;
                    new.session.acr = acr;
                    new.session.opened_at = NOW.before(age);
                    new.session.seen_at = NOW.before(silence.min(age));
                    sessions.push(new);
                }
            }
        }
    }
    sessions
}

/// Law: a sweep takes exactly those that no check could pass, and the log tells of each.
#[doc(hidden)]
pub async fn a_sweep_takes_the_dead_and_never_the_living(store: Tried) {
    with_two_accounts(&store).await;
    let lifetimes = Lifetimes::default();
    let all = of_every_age(&lifetimes);
    open(&store, &all.iter().collect::<Vec<_>>()).await;
    let mut living = BTreeSet::new();
    for new in &all {
        let found = store.session(new.session.sid).await.unwrap().unwrap();
        if found.check(&lifetimes, NOW).is_ok() {
            living.insert(new.session.sid);
        }
    }
    assert!(!living.is_empty() && living.len() < all.len());

    let swept = store.sweep(&lifetimes, NOW, 1000).await.unwrap();
    let forgotten = (all.len() - living.len()) as u64;
    assert_eq!(swept, Swept { forgotten, is_done: true });
    let again = store.sweep(&lifetimes, NOW, 1000).await.unwrap();
    assert_eq!(again, Swept { forgotten: 0, is_done: true });
    for new in &all {
        let found = store.session(new.session.sid).await.unwrap();
        assert_eq!(found.is_some(), living.contains(&new.session.sid), "{:?}", new.session);
    }
    assert_eq!(store.revocations(0, 1000).await.unwrap().len() as u64, forgotten);
}

/// Law: a sweep never holds the store up for long, and what it leaves the next one takes.
#[doc(hidden)]
pub async fn a_sweep_takes_no_more_than_its_slice(store: Tried) {
    with_two_accounts(&store).await;
    let mut live = session(500, 1);
    live.session.opened_at = NOW;
    live.session.seen_at = NOW;
    let dead: Vec<_> = (100..125).map(|n| token_session(n, 1)).collect();
    open(&store, &dead.iter().chain([&live]).collect::<Vec<_>>()).await;
    let lifetimes = Lifetimes::default();
    let mut slices = Vec::new();
    for _ in 0..3 {
        let swept = store.sweep(&lifetimes, NOW, 10).await.unwrap();
        slices.push((swept.forgotten, swept.is_done));
    }
    assert_eq!(slices, [(10, false), (10, false), (5, true)]);
    assert_eq!(store.sweep(&lifetimes, NOW, 0).await.unwrap().forgotten, 0);
    assert!(store.session(SessionId(500)).await.unwrap().is_some());
    assert_eq!(store.session_of_refresh(key(100)).await.unwrap(), None);
}

/// Law: a slice goes on where the one before stopped, and what came in behind it waits for the next
/// pass.
#[doc(hidden)]
pub async fn a_sweep_looks_at_each_session_once_in_a_pass(store: Tried) {
    let dead: Vec<_> = (100..104).map(anonymous).collect();
    open(&store, &dead.iter().collect::<Vec<_>>()).await;
    let lifetimes = Lifetimes::default();
    let sweep = async || store.sweep(&lifetimes, NOW, 2).await.unwrap();
    assert_eq!(sweep().await, Swept { forgotten: 2, is_done: false });
    open(&store, &[&anonymous(90), &anonymous(110)]).await;
    assert_eq!(sweep().await, Swept { forgotten: 2, is_done: false });
    assert_eq!(sweep().await, Swept { forgotten: 1, is_done: true });
    assert!(store.session(SessionId(90)).await.unwrap().is_some());
    assert_eq!(sweep().await, Swept { forgotten: 1, is_done: true });
    assert!(store.session(SessionId(90)).await.unwrap().is_none());
}

/// Law: a machine that starts with its clock days behind forgets nobody; what is from far ahead is
/// refused until then, and sweeping waits.
#[doc(hidden)]
pub async fn a_sweep_leaves_the_sessions_of_the_future(store: Tried) {
    let ahead = |n: u64, opened: u64, seen: u64| {
        let mut new = anonymous(n);
        let at = |seconds| NOW.after(Duration::from_secs(seconds));
        (new.session.opened_at, new.session.seen_at) = (at(opened), at(seen));
        new
    };
    let far = AHEAD_MAX.as_secs() + 1;
    let all = [ahead(100, 0, 0), ahead(101, far, far), ahead(102, 0, far)];
    open(&store, &all.iter().collect::<Vec<_>>()).await;
    let swept = store.sweep(&Lifetimes::default(), NOW, 9).await.unwrap();
    assert_eq!(swept, Swept { forgotten: 0, is_done: true });
    for sid in [100, 101, 102] {
        check_there(store.session(SessionId(sid)).await.unwrap().as_ref(), true);
    }
}
