//! What happens when the machine beneath does not do as it should.

use std::os::unix::fs::PermissionsExt;

use doorward_core::data::Precondition;
use doorward_core::session::Lifetimes;
use doorward_wire::{AccountId, SessionId};
use tokio::task::JoinSet;

use super::*;
use crate::conformance::sample::{
    account, after, anonymous, at_once, data_key, ending, event, key, password, presented, secret,
    session, successor, token_session, used, with_two_accounts,
};
use crate::{Accounts, Events, RefreshTokens, RevocationLog, SessionData, Sessions, Store};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn sibling(directory: &Directory, suffix: &str) -> PathBuf {
    directory.0.join(format!("doorward.db{suffix}"))
}

/// Another process that holds the database: what is asked for meanwhile gathers in the queue.
fn hold(directory: &Directory) -> Connection {
    let other = Connection::open(directory.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    other
}

/// Acts that were asked for at once.
struct Asked<T> {
    acts: JoinSet<T>,
    count: Arc<AtomicU32>,
}

fn ask<T, F>(
    store: &Arc<SqliteStore>,
    count: u64,
    act: impl Fn(Arc<SqliteStore>, u64) -> F,
) -> Asked<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut asked = Asked { acts: JoinSet::new(), count: Arc::default() };
    for n in 0..count {
        let (act, count) = (act(Arc::clone(store), n), Arc::clone(&asked.count));
        asked.acts.spawn(async move {
            // The act asks when it is first polled, and that is at once.
            count.fetch_add(1, Ordering::Relaxed);
            act.await
        });
    }
    asked
}

async fn all_have_asked<T: 'static>(asked: &Asked<T>) {
    let mut started = 0;
    let all = u32::try_from(asked.acts.len()).unwrap();
    while started < all {
        tokio::task::yield_now().await;
        started = asked.count.load(Ordering::Relaxed);
    }
}

#[track_caller]
fn check_message<T: std::fmt::Debug>(result: Result<T, StoreFailed>, expected: &str) {
    let message = result.unwrap_err().to_string();
    assert!(message.contains(expected), "{message}");
}

#[tokio::test]
async fn every_file_is_for_its_owner_alone() {
    let directory = Directory::new();
    let store = directory.open_with_table();
    store.note(event(1)).await.unwrap();
    store.events(1).await.unwrap();
    for suffix in ["", "-wal", "-shm"] {
        assert_eq!(mode(&sibling(&directory, suffix)), 0o600, "{suffix}");
    }
}

#[tokio::test]
async fn a_file_that_others_can_read_is_closed_to_them() {
    let directory = Directory::new();
    drop(directory.open());
    fs::set_permissions(directory.file(), fs::Permissions::from_mode(0o644)).unwrap();
    let _store = directory.open_with_table();
    for suffix in ["", "-wal", "-shm"] {
        assert_eq!(mode(&sibling(&directory, suffix)), 0o600, "{suffix}");
    }
}

#[test]
fn a_store_in_a_directory_that_is_not_there_does_not_open() {
    let directory = Directory::new();
    assert!(SqliteStore::open(&directory.0.join("missing").join("doorward.db")).is_err());
}

#[tokio::test]
async fn what_was_acknowledged_is_found_after_a_restart() {
    let directory = Directory::new();
    let before = directory.open_with_table();
    before.open_account(account(1, "ada")).await.unwrap();
    before.open_session(session(10, 1)).await.unwrap();
    before.open_session(token_session(11, 1)).await.unwrap();
    before.open_session(anonymous(12)).await.unwrap();
    before.write_datum(SessionId(10), &data_key("a"), "1", Precondition::Any).await.unwrap();
    before.rotate(presented(&secret(11), 1, after(1))).await.unwrap();
    before.end_session(SessionId(12), ending(1)).await.unwrap();
    let found = before.session(SessionId(10)).await.unwrap();
    let log = before.revocations(0, 9).await.unwrap();
    let events = before.events(99).await.unwrap();

    // What a power cut leaves: the files as they are now, not closed by anybody.
    let copy = Directory::new();
    for suffix in ["", "-wal"] {
        fs::copy(sibling(&directory, suffix), sibling(&copy, suffix)).unwrap();
    }
    drop(before);
    assert!(!sibling(&directory, "-wal").exists(), "a clean end leaves one file");
    for store in [directory.open_with_table(), copy.open_with_table()] {
        assert_eq!(store.session(SessionId(10)).await.unwrap(), found);
        assert_eq!(store.session(SessionId(12)).await.unwrap(), None);
        assert_eq!(store.data(SessionId(10)).await.unwrap().len(), 1);
        assert_eq!(store.revocations(0, 9).await.unwrap(), log);
        assert_eq!(store.events(99).await.unwrap(), events);
        let again = store.rotate(presented(&secret(11), 2, after(2))).await.unwrap();
        assert_eq!(again.salt, [1; 32]);
        store.end_session(SessionId(10), ending(2)).await.unwrap();
        assert_eq!(store.head().await.unwrap(), 2);
    }
}

