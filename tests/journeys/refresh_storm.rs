//! Refresh tokens in storms: a hundred uses at once, lost answers, two processes on one database.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use doorward_core::event::{Event, EventKind};
use doorward_core::grant::OWN_CLIENT;
use doorward_core::refresh::PREFIX;
use doorward_core::session::Lifetimes;
use doorward_store::RefreshTokens;
use doorward_store::act::{Presented, RotateError};
use doorward_store::sqlite::SqliteStore;
use doorward_wire::{EventId, PresentedSecret, UnixTime};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

use crate::harness::wait::PATIENCE;
use crate::harness::{Server, Tokens, report, within};

/// Says that this is the other process, and which database it opens.
const OTHER: &str = "DOORWARD_TEST_REFRESHER";

/// How many uses of one token come at once.
const AT_ONCE: usize = 100;

/// How many tokens follow each other in two processes.
const ROUNDS: usize = 1000;

/// Whether the `n`th answer of a round is lost on its way: three of ten.
fn is_lost(round: usize, n: usize) -> bool {
    (round * 7 + n * 3) % 10 < 3
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_at_once_with_lost_answers_log_nobody_out() {
    let server = Server::start().await;
    let mut tokens = server.tokens(&server.member("ada").await).await;
    let (mut uses, mut lost) = (0, 0);
    for round in 0..50 {
        let body = serde_json::json!({ "refresh_token": tokens.refresh });
        let send = |_| tokio::spawn(server.client().post_json("/api/v1/refresh", &body).attempt());
        let racers: Vec<_> = (0..AT_ONCE).map(send).collect();
        let (mut all, mut arrived) = (BTreeSet::new(), Vec::new());
        for (n, racer) in racers.into_iter().enumerate() {
            let fresh = Tokens::read(&racer.await.unwrap().unwrap().must_be(200));
            all.insert(fresh.refresh.clone());
            uses += 1;
            if is_lost(round, n) {
                lost += 1;
            } else {
                arrived.push(fresh);
            }
        }
        assert_eq!(all.len(), 1, "there is never more than one living branch");
        server.whoami(&arrived[0].access).await.must_be(200);
        tokens = arrived.swap_remove(round % arrived.len());
        server.clock.advance_seconds(60);
    }
    report(&format!("{uses} uses over HTTP, {lost} answers lost: 50 turns, nobody logged out"));
    assert_eq!(server.events(EventKind::TokenReuseDetected).await, []);
}

/// A use of a refresh token, as the server makes one.
fn presented(secret: &PresentedSecret, salt: [u8; 32], now: UnixTime) -> Presented {
    Presented {
        key: secret.digest(),
        salt,
        successor: secret.successor(&salt).digest(),
        client: OWN_CLIENT.to_owned(),
        lifetimes: Lifetimes::default(),
        now,
        jkt: None,
        ip: None,
        withheld: false,
        reuse: Event {
            id: EventId(u128::from_be_bytes(salt[..16].try_into().unwrap())),
            at: now,
            kind: EventKind::TokenReuseDetected,
            account: None,
            session: None,
            ip: None,
            reason: None,
            device: None,
        },
    }
}

/// Uses a token many times at once, and says which successors that gave.
async fn storm(
    store: &Arc<SqliteStore>,
    text: &str,
    (first, count): (usize, usize),
    now: UnixTime,
) -> Result<BTreeSet<String>, RotateError> {
    let uses: Vec<_> = (first..first + count)
        .map(|n| {
            let (store, secret) = (Arc::clone(store), PresentedSecret::parse(text).unwrap());
            let mut salt = [0; 32];
            salt[..8].copy_from_slice(&(n as u64).to_be_bytes());
            salt[8..16].copy_from_slice(&now.0.to_be_bytes());
            tokio::spawn(async move {
                let rotated = store.rotate(presented(&secret, salt, now)).await?;
                let successor = secret.successor(&rotated.salt).expose().to_string();
                Ok::<_, RotateError>(successor)
            })
        })
        .collect();
    let mut successors = BTreeSet::new();
    for each in uses {
        successors.insert(each.await.unwrap()?);
    }
    Ok(successors)
}

/// The other process: uses the tokens it is told.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "this is the other process of the test beside it, which starts it"]
async fn a_refresher_in_a_process_of_its_own() {
    let path = std::env::var(OTHER).unwrap_or_else(|_| panic!("{OTHER} says which database"));
    let store = Arc::new(SqliteStore::open(Path::new(&path)).unwrap());
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        let (now, text) = line.split_once(' ').unwrap();
        let half = (AT_ONCE / 2, AT_ONCE / 2);
        match storm(&store, text, half, UnixTime(now.parse().unwrap())).await {
            Ok(given) => say(&given.into_iter().collect::<Vec<_>>().join(" ")),
            Err(error) => say(&format!("refused {error}")),
        }
    }
}

