//! The table of live sessions: what it must not miss, whatever happens around it.

use std::sync::atomic::AtomicU64;

use doorward_core::session::Lifetimes;
use doorward_wire::{AccountId, SessionId};
use rusqlite::params;

use super::*;
use crate::conformance::sample::{
    account, after, anonymous, check_there, ending, event, key, new_secret, session, token_session,
    used,
};
use crate::table::Answer;
use crate::{Accounts, Sessions, Store};

/// What the table says of the session that answers to the `n`th secret, without asking the store.
fn told(store: &SqliteStore, n: u64) -> Answer<()> {
    match store.ask(|table| table.by_key(key(n))).unwrap() {
        Answer::Here(found) => {
            assert_eq!(found.session.key, Some(key(n)));
            Answer::Here(())
        }
        Answer::Gone => Answer::Gone,
        Answer::Ask => Answer::Ask,
    }
}

/// A clock that a test moves by hand.
#[derive(Clone, Default)]
struct Hand(Arc<AtomicU64>);

impl Hand {
    fn advance(&self, length: Duration) {
        self.0.fetch_add(u64::try_from(length.as_millis()).unwrap(), Ordering::SeqCst);
    }

    fn shape(&self) -> Shape {
        let shown = self.clone();
        let elapsed = move || Duration::from_millis(1000 + shown.0.load(Ordering::SeqCst));
        Shape::new(64 << 20, Arc::new(elapsed))
    }
}

/// Another process on the same file, or as good as one: a connection that the store knows nothing of.
fn another_process(directory: &Directory) -> Connection {
    let other = Connection::open(directory.file()).unwrap();
    other.pragma_update(None, "foreign_keys", true).unwrap();
    other
}

fn end_from_outside(other: &Connection, sid: u128) {
    let ended = other.execute("DELETE FROM session WHERE sid = ?1", params![sid.to_be_bytes()]);
    assert_eq!(ended.unwrap(), 1);
}

#[tokio::test]
async fn a_table_of_everything_asks_nobody() {
    let directory = Directory::new();
    let store = filled(directory.open_with_table()).await;
    store.open_account(account(1, "ada")).await.unwrap();
    store.open_session(session(10, 1)).await.unwrap();
    store.open_session(token_session(11, 1)).await.unwrap();
    assert_eq!(told(&store, 10), Answer::Here(()));
    assert_eq!(told(&store, 12), Answer::Gone);
    assert!(matches!(store.ask(|table| table.by_sid(SessionId(11))).unwrap(), Answer::Here(_)));
    store.rename(new_secret(&session(10, 1), 20, event(9_000))).await.unwrap();
    assert_eq!((told(&store, 10), told(&store, 20)), (Answer::Gone, Answer::Here(())));
    assert_eq!(store.ask(|table| table.is_retired(key(10))).unwrap(), Answer::Here(()));
    assert_eq!(store.ask(|table| table.is_retired(key(20))).unwrap(), Answer::Gone);
    store.end_session(SessionId(10), ending(1)).await.unwrap();
    assert_eq!(told(&store, 20), Answer::Gone);
    // With the session went what it had answered to before.
    assert_eq!(store.ask(|table| table.is_retired(key(10))).unwrap(), Answer::Gone);
    let size = store.table_size().unwrap();
    assert_eq!((size.session_count, size.is_complete), (1, true));
}

#[tokio::test]
async fn everything_that_was_there_before_is_in_the_table_after_a_start() {
    let directory = Directory::new();
    let before = directory.open();
    before.open_account(account(1, "ada")).await.unwrap();
    for n in 0..1000 {
        before.open_session(if n % 2 == 0 { session(n, 1) } else { anonymous(n) }).await.unwrap();
    }
    before.rename(new_secret(&session(10, 1), 5000, event(9_000))).await.unwrap();
    drop(before);
    let store = filled(directory.open_with_table()).await;
    for n in (0..1000).filter(|n| *n != 10).chain([5000]) {
        assert_eq!(told(&store, n), Answer::Here(()), "{n}");
    }
    assert_eq!(told(&store, 10), Answer::Gone);
    assert_eq!(store.ask(|table| table.is_retired(key(10))).unwrap(), Answer::Here(()));
    assert_eq!(store.table_size().unwrap().session_count, 1000);
}

