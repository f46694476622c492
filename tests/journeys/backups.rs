//! Backups: taken while people come and go, put back elsewhere, and what counts afterwards.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use doorward_guard::{Credential, Denied, Guard};
use doorward_wire::UnixTime;
use serde_json::{Value, json};

use crate::harness::process::{DOORWARD, Data, run};
use crate::harness::wait::PATIENCE;
use crate::harness::{Browser, PASSWORD, Process, Tokens, eventually, report, within};

async fn register(process: &Process) {
    let account = json!({ "username": "ada", "password": PASSWORD });
    process.client().post_json("/api/v1/accounts", &account).await.must_be(201);
}

async fn sign_in(process: &Process) -> Browser {
    let browser = process.browser();
    let login = json!({ "username": "ada", "password": PASSWORD, "carrier": "cookie" });
    browser.post_json("/api/v1/login", &login).await.must_be(200);
    browser
}

async fn tokens(process: &Process) -> Tokens {
    let login = json!({ "username": "ada", "password": PASSWORD, "carrier": "token" });
    Tokens::read(&process.client().post_json("/api/v1/login", &login).await.must_be(200))
}

/// Whether a cookie from before counts with a server that runs now.
async fn counts(process: &Process, cookie: &Browser) -> bool {
    process.browser().with_cookie_of(cookie).is_signed_in().await
}

async fn back_up(data: &Data, name: &str) -> PathBuf {
    let file = data.beside(name);
    let output = data.run("db backup", &[file.to_str().unwrap()]).await;
    check_code(&output, 0);
    file
}

async fn restore(data: &Data, file: &Path, args: &[&str]) -> Output {
    data.run("db restore", &[&[file.to_str().unwrap()], args].concat()).await
}

/// A data folder with nothing but this one's master key.
fn elsewhere(data: &Data, name: &str) -> Data {
    let other = data.below(name);
    std::fs::create_dir_all(other.path()).unwrap();
    std::fs::copy(data.path().join("master.key"), other.path().join("master.key")).unwrap();
    other
}

#[track_caller]
fn check_code(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
}

#[track_caller]
fn check_told(output: &Output, code: i32, told: &str) {
    check_code(output, code);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains(told), "{stderr}");
}

/// Every file of a folder, with what is in it.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let files = entries.filter(|entry| entry.path().is_file());
    files
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect()
}

/// Runs a command that can make no file of more than 40 blocks, as on a full disk.
fn with_little_room(data: &Data, verb: &str, args: &[&str]) -> Output {
    let small = format!("trap '' XFSZ; ulimit -f 40; exec {DOORWARD} \"$@\"");
    let folder = data.path().to_str().unwrap();
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &small, "sh", "db", verb, "--data", folder]).args(args);
    command.output().unwrap()
}

