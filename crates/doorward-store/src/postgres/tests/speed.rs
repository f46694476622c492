//! How quick it is: printed, and nothing is asserted of it.
//!
//! `cargo test --release -p doorward-store -- --ignored --nocapture postgres::tests::speed`

use doorward_core::data::Precondition;
use doorward_wire::{AccountId, SessionId};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::*;
use crate::conformance::sample::{
    account, after, anonymous, data_key, ending, event, key, presented, secret, session,
    token_session, used,
};

const CLIENTS: u64 = 64;

/// Does something `count` times, by so many clients at once, and prints how often in a second.
async fn measure<F>(
    what: &str,
    store: &Tried,
    count: u64,
    act: impl Fn(Tried, u64) -> F + Copy + Send + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let begun = Instant::now();
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let store = Arc::clone(store);
        clients.spawn(async move {
            for n in (client..count).step_by(usize::try_from(CLIENTS).unwrap()) {
                act(Arc::clone(&store), n).await;
            }
        });
    }
    clients.join_all().await;
    let seconds = begun.elapsed().as_secs_f64();
    report(&format!("{what}: {:.0}/s", f64::from(u32::try_from(count).unwrap()) / seconds));
}

#[expect(clippy::print_stdout, reason = "a measurement is meant to be read")]
fn report(line: &str) {
    println!("measured: {line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn of_a_server_that_waits_for_its_disk() {
    let server = Server::own(Durability::Full);
    let database = server.database();
    let store: Tried = connect(&database).await;
    let count = 4000;
    for n in 1..=100 {
        store.open_account(account(n, &format!("person-{n}"))).await.unwrap();
    }
    measure("logins", &store, count, |store, n| async move {
        store.open_session(session(10_000 + n, 1 + n % 100)).await.unwrap();
    })
    .await;
    measure("logins with a refresh token", &store, count, |store, n| async move {
        let mut new = token_session(100_000 + n, 1 + n % 100);
        new.event = event(1_000_000 + n);
        store.open_session(new).await.unwrap();
    })
    .await;
    measure("who is this?", &store, 10 * count, |store, n| async move {
        store.session_by_key(key(10_000 + n % 4000)).await.unwrap().unwrap();
    })
    .await;
    measure("writes of session data", &store, count, |store, n| async move {
        let (sid, key) = (SessionId((10_000 + n).into()), data_key("a"));
        store.write_datum(sid, &key, "1", Precondition::Any).await.unwrap();
    })
    .await;
    measure("refreshes", &store, count, |store, n| async move {
        store.rotate(presented(&secret(100_000 + n), 1, after(1))).await.unwrap();
    })
    .await;
    let begun = Instant::now();
    let touches = (0..4000_u64).map(|n| (SessionId((10_000 + n).into()), used(after(9))));
    store.touch(touches.collect()).await.unwrap();
    report(&format!("4000 uses in one act: {:?}", begun.elapsed()));
    measure("ends of sessions", &store, count, |store, n| async move {
        let sid = SessionId((10_000 + n).into());
        assert!(store.end_session(sid, ending(2_000_000 + n)).await.unwrap());
    })
    .await;
    measure("sessions of nobody", &store, 100_000, |store, n| async move {
        let mut new = anonymous(200_000 + n);
        new.event = event(3_000_000 + n);
        store.open_session(new).await.unwrap();
    })
    .await;
    database.sql("UPDATE session SET account = '\\x00000000000000000000000000000001', epoch = 0");
    let begun = Instant::now();
    let count = store.end_sessions_of(AccountId(1), None, ending(4_000_000)).await.unwrap();
    report(&format!("an end of {count} sessions of one account: {:?}", begun.elapsed()));
}