#[tokio::test]
async fn what_happens_while_the_table_fills_counts() {
    let directory = Directory::new();
    let before = directory.open();
    for n in 0..3000 {
        before.open_session(anonymous(n)).await.unwrap();
    }
    drop(before);
    let store = Arc::new(directory.open_with_table());
    // Acts without a pause, on what was read already and on what was not.
    for n in (0..3000).step_by(7) {
        store.end_session(SessionId(n), ending(100_000 + u64::try_from(n).unwrap())).await.unwrap();
        check_there(store.session(SessionId(n)).await.unwrap().as_ref(), false);
        let opened = 10_000 + u64::try_from(n).unwrap();
        store.open_session(anonymous(opened)).await.unwrap();
        check_there(store.session_by_key(key(opened)).await.unwrap().as_ref(), true);
    }
    while !store.table_size().unwrap().is_complete {
        tokio::task::yield_now().await;
    }
    for n in 0..3000 {
        let (old, new) = if n % 7 == 0 {
            (Answer::Gone, Answer::Here(()))
        } else {
            (Answer::Here(()), Answer::Gone)
        };
        assert_eq!((told(&store, n), told(&store, 10_000 + n)), (old, new), "{n}");
    }
}

#[tokio::test]
async fn a_session_ended_by_another_process_is_refused_within_the_bound() {
    let directory = Directory::new();
    let hand = Hand::default();
    let store = SqliteStore::open_with_table(&directory.file(), hand.shape()).unwrap();
    let store = filled(store).await;
    store.open_session(anonymous(10)).await.unwrap();
    let other = another_process(&directory);
    end_from_outside(&other, 10);
    // A second has not passed: the answer is what was true when the writer last looked.
    hand.advance(Duration::from_secs(1));
    hand.advance(Duration::from_millis(1));
    assert_eq!(store.session_by_key(key(10)).await.unwrap(), None);
    assert_eq!(store.session(SessionId(10)).await.unwrap(), None);
}

#[tokio::test]
async fn a_request_that_finds_the_table_ripe_has_the_writer_look() {
    let directory = Directory::new();
    let hand = Hand::default();
    let store = SqliteStore::open_with_table(&directory.file(), hand.shape()).unwrap();
    let store = filled(store).await;
    store.open_session(anonymous(10)).await.unwrap();
    end_from_outside(&another_process(&directory), 10);
    hand.advance(Duration::from_millis(251));
    // Whatever it is answered itself: soon after it no request finds the session any more.
    while store.session_by_key(key(10)).await.unwrap().is_some() {
        tokio::task::yield_now().await;
    }
    // And the table is filled anew.
    let store = filled(store).await;
    assert_eq!(told(&store, 10), Answer::Gone);
}

#[tokio::test]
async fn an_act_after_another_process_has_written_makes_the_table_void_at_once() {
    let directory = Directory::new();
    let store = filled(directory.open_with_table()).await;
    store.open_session(anonymous(10)).await.unwrap();
    end_from_outside(&another_process(&directory), 10);
    store.open_session(anonymous(11)).await.unwrap();
    assert_eq!(store.session_by_key(key(10)).await.unwrap(), None);
    assert!(store.session_by_key(key(11)).await.unwrap().is_some());
    let store = filled(store).await;
    assert_eq!((told(&store, 10), told(&store, 11)), (Answer::Gone, Answer::Here(())));
}

#[tokio::test]
async fn the_writers_own_commits_and_checkpoints_never_make_the_table_void() {
    let directory = Directory::new();
    let store = filled(directory.open_with_table()).await;
    for n in 0..3000 {
        store.open_session(anonymous(n)).await.unwrap();
        assert!(store.table_size().unwrap().is_complete, "{n}");
    }
    assert!(
        fs::metadata(directory.0.join("doorward.db")).unwrap().len() > 100_000,
        "the log was moved"
    );
}