fn asked<T: rusqlite::types::FromSql>(database: &Path, sql: &str) -> T {
    let db = rusqlite::Connection::open(database).unwrap();
    db.query_row(sql, (), |row| row.get(0)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_is_a_server_elsewhere() {
    let process = Process::start(&[]).await;
    register(&process).await;
    let ada = sign_in(&process).await;
    let opened = Arc::new(AtomicU32::new(0));
    let storm: Vec<_> = (0..3)
        .map(|_| {
            let (visitor, opened) = (process.browser(), Arc::clone(&opened));
            tokio::spawn(async move {
                loop {
                    let visitor = visitor.fresh();
                    visitor.post("/api/v1/session").await.must_be(201);
                    if opened.fetch_add(1, Ordering::Relaxed) % 2 == 0 {
                        visitor.post("/api/v1/logout").await.must_be(204);
                    }
                }
            })
        })
        .collect();
    let mut counts_of_sessions = Vec::new();
    for n in 0..5 {
        let before = opened.load(Ordering::Relaxed);
        let file = process.data().beside(&format!("copy-{n}.db"));
        let output = process.data().run("db backup", &[file.to_str().unwrap()]).await;
        check_told(&output, 0, "master.key");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), file.to_str().unwrap());
        assert!(opened.load(Ordering::Relaxed) > before, "visitors come in meanwhile");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        // Foreign keys, and a log without a gap.
        check_code(&process.data().run("db check", &[file.to_str().unwrap()]).await, 0);
        counts_of_sessions.push(asked::<u32>(&file, "SELECT count(*) FROM session"));
    }
    assert!(counts_of_sessions.is_sorted(), "{counts_of_sessions:?}");
    storm.iter().for_each(tokio::task::JoinHandle::abort);
    let data = process.stop().await;
    let left = files(data.beside("copy-0.db").parent().unwrap());
    assert!(left.keys().all(|name| !name.contains(".part")), "{:?}", left.keys());

    let other = elsewhere(&data, "elsewhere");
    let output = restore(&other, &data.beside("copy-4.db"), &["--yes"]).await;
    check_told(&output, 0, "count again");
    let process = other.start(&[]).await;
    assert!(counts(&process, &ada).await, "the old cookie");
    assert!(process.stdout().contains("server.ready"));
    sign_in(&process).await;
}

#[tokio::test]
async fn a_session_that_ended_after_the_backup_counts_again_unless_all_are_ended() {
    let process = Process::start(&[]).await;
    register(&process).await;
    let (stays, ends) = (sign_in(&process).await, sign_in(&process).await);
    let program = tokens(&process).await;
    let copy = ends.copy();
    let file = back_up(process.data(), "copy.db").await;
    ends.post("/api/v1/logout").await.must_be(204);
    let data = process.stop().await;
    let log = "SELECT name FROM revocation_log";
    let name_before: Vec<u8> = asked(&data.database(), log);

    check_told(&restore(&data, &file, &["--yes"]).await, 0, "count again");
    let name: Vec<u8> = asked(&data.database(), log);
    assert_ne!(name, name_before, "another log");
    let process = data.start(&[]).await;
    assert!(counts(&process, &stays).await && counts(&process, &copy).await);
    let data = process.stop().await;

    check_code(&restore(&data, &file, &["--yes", "--end-sessions"]).await, 0);
    let other_name: Vec<u8> = asked(&data.database(), log);
    assert!(other_name != name && other_name != name_before, "each its own");
    let process = data.start(&[]).await;
    assert!(!counts(&process, &stays).await && !counts(&process, &copy).await);
    let body = json!({ "refresh_token": program.refresh });
    process.client().post_json("/api/v1/refresh", &body).await.must_be(401);
    sign_in(&process).await;
}