#[tokio::test]
async fn everything_asked_for_is_done_before_the_store_is_gone() {
    let directory = Directory::new();
    let store = Arc::new(directory.open());
    let mut asked =
        ask(&store, 300, |store, n| async move { store.open_session(anonymous(n)).await.is_ok() });
    all_have_asked(&asked).await;
    // Then nobody waits for an answer any more.
    asked.acts.shutdown().await;
    drop(store);
    let store = directory.open_with_table();
    for n in 0..300 {
        assert!(store.session_by_key(key(n)).await.unwrap().is_some());
    }
}

#[test]
fn a_database_of_a_newer_version_is_refused() {
    let directory = Directory::new();
    drop(directory.open());
    let db = Connection::open(directory.file()).unwrap();
    db.pragma_update(None, "user_version", 999).unwrap();
    drop(db);
    check_message(SqliteStore::open(&directory.file()).map(|_| ()), "version 999");
}

#[test]
fn a_database_of_another_program_is_refused_and_left_alone() {
    let directory = Directory::new();
    let db = Connection::open(directory.file()).unwrap();
    db.execute_batch("CREATE TABLE theirs (a); PRAGMA user_version = 1").unwrap();
    drop(db);
    check_message(SqliteStore::open(&directory.file()).map(|_| ()), "some other program");
    let db = Connection::open(directory.file()).unwrap();
    let tables: i64 =
        db.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0)).unwrap();
    assert_eq!(tables, 1);
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let directory = Directory::new();
    let text = "a diary, and nobody's business".repeat(100);
    fs::write(directory.file(), &text).unwrap();
    assert!(SqliteStore::open(&directory.file()).is_err());
    assert_eq!(fs::read_to_string(directory.file()).unwrap(), text);
}

async fn check_fails_closed(store: &SqliteStore) {
    let lost = "removed or replaced";
    check_message(store.probe(after(1)).await, lost);
    check_message(store.note(event(2)).await, lost);
    check_message(store.session(SessionId(10)).await, lost);
    check_message(store.sweep(&Lifetimes::default(), after(0), 1).await, lost);
    assert!(store.open_session(anonymous(11)).await.is_err());
}

#[tokio::test]
async fn once_the_file_is_removed_nothing_is_acknowledged() {
    for suffix in ["", "-wal"] {
        let directory = Directory::new();
        let store = directory.open_with_table();
        store.open_session(anonymous(10)).await.unwrap();
        fs::remove_file(sibling(&directory, suffix)).unwrap();
        // The commit itself goes well: the file is there, and only its name has gone.
        check_message(store.note(event(3)).await, "removed or replaced");
        check_fails_closed(&store).await;
    }
}

#[tokio::test]
async fn once_the_file_is_replaced_nothing_is_acknowledged_and_nothing_of_it_is_read() {
    let (directory, other) = (Directory::new(), Directory::new());
    let store = directory.open_with_table();
    drop(other.open());
    fs::rename(other.file(), directory.file()).unwrap();
    // The second of two readers opens its connection now: it must not be one to the other file.
    let first = store.readers.read(|_| {
        check_message(store.readers.read(|db| sessions::find(db, SessionId(10))), "replaced");
        Ok(())
    });
    first.unwrap();
    check_message(store.session(SessionId(10)).await, "removed or replaced");
    check_fails_closed(&store).await;
}

