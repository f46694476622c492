//! The store fails: 503, nobody is let in, and nothing that was acknowledged is lost.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::harness::process::Data;
use crate::harness::server::Rows;
use crate::harness::{Browser, PASSWORD, Process, Server, eventually, report};

const LOGIN: &str = "/api/v1/login";

async fn register(process: &Process) {
    let account = json!({ "username": "ada", "password": PASSWORD });
    process.client().post_json("/api/v1/accounts", &account).await.must_be(201);
}

/// Asks for a session in every way there is: each is refused with 503, and nothing is granted.
async fn nobody_is_let_in(process: &Process) {
    let body =
        |carrier: &str| json!({ "username": "ada", "password": PASSWORD, "carrier": carrier });
    for carrier in ["cookie", "token"] {
        let reply = process.browser().post_json(LOGIN, &body(carrier)).await;
        let reply = reply.must_be_problem(503, "store-unavailable");
        assert_eq!(reply.set_cookie(), None);
        assert!(reply.header("retry-after").is_some());
        assert!(!reply.text().contains("token\""), "{}", reply.text());
        assert!(!reply.text().to_lowercase().contains("sqlite"), "no detail leaks");
    }
    let reply = process.browser().post("/api/v1/session").await;
    assert_eq!(reply.must_be_problem(503, "store-unavailable").set_cookie(), None);
    let form = [("username", "ada"), ("password", PASSWORD)];
    let reply = process.browser().post_form("/login", &form).await.must_be(503);
    assert_eq!(reply.set_cookie(), None);
}

async fn is_ready(process: &Process) -> bool {
    let reply = process.client().get("/readyz").await;
    match reply.status.as_u16() {
        200 => true,
        503 => false,
        _ => panic!("{}", reply.describe()),
    }
}

#[tokio::test]
async fn a_database_locked_by_another_process_is_waited_for_and_then_refused() {
    let process = Process::start(&[]).await;
    register(&process).await;
    let kept = process.browser();
    kept.post("/api/v1/session").await.must_be(201);
    let database = process.data().database();
    let before = Rows::of(&database);

    let lock = rusqlite::Connection::open(&database).unwrap();
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    nobody_is_let_in(&process).await;
    assert!(!is_ready(&process).await);
    process.client().get("/livez").await.must_be(200);
    // An end that cannot be made durable is not acknowledged.
    let reply = kept.post("/api/v1/logout").await.must_be_problem(503, "store-unavailable");
    assert_eq!(reply.set_cookie(), None, "the cookie stays until the session has ended");
    lock.execute_batch("ROLLBACK").unwrap();

    eventually("readiness again", async || is_ready(&process).await.then_some(())).await;
    let after = Rows::of(&database);
    // A key may be made at any time; everything else was refused for good.
    assert_eq!(after, Rows { signing_key: after.signing_key, ..before });
    assert!(kept.is_signed_in().await);
    kept.post("/api/v1/logout").await.must_be(204);
    let body = json!({ "username": "ada", "password": PASSWORD, "carrier": "token" });
    process.client().post_json(LOGIN, &body).await.must_be(200);
}

#[tokio::test]
async fn a_database_that_was_removed_is_noticed_before_the_next_answer() {
    let process = Process::start(&[]).await;
    register(&process).await;
    let kept = process.browser();
    kept.post("/api/v1/session").await.must_be(201);
    std::fs::remove_file(process.data().database()).unwrap();
    nobody_is_let_in(&process).await;
    assert!(!is_ready(&process).await);
    kept.get("/api/v1/session").await.must_be_problem(503, "store-unavailable");
    kept.post("/api/v1/logout").await.must_be_problem(503, "store-unavailable");
    let account = json!({ "username": "bob", "password": PASSWORD });
    let reply = process.client().post_json("/api/v1/accounts", &account).await;
    reply.must_be_problem(503, "store-unavailable");
    process.client().get("/livez").await.must_be(200);
}

#[tokio::test]
async fn another_database_put_in_its_place_is_not_taken_for_ours() {
    let process = Process::start(&[]).await;
    register(&process).await;
    let other = Process::start(&[]).await.stop().await;
    let database = process.data().database();
    std::fs::rename(&database, process.data().beside("away.db")).unwrap();
    std::fs::copy(other.database(), &database).unwrap();
    nobody_is_let_in(&process).await;
    assert!(!is_ready(&process).await);
}

#[tokio::test]
async fn a_page_says_that_it_is_our_fault_and_shows_a_reference() {
    let server = Server::start().await;
    let browser = server.sign_in(&server.member("ada").await).await;
    std::fs::remove_file(server.database()).unwrap();
    // Reads alone go on in the open file, which is still true; the first write notices.
    server.client().get("/readyz").await.must_be(503);
    let reply = browser.get("/account").await.must_be(503);
    assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(reply.text().contains(reply.header("x-request-id").unwrap()), "{}", reply.text());
}

