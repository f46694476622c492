//! Copies, checks, and databases that begin again from a copy.

use std::os::unix::fs::PermissionsExt;

use doorward_core::event::{Event, EventKind};
use doorward_core::revocation::Revoked;
use doorward_core::session::Device;
use doorward_wire::{AccountId, SessionId};

use super::room::BEFORE;
use super::*;
use crate::conformance::sample::{
    Tried, after, anonymous, ending, event, key, open, session, token_session, with_two_accounts,
};
use crate::{Accounts, Events, RefreshTokens, RevocationLog, Sessions, Setup};

const NEW_LOG: [u8; 16] = [7; 16];

fn beginning(ending: Option<crate::act::Ending>) -> Beginning {
    let event = Event { kind: EventKind::DatabaseRestored, ..event(9000) };
    Beginning { log: NEW_LOG, event, ending }
}

fn beside(directory: &Directory, name: &str) -> PathBuf {
    directory.0.join(name)
}

fn names(directory: &Directory) -> Vec<String> {
    let entries = fs::read_dir(&directory.0).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Ada's sessions 10 to 12, of which the last ended, and one by tokens, 13.
async fn lived_in(directory: &Directory) -> Tried {
    let store: Tried = Arc::new(directory.open());
    with_two_accounts(&store).await;
    let sessions = [session(10, 1), session(11, 1), session(12, 1), token_session(13, 1)];
    open(&store, &sessions.iter().collect::<Vec<_>>()).await;
    assert!(store.end_session(SessionId(12), ending(1)).await.unwrap());
    store.keep_setup(key(99), after(3600)).await.unwrap();
    store
}

fn findings(examined: &Examined) -> Vec<(&'static str, &'static str)> {
    examined.checks.iter().map(|(check, finding)| (check.name(), finding.name())).collect()
}

#[track_caller]
fn check_whole(examined: &Examined, stamp: &str) {
    let expected = ["kind", "shape", "integrity", "references", "log"].map(|it| (it, "passed"));
    let stamp = [("stamp", stamp)].into_iter().filter(|(_, stamp)| !stamp.is_empty());
    assert_eq!(findings(examined), stamp.chain(expected).collect::<Vec<_>>(), "{examined:?}");
}

#[track_caller]
fn check_failed(examined: &Examined, check: Check, why: &str) {
    let (failed, told) = examined.failed().unwrap();
    assert_eq!(failed, check, "{told}");
    assert!(told.contains(why), "{told}");
}

#[tokio::test]
async fn a_backup_is_one_private_file_that_holds_everything() {
    let directory = Directory::new();
    let store = lived_in(&directory).await;
    let copy = beside(&directory, "copy #1?.db");
    let before = names(&directory);
    back_up(&directory.file(), &copy).unwrap();
    assert_eq!(names(&directory).len(), before.len() + 1, "{:?}", names(&directory));
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let examined = examine_copy(&copy).unwrap();
    check_whole(&examined, "passed");
    assert_eq!(examined.session_count, 3);
    check_whole(&examine(&directory.file()).unwrap(), "");
    assert_eq!(names(&directory).len(), before.len() + 1, "nothing is made by a check");
    // Others read it as a database, too.
    let sessions: i64 =
        only(&Connection::open(&copy).unwrap(), "SELECT count(*) FROM session", ()).unwrap();
    assert_eq!(sessions, 3);
    drop(store);
}

#[tokio::test]
async fn a_backup_never_takes_the_place_of_a_file() {
    let directory = Directory::new();
    let _store = lived_in(&directory).await;
    let copy = beside(&directory, "copy.db");
    fs::write(&copy, "dear").unwrap();
    assert!(back_up(&directory.file(), &copy).is_err());
    assert_eq!(fs::read(&copy).unwrap(), b"dear");
}

#[tokio::test]
async fn a_backup_that_cannot_be_made_leaves_nothing() {
    let directory = Directory::new();
    let copy = beside(&directory, "copy.db");
    for not_ours in [&b"garbage that is no database"[..], b""] {
        fs::write(directory.file(), not_ours).unwrap();
        assert!(back_up(&directory.file(), &copy).is_err());
        assert_eq!(names(&directory), ["doorward.db"]);
    }
    fs::remove_file(directory.file()).unwrap();
    assert!(back_up(&directory.file(), &copy).is_err());
    assert!(names(&directory).is_empty());
}

#[tokio::test]
async fn what_was_deleted_is_not_in_a_backup() {
    const MARK: &str = "a browser that nobody else has";
    let directory = Directory::new();
    let store = lived_in(&directory).await;
    let mut new = anonymous(30);
    new.device = Device::seen(&MARK.repeat(200), String::new());
    open(&store, &[&new]).await;
    let holds = |path: &Path| {
        let bytes = fs::read(path).unwrap();
        bytes.windows(MARK.len()).any(|window| window == MARK.as_bytes())
    };
    let copies = [beside(&directory, "with.db"), beside(&directory, "without.db")];
    back_up(&directory.file(), &copies[0]).unwrap();
    assert!(holds(&copies[0]));
    store.end_session(SessionId(30), ending(2)).await.unwrap();
    back_up(&directory.file(), &copies[1]).unwrap();
    assert!(!holds(&copies[1]));
}

#[tokio::test]
async fn every_changed_byte_and_every_cut_is_found() {
    let directory = Directory::new();
    drop(lived_in(&directory).await);
    let (copy, damaged) = (beside(&directory, "copy.db"), beside(&directory, "damaged.db"));
    back_up(&directory.file(), &copy).unwrap();
    let good = fs::read(&copy).unwrap();
    let positions = (0..good.len()).step_by(1009).chain(good.len() - 64..good.len());
    for position in positions {
        let mut bytes = good.clone();
        bytes[position] ^= 1 << (position % 8);
        fs::write(&damaged, &bytes).unwrap();
        check_failed(&examine_copy(&damaged).unwrap(), Check::Stamp, "changed");
    }
    for length in (1..good.len()).step_by(1777).filter(|length| length % 512 != 0) {
        fs::write(&damaged, &good[..length]).unwrap();
        check_failed(&examine_copy(&damaged).unwrap(), Check::Stamp, "missing");
    }
    // A cut between two pages takes the stamp along, and SQLite misses the rest.
    for length in [0, 512, 4096, good.len() / 8192 * 4096] {
        fs::write(&damaged, &good[..length]).unwrap();
        assert!(examine_copy(&damaged).unwrap().failed().is_some(), "{length}");
    }
    // Without the stamp it is a copy like any other.
    fs::write(&damaged, &good[..good.len() - 64]).unwrap();
    check_whole(&examine_copy(&damaged).unwrap(), "absent");
}

#[tokio::test]
async fn what_is_wrong_inside_is_told() {
    let directory = Directory::new();
    let store = lived_in(&directory).await;
    for n in 20..26 {
        open(&store, &[&session(n, 1)]).await;
        store.end_session(SessionId(n.into()), ending(n)).await.unwrap();
    }
    drop(store);
    let copy = beside(&directory, "copy.db");
    for (harm, check, why) in [
        ("DELETE FROM revocation WHERE seq IN (3, 4)", Check::Log, "2 entries are missing"),
        ("UPDATE revocation_head SET seq = 9", Check::Log, "ends at 7, and its head is 9"),
        ("DELETE FROM account", Check::References, "session"),
        ("DROP TRIGGER signal_of_revocation", Check::Shape, "trigger signal_of_revocation"),
        ("PRAGMA user_version = 1000", Check::Kind, "use a newer one"),
        ("PRAGMA application_id = 1", Check::Kind, "some other program"),
    ] {
        let _ = fs::remove_file(&copy);
        fs::copy(directory.file(), &copy).unwrap();
        let db = Connection::open(&copy).unwrap();
        db.execute_batch(&format!("PRAGMA foreign_keys = OFF; {harm}")).unwrap();
        drop(db);
        let examined = examine_copy(&copy).unwrap();
        check_failed(&examined, check, why);
        assert!(examined.keys.is_empty());
    }
    fs::write(&copy, [b'x'; 4096]).unwrap();
    check_failed(&examine_copy(&copy).unwrap(), Check::Kind, "no SQLite database");
}

#[tokio::test]
async fn a_restored_database_begins_another_log_and_forgets_what_works_once() {
    let directory = Directory::new();
    let store = lived_in(&directory).await;
    let (copy, draft) = (beside(&directory, "copy.db"), beside(&directory, "draft.db"));
    back_up(&directory.file(), &copy).unwrap();
    // After the backup: an end, which is taken back.
    store.end_session(SessionId(10), ending(2)).await.unwrap();
    let name_before = store.log_name().await.unwrap();
    drop(store);

    check_whole(&begin_again(&copy, &draft, &beginning(None)).unwrap(), "absent");
    assert_eq!(fs::metadata(&draft).unwrap().permissions().mode() & 0o777, 0o600);
    let restored = SqliteStore::open(&draft).unwrap();
    assert_eq!(restored.log_name().await.unwrap(), NEW_LOG);
    assert_ne!(restored.log_name().await.unwrap(), name_before);
    assert_eq!(restored.head().await.unwrap(), 1, "numbers go on");
    assert!(restored.session_by_key(key(10)).await.unwrap().is_some());
    assert!(restored.session(SessionId(12)).await.unwrap().is_none(), "ended before the backup");
    assert_eq!(restored.session_of_refresh(key(13)).await.unwrap(), Some(SessionId(13)));
    assert!(!restored.has_setup(key(99), after(60)).await.unwrap());
    let told = restored.events(1000).await.unwrap();
    assert_eq!(told.iter().filter(|it| it.kind == EventKind::DatabaseRestored).count(), 1);
}

#[tokio::test]
async fn a_restore_that_ends_all_sessions_leaves_nothing_that_counts() {
    let directory = Directory::new();
    let store = lived_in(&directory).await;
    open(&store, &[&anonymous(40)]).await;
    let (copy, draft) = (beside(&directory, "copy.db"), beside(&directory, "draft.db"));
    back_up(&directory.file(), &copy).unwrap();
    drop(store);

    let examined = begin_again(&copy, &draft, &beginning(Some(ending(500)))).unwrap();
    check_whole(&examined, "absent");
    assert_eq!(examined.session_count, 0);
    let restored = SqliteStore::open(&draft).unwrap();
    assert!(restored.session_of_refresh(key(13)).await.unwrap().is_none());
    // Both accounts, also the one that has no session here: it may have opened some since.
    for id in [1, 2] {
        let account = restored.account(AccountId(id)).await.unwrap().unwrap();
        assert_eq!(account.epoch, doorward_core::account::Epoch(1));
    }
    let log = restored.revocations(1, 100).await.unwrap();
    let revoked: Vec<_> = log.iter().map(|entry| entry.revocation.revoked).collect();
    let sessions = [10, 11, 13, 40].map(|sid| Revoked::Session(SessionId(sid)));
    let accounts = [1, 2].map(|id| Revoked::Account(AccountId(id)));
    assert_eq!(revoked, [&sessions[..], &accounts].concat());
    assert!(log.iter().all(|entry| entry.revocation.not_before == after(60)));
    let told = restored.events(1000).await.unwrap();
    let ended = told.iter().filter(|it| it.kind == EventKind::SessionEnded && it.reason.is_some());
    assert_eq!(ended.count(), 1 + 4);
}

#[tokio::test]
async fn a_backup_of_an_older_version_is_whole_and_is_brought_up_to_date() {
    let directory = Directory::new();
    let db = Connection::open(directory.file()).unwrap();
    db.execute_batch(schema::MIGRATIONS[0]).unwrap();
    db.execute_batch(BEFORE).unwrap();
    db.pragma_update(None, "application_id", schema::APPLICATION_ID).unwrap();
    db.pragma_update(None, "user_version", 1).unwrap();
    drop(db);
    let (copy, draft) = (beside(&directory, "copy.db"), beside(&directory, "draft.db"));
    back_up(&directory.file(), &copy).unwrap();
    check_whole(&examine_copy(&copy).unwrap(), "passed");
    for unchanged in [directory.file(), copy.clone()] {
        let missing = missing_steps(&unchanged).unwrap();
        assert_eq!(missing.len(), schema::MIGRATIONS.len() - 1);
        assert_eq!(missing[0], "0002 life");
    }
    begin_again(&copy, &draft, &beginning(None)).unwrap();
    assert!(missing_steps(&draft).unwrap().is_empty());
    assert!(SqliteStore::open(&draft).unwrap().session(SessionId(10)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_database_is_laid_down_when_nobody_has_it_open() {
    let directory = Directory::new();
    let store = lived_in(&directory).await;
    assert!(matches!(lay_down(&directory.file()).unwrap(), Rest::InUse));
    store.note(event(7)).await.unwrap();
    drop(store);
    let held = lay_down(&directory.file()).unwrap();
    assert!(matches!(held, Rest::Whole(_)));
    assert_eq!(names(&directory), ["doorward.db"]);
    // Nobody makes a log for it while another takes its name.
    assert!(SqliteStore::open(&directory.file()).is_err());
    assert_eq!(names(&directory), ["doorward.db"]);
    drop(held);
    fs::write(directory.file(), vec![b'x'; 8192]).unwrap();
    assert!(matches!(lay_down(&directory.file()).unwrap(), Rest::Damaged));
}

/// A copy of a database whose writer was cut off in the middle, with the journal that takes it back.
#[tokio::test]
async fn an_act_that_was_cut_off_is_taken_back_before_anything_is_read() {
    let directory = Directory::new();
    drop(lived_in(&directory).await);
    let db = Connection::open(directory.file()).unwrap();
    let cut_off = "PRAGMA journal_mode = DELETE; PRAGMA cache_size = 1; BEGIN;
        UPDATE event SET reason = hex(randomblob(3000)); DELETE FROM revocation;";
    db.execute_batch(cut_off).unwrap();
    for copy in ["one.db", "two.db"] {
        fs::copy(directory.file(), beside(&directory, copy)).unwrap();
        let journal = beside(&directory, "doorward.db-journal");
        fs::copy(journal, beside(&directory, &format!("{copy}-journal"))).unwrap();
    }
    drop(db);
    assert!(fs::read(beside(&directory, "one.db")).unwrap().len() > 4096);
    check_whole(&examine_copy(&beside(&directory, "one.db")).unwrap(), "absent");
    let copy = beside(&directory, "copy.db");
    back_up(&beside(&directory, "two.db"), &copy).unwrap();
    check_whole(&examine_copy(&copy).unwrap(), "passed");
}

/// A backup in the middle of many writes holds, of each act, all or nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_a_storm_is_one_moment() {
    let directory = Directory::new();
    let store: Tried = Arc::new(directory.open_with_table());
    with_two_accounts(&store).await;
    let is_over = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let workers: Vec<_> = (0..4_u64)
        .map(|worker| {
            let (store, is_over) = (Arc::clone(&store), Arc::clone(&is_over));
            tokio::spawn(async move {
                let mut n = 1000 * 1000 * (1 + worker);
                while !is_over.load(Ordering::Relaxed) {
                    store.open_session(token_session(n, 1)).await.unwrap();
                    if n % 3 == 0 {
                        store.end_session(SessionId(n.into()), ending(n)).await.unwrap();
                    }
                    n += 1;
                }
                n
            })
        })
        .collect();
    let mut counts = Vec::new();
    for n in 0..10 {
        let copy = beside(&directory, &format!("copy{n}.db"));
        let database = directory.file();
        let taken = copy.clone();
        tokio::task::spawn_blocking(move || back_up(&database, &taken)).await.unwrap().unwrap();
        let examined = examine_copy(&copy).unwrap();
        check_whole(&examined, "passed");
        counts.push(examined.session_count);
        // A session and its refresh token are kept in one act.
        let lonely: i64 = only(
            &Connection::open(&copy).unwrap(),
            "SELECT count(*) FROM session WHERE sid NOT IN (SELECT sid FROM refresh_token)",
            (),
        )
        .unwrap();
        assert_eq!(lonely, 0);
    }
    is_over.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.await.unwrap();
    }
    assert!(counts.is_sorted() && counts[0] < counts[9], "{counts:?}");
}