#[tokio::test]
async fn a_file_that_comes_back_is_trusted_after_a_restart_only() {
    let directory = Directory::new();
    let store = directory.open_with_table();
    store.open_session(anonymous(10)).await.unwrap();
    let aside = directory.0.join("aside");
    fs::rename(directory.file(), &aside).unwrap();
    assert!(store.probe(after(1)).await.is_err());
    fs::rename(&aside, directory.file()).unwrap();
    check_fails_closed(&store).await;
    drop(store);
    assert!(directory.open().session(SessionId(10)).await.unwrap().is_some());
}

#[tokio::test]
async fn an_act_that_fails_takes_no_other_of_its_batch_with_it() {
    let directory = Directory::new();
    let store = Arc::new(directory.open());
    let kept: Arc<dyn Store> = store.clone();
    with_two_accounts(&kept).await;
    let other = hold(&directory);
    let asked = ask(&store, 90, |store, n| async move {
        let mut new = token_session(100 + n, 1);
        match n % 3 {
            // Kept.
            0 => {}
            // Refused after its session was inserted: the refresh token is the first one's.
            1 => new.refresh.as_mut().unwrap().key = key(100),
            // Fails after its session was inserted: the event has been told.
            _ => new.event.id = event(1001).id,
        }
        store.open_session(new).await.is_ok()
    });
    all_have_asked(&asked).await;
    other.execute_batch("ROLLBACK").unwrap();
    let results = asked.acts.join_all().await;
    assert_eq!(results.iter().filter(|kept| **kept).count(), 30);
    let there = store.sessions_of(AccountId(1), None, 999).await.unwrap().items;
    assert_eq!(there.len(), 30);
    assert!(there.iter().all(|found| (found.session.sid.0 - 100).is_multiple_of(3)));
}

#[tokio::test]
async fn a_database_held_by_another_process_refuses_and_recovers() {
    let directory = Directory::new();
    let sizes = Sizes { patience: Duration::from_millis(20), ..Sizes::default() };
    let store = SqliteStore::open_sized(&directory.file(), None, sizes).unwrap();
    store.open_session(anonymous(10)).await.unwrap();
    let other = hold(&directory);
    check_message(store.note(event(1)).await, "locked");
    assert!(store.session(SessionId(10)).await.unwrap().is_some(), "readers wait for nobody");
    other.execute_batch("ROLLBACK").unwrap();
    store.note(event(1)).await.unwrap();
}

#[tokio::test]
async fn what_does_not_fit_into_the_queue_is_refused_at_once() {
    let directory = Directory::new();
    let sizes = Sizes { queue_max: 8, batch_max: 4, ..Sizes::default() };
    let store = Arc::new(SqliteStore::open_sized(&directory.file(), None, sizes).unwrap());
    let other = hold(&directory);
    let mut asked = ask(&store, 100, |store, n| async move { store.note(event(n)).await });
    all_have_asked(&asked).await;
    // None can be done, so whoever is answered first is one that did not fit.
    let first = asked.acts.join_next().await.unwrap().unwrap();
    check_message(first, "too much is waiting");
    other.execute_batch("ROLLBACK").unwrap();
    let results = asked.acts.join_all().await;
    let kept = results.iter().filter(|result| result.is_ok()).count();
    assert!((8..=8 + 4).contains(&kept), "{kept}");
    assert_eq!(store.events(999).await.unwrap().len(), kept);
}

#[tokio::test]
async fn a_full_disk_grants_nothing_and_heals_by_itself() {
    let directory = Directory::new();
    let store: Arc<SqliteStore> = Arc::new(directory.open());
    // The smallest limit that the database allows is the size it has.
    on_writer(&store, "PRAGMA max_page_count = 1").await;
    let dynamic: Arc<dyn Store> = store.clone();
    let results = at_once(&dynamic, 1000, |store, n| async move {
        let kept = store.open_session(anonymous(n)).await.is_ok();
        let there = store.session_by_key(key(n)).await.unwrap().is_some();
        assert_eq!(kept, there, "what was granted is there, and nothing else");
        kept
    });
    let kept = results.await.iter().filter(|kept| **kept).count();
    assert!(kept < 1000, "the disk was full");
    assert_eq!(store.events(9999).await.unwrap().len(), kept);

    on_writer(&store, "PRAGMA max_page_count = 100000").await;
    store.open_session(anonymous(5000)).await.unwrap();
    store.probe(after(1)).await.unwrap();
}

