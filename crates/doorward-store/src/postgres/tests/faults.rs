//! What happens when the server, or the way to it, does not do as it should.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use doorward_core::client::{Client, ClientName};
use doorward_core::signal::{Stream, Told};
use doorward_wire::{AccountId, ClientId, SessionId, StreamId};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::*;
use crate::conformance::sample::{
    account, after, anonymous, ending, event, key, session, with_two_accounts,
};
use crate::{Accounts, Clients, Events, RevocationLog, Sessions, Signals};

/// A store on a server of its own, which keeps what it has committed.
async fn mortal() -> (Arc<PostgresStore>, Database, Server) {
    let server = Server::own(Durability::Full);
    let database = server.database();
    (connect(&database).await, database, server)
}

/// Holds a row, as another act that does not go on.
async fn hold(database: &Database, sql: &str) -> tokio_postgres::Client {
    let address = Address::parse(&database.url()).unwrap();
    let client = link::connect(&address).await.unwrap();
    client.batch_execute("BEGIN").await.unwrap();
    client.batch_execute(sql).await.unwrap();
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_gone_refuses_and_one_that_comes_back_serves_again() {
    let (store, _database, server) = mortal().await;
    store.open_session(anonymous(1)).await.unwrap();
    server.stop();
    assert!(store.session(SessionId(1)).await.is_err());
    assert!(store.open_session(anonymous(2)).await.is_err());
    assert!(store.probe(after(1)).await.is_err());
    server.start();
    let found = eventually(|| async { store.session(SessionId(1)).await }).await;
    assert!(found.is_some());
    assert!(store.session(SessionId(2)).await.unwrap().is_none(), "what failed did not happen");
    store.open_session(anonymous(2)).await.unwrap();
    // And it listens again.
    let mut appended = store.appended();
    let begun = Instant::now();
    while store.last_heard() > Duration::from_millis(600) {
        assert!(begun.elapsed() < Duration::from_secs(10), "it hears nothing");
        sleep(Duration::from_millis(20)).await;
    }
    appended.borrow_and_update();
    store.end_session(SessionId(1), ending(1)).await.unwrap();
    appended.changed().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_before_a_crash_of_the_server_is_there_after_it() {
    let (store, _database, server) = mortal().await;
    let (stop, next) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut writers = JoinSet::new();
    for _ in 0..8 {
        let (store, stop, next) = (Arc::clone(&store), Arc::clone(&stop), Arc::clone(&next));
        writers.spawn(async move {
            let mut kept = Vec::new();
            while !stop.load(Ordering::Acquire) {
                let n = next.fetch_add(1, Ordering::Relaxed);
                let opened = store.open_session(anonymous(n)).await.is_ok();
                let ended = opened && n.is_multiple_of(3) && {
                    store.end_session(SessionId(n.into()), ending(1_000_000 + n)).await.is_ok()
                };
                if opened {
                    kept.push((n, ended));
                }
            }
            kept
        });
    }
    for _ in 0..3 {
        sleep(Duration::from_millis(300)).await;
        let server = &server;
        tokio::task::block_in_place(|| {
            server.crash();
            server.start();
        });
    }
    sleep(Duration::from_millis(300)).await;
    stop.store(true, Ordering::Release);
    let kept: Vec<_> = writers.join_all().await.into_iter().flatten().collect();
    assert!(kept.len() > 50, "{}", kept.len());
    let mut ends = 0;
    for (n, has_ended) in kept {
        let found = store.session_by_key(key(n)).await.unwrap();
        ends += u64::from(has_ended);
        // Where an end was asked for and failed, nobody knows.
        if has_ended || !n.is_multiple_of(3) {
            assert_eq!(found.is_none(), has_ended, "session {n}");
        }
    }
    let head = store.head().await.unwrap();
    let log = store.revocations(0, 99_999).await.unwrap();
    assert!(head >= ends && log.iter().map(|entry| entry.seq).eq(1..=head));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_to_a_standby_that_was_waited_for_loses_nothing() {
    let first = Server::own(Durability::Full);
    first.sql("postgres", "CREATE DATABASE kept");
    let second = first.standby();
    let hosts = |server: &Server| {
        let url = server.url("kept");
        url.split('@').nth(1).unwrap().split('/').next().unwrap().to_owned()
    };
    // The standby comes first, and is passed over for as long as it takes no writes.
    let url = format!("postgresql://doorward@{},{}/kept", hosts(&second), hosts(&first));
    let store = Arc::new(PostgresStore::connect(&url).await.unwrap());
    let alone = PostgresStore::connect(&second.url("kept")).await;
    check_message(alone, "does not allow writes");
    let (mut writers, count) = (JoinSet::new(), Arc::new(AtomicU64::new(0)));
    for n in 0..1000 {
        let (store, count) = (Arc::clone(&store), Arc::clone(&count));
        writers.spawn(async move {
            let kept = store.open_session(anonymous(n)).await.is_ok();
            count.fetch_add(u64::from(kept), Ordering::Relaxed);
            (n, kept)
        });
    }
    while count.load(Ordering::Relaxed) < 50 {
        sleep(Duration::from_millis(1)).await;
    }
    tokio::task::block_in_place(|| first.crash());
    let kept = writers.join_all().await;
    tokio::task::block_in_place(|| second.promote());
    eventually(|| async { store.probe(after(1)).await }).await;
    for (n, _) in kept.iter().filter(|(_, kept)| *kept) {
        let found = eventually(|| async { store.session_by_key(key(*n)).await }).await;
        assert!(found.is_some(), "session {n} was acknowledged");
    }
    assert!(kept.iter().any(|(_, kept)| *kept) && kept.iter().any(|(_, kept)| !kept));
}

/// A server that is told to wait no longer for its standby calls the commit a success, and so none of our
/// timeouts may tell it that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_standby_that_is_waited_for_has_not_got_is_not_acknowledged() {
    let first = Server::own(Durability::Full);
    first.sql("postgres", "CREATE DATABASE kept");
    let store = PostgresStore::connect(&first.url("kept")).await.unwrap();
    let second = first.standby();
    eventually(|| async { store.open_session(anonymous(1)).await.map_err(failed) }).await;
    tokio::task::block_in_place(|| second.crash());
    check_message(store.open_session(anonymous(2)).await.map_err(failed), "in time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_cut_fails_one_act_at_most_and_is_made_anew() {
    let (store, database) = fresh().await;
    store.open_session(anonymous(1)).await.unwrap();
    store.session(SessionId(1)).await.unwrap();
    database.sql(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    eventually(|| async { store.session(SessionId(1)).await }).await;
    eventually(|| async { store.note(event(1)).await }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_act_that_waits_for_a_row_too_long_fails_and_leaves_nothing() {
    let (store, database) = fresh().await;
    store.open_account(account(1, "ada")).await.unwrap();
    let held = hold(&database, "SELECT 1 FROM account FOR UPDATE").await;
    let begun = Instant::now();
    check_message(store.open_session(session(10, 1)).await.map_err(failed), "timeout");
    assert!(begun.elapsed() < DEADLINE + Duration::from_secs(1));
    assert!(store.account(AccountId(1)).await.unwrap().is_some(), "readers wait for nobody");
    drop(held);
    eventually(|| async { store.open_session(session(10, 1)).await.map_err(failed) }).await;
}

fn failed(refused: crate::act::SessionError) -> StoreFailed {
    match refused {
        crate::act::SessionError::Failed(failure) => failure,
        refused => panic!("{refused}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_is_refused_and_not_hung() {
    let database = database();
    let patience = Duration::from_millis(500);
    let sizes = Sizes { pool_max: 2, queue_max: 6, patience, ..Sizes::default() };
    let store = Arc::new(PostgresStore::connect_sized(&database.url(), None, sizes).await.unwrap());
    store.open_session(anonymous(1)).await.unwrap();
    let held = hold(&database, "LOCK TABLE event IN EXCLUSIVE MODE").await;
    let begun = Instant::now();
    let mut asked = JoinSet::new();
    for n in 0..20 {
        let store = Arc::clone(&store);
        asked.spawn(async move { store.note(event(100 + n)).await });
    }
    // None can be done, so whoever is answered first is one that did not fit.
    for _ in 0..14 {
        check_message(asked.join_next().await.unwrap().unwrap(), "too much is waiting");
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "at once");
    for _ in 0..4 {
        check_message(asked.join_next().await.unwrap().unwrap(), "no connection");
    }
    assert!(begun.elapsed() < Duration::from_secs(2));
    held.batch_execute("ROLLBACK").await.unwrap();
    drop(held);
    for kept in asked.join_all().await {
        kept.unwrap();
    }
    assert_eq!(database.sql("SELECT count(*) FROM event"), "3");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_act_happens_though_nobody_waits_for_it_any_more() {
    let (store, database) = fresh().await;
    let held = hold(&database, "LOCK TABLE event IN EXCLUSIVE MODE").await;
    let waiting = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.note(event(1)).await }
    });
    while database.sql("SELECT count(*) FROM pg_locks WHERE NOT granted") == "0" {
        sleep(Duration::from_millis(5)).await;
    }
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    held.batch_execute("ROLLBACK").await.unwrap();
    let begun = Instant::now();
    while store.events(9).await.unwrap().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_act_in_a_deadlock_is_done_again() {
    let (store, database) = fresh().await;
    let tried: Tried = store.clone();
    with_two_accounts(&tried).await;
    store.open_session(session(10, 1)).await.unwrap();
    // Another program that takes the session first and the account after it.
    let held = hold(&database, "SELECT 1 FROM session FOR UPDATE").await;
    let ending_all = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.end_sessions_of(AccountId(1), None, ending(1)).await }
    });
    while database.sql("SELECT count(*) FROM pg_locks WHERE NOT granted") == "0" {
        sleep(Duration::from_millis(5)).await;
    }
    // One of the two is told to begin again.
    if held.batch_execute("UPDATE account SET disabled = FALSE").await.is_ok() {
        held.batch_execute("COMMIT").await.unwrap();
    } else {
        held.batch_execute("ROLLBACK").await.unwrap();
    }
    assert_eq!(ending_all.await.unwrap().unwrap(), 1);
    assert_eq!(store.head().await.unwrap(), 1);
}

#[tokio::test]
async fn no_commit_is_claimed_after_a_statement_that_failed() {
    let (store, database) = fresh().await;
    let acted = store.acts.act((), |db, _| async move {
        // An act that passes over the failure of one of its statements.
        assert!(change(&db, "INSERT INTO probe (at) VALUES (1)", &[]).await.is_err());
        Ok(Verdict::Keep(()))
    });
    check_message(acted.await, "nothing of it was kept");
    assert_eq!(database.sql("SELECT at FROM probe"), "0");
    store.probe(after(1)).await.unwrap();
}

#[tokio::test]
async fn commits_wait_for_the_disk_whatever_the_server_is_set_to() {
    let database = database();
    let name = database.sql("SELECT current_database()");
    database.sql(&format!("ALTER DATABASE {name} SET synchronous_commit = off"));
    database
        .sql(&format!("ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'"));
    let store = connect(&database).await;
    let told = store.acts.act((), |db, _| async move {
        const TOLD: &str = "SELECT current_setting('synchronous_commit'),
            current_setting('transaction_isolation')";
        let told =
            columns::only(&db, TOLD, &[], |row| Ok((row.take::<String>()?, row.take::<String>()?)));
        Ok(Verdict::Keep(told.await?))
    });
    assert_eq!(told.await.unwrap(), ("on".to_owned(), "read committed".to_owned()));
}

#[tokio::test]
async fn a_value_that_was_tampered_with_is_a_failure_and_not_a_session() {
    let (store, database) = fresh().await;
    store.open_account(account(1, "ada")).await.unwrap();
    store.open_session(session(10, 1)).await.unwrap();
    for (sql, expected) in [
        ("UPDATE session SET acr = 9", "`acr`"),
        ("UPDATE session SET acr = 1, amr = 513", "`amr`"),
        ("UPDATE session SET amr = 1, carrier = 2", "`carrier`"),
        ("UPDATE session SET carrier = 0, seen_at = -1", "`seen_at`"),
        ("UPDATE session SET seen_at = 1, generation = 5000000000", "`generation`"),
        ("UPDATE account SET role = 'owner'", "generation"),
    ] {
        database.sql(sql);
        check_message(store.session(SessionId(10)).await, expected);
    }
    check_message(store.account(AccountId(1)).await, "`role`");
}

#[tokio::test]
async fn text_with_a_nul_comes_back_as_it_went_in() {
    let (store, _database) = fresh().await;
    let client = Client {
        id: ClientId(1),
        name: ClientName::parse("a receiver").unwrap(),
        scopes: vec![],
        serves: vec![],
        redirects: vec![],
        audience: String::new(),
        is_public: false,
        created_at: after(0),
        secret: key(1),
        tokens_from: after(0),
    };
    store.add_client(client, event(1)).await.unwrap();
    let (id, client) = (StreamId(2), ClientId(1));
    let stream = Stream { id, client, endpoint: None, enabled: true, created_at: after(1) };
    assert!(store.add_stream(stream, 9).await.unwrap());
    let state = Some("a\0b".to_owned());
    assert!(store.verify_stream(id, state.clone(), after(1)).await.unwrap());
    let heard = store.signals(id, 9).await.unwrap().remove(0).what;
    assert_eq!(heard, Told::Verification(state));
    assert!(!store.verify_stream(StreamId(3), None, after(1)).await.unwrap(), "there is none");
}

#[tokio::test]
async fn nothing_that_is_printed_tells_the_password() {
    let database = database();
    let url = database.url().replace("doorward@", "doorward:s3cret@");
    let store = PostgresStore::connect(&url).await.unwrap();
    assert!(!format!("{store:?}").contains("s3cret"));
    let gone = "postgresql://ada:s3cret@127.0.0.1:1/none?sslmode=require";
    let failure = PostgresStore::connect(gone).await.unwrap_err();
    assert!(!format!("{failure} {failure:?}").contains("s3cret"), "{failure:?}");
    assert!(failure.to_string().contains("no connection"), "{failure}");
}

/// Nothing but what it hears makes it forget: it would remember for an hour.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_hears_what_another_has_ended() {
    let database = database();
    let hour = Some(Duration::from_hours(1));
    let url = database.url();
    let here = PostgresStore::connect_sized(&url, hour, Sizes::default()).await.unwrap();
    let there: Tried = Arc::new(PostgresStore::connect(&url).await.unwrap());
    with_two_accounts(&there).await;
    there.open_session(session(10, 1)).await.unwrap();
    there.open_session(session(11, 2)).await.unwrap();
    while here.last_heard() > Duration::from_millis(600) {
        sleep(Duration::from_millis(10)).await;
    }
    let known = async |n| here.session_by_key(key(n)).await.unwrap().is_some();
    assert!(known(10).await && known(11).await);
    there.end_session(SessionId(10), ending(21)).await.unwrap();
    let begun = Instant::now();
    while known(10).await {
        assert!(begun.elapsed() < Duration::from_secs(10), "it never hears of it");
        sleep(Duration::from_millis(5)).await;
    }
    assert!(known(11).await, "another session");
}
