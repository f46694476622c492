//! Laws of the event log.

use std::fmt::Debug;

use doorward_core::event::{Event, EventKind};
use doorward_wire::{AccountId, SessionId};

use super::sample::{
    Tried, account_at, after, change, event, password, presented, secret, token_session,
};

/// Law: the log is read from its end.
#[doc(hidden)]
pub async fn events_are_read_newest_first(store: Tried) {
    for n in [2, 1, 3] {
        store.note(event(n)).await.unwrap();
    }
    assert_eq!(store.events(2).await.unwrap(), [event(3), event(2)]);
    assert_eq!(store.events(9).await.unwrap().len(), 3);
    assert_eq!(store.events(0).await.unwrap(), []);
}

/// Law: only events from before the given time go, oldest first, and so many at once.
#[doc(hidden)]
pub async fn old_events_go_in_slices_and_new_ones_stay(store: Tried) {
    for n in 1..=5 {
        let at = if n < 4 { after(0) } else { after(100) };
        store.note(Event { at, ..event(n) }).await.unwrap();
    }
    assert_eq!(store.sweep_events(after(50), 2).await.unwrap(), 2);
    assert_eq!(store.sweep_events(after(50), 9).await.unwrap(), 1);
    assert_eq!(store.sweep_events(after(50), 9).await.unwrap(), 0);
    assert_eq!(store.sweep_events(after(100), 9).await.unwrap(), 0, "the limit itself stays");
    assert_eq!(store.events(9).await.unwrap().len(), 2);
}

/// Law: nothing of an event is lost.
#[doc(hidden)]
pub async fn an_event_comes_back_as_it_went_in(store: Tried) {
    let bare = Event { ip: None, device: None, ..event(1) };
    let full = Event {
        at: after(5),
        kind: EventKind::LoginFailed,
        account: Some(AccountId(u128::MAX)),
        session: Some(SessionId(7)),
        reason: Some("wrong-password".into()),
        device: Some("curl".into()),
        ..event(2)
    };
    store.note(bare.clone()).await.unwrap();
    store.note(full.clone()).await.unwrap();
    assert_eq!(store.events(9).await.unwrap(), [full, bare]);
}

/// Law: an owner reads the whole of their own events, page by page, and nothing of anybody else's.
#[doc(hidden)]
pub async fn an_account_sees_its_own_events_in_pages_newest_first(store: Tried) {
    let of = |n, account: u64| Event { account: Some(AccountId(account.into())), ..event(n) };
    for (n, account) in [(1, 1), (2, 2), (3, 1), (4, 1), (5, 2), (6, 1)] {
        store.note(of(n, account)).await.unwrap();
    }
    store.note(event(7)).await.unwrap();
    let page = store.events_of(AccountId(1), None, 3).await.unwrap();
    assert_eq!((page.items, page.more), (vec![of(6, 1), of(4, 1), of(3, 1)], true));
    let rest = store.events_of(AccountId(1), Some(event(3).id), 3).await.unwrap();
    assert_eq!((rest.items, rest.more), (vec![of(1, 1)], false));
    let exactly = store.events_of(AccountId(2), None, 2).await.unwrap();
    assert_eq!((exactly.items, exactly.more), (vec![of(5, 2), of(2, 2)], false));
    assert_eq!(store.events_of(AccountId(3), None, 9).await.unwrap().items, []);
}

/// Law: whoever logs an act, a finding or a failure logs no secret.
#[doc(hidden)]
pub async fn what_is_printed_of_an_act_tells_no_secret(store: Tried) {
    let new = account_at(1, "ada", "ada@example.com");
    let mine = token_session(10, 1);
    store.open_account(new.clone()).await.unwrap();
    store.open_session(mine.clone()).await.unwrap();
    let asked = presented(&secret(10), 1, after(1));
    let found = store.session(SessionId(10)).await.unwrap();
    let printed: [&dyn Debug; 5] = [&new, &mine, &change(&mine, 2), &asked, &found];

    let hash = password(1).expose();
    let hash = hash.rsplit('$').next().unwrap();
    let secret = secret(10).expose();
    let digest = format!("{:032x}", u128::from_be_bytes(asked.key.0[..16].try_into().unwrap()));
    for act in printed {
        let text = format!("{act:?}");
        for hidden in [hash, secret.as_str(), digest.as_str(), "ada@example.com"] {
            assert!(!text.contains(hidden), "{text}");
        }
    }
    let rotated = format!("{:?}", store.rotate(asked).await.unwrap());
    assert!(!rotated.contains(digest.as_str()), "{rotated}");
}