#[tokio::test]
async fn a_commit_that_fails_grants_nothing_to_anybody_in_the_batch() {
    let directory = Directory::new();
    let store = Arc::new(directory.open());
    let other = hold(&directory);
    let asked = ask(&store, 20, |store, n| async move {
        if n < 19 {
            return store.open_session(anonymous(n)).await.is_ok();
        }
        // A row without its parent, found out only at the commit.
        let poison = |db: &Connection| {
            db.execute_batch("PRAGMA defer_foreign_keys = ON")?;
            db.execute_batch("INSERT INTO session_datum VALUES (randomblob(16), 'a', 1, '1')")?;
            Ok(Verdict::Keep(()))
        };
        check_message(store.writer.act(poison).await, "FOREIGN KEY");
        false
    });
    all_have_asked(&asked).await;
    other.execute_batch("ROLLBACK").unwrap();
    let results = asked.acts.join_all().await;
    let mut there = 0;
    for n in 0..19 {
        there += usize::from(store.session_by_key(key(n)).await.unwrap().is_some());
    }
    assert_eq!(results.iter().filter(|kept| **kept).count(), there);
    assert!(there < 19, "some were in its batch");
    store.open_session(anonymous(50)).await.unwrap();
}

#[tokio::test]
async fn a_writer_that_is_gone_refuses_everything() {
    let directory = Directory::new();
    let store = directory.open_with_table();
    let gone = store.writer.act(|_: &Connection| -> writer::Acted<()> { panic!("a bug") }).await;
    check_message(gone, "the writer has stopped");
    check_message(store.note(event(1)).await, "the writer has stopped");
    check_message(store.probe(after(1)).await, "the writer has stopped");
}

#[tokio::test]
async fn a_value_that_was_tampered_with_is_a_failure_and_not_a_session() {
    let directory = Directory::new();
    let store = directory.open_with_table();
    store.open_account(account(1, "ada")).await.unwrap();
    store.open_session(session(10, 1)).await.unwrap();
    for (sql, expected) in [
        ("UPDATE session SET acr = 9", "`acr`"),
        ("UPDATE session SET acr = 1, amr = 1 | 1 << 40", "`amr`"),
        ("UPDATE session SET amr = 1, carrier = 2", "`carrier`"),
        ("UPDATE session SET carrier = 0, ip = x'7f0001'", "`ip`"),
        ("UPDATE session SET ip = x'7f000001', seen_at = -1", "`seen_at`"),
        ("UPDATE account SET role = 'owner'", "seen_at"),
    ] {
        on_writer(&store, sql).await;
        check_message(store.session(SessionId(10)).await, expected);
    }
    check_message(store.account(AccountId(1)).await, "`role`");
}