/// Does an act in a batch that fails at its commit.
async fn with_a_commit_that_fails(
    store: &SqliteStore,
    act: impl FnOnce(&Connection) -> Result<(), StoreFailed> + Send + 'static,
) {
    let poisoned = store.writer.act(|db: &Connection| {
        act(db)?;
        // A row without its parent, found out only at the commit.
        db.execute_batch("PRAGMA defer_foreign_keys = ON")?;
        db.execute_batch("INSERT INTO session_datum VALUES (randomblob(16), 'a', 1, '1')")?;
        Ok(Verdict::Keep(()))
    });
    assert!(poisoned.await.unwrap_err().to_string().contains("FOREIGN KEY"));
}

#[tokio::test]
async fn a_commit_that_fails_brings_nothing_back_and_drops_nothing() {
    let directory = Directory::new();
    let store = filled(directory.open_with_table()).await;
    store.open_session(anonymous(10)).await.unwrap();
    store.open_session(anonymous(11)).await.unwrap();
    store.end_session(SessionId(11), ending(1)).await.unwrap();
    let end = |db: &Connection| {
        assert!(sessions::end(db, SessionId(10), &ending(2), 0)?);
        Ok(())
    };
    with_a_commit_that_fails(&store, end).await;
    assert_eq!(told(&store, 10), Answer::Here(()), "it was not ended");
    let open = |db: &Connection| {
        assert!(matches!(sessions::open(db, &anonymous(12))?, Verdict::Keep(Ok(()))));
        Ok(())
    };
    with_a_commit_that_fails(&store, open).await;
    assert_eq!(told(&store, 12), Answer::Gone, "it was not opened");
    assert_eq!(told(&store, 11), Answer::Gone, "it stays ended");
    store.end_session(SessionId(10), ending(3)).await.unwrap();
    assert_eq!(told(&store, 10), Answer::Gone);
}

#[tokio::test]
async fn an_act_that_is_refused_leaves_the_table_as_it_was() {
    let directory = Directory::new();
    let store = filled(directory.open_with_table()).await;
    store.open_session(anonymous(10)).await.unwrap();
    let mut twin = anonymous(11);
    twin.session.key = Some(key(10));
    assert!(store.open_session(twin).await.is_err());
    assert_eq!(told(&store, 10), Answer::Here(()));
    assert_eq!(store.ask(|table| table.by_sid(SessionId(11))).unwrap(), Answer::Gone);
}

#[tokio::test]
async fn once_the_writer_has_died_the_table_is_not_asked() {
    let directory = Directory::new();
    let store = filled(directory.open_with_table()).await;
    store.open_session(anonymous(10)).await.unwrap();
    let bug = |_: &Connection| -> writer::Acted<()> { panic!("a bug") };
    assert!(store.writer.act(bug).await.is_err());
    // The thread unwinds after it has let go of whoever waited.
    while told(&store, 10) != Answer::Ask {
        tokio::task::yield_now().await;
    }
    assert!(store.session_by_key(key(10)).await.unwrap().is_some(), "the file can still be read");
    end_from_outside(&another_process(&directory), 10);
    assert!(store.session_by_key(key(10)).await.unwrap().is_none());
}

#[tokio::test]
async fn once_the_file_is_gone_nothing_is_answered_from_memory() {
    let directory = Directory::new();
    let store = filled(directory.open_with_table()).await;
    store.open_session(anonymous(10)).await.unwrap();
    fs::remove_file(directory.file()).unwrap();
    assert!(store.end_session(SessionId(10), ending(1)).await.is_err());
    assert!(store.session_by_key(key(10)).await.is_err());
    assert!(store.session(SessionId(10)).await.is_err());
    assert!(store.session_by_retired_key(key(10)).await.is_err());
}

#[tokio::test]
async fn a_change_of_an_account_counts_for_all_its_sessions_at_once() {
    let directory = Directory::new();
    let store = filled(directory.open_with_table()).await;
    store.open_account(account(1, "ada")).await.unwrap();
    for n in 10..20 {
        store.open_session(session(n, 1)).await.unwrap();
    }
    for (sql, expected) in [
        ("UPDATE account SET disabled = 1", false),
        ("UPDATE account SET disabled = 0", true),
        ("UPDATE account SET epoch = 7", false),
    ] {
        store
            .writer
            .act(move |db: &Connection| Ok(Verdict::Keep(db.execute(sql, ())?)))
            .await
            .unwrap();
        for n in 10..20 {
            let Answer::Here(found) = store.ask(|table| table.by_key(key(n))).unwrap() else {
                panic!("it is in the table");
            };
            assert_eq!(found.check(&Lifetimes::default(), after(1)).is_ok(), expected, "{sql}");
        }
    }
    // With an account that is removed go its sessions, and nothing is left of it.
    store
        .writer
        .act(|db: &Connection| Ok(Verdict::Keep(db.execute("DELETE FROM account", ())?)))
        .await
        .unwrap();
    assert_eq!(told(&store, 10), Answer::Gone);
    assert_eq!(
        store.table_size().unwrap(),
        TableSize { session_count: 0, bytes: 0, is_complete: true }
    );
}

