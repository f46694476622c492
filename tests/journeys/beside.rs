//! Another process beside a running server, on the same database: a command, or whoever writes to the
//! file. The server answers from memory, and soon notices.

use std::path::Path;

use crate::harness::{Browser, Process, eventually};

/// A browser with a session of its own.
async fn visitor(process: &Process) -> Browser {
    let browser = process.browser();
    browser.post("/api/v1/session").await.must_be(201);
    browser
}

async fn is_answered(browser: &Browser) -> bool {
    browser.get("/api/v1/session").await.status == 200
}

fn write(database: &Path, sql: &str) -> usize {
    rusqlite::Connection::open(database).unwrap().execute(sql, ()).unwrap()
}

/// Attack 9: whoever ends a session by hand, in the file, has ended it.
#[tokio::test]
async fn a_session_that_another_process_ends_is_soon_refused() {
    let process = Process::start(&[]).await;
    let (ended, bystander) = (visitor(&process).await, visitor(&process).await);
    assert!(is_answered(&ended).await && is_answered(&bystander).await);
    let sid = ended.sid().await;
    let bits = sid.parse::<doorward_wire::SessionId>().unwrap().0;
    let sql = format!("DELETE FROM session WHERE sid = x'{bits:032x}'");
    assert_eq!(write(&process.data().database(), &sql), 1);
    eventually("the refusal of an ended session", || async {
        (!is_answered(&ended).await).then_some(())
    })
    .await;
    // From then on for good, and nobody else.
    for _ in 0..50 {
        assert!(!is_answered(&ended).await);
        assert!(is_answered(&bystander).await);
    }
}

#[tokio::test]
async fn commands_beside_a_server_sign_nobody_out() {
    let process = Process::start(&[]).await;
    let browsers = [visitor(&process).await, visitor(&process).await];
    for _ in 0..3 {
        let output = process.data().run("admin link", &[]).await;
        assert!(output.status.success(), "{output:?}");
        let later = visitor(&process).await;
        for browser in browsers.iter().chain([&later]) {
            assert!(is_answered(browser).await);
        }
    }
}
