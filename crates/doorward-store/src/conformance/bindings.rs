//! Laws of bindings: a session goes on with one key, and no proof counts twice.

use doorward_core::binding::Bound;
use doorward_core::event::{Event, EventKind};
use doorward_core::session::Lifetimes;
use doorward_wire::SessionId;
use doorward_wire::jose::Thumbprint;

use super::sample::{
    Tried, after, anonymous, at_once, ending, event, key, new_secret, open, session, token_session,
    with_two_accounts,
};
use crate::act::{BindError, KeptBinding, NewBinding, Spending};

/// A binding of the `n`th session to the `k`th key, over challenge 100.
fn binding(n: u64, k: u8) -> NewBinding {
    let sid = SessionId(n.into());
    NewBinding {
        sid,
        bound: Bound { key: Thumbprint([k; 32]), at: after(5) },
        jwk: format!("key {k}"),
        spent: 100,
        event: Event {
            kind: EventKind::SessionBound,
            session: Some(sid),
            ..event(5000 + n * 256 + u64::from(k))
        },
    }
}

#[track_caller]
fn check_bound(result: &Result<(), BindError>) {
    assert!(matches!(result, Err(BindError::Bound)), "{result:?}");
}

#[track_caller]
fn check_gone(result: &Result<(), BindError>) {
    assert!(matches!(result, Err(BindError::Gone)), "{result:?}");
}

/// Law: a session is bound once; a second key changes nothing and is told to nobody.
#[doc(hidden)]
pub async fn a_session_is_bound_once(store: Tried) {
    with_two_accounts(&store).await;
    open(&store, &[&session(10, 1), &session(11, 1)]).await;
    assert_eq!(store.binding(SessionId(10)).await.unwrap(), None);
    store.bind(binding(10, 1)).await.unwrap();
    check_bound(&store.bind(binding(10, 2)).await);
    check_bound(&store.bind(binding(10, 1)).await);
    let found = store.session_by_key(key(10)).await.unwrap().unwrap();
    assert_eq!(found.session.bound, Some(binding(10, 1).bound));
    let kept = KeptBinding { jwk: "key 1".into(), spent: 100 };
    assert_eq!(store.binding(SessionId(10)).await.unwrap(), Some(kept));
    let other = store.session(SessionId(11)).await.unwrap().unwrap();
    assert_eq!(other.session.bound, None);
    let told = store.events(99).await.unwrap();
    assert_eq!(told.iter().filter(|event| event.kind == EventKind::SessionBound).count(), 1);
}

/// Law: only a session that is there, and in a browser, can be bound.
#[doc(hidden)]
pub async fn a_session_that_ended_or_has_no_cookie_is_not_bound(store: Tried) {
    with_two_accounts(&store).await;
    open(&store, &[&session(10, 1), &token_session(11, 1)]).await;
    store.end_session(SessionId(10), ending(1)).await.unwrap();
    for n in [10, 11, 12] {
        check_gone(&store.bind(binding(n, 1)).await);
        assert_eq!(store.binding(SessionId(n.into())).await.unwrap(), None);
    }
    let token = store.session(SessionId(11)).await.unwrap().unwrap();
    assert_eq!(token.session.bound, None);
}

/// Law: of two keys at once one is kept, whole.
#[doc(hidden)]
pub async fn of_parallel_bindings_one_counts(store: Tried) {
    with_two_accounts(&store).await;
    open(&store, &[&session(10, 1)]).await;
    let results = at_once(&store, 20, |store, n| async move {
        let k = u8::try_from(n).unwrap();
        (k, store.bind(binding(10, k)).await)
    });
    let (counted, refused): (Vec<_>, Vec<_>) =
        results.await.into_iter().partition(|(_, result)| result.is_ok());
    let [(k, _)] = &counted[..] else { panic!("{counted:?}") };
    for (_, result) in &refused {
        check_bound(result);
    }
    let bound = store.session(SessionId(10)).await.unwrap().unwrap().session.bound;
    assert_eq!(bound, Some(binding(10, *k).bound));
    let kept = store.binding(SessionId(10)).await.unwrap().unwrap();
    assert_eq!(kept.jwk, format!("key {k}"));
}

/// Law: a new secret is no way out of a binding.
#[doc(hidden)]
pub async fn a_rename_keeps_the_binding(store: Tried) {
    with_two_accounts(&store).await;
    let new = session(10, 1);
    open(&store, &[&new]).await;
    // Whoever renames may have read the session before it was bound.
    store.bind(binding(10, 1)).await.unwrap();
    store.rename(new_secret(&new, 20, event(1))).await.unwrap();
    let found = store.session_by_key(key(20)).await.unwrap().unwrap();
    assert_eq!(found.session.bound, Some(binding(10, 1).bound));
    check_bound(&store.bind(binding(10, 2)).await);
    assert_eq!(store.spend_challenge(SessionId(10), 101).await.unwrap(), Spending::Counted);
}

/// Law: a challenge counts once, and never after a later one.
#[doc(hidden)]
pub async fn a_challenge_is_spent_once_and_in_order(store: Tried) {
    with_two_accounts(&store).await;
    open(&store, &[&session(10, 1), &session(11, 1)]).await;
    store.bind(binding(10, 1)).await.unwrap();
    store.bind(binding(11, 1)).await.unwrap();
    let spend = async |number| store.spend_challenge(SessionId(10), number).await.unwrap();
    // The one that it was bound over is spent.
    for (number, expected) in [
        (100, Spending::Late),
        (101, Spending::Counted),
        (101, Spending::Late),
        (110, Spending::Counted),
        (105, Spending::Late),
    ] {
        assert_eq!(spend(number).await, expected, "{number}");
    }
    assert_eq!(store.binding(SessionId(10)).await.unwrap().unwrap().spent, 110);
    assert_eq!(store.binding(SessionId(11)).await.unwrap().unwrap().spent, 100);
}

/// Law: of one proof shown twenty times at once, one counts.
#[doc(hidden)]
pub async fn of_parallel_answers_to_one_challenge_one_counts(store: Tried) {
    with_two_accounts(&store).await;
    open(&store, &[&session(10, 1)]).await;
    store.bind(binding(10, 1)).await.unwrap();
    let results = at_once(&store, 20, |store, _| async move {
        store.spend_challenge(SessionId(10), 101).await.unwrap()
    });
    let results = results.await;
    let counted = results.iter().filter(|spending| **spending == Spending::Counted).count();
    assert_eq!(counted, 1, "{results:?}");
    assert!(!results.contains(&Spending::Gone), "{results:?}");
}

/// Law: a binding ends with its session, however that ends, and a refresh is no use of it.
#[doc(hidden)]
pub async fn a_binding_ends_with_its_session(store: Tried) {
    with_two_accounts(&store).await;
    open(&store, &[&session(10, 1), &anonymous(11)]).await;
    store.bind(binding(10, 1)).await.unwrap();
    store.bind(binding(11, 1)).await.unwrap();
    store.spend_challenge(SessionId(11), 101).await.unwrap();
    let seen = store.session(SessionId(11)).await.unwrap().unwrap().session.seen_at;
    assert_eq!(seen, anonymous(11).session.seen_at);
    store.end_session(SessionId(10), ending(1)).await.unwrap();
    store.sweep(&Lifetimes::default(), after(3600), 99).await.unwrap();
    for sid in [10, 11].map(SessionId) {
        assert_eq!(store.binding(sid).await.unwrap(), None);
        assert_eq!(store.spend_challenge(sid, 999).await.unwrap(), Spending::Gone);
    }
}