#[expect(clippy::print_stdout, reason = "this is how it speaks to the test that started it")]
fn say(line: &str) {
    println!("refresher: {line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_on_one_database_give_one_successor_elsewhere() {
    let server = Server::start().await;
    let tokens = server.tokens(&server.member("ada").await).await;
    let store = Arc::new(SqliteStore::open(&server.database()).unwrap());
    let name = "journeys::refresh_storm::a_refresher_in_a_process_of_its_own";
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--ignored", "--nocapture"])
        .env(OTHER, server.database())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut heard = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut text = tokens.refresh.trim_start_matches(PREFIX).to_owned();
    let mut now = server.clock.time();
    for round in 0..ROUNDS {
        stdin.write_all(format!("{} {text}\n", now.0).as_bytes()).await.unwrap();
        let mine = storm(&store, &text, (0, AT_ONCE / 2), now).await.unwrap();
        let theirs = within(PATIENCE, "what the other process was given", async {
            loop {
                let line = heard.next_line().await.unwrap().expect("the other process has ended");
                if let Some((_, said)) = line.split_once("refresher: ") {
                    return said.to_owned();
                }
            }
        });
        let theirs = theirs.await;
        let all: BTreeSet<_> = theirs.split(' ').chain(mine.iter().map(String::as_str)).collect();
        assert_eq!(all.len(), 1, "round {round}: {theirs}");
        // Whichever answers arrive, they say the same: so what is lost is lost to nobody.
        text = all.into_iter().next().unwrap().to_owned();
        now = UnixTime(now.0 + 1);
    }
    let sid = tokens.sid.parse().unwrap();
    assert_eq!(store.tokens_of(&[sid]).await.unwrap().len(), 1, "one living successor");
    let uses = ROUNDS * AT_ONCE;
    report(&format!("{uses} uses by two processes: {ROUNDS} turns, nobody logged out"));
    assert_eq!(server.events(EventKind::TokenReuseDetected).await, []);
    server.refresh(&format!("{PREFIX}{text}")).await.must_be(200);
}

/// What happens in a theft: who uses which token, and how many seconds later.
#[derive(Clone, Copy, Debug)]
enum Move {
    Owner,
    Thief,
    Wait(u64),
}

#[tokio::test]
async fn a_theft_in_every_order_ends_the_session() {
    use Move::{Owner, Thief, Wait};
    // The thief has a copy of the owner's token. Each goes on with what it was given.
    let stories: [&[Move]; 8] = [
        &[Owner, Wait(11), Thief],
        &[Thief, Wait(11), Owner],
        &[Owner, Owner, Thief],
        &[Thief, Thief, Owner],
        &[Owner, Wait(9), Thief, Wait(11), Owner, Wait(11), Thief],
        &[Thief, Wait(9), Owner, Wait(11), Thief, Wait(11), Owner],
        &[Owner, Thief, Owner, Owner, Thief],
        &[Owner, Thief, Thief, Thief, Owner],
    ];
    for story in stories {
        let server = Server::start().await;
        let tokens = server.tokens(&server.member("ada").await).await;
        let (mut owner, mut thief) = (tokens.clone(), tokens.clone());
        for step in &story[..story.len() - 1] {
            let holder = match step {
                Owner => &mut owner,
                Thief => &mut thief,
                Wait(seconds) => {
                    server.clock.advance_seconds(*seconds);
                    continue;
                }
            };
            *holder = Tokens::read(&server.refresh(&holder.refresh).await.must_be(200));
        }
        let last = match story.last() {
            Some(Owner) => &owner,
            Some(Thief) => &thief,
            Some(Wait(_)) | None => panic!("{story:?} ends with a use"),
        };
        server.refresh(&last.refresh).await.must_be_problem(401, "invalid-refresh-token");
        for holder in [&owner, &thief] {
            server.refresh(&holder.refresh).await.must_be(401);
            server.whoami(&holder.access).await.must_be(401);
        }
        assert_eq!(server.events(EventKind::TokenReuseDetected).await.len(), 1, "{story:?}");
    }
}
