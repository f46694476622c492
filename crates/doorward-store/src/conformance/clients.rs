//! Laws of clients.

use doorward_core::client::{Client, ClientName};
use doorward_core::event::{Event, EventKind};
use doorward_core::redirect::RedirectUri;
use doorward_core::revocation::{LogEntry, Revoked, revoke};
use doorward_wire::ClientId;

use super::sample::{Tried, after, event, key};

pub(super) fn client(n: u128) -> Client {
    Client {
        id: ClientId(n),
        name: ClientName::parse(&format!("client {n}")).unwrap(),
        scopes: vec!["doorward.revocations".to_owned(), "other".to_owned()],
        serves: vec!["https://api.example".to_owned()],
        redirects: vec![],
        audience: String::new(),
        is_public: false,
        created_at: after(0),
        secret: key(u64::try_from(n).unwrap()),
        tokens_from: after(0),
    }
}

fn told(n: u64, kind: EventKind) -> Event {
    Event { kind, ..event(n) }
}

async fn add(store: &Tried, n: u64) -> Client {
    let client = client(n.into());
    store.add_client(client.clone(), told(n, EventKind::ClientCreated)).await.unwrap();
    client
}

/// Law: a client is found as it was kept, by its id, and listed in pages.
#[doc(hidden)]
pub async fn a_client_is_found_as_it_was_kept(store: Tried) {
    assert_eq!(store.client(ClientId(1)).await.unwrap(), None);
    let all = [add(&store, 1).await, add(&store, 2).await, add(&store, 3).await];
    for client in &all {
        assert_eq!(store.client(client.id).await.unwrap().as_ref(), Some(client));
    }
    let page = store.clients(None, 2).await.unwrap();
    assert!(page.items == all[..2] && page.more);
    let page = store.clients(Some(ClientId(2)), 2).await.unwrap();
    assert!(page.items == all[2..] && !page.more);
    let bare = Client { scopes: vec![], serves: vec![], ..client(4) };
    store.add_client(bare.clone(), told(4, EventKind::ClientCreated)).await.unwrap();
    assert_eq!(store.client(bare.id).await.unwrap(), Some(bare));
    let redirect = |text| RedirectUri::parse(text).unwrap();
    let redirects = vec![redirect("https://shop.example/cb"), redirect("http://127.0.0.1/cb")];
    let audience = "https://api.example".to_owned();
    let shop = Client { redirects, audience, is_public: true, ..client(5) };
    store.add_client(shop.clone(), told(5, EventKind::ClientCreated)).await.unwrap();
    assert_eq!(store.client(shop.id).await.unwrap(), Some(shop));
    // An id names one client for ever.
    let again = Client { secret: key(9), ..client(1) };
    assert!(store.add_client(again, told(9, EventKind::ClientCreated)).await.is_err());
    assert_eq!(store.client(ClientId(1)).await.unwrap().as_ref(), Some(&all[0]));
}

/// Law: a new secret takes the place of the one before, and of nothing else.
#[doc(hidden)]
pub async fn a_client_has_one_secret(store: Tried) {
    let client = add(&store, 1).await;
    let rotated = |n| told(n, EventKind::ClientSecretRotated);
    assert!(store.rotate_client_secret(client.id, key(7), rotated(2)).await.unwrap());
    let expected = Client { secret: key(7), ..client };
    assert_eq!(store.client(expected.id).await.unwrap(), Some(expected));
    assert!(!store.rotate_client_secret(ClientId(8), key(7), rotated(3)).await.unwrap());
    assert_eq!(store.head().await.unwrap(), 0);
    assert_eq!(store.events(9).await.unwrap().len(), 2, "what did not happen is not told");
}

/// Law: what was issued to a client ends with a log entry, once for each time it was asked for.
#[doc(hidden)]
pub async fn what_was_issued_to_a_client_ends_with_a_log_entry(store: Tried) {
    let client = add(&store, 1).await;
    let revoked = |n| told(n, EventKind::ClientRevoked);
    assert!(store.revoke_client(client.id, after(50), revoked(2)).await.unwrap());
    let from = Client::revoked_at(after(50));
    assert_eq!(store.client(client.id).await.unwrap().unwrap().tokens_from, from);
    // Time does not go back.
    assert!(store.revoke_client(client.id, after(9), revoked(3)).await.unwrap());
    assert_eq!(store.client(client.id).await.unwrap().unwrap().tokens_from, from);
    assert!(!store.revoke_client(ClientId(8), after(60), revoked(4)).await.unwrap());

    let deleted = |n| told(n, EventKind::ClientDeleted);
    assert!(store.delete_client(client.id, after(70), deleted(5)).await.unwrap());
    assert!(!store.delete_client(client.id, after(80), deleted(6)).await.unwrap());
    assert_eq!(store.client(client.id).await.unwrap(), None);
    let entry = |seq, now| LogEntry {
        seq,
        revocation: revoke(Revoked::Client(client.id), Client::revoked_at(after(now))),
    };
    let log = store.revocations(0, 9).await.unwrap();
    assert_eq!(log, [entry(1, 50), entry(2, 9), entry(3, 70)]);
    assert_eq!(store.events(9).await.unwrap().len(), 4);
}
