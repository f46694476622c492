//! Laws of places in status lists.

use doorward_core::event::{Event, EventKind};
use doorward_core::revocation::PlacedToken;
use doorward_wire::{AccountId, ClientId, SessionId, TokenId};

use super::sample::{Tried, after, at_once, ending, event, open, session, with_two_accounts};

fn token(n: u128) -> PlacedToken {
    PlacedToken {
        jti: TokenId(n),
        sid: Some(SessionId(10)),
        account: Some(AccountId(1)),
        client: None,
        since: after(5),
        expires_at: after(300),
    }
}

/// Law: numbers are given one after the other, to parallel askers too, and none twice.
#[doc(hidden)]
pub async fn places_are_given_once(store: Tried) {
    assert_eq!(store.place_count().await.unwrap(), 0);
    let mut given =
        at_once(
            &store,
            20,
            |store, n| async move { store.place_token(token(n.into())).await.unwrap() },
        )
        .await;
    given.sort_unstable();
    assert_eq!(given, (0..20).collect::<Vec<u64>>());
    assert_eq!(store.sweep_places(after(299), 100).await.unwrap(), 0);
    assert_eq!(store.sweep_places(after(300), 5).await.unwrap(), 5);
    assert_eq!(store.sweep_places(after(300), 100).await.unwrap(), 15);
    assert_eq!(store.place_token(token(99)).await.unwrap(), 20);
    assert_eq!(store.place_count().await.unwrap(), 21);
}

/// Law: a place is revoked with whatever its token hangs from, and no other is.
#[doc(hidden)]
pub async fn a_place_is_revoked_with_what_its_token_hangs_from(store: Tried) {
    with_two_accounts(&store).await;
    open(&store, &[&session(10, 1), &session(11, 1)]).await;
    let other = PlacedToken { sid: Some(SessionId(11)), ..token(2) };
    let clients = PlacedToken { sid: None, account: None, client: Some(ClientId(7)), ..token(3) };
    let elsewhere = PlacedToken { sid: None, account: Some(AccountId(2)), ..token(4) };
    for placed in [token(1), other, clients, elsewhere] {
        store.place_token(placed).await.unwrap();
    }
    let revoked = async |first, count| {
        let mut found = store.revoked_places(first, count).await.unwrap();
        found.sort_unstable();
        found
    };
    assert!(revoked(0, 100).await.is_empty());
    store.end_session(SessionId(10), ending(1)).await.unwrap();
    assert_eq!(revoked(0, 100).await, [0]);
    assert_eq!(revoked(1, 100).await, [0_u64; 0]);
    store.end_sessions_of(AccountId(1), None, ending(2)).await.unwrap();
    assert_eq!(revoked(0, 100).await, [0, 1]);
    assert_eq!(revoked(1, 1).await, [1]);
    let told = Event { kind: EventKind::ClientDeleted, ..event(3) };
    assert!(!store.delete_client(ClientId(7), after(60), told).await.unwrap());
    assert_eq!(revoked(0, 100).await, [0, 1], "a client that is not there ends nothing");
}
