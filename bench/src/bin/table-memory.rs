//! What a live session costs in memory: the table of so many sessions, filled from a real store.
//!
//! `table-memory FOLDER SESSIONS EACH` opens SESSIONS sessions, EACH of them for one account, in a
//! store in FOLDER, unless they are there from before. Then it starts anew with a table, and prints
//! what the process holds more than it held before, the same for each session, and how long it took
//! to fill.

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use doorward_core::session::Device;
use doorward_store::act::NewSession;
use doorward_store::conformance::sample::{account, anonymous, event, session};
use doorward_store::sqlite::{Shape, SqliteStore};
use doorward_store::{Accounts, Events, Sessions};
use doorward_wire::{SessionId, UnixTime};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How many acts wait at once: as many as go into a commit.
const AT_ONCE: u64 = 512;

fn main() -> Result<(), Box<dyn Error>> {
    let usage = "usage: table-memory FOLDER SESSIONS EACH";
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [folder, count, each] = words.as_slice() else { return Err(usage.into()) };
    let (count, each): (u64, u64) = (count.parse()?, each.parse()?);
    let file = Path::new(folder).join(format!("{count}-{each}.db"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(fill(&file, count, each))?;

    let before = resident()?;
    let start = Instant::now();
    let shape = Shape::new(4 << 30, Arc::new(move || start.elapsed()));
    let store = SqliteStore::open_with_table(&file, shape)?;
    let size = loop {
        let size = store.table_size().ok_or("there is a table")?;
        if size.is_complete {
            break size;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let took = start.elapsed();
    let more = resident()?.saturating_sub(before) * 1024;
    let sessions = u64::try_from(size.session_count)?;
    writeln!(
        std::io::stdout(),
        "{sessions} sessions: {} MiB more, {} bytes each (counted as {}), filled in {took:.2?}",
        more >> 20,
        more / sessions,
        u64::try_from(size.bytes)? / sessions,
    )?;
    Ok(())
}

/// Opens the sessions, if they are not there.
async fn fill(file: &Path, count: u64, each: u64) -> Result<(), Box<dyn Error>> {
    let is_done = file.with_extension("done");
    if is_done.exists() {
        return Ok(());
    }
    let store = Arc::new(SqliteStore::open(file)?);
    let account_count = count / each;
    for begin in (0..account_count).step_by(512) {
        let batch = (begin..account_count.min(begin + AT_ONCE)).map(|n| {
            let (store, mut new) = (Arc::clone(&store), account(1 + n, &format!("visitor-{n}")));
            new.event = event(10_000_000 + n);
            tokio::spawn(async move { store.open_account(new).await })
        });
        for kept in batch.collect::<Vec<_>>() {
            kept.await??;
        }
    }
    for begin in (0..count).step_by(512) {
        let batch = (begin..count.min(begin + AT_ONCE)).map(|n| {
            let (store, mut new) = (Arc::clone(&store), of_visitor(n, account_count));
            new.event = event(20_000_000 + n);
            tokio::spawn(async move { store.open_session(new).await })
        });
        for kept in batch.collect::<Vec<_>>() {
            kept.await??;
        }
    }
    store.sweep_events(UnixTime(u64::MAX), usize::MAX).await?;
    std::fs::write(is_done, "")?;
    Ok(())
}

/// A session as there are in earnest: ids by time, one of a hundred browsers, an address of its own.
fn of_visitor(n: u64, account_count: u64) -> NewSession {
    let mut new = if account_count == 0 { anonymous(n) } else { session(n, 1 + n % account_count) };
    let mixed = u128::from(n.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    new.session.sid = SessionId((u128::from(1_700_000_000_000 + n) << 80) | (7 << 76) | mixed);
    let agent = format!(
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
         Chrome/{}.0.0.0 Safari/537.36",
        100 + n % 100
    );
    let [_, a, b, c] = u32::try_from(n & 0xFF_FFFF).unwrap_or(0).to_be_bytes();
    new.device = Device::seen(&agent, format!("10.{a}.{b}.{c}"));
    new
}

fn resident() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    Ok(line.and_then(|line| line.trim().strip_suffix(" kB")).ok_or("no VmRSS")?.trim().parse()?)
}
