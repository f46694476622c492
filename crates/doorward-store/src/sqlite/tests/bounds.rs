//! No read and no act does more than its slice, however much is kept: counted in steps of SQLite's
//! machine, which no other process changes.

use doorward_wire::SessionId;
use rusqlite::StatementStatus;

use super::*;
use crate::Accounts;
use crate::conformance::sample::{Tried, account, anonymous, at_once, ending, event, session};

/// Ada's sessions, and as many that have ended.
async fn with(count: u64) -> (Arc<SqliteStore>, Directory) {
    let directory = Directory::new();
    let store = Arc::new(directory.open());
    store.open_account(account(1, "ada")).await.unwrap();
    let tried = store.clone() as Tried;
    let kept = at_once(&tried, count, |store, n| async move {
        let mut mine = session(100_000 + n, 1);
        mine.event = event(100_000 + 2 * n);
        store.open_session(mine).await.unwrap();
        let mut ended = anonymous(200_000 + n);
        ended.event = event(100_001 + 2 * n);
        store.open_session(ended).await.unwrap();
        let sid = SessionId((200_000 + n).into());
        store.end_session(sid, ending(900_000 + n)).await.unwrap()
    });
    assert!(kept.await.iter().all(|ended| *ended));
    (store, directory)
}

/// The steps of a statement on a store of few, and of the same on one of many.
async fn steps<P: rusqlite::Params + Clone + Send + 'static>(
    sql: &'static str,
    params: P,
) -> [i32; 2] {
    let mut steps = [0; 2];
    for (steps, count) in steps.iter_mut().zip([200, 2000]) {
        let (store, _directory) = with(count).await;
        let params = params.clone();
        let act = move |db: &Connection| {
            let mut statement = db.prepare(sql)?;
            let mut rows = statement.query(params)?;
            while rows.next()?.is_some() {}
            drop(rows);
            Ok(Verdict::Undo(statement.get_status(StatementStatus::VmStep)))
        };
        *steps = store.writer.act(act).await.unwrap();
    }
    steps
}

/// Ten times as much is kept: a tree is perhaps one page deeper, and nothing more.
#[track_caller]
fn check([few, many]: [i32; 2]) {
    assert!(few > 50, "it does something: {few}");
    assert!(many <= few + few / 10, "{few} steps among few, {many} among many");
}

#[tokio::test]
async fn a_page_of_sessions_costs_the_same_in_an_account_with_many() {
    let below = vec![0xFF_u8; 17];
    check(steps(sessions::PAGE, (columns::bytes(1), below, 51)).await);
}

#[tokio::test]
async fn a_slice_of_the_revocation_log_costs_the_same_in_a_long_one() {
    let all_expired = i64::MAX;
    check(steps(log::FORGET_OLDEST, (all_expired, 50)).await);
}

#[tokio::test]
async fn a_slice_of_the_event_log_costs_the_same_in_a_long_one() {
    let all_past = i64::MAX;
    check(steps(events::FORGET_OLDEST, (all_past, 50)).await);
}
