//! Laws of shared signals.

use doorward_core::client::{Client, ClientName};
use doorward_core::event::{Event, EventKind};
use doorward_core::signal::{Stream, Told, VERIFICATIONS_MAX};
use doorward_wire::{ClientId, SessionId, StreamId};

use super::sample::{Tried, after, ending, event, key, open, session, with_two_accounts};

async fn client(store: &Tried, n: u64) -> ClientId {
    let client = Client {
        id: ClientId(n.into()),
        name: ClientName::parse("a receiver").unwrap(),
        scopes: vec![],
        serves: vec![],
        redirects: vec![],
        audience: String::new(),
        is_public: false,
        created_at: after(0),
        secret: key(n),
        tokens_from: after(0),
    };
    let id = client.id;
    store.add_client(client, Event { kind: EventKind::ClientCreated, ..event(n) }).await.unwrap();
    id
}

fn stream(n: u64, endpoint: Option<&str>) -> Stream {
    Stream {
        id: StreamId((100 + n).into()),
        client: ClientId(n.into()),
        endpoint: endpoint.map(str::to_owned),
        enabled: true,
        created_at: after(1),
    }
}

async fn told(store: &Tried, n: u64) -> Vec<Told> {
    let signals = store.signals(StreamId((100 + n).into()), 100).await.unwrap();
    assert!(signals.is_sorted_by_key(|signal| signal.number));
    signals.into_iter().map(|signal| signal.what).collect()
}

/// Law: a client has one stream, and there are no more than may be.
#[doc(hidden)]
pub async fn a_client_has_one_stream(store: Tried) {
    for n in 1..=3 {
        client(&store, n).await;
    }
    assert!(store.add_stream(stream(1, None), 2).await.unwrap());
    let second = Stream { id: StreamId(999), ..stream(1, None) };
    assert!(!store.add_stream(second, 2).await.unwrap());
    assert!(store.add_stream(stream(2, Some("https://a.example")), 2).await.unwrap());
    assert!(!store.add_stream(stream(3, None), 2).await.unwrap(), "no room");
    assert_eq!(store.stream_of(ClientId(1)).await.unwrap(), Some(stream(1, None)));
    assert_eq!(store.push_streams().await.unwrap(), [stream(2, Some("https://a.example"))]);
    let changed = Stream { enabled: false, endpoint: None, ..stream(2, None) };
    assert!(store.change_stream(changed.clone()).await.unwrap());
    assert_eq!(store.stream_of(ClientId(2)).await.unwrap(), Some(changed));
    assert!(store.push_streams().await.unwrap().is_empty());
    assert!(store.delete_stream(ClientId(1)).await.unwrap());
    assert!(!store.delete_stream(ClientId(1)).await.unwrap());
    assert!(!store.change_stream(stream(1, None)).await.unwrap());
    assert_eq!(store.stream_of(ClientId(1)).await.unwrap(), None);
}

/// Law: whatever ends a session tells every stream that is on, once, and it stays until it is
/// acknowledged.
#[doc(hidden)]
pub async fn an_end_is_told_to_every_stream_until_it_is_acknowledged(store: Tried) {
    with_two_accounts(&store).await;
    open(&store, &[&session(10, 1), &session(11, 1), &session(12, 1)]).await;
    for n in 1..=3 {
        client(&store, n).await;
        assert!(store.add_stream(stream(n, None), 10).await.unwrap());
    }
    store.change_stream(Stream { enabled: false, ..stream(3, None) }).await.unwrap();
    store.end_session(SessionId(10), ending(21)).await.unwrap();
    store.end_session(SessionId(11), ending(22)).await.unwrap();
    let both = [Told::Session(SessionId(10)), Told::Session(SessionId(11))];
    assert_eq!(told(&store, 1).await, both);
    assert_eq!(told(&store, 2).await, both);
    assert!(told(&store, 3).await.is_empty());
    let first = store.signals(StreamId(101), 1).await.unwrap().remove(0);
    assert_eq!(first.at, after(60));
    store.acknowledge(StreamId(101), &[first.number, 9999]).await.unwrap();
    assert_eq!(told(&store, 1).await, both[1..]);
    assert_eq!(told(&store, 2).await, both, "another's is not its business");
    // With its client a stream goes, and with it what waits.
    let gone = Event { kind: EventKind::ClientDeleted, ..event(70) };
    assert!(store.delete_client(ClientId(2), after(70), gone).await.unwrap());
    assert_eq!(store.stream_of(ClientId(2)).await.unwrap(), None);
    assert!(told(&store, 2).await.is_empty());
    assert_eq!(store.sweep_signals(after(60), 10).await.unwrap(), 0);
    assert_eq!(store.sweep_signals(after(61), 10).await.unwrap(), 1);
}

/// Law: a stream says that it works when it is asked to, and is asked no more often than may be.
#[doc(hidden)]
pub async fn a_verification_waits_like_any_signal(store: Tried) {
    client(&store, 1).await;
    store.add_stream(stream(1, None), 10).await.unwrap();
    let ask = async |state: &str| {
        store.verify_stream(StreamId(101), Some(state.to_owned()), after(5)).await.unwrap()
    };
    for n in 0..VERIFICATIONS_MAX {
        assert!(ask(&n.to_string()).await);
    }
    assert!(!ask("one too many").await);
    assert_eq!(told(&store, 1).await[0], Told::Verification(Some("0".to_owned())));
    let first = store.signals(StreamId(101), 1).await.unwrap().remove(0);
    store.acknowledge(StreamId(101), &[first.number]).await.unwrap();
    assert!(ask("room again").await);
}