#[tokio::test]
async fn a_session_used_since_a_sweep_found_it_stays() {
    let directory = Directory::new();
    let store = directory.open_with_table();
    let lifetimes = Lifetimes::default();
    store.open_session(anonymous(10)).await.unwrap();
    store.open_session(anonymous(11)).await.unwrap();
    let look = |db: &Connection| sweep::look(db, None, (&lifetimes, after(3600)), (9, 9));
    let sweep::Look { past, last } = store.readers.read(look).unwrap();
    assert_eq!((last, past.as_slice()), (None, [SessionId(10), SessionId(11)].as_slice()));
    store.touch(vec![(SessionId(10), used(after(3599)))]).await.unwrap();
    let forget = move |db: &Connection| {
        let lifetimes = Lifetimes::default();
        Ok(Verdict::Keep(sweep::forget(db, &past, &lifetimes, after(3600))?))
    };
    assert_eq!(store.writer.act(forget).await.unwrap(), 1);
    assert!(store.session(SessionId(10)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_sweep_looks_at_no_more_than_it_may_and_goes_on_from_there() {
    let directory = Directory::new();
    let sizes = Sizes { look_max: 4, ..Sizes::default() };
    let store = SqliteStore::open_sized(&directory.file(), None, sizes).unwrap();
    let now = after(3600);
    for n in 0..10 {
        let mut new = anonymous(n);
        if n < 9 {
            new.session.seen_at = now;
        }
        store.open_session(new).await.unwrap();
    }
    let mut calls = Vec::new();
    for _ in 0..4 {
        let swept = store.sweep(&Lifetimes::default(), now, 9).await.unwrap();
        calls.push((swept.forgotten, swept.is_done));
    }
    assert_eq!(calls, [(0, false), (0, false), (1, true), (0, false)]);
}

#[tokio::test]
async fn a_sweep_that_failed_goes_on_where_it_was() {
    let directory = Directory::new();
    let sizes = Sizes { patience: Duration::from_millis(20), ..Sizes::default() };
    let store = SqliteStore::open_sized(&directory.file(), None, sizes).unwrap();
    for n in 0..4 {
        store.open_session(anonymous(n)).await.unwrap();
    }
    let other = hold(&directory);
    check_message(store.sweep(&Lifetimes::default(), after(3600), 2).await, "locked");
    other.execute_batch("ROLLBACK").unwrap();
    let swept = store.sweep(&Lifetimes::default(), after(3600), 9).await.unwrap();
    assert_eq!((swept.forgotten, swept.is_done), (4, true));
}

#[tokio::test]
async fn a_kept_name_that_would_be_refused_today_is_still_its_owners() {
    let directory = Directory::new();
    let store = directory.open_with_table();
    store.open_account(account(1, "ada")).await.unwrap();
    // As after an upgrade of Unicode's tables that took a letter out of the identifiers.
    on_writer(&store, "UPDATE account SET username = 'ada \u{2603}'").await;
    let kept = store.account(AccountId(1)).await.unwrap().unwrap();
    assert_eq!(kept.username.as_str(), "ada \u{2603}");
}

/// Every byte that is kept, in all the files.
fn bytes_of(directory: &Directory) -> Vec<u8> {
    ["", "-wal"].iter().flat_map(|suffix| fs::read(sibling(directory, suffix)).unwrap()).collect()
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn a_stolen_file_holds_no_secret() {
    let directory = Directory::new();
    let store = directory.open_with_table();
    store.open_account(account(1, "ada")).await.unwrap();
    store.open_session(session(10, 1)).await.unwrap();
    store.open_session(token_session(11, 1)).await.unwrap();
    store.rotate(presented(&secret(11), 1, after(1))).await.unwrap();
    let kept = bytes_of(&directory);
    assert!(holds(&kept, &key(10).0), "it holds the digest");
    assert!(holds(&kept, password(1).expose().as_bytes()));
    for hidden in [secret(10), secret(11), successor(&secret(11), 1)] {
        assert!(!holds(&kept, hidden.expose().as_bytes()));
    }
    assert!(!holds(&kept, &[0x5A; 16]), "the bytes that our secrets have in common");
}

#[tokio::test]
async fn what_was_deleted_is_not_in_the_file() {
    let directory = Directory::new();
    let store = directory.open_with_table();
    let agent = |n: u64| format!("the browser of number {n:04}");
    for n in 0..60 {
        let mut new = anonymous(n);
        new.device.user_agent = agent(n);
        store.open_session(new).await.unwrap();
    }
    for n in (0..60_u64).step_by(3) {
        store.end_session(SessionId(n.into()), ending(n)).await.unwrap();
    }
    drop(store);
    let kept = fs::read(directory.file()).unwrap();
    for n in 0..60 {
        assert_eq!(holds(&kept, agent(n).as_bytes()), !n.is_multiple_of(3), "{n}");
    }
}

#[tokio::test]
async fn an_old_token_and_the_file_do_not_lead_to_the_newest() {
    let directory = Directory::new();
    let store = directory.open_with_table();
    store.open_account(account(1, "ada")).await.unwrap();
    store.open_session(token_session(10, 1)).await.unwrap();
    let mut current = secret(10);
    for salt in [0xA1, 0xA2, 0xA3] {
        store.rotate(presented(&current, salt, after(1))).await.unwrap();
        current = successor(&current, salt);
    }
    drop(store);
    let kept = fs::read(directory.file()).unwrap();
    // Only the salt that an honest retry still needs is there.
    for (salt, there) in [(0xA1, false), (0xA2, false), (0xA3, true)] {
        assert_eq!(holds(&kept, &[salt; 32]), there, "{salt:x}");
    }
}
