//! A power cut: what was acknowledged is true afterwards.
//!
//! Fifty times under load the process is killed right after it has acknowledged a new session, and
//! fifty times right after it has acknowledged an end. After each start everything that was ever
//! acknowledged is asked for again.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::process::Data;
use crate::harness::{Browser, PASSWORD, Process, report};

const ROUNDS: usize = 100;

/// What the server has acknowledged: a browser, and whether its session has been ended.
#[derive(Clone, Default)]
struct Acknowledged(Arc<Mutex<Vec<(Browser, bool)>>>);

impl Acknowledged {
    fn note(&self, browser: &Browser, ended: bool) {
        self.0.lock().unwrap().push((browser.copy(), ended));
    }

    fn take(&self) -> Vec<(Browser, bool)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// Opens a session, or finds that the server has gone.
async fn open(browser: &Browser) -> Option<()> {
    let reply = browser.attempt(browser.request("POST", "/api/v1/session")).await?;
    reply.must_be(201);
    Some(())
}

/// Ends the session and keeps its cookie, to show it again after the end.
async fn end(browser: &Browser) -> Option<Browser> {
    let before = browser.copy();
    browser.attempt(browser.request("POST", "/api/v1/logout")).await?.must_be(204);
    Some(before)
}

/// Opens sessions and ends every other one until the server goes.
async fn load(process: Browser, acknowledged: Acknowledged) {
    loop {
        let (kept, ended) = (process.fresh(), process.fresh());
        if open(&kept).await.is_none() {
            return;
        }
        acknowledged.note(&kept, false);
        if open(&ended).await.is_none() {
            return;
        }
        // From here on the end may have happened, acknowledged or not.
        match end(&ended).await {
            Some(before) => acknowledged.note(&before, true),
            None => return,
        }
    }
}

async fn verify(process: &Process, acknowledged: Vec<(Browser, bool)>) -> usize {
    let count = acknowledged.len();
    let checks = acknowledged.into_iter().map(|(browser, ended)| {
        let request = process.client().get("/api/v1/session").cookie(browser.cookie().unwrap());
        tokio::spawn(async move {
            let reply = request.await;
            let expected = if ended { 401 } else { 200 };
            assert_eq!(reply.status, expected, "ended: {ended}\n{}", reply.describe());
        })
    });
    // In handfuls, so that neither side runs out of files.
    let mut checks: Vec<_> = checks.collect();
    while !checks.is_empty() {
        for check in checks.drain(..checks.len().min(64)) {
            check.await.unwrap();
        }
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_dash_nine_loses_nothing_acknowledged_and_revives_nothing_ended() {
    let begun = Instant::now();
    let data = Data::fresh();
    let mut process = data.start(&[]).await;
    let account = json!({ "username": "ada", "password": PASSWORD });
    process.client().post_json("/api/v1/accounts", &account).await.must_be(201);
    let login = json!({ "username": "ada", "password": PASSWORD, "carrier": "cookie" });
    let (mut verified, mut starts_ms) = (0, Vec::new());
    for round in 0..ROUNDS {
        let acknowledged = Acknowledged::default();
        let workers: Vec<_> =
            (0..4).map(|_| tokio::spawn(load(process.browser(), acknowledged.clone()))).collect();
        let last = process.browser();
        // A login now and then: each costs a real password hash.
        if round % 10 < 2 {
            last.post_json("/api/v1/login", &login).await.must_be(200);
        } else {
            last.post("/api/v1/session").await.must_be(201);
        }
        let ends = round % 2 == 1;
        let last = if ends { end(&last).await.unwrap() } else { last };
        // The answer has been read; nothing stands between it and the power cut.
        let data = process.kill().await;
        for worker in workers {
            worker.await.unwrap();
        }
        acknowledged.note(&last, ends);
        process = data.start(&[]).await;
        starts_ms.push(process.ready["took_ms"].as_u64().unwrap());
        verified += verify(&process, acknowledged.take()).await;
    }
    starts_ms.sort_unstable();
    report(&format!(
        "{ROUNDS} kills in {:?}; {verified} acknowledgements held; a start after a kill took \
         {} ms (median), {} ms (worst)",
        begun.elapsed(),
        starts_ms[ROUNDS / 2],
        starts_ms[ROUNDS - 1],
    ));
    assert!(verified > ROUNDS * 4, "there was load: {verified}");
    assert!(begun.elapsed() < Duration::from_secs(90), "{:?}", begun.elapsed());
    let check = rusqlite::Connection::open(process.stop().await.database()).unwrap();
    let sound: String = check.query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
}