/// The feed goes back in time: a guard that knows more must not think that it knows all.
#[tokio::test]
async fn a_guard_hears_of_ends_that_a_restored_server_numbers_anew() {
    let process = Process::start(&[]).await;
    register(&process).await;
    let args = ["guard", "--scope", "doorward.revocations", "--json"];
    let made = process.data().run("client add", &args).await;
    let client: Value = serde_json::from_slice(&made.stdout).unwrap();
    let text = |name: &str| client[name].as_str().unwrap();
    let credential = Credential::client(text("id"), text("secret"));
    let guard = Guard::follow(&process.url, &process.url, credential);
    let guard = guard.by_way_of(process.address).start().unwrap();
    within(PATIENCE, "a guard that is ready", guard.ready()).await;
    let said = |access: &str| guard.check(Some(&format!("Bearer {access}")), UnixTime(0)).err();

    let kept = tokens(&process).await;
    let file = back_up(process.data(), "copy.db").await;
    let lost = tokens(&process).await;
    for _ in 0..5 {
        let ended = tokens(&process).await;
        process.client().post("/api/v1/logout").bearer(&ended.access).await.must_be(204);
        eventually("a guard that has heard", async || {
            (said(&ended.access) == Some(Denied::Revoked)).then_some(())
        })
        .await;
    }
    let address = process.address.to_string();
    let data = process.stop().await;
    eventually("a guard that knows nothing", async || {
        (said(&kept.access) == Some(Denied::Stale)).then_some(())
    })
    .await;

    check_code(&restore(&data, &file, &["--yes"]).await, 0);
    let process = data.start_at(&address, &[]).await;
    eventually("a guard that follows again", async || said(&kept.access).is_none().then_some(()))
        .await;
    process.client().post("/api/v1/logout").bearer(&kept.access).await.must_be(204);
    let head: i64 = asked(&data.database(), "SELECT seq FROM revocation_head");
    assert!(head < 5, "a number that the guard has seen before: {head}");
    eventually("the refusal of what has ended", async || {
        (said(&kept.access) == Some(Denied::Revoked)).then_some(())
    })
    .await;
    // A session of which the restored server knows nothing. Its token is signed, and not revoked by name.
    assert_eq!(said(&lost.access), None);

    let data = process.stop().await;
    check_code(&restore(&data, &file, &["--yes", "--end-sessions"]).await, 0);
    let _process = data.start_at(&address, &[]).await;
    eventually("the refusal of all that the account had", async || {
        (said(&lost.access) == Some(Denied::Revoked)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn nothing_is_restored_beneath_a_server() {
    let process = Process::start(&[]).await;
    register(&process).await;
    let ada = sign_in(&process).await;
    let file = back_up(process.data(), "copy.db").await;
    let names = |data: &Data| files(data.path()).into_keys().collect::<Vec<_>>();
    let before = names(process.data());
    check_told(&restore(process.data(), &file, &["--yes"]).await, 75, "is serving from this data");
    check_told(&process.data().run("db migrate", &[]).await, 75, "is serving from this data");
    assert_eq!(names(process.data()), before);
    assert!(counts(&process, &ada).await);

    // Nor beneath another program that has the database open.
    let data = process.stop().await;
    let other = rusqlite::Connection::open(data.database()).unwrap();
    let _: u32 = other.query_row("SELECT count(*) FROM session", (), |row| row.get(0)).unwrap();
    let before = std::fs::read(data.database()).unwrap();
    check_code(&restore(&data, &file, &["--yes"]).await, 75);
    assert_eq!(std::fs::read(data.database()).unwrap(), before);
    drop(other);
    check_code(&restore(&data, &file, &["--yes"]).await, 0);
}

#[tokio::test]
async fn a_damaged_backup_is_refused_and_changes_nothing() {
    let process = Process::start(&[]).await;
    register(&process).await;
    let file = back_up(process.data(), "copy.db").await;
    let data = process.stop().await;
    let (good, before) = (std::fs::read(&file).unwrap(), files(data.path()));
    let flipped = |position: usize| {
        let mut bytes = good.clone();
        bytes[position] ^= 4;
        bytes
    };
    let end = good.len();
    let damaged = [
        flipped(20),
        flipped(100),
        flipped(5000),
        flipped(end / 2),
        flipped(end - 1),
        good[..end - 1].to_vec(),
        good[..end / 2].to_vec(),
        good[..4096].to_vec(),
        Vec::new(),
        b"no database at all".repeat(100),
    ];
    for (n, bytes) in damaged.into_iter().enumerate() {
        std::fs::write(&file, bytes).unwrap();
        check_told(&restore(&data, &file, &["--yes"]).await, 3, "is not whole");
        assert!(files(data.path()) == before, "damage {n} changed something");
        let checked = data.run("db check", &["--json", file.to_str().unwrap()]).await;
        check_code(&checked, 3);
        let said: Value = serde_json::from_slice(&checked.stdout).unwrap();
        assert_eq!(said["good"], json!(false), "{said}");
    }
    let nothing = restore(&data, &data.beside("nothing.db"), &["--yes"]).await;
    check_told(&nothing, 4, "there is no file");
    check_told(&restore(&data, &data.database(), &["--yes"]).await, 1, "the database itself");
    // Without a terminal nobody can say yes.
    std::fs::write(&file, &good).unwrap();
    check_told(&restore(&data, &file, &[]).await, 1, "Try: --yes");
    let args = [file.to_str().unwrap(), "--yes"];
    check_told(&with_little_room(&data, "restore", &args), 1, "making a database");
    assert!(files(data.path()) == before);
}

#[tokio::test]
async fn a_backup_opens_with_its_own_master_key_alone() {
    let process = Process::start(&[]).await;
    let file = back_up(process.data(), "copy.db").await;
    let data = process.stop().await;
    let other = Data::fresh();
    check_told(&restore(&other, &file, &["--yes"]).await, 1, "master.key is missing");
    assert!(!other.path().exists(), "nothing was made");
    other.start(&[]).await.stop().await;
    let before = files(other.path());
    check_told(&restore(&other, &file, &["--yes"]).await, 3, "another master key");
    check_told(&other.run("db check", &[file.to_str().unwrap()]).await, 3, "another master key");
    assert!(files(other.path()) == before);
    check_code(&data.run("db check", &[file.to_str().unwrap()]).await, 0);
}

#[tokio::test]
async fn the_database_that_was_there_is_kept_whole() {
    let process = Process::start(&[]).await;
    register(&process).await;
    let file = back_up(process.data(), "copy.db").await;
    let late = sign_in(&process).await;
    // What was written last is in the log beside it.
    let data = process.kill().await;
    assert!(files(data.path())["doorward.db-wal"].len() > 10_000);
    check_told(&restore(&data, &file, &["--yes"]).await, 0, "is kept: ");
    let kept = |files: BTreeMap<String, Vec<u8>>| {
        let kept = files.into_keys().filter(|name| name.starts_with("doorward.db."));
        kept.collect::<Vec<_>>()
    };
    let first = kept(files(data.path()));
    assert_eq!(first.len(), 1, "{first:?}");
    assert!(!data.path().join("doorward.db-wal").exists());
    let process = data.start(&[]).await;
    assert!(!counts(&process, &late).await);
    let data = process.stop().await;
    check_code(&restore(&data, &data.path().join(&first[0]), &["--yes"]).await, 0);
    let process = data.start(&[]).await;
    assert!(counts(&process, &late).await, "and goes back as well");

    // One that cannot be read is kept as it is, with all that lies beside it.
    let data = process.kill().await;
    std::fs::write(data.database(), vec![b'x'; 20_000]).unwrap();
    check_told(&restore(&data, &file, &["--yes"]).await, 0, "is kept: ");
    let garbage = files(data.path()).into_iter().find(|(_, bytes)| *bytes == vec![b'x'; 20_000]);
    let garbage = garbage.unwrap().0;
    assert!(data.path().join(format!("{garbage}-wal")).exists());
    assert!(!data.path().join("doorward.db-wal").exists());
    data.start(&[]).await.stop().await;
}

/// A power cut in the middle: the old database or the new one, with all that belongs to it.
#[tokio::test]
async fn a_restore_that_is_killed_leaves_one_whole_database() {
    let process = Process::start(&[]).await;
    register(&process).await;
    let file = back_up(process.data(), "copy.db").await;
    sign_in(&process).await;
    // Killed, so that much of the old one is in its log.
    let data = process.kill().await;
    let before = files(data.path());
    let mut left = BTreeMap::<u32, u32>::new();
    for round in 0..40 {
        std::fs::remove_dir_all(data.path()).unwrap();
        std::fs::create_dir(data.path()).unwrap();
        for (name, bytes) in &before {
            std::fs::write(data.path().join(name), bytes).unwrap();
        }
        let mut child = std::process::Command::new(DOORWARD)
            .args(["db", "restore", "--yes", "--data", data.path().to_str().unwrap()])
            .arg(&file)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        tokio::time::sleep(Duration::from_millis(round * 6)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        check_code(&data.run("db check", &[]).await, 0);
        *left.entry(asked(&data.database(), "SELECT count(*) FROM session")).or_default() += 1;
        assert!(left.keys().all(|sessions| *sessions <= 1));
    }
    report(&format!("forty restores killed: {left:?} by the sessions in what was left"));
    check_code(&restore(&data, &file, &["--yes"]).await, 0);
    assert!(files(data.path()).keys().all(|name| !name.contains(".part")));
}

#[tokio::test]
async fn a_lost_database_is_put_back_and_its_setup_link_is_not() {
    let process = Process::start(&[]).await;
    let link = std::fs::read_to_string(process.data().path().join("setup-link")).unwrap();
    let file = back_up(process.data(), "copy.db").await;
    let data = process.stop().await;
    std::fs::remove_file(data.database()).unwrap();
    let output = data.run("serve", &["--listen", "127.0.0.1:0", "--no-open"]).await;
    check_told(&output, 1, "Try: doorward db restore");
    check_code(&restore(&data, &file, &["--yes"]).await, 0);
    assert!(!data.path().join("setup-link").exists());
    assert_eq!(asked::<u32>(&data.database(), "SELECT count(*) FROM setup"), 0);
    let process = data.start(&[]).await;
    let drawn = std::fs::read_to_string(process.data().path().join("setup-link")).unwrap();
    assert_ne!(drawn, link, "a new one, while there is no administrator");
}

#[tokio::test]
async fn a_backup_that_cannot_be_made_leaves_nothing_behind() {
    let process = Process::start(&[]).await;
    let data = process.data();
    let folder = data.beside("backups");
    std::fs::create_dir(&folder).unwrap();
    let dear = folder.join("dear.db");
    std::fs::write(&dear, "dear").unwrap();
    let output = data.run("db backup", &[dear.to_str().unwrap()]).await;
    check_told(&output, 1, "is there already");
    std::os::unix::fs::symlink("nowhere", folder.join("link.db")).unwrap();
    let output = data.run("db backup", &[folder.join("link.db").to_str().unwrap()]).await;
    check_told(&output, 1, "is there already");
    for place in ["nothing/copy.db", "dear.db/copy.db"] {
        let output = data.run("db backup", &[folder.join(place).to_str().unwrap()]).await;
        check_told(&output, 1, "Try: ");
    }
    let copy = folder.join("copy.db");
    let output = with_little_room(data, "backup", &[copy.to_str().unwrap()]);
    check_told(&output, 1, "copying");
    assert_eq!(files(&folder), BTreeMap::from([("dear.db".to_owned(), b"dear".to_vec())]));

    let nowhere = Data::fresh();
    let output = nowhere.run("db backup", &[copy.to_str().unwrap()]).await;
    check_told(&output, 4, "there is no database");
    assert!(!nowhere.path().exists() && !copy.exists());
}

#[tokio::test]
async fn a_check_tells_each_check_and_says_no_by_its_exit_code() {
    let process = Process::start(&[]).await;
    let data = process.data().clone();
    let output = data.run("db check", &["--json"]).await;
    check_code(&output, 0);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<_> = said["checks"].as_array().unwrap().iter().collect();
    assert_eq!(names.len(), 6, "{said}");
    assert!(names.iter().all(|it| it["verdict"] == "passed"), "{said}");
    assert_eq!((&said["good"], &said["refused"]), (&json!(true), &json!(null)));
    let output = data.run("db migrate", &["--dry-run"]).await;
    check_code(&output, 0);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "up to date\n");
    process.stop().await;

    let db = rusqlite::Connection::open(data.database()).unwrap();
    db.execute("UPDATE signing_key SET sealed = zeroblob(length(sealed))", ()).unwrap();
    drop(db);
    let output = data.run("db check", &[]).await;
    check_told(&output, 3, "another master key");
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(lines.lines().last().unwrap().starts_with("failed       keys"), "{lines}");
    std::fs::remove_file(data.path().join("master.key")).unwrap();
    check_told(&data.run("db check", &[]).await, 3, "there is no master.key");
    assert!(!data.path().join("master.key").exists(), "and none was made");
    let nowhere = data.beside("nowhere").to_str().unwrap().to_owned();
    check_code(&run(&["db", "check", "--data", &nowhere]).await, 4);
    check_code(&run(&["db", "check", &nowhere]).await, 4);
}

/// Sessions kept before a server starts, as if they had been opened by as many browsers.
fn fill(database: &Path, count: u32) {
    const FILL: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
        INSERT INTO session (sid, key, account, epoch, carrier, remembered, opened_at, proved_at,
            seen_at, generation, amr, acr, user_agent, ip)
        SELECT randomblob(16), randomblob(32), (SELECT id FROM account), 0, 0, 1, ?2, ?2, ?2, 0, 1, 1,
            NULL, x'C0000201' FROM n";
    let now = UNIX_EPOCH.elapsed().unwrap().as_secs().cast_signed();
    let db = rusqlite::Connection::open(database).unwrap();
    db.execute(FILL, (count, now)).unwrap();
}

/// How long each of many openings took, one after the other, while something else goes on.
async fn openings_during<T>(
    process: &Process,
    other: impl Future<Output = T>,
) -> (T, Vec<Duration>) {
    let mut took = Vec::new();
    let mut other = std::pin::pin!(other);
    loop {
        let began = Instant::now();
        let visitor = process.browser();
        let mut opening = std::pin::pin!(visitor.post("/api/v1/session"));
        tokio::select! {
            reply = &mut opening => { reply.must_be(201); }
            done = &mut other => {
                opening.await.must_be(201);
                took.push(began.elapsed());
                return (done, took);
            }
        }
        took.push(began.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_backup_of_many_sessions_costs_is_measured() {
    const COUNT: u32 = 100_000;
    let process = Process::start(&[]).await;
    register(&process).await;
    let data = process.stop().await;
    fill(&data.database(), COUNT);
    let process = data.start(&[]).await;
    let tell = |what: &str, mut took: Vec<Duration>| {
        took.sort();
        let (at, last) = (|share: usize| took[took.len() * share / 100], took[took.len() - 1]);
        report(&format!(
            "an opening {what}: median {:?}, p99 {:?}, longest {last:?} of {}",
            at(50),
            at(99),
            took.len()
        ));
    };
    // A server that has just started still fills its table of sessions.
    openings_during(&process, tokio::time::sleep(Duration::from_secs(2))).await;
    let ((), quiet) = openings_during(&process, tokio::time::sleep(Duration::from_secs(2))).await;
    tell("with nothing beside", quiet);
    let began = Instant::now();
    let backup = async {
        let mut file = PathBuf::new();
        for n in 0..3 {
            file = back_up(&data, &format!("copy-{n}.db")).await;
        }
        file
    };
    let (file, busy) = openings_during(&process, backup).await;
    let length = std::fs::metadata(&file).unwrap().len() / 1024 / 1024;
    report(&format!("a backup of {COUNT} sessions, {length} MiB: {:?}", began.elapsed() / 3));
    tell("beside a backup", busy);
    let log = std::fs::metadata(data.path().join("doorward.db-wal")).unwrap().len();
    report(&format!("the log beside the database afterwards: {} KiB", log / 1024));
    process.stop().await;
    let began = Instant::now();
    check_code(&restore(&data, &file, &["--yes", "--end-sessions"]).await, 0);
    report(&format!("a restore that ends them all: {:?}", began.elapsed()));
    assert_eq!(asked::<u32>(&data.database(), "SELECT count(*) FROM session"), 0);
}