/// A process whose data folder is on a disk of a few MiB that only it can see.
struct SmallDisk {
    process: Process,
    data: Data,
}

/// How much the small disk holds.
const DISK_KIB: u64 = 4096;

impl SmallDisk {
    /// Mounts it in a mount namespace of its own, as root or through a user namespace, so that
    /// nothing is left mounted whatever happens; or says why that cannot be.
    async fn start() -> Result<Self, String> {
        let mount = format!("mount -t tmpfs -o size={DISK_KIB}k,mode=700 tmpfs \"$0\"");
        let home = Data::fresh();
        let (place, data) = (home.beside("disk"), home.below("disk"));
        std::fs::create_dir_all(&place).map_err(|error| error.to_string())?;
        let is_root = rustix::process::geteuid().is_root();
        let unshare: &[&str] = if is_root {
            &["unshare", "--mount"]
        } else {
            &["unshare", "--user", "--map-root-user", "--mount"]
        };
        let place = place.to_str().unwrap();
        let words = |script| [unshare, &["sh", "-c", script, place]].concat();
        let trial = words(&mount);
        let tried = Command::new(trial[0]).args(&trial[1..]).output();
        let tried = tried.map_err(|error| format!("unshare cannot be run: {error}"))?;
        if !tried.status.success() {
            return Err(String::from_utf8_lossy(&tried.stderr).into_owned());
        }
        let script = format!("{mount} && exec \"$@\"");
        let process = data.start_through(&words(&script), &[]).await;
        Ok(Self { process, data })
    }

    /// A path on the disk, seen from outside the namespace.
    fn seen(&self, name: &str) -> PathBuf {
        let inside = self.data.path().join(name);
        let inside = inside.strip_prefix("/").unwrap();
        Path::new("/proc").join(self.process.id().to_string()).join("root").join(inside)
    }

    /// Fills what is left of the disk.
    fn fill(&self) {
        use std::io::Write;
        let mut filler = std::fs::File::create(self.seen("filler")).unwrap();
        for size in [64 * 1024, 4096, 1] {
            while filler.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.seen("filler")).unwrap();
    }
}

#[tokio::test]
async fn a_full_disk_refuses_lets_nobody_in_and_heals() {
    let disk = match SmallDisk::start().await {
        Ok(disk) => disk,
        Err(reason) => return report(&format!("no small disk can be mounted here: {reason}")),
    };
    let process = &disk.process;
    register(process).await;
    let mut acknowledged: Vec<Browser> = Vec::new();
    for _ in 0..20 {
        let browser = process.browser();
        browser.post("/api/v1/session").await.must_be(201);
        acknowledged.push(browser);
    }
    disk.fill();
    // What fits into pages that are there already may still be acknowledged, for a while.
    let value = json!("x".repeat(32 * 1024));
    let refused = loop {
        let browser = process.browser();
        let reply = browser.post("/api/v1/session").await;
        if reply.status == 503 {
            break reply;
        }
        reply.must_be(201);
        let reply = browser.put_json("/api/v1/session/data/basket", &value).await;
        acknowledged.push(browser);
        if reply.status == 503 {
            break reply;
        }
        assert!(acknowledged.len() < 1000, "a disk of {DISK_KIB} KiB is never full");
    };
    assert_eq!(refused.must_be_problem(503, "store-unavailable").set_cookie(), None);
    // The last small pages go too.
    loop {
        let browser = process.browser();
        let reply = browser.post("/api/v1/session").await;
        if reply.status == 503 {
            break;
        }
        reply.must_be(201);
        acknowledged.push(browser);
        assert!(acknowledged.len() < 20_000, "a disk of {DISK_KIB} KiB is never full");
    }
    nobody_is_let_in(process).await;
    assert!(!is_ready(process).await);
    process.client().get("/livez").await.must_be(200);
    for browser in &acknowledged {
        assert!(browser.is_signed_in().await, "what was acknowledged still counts");
    }

    disk.free();
    eventually("readiness again", async || is_ready(process).await.then_some(())).await;
    let body = json!({ "username": "ada", "password": PASSWORD, "carrier": "cookie" });
    let browser = process.browser();
    browser.post_json(LOGIN, &body).await.must_be(200);
    assert!(browser.is_signed_in().await);
    for browser in &acknowledged {
        assert!(browser.is_signed_in().await);
    }
    let late = acknowledged.len() - 20;
    report(&format!("{late} sessions were acknowledged after the disk was filled, and held"));
}