#[tokio::test]
async fn beyond_its_bound_the_table_has_those_used_last_and_asks_for_the_others() {
    let directory = Directory::new();
    let bytes_max = 300 * 1024;
    let store = SqliteStore::open_with_table(&directory.file(), shape(bytes_max)).unwrap();
    let store = filled(store).await;
    for n in 0..2000 {
        let mut new = anonymous(n);
        new.session.seen_at = after(n);
        store.open_session(new).await.unwrap();
        assert!(store.table_size().unwrap().bytes <= bytes_max);
    }
    let size = store.table_size().unwrap();
    assert!(!size.is_complete && size.session_count > 500, "{size:?}");
    let here = |range: std::ops::Range<u64>| {
        range.filter(|n| told(&store, *n) == Answer::Here(())).count()
    };
    assert!(here(1900..2000) > 60, "{}", here(1900..2000));
    assert!(here(0..100) < 30, "{}", here(0..100));
    for n in 0..2000 {
        check_there(store.session_by_key(key(n)).await.unwrap().as_ref(), true);
    }
    // A use brings one of them back in.
    let absent = (0..2000).find(|n| told(&store, *n) == Answer::Ask).unwrap();
    store.touch(vec![(SessionId(absent.into()), used(after(5000)))]).await.unwrap();
    assert_eq!(told(&store, absent), Answer::Here(()));
    // Once there is room, all is read again.
    for n in 200..2000 {
        store.end_session(SessionId(n.into()), ending(100_000 + n)).await.unwrap();
    }
    let store = filled(store).await;
    assert_eq!(store.table_size().unwrap().session_count, 200);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_a_failure_and_the_others_are_found() {
    let directory = Directory::new();
    let before = directory.open();
    before.open_session(anonymous(10)).await.unwrap();
    before.open_session(anonymous(11)).await.unwrap();
    drop(before);
    another_process(&directory)
        .execute("UPDATE session SET acr = 9 WHERE sid = ?1", params![10_u128.to_be_bytes()])
        .unwrap();
    let store = directory.open_with_table();
    while told(&store, 11) != Answer::Here(()) {
        tokio::task::yield_now().await;
    }
    assert!(store.session_by_key(key(10)).await.is_err());
    assert!(store.session(SessionId(10)).await.is_err());
}

#[tokio::test]
async fn an_account_that_changes_while_the_table_fills_is_in_it_as_it_is() {
    let directory = Directory::new();
    let before = directory.open();
    for n in 1..=20 {
        before.open_account(account(n, &format!("member-{n}"))).await.unwrap();
        for m in 0..50 {
            before.open_session(session(n * 100 + m, n)).await.unwrap();
        }
    }
    drop(before);
    let store = Arc::new(directory.open_with_table());
    for n in 1..=20_u64 {
        // The epoch moves, and the sessions stay: as good as any act that forgets to end them.
        let disable = move |db: &Connection| {
            let id = u128::from(n).to_be_bytes();
            Ok(Verdict::Keep(db.execute("UPDATE account SET disabled = 1 WHERE id = ?1", (id,))?))
        };
        store.writer.act(disable).await.unwrap();
    }
    let kept: Arc<dyn Store> = store.clone();
    while !store.table_size().unwrap().is_complete {
        tokio::task::yield_now().await;
    }
    for n in (1..=20).flat_map(|n| (0..50).map(move |m| n * 100 + m)) {
        let found = kept.session_by_key(key(n)).await.unwrap().unwrap();
        assert!(found.account.is_some_and(|account| account.disabled), "{n}");
    }
    assert!(kept.account(AccountId(1)).await.unwrap().unwrap().disabled);
}
