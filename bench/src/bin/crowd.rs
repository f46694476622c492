//! A crowd: very many sessions in a store, opened by the store's own acts, many at once.
//!
//! Passwords are not checked here: a million logins would hash for hours. All else is as it is: each
//! session is an act of its own, committed with `synchronous=FULL` together with those beside it.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use doorward_core::account::{Account, Epoch, PasswordVersion, Role};
use doorward_core::credential::{HashParams, PasswordHash};
use doorward_core::event::{Event, EventKind};
use doorward_core::session::{Device, Lifetimes, Method, Owner, Session};
use doorward_core::username::Username;
use doorward_core::whereabouts::Whereabouts;
use doorward_store::act::{Ending, NewAccount, NewSession};
use doorward_store::sqlite::{Shape, SqliteStore};
use doorward_store::{Accounts, Probe, Sessions};
use doorward_wire::{AccountId, EventId, FreshSecret, SessionId, UnixTime};
use rusqlite::Connection;
use tokio::task::JoinSet;

const USAGE: &str = "\
usage: crowd open DATABASE COUNT fresh|unseen|dead COOKIES
       crowd pages DATABASE
       crowd sweep DATABASE SLICE
       crowd end DATABASE COUNT

  open   keeps COUNT sessions, ten to an account, and one account with up to 10 000 of them. A check
         of a fresh one writes nothing; of one unseen for ten minutes it writes that it was seen; a
         dead one waits to be swept. COOKIES gets a line for each, the large account's first.
  pages  prints how many bytes each table and index takes
  sweep  forgets the dead, so many at once, with a small write beside each slice
  end    opens COUNT sessions of one account and ends them all, with a small write beside that";

/// How many acts wait at once: more than go in one commit, fewer than the queue takes.
const AT_ONCE: u32 = 1024;
const IN_LARGE_ACCOUNT: u64 = 10_000;
const HOUR: u64 = 60 * 60;

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match *words.as_slice() {
        ["open", database, count, kind, cookies] => {
            let seen = Seen::parse(kind).ok_or(USAGE)?;
            let lines = open(Path::new(database), count.parse()?, seen).await?;
            Ok(fs::write(cookies, lines)?)
        }
        ["pages", database] => pages(Path::new(database)),
        ["sweep", database, slice] => sweep(Path::new(database), slice.parse()?).await,
        ["end", database, count] => end(Path::new(database), count.parse()?).await,
        _ => Err(USAGE.into()),
    }
}

/// When the sessions of a crowd were last seen.
#[derive(Clone, Copy)]
enum Seen {
    /// By a clock that is hours ahead, so that no check finds that it has to write.
    Fresh,
    Unseen,
    Dead,
}

impl Seen {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "fresh" => Some(Self::Fresh),
            "unseen" => Some(Self::Unseen),
            "dead" => Some(Self::Dead),
            _ => None,
        }
    }

    fn at(self, now: u64) -> u64 {
        match self {
            Self::Fresh => now + 12 * HOUR,
            Self::Unseen => now - 600,
            Self::Dead => now - 2 * HOUR,
        }
    }
}

/// A crowd to be opened.
#[derive(Clone, Copy)]
struct Crowd {
    count: u64,
    seen: Seen,
    now: u64,
    /// Tells it from every other crowd.
    mark: u64,
}

async fn open(database: &Path, count: u64, seen: Seen) -> Outcome<String> {
    let crowd = Crowd::new(count, seen)?;
    let store = Arc::new(SqliteStore::open(database)?);
    let start = Instant::now();
    in_shares(&store, crowd, crowd.account_count(), |store, crowd, n| async move {
        store.open_account(crowd.account(n)?).await?;
        Ok(String::new())
    })
    .await?;
    let opened = in_shares(&store, crowd, count, |store, crowd, n| async move {
        store.open_session(crowd.session(n)).await?;
        Ok(format!("Cookie: doorward={}\n", *crowd.secret(n).expose()))
    })
    .await?;
    let rate = rate(count + crowd.account_count(), start.elapsed());
    say(&format!("{rate:.0} acts a second"))?;
    // That of the large account comes first, by which the list is asked for.
    let first = format!("Cookie: doorward={}\n", *crowd.secret(0).expose());
    Ok(first + &opened)
}

/// Does something for each number below `count`, many at once, and puts together what it gives.
async fn in_shares<F>(
    store: &Arc<SqliteStore>,
    crowd: Crowd,
    count: u64,
    act: impl Fn(Arc<SqliteStore>, Crowd, u64) -> F + Copy + Send + Sync + 'static,
) -> Outcome<String>
where
    F: Future<Output = Outcome<String>> + Send,
{
    let mut shares = JoinSet::new();
    for share in 0..u64::from(AT_ONCE) {
        let store = Arc::clone(store);
        shares.spawn(async move {
            let mut lines = String::new();
            let mut n = share;
            while n < count {
                lines += &act(Arc::clone(&store), crowd, n).await?;
                n += u64::from(AT_ONCE);
            }
            Outcome::Ok(lines)
        });
    }
    let mut lines = String::new();
    while let Some(share) = shares.join_next().await {
        lines += &share??;
    }
    Ok(lines)
}

impl Crowd {
    fn new(count: u64, seen: Seen) -> Outcome<Self> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let mark = u64::try_from(since.as_micros())?;
        Ok(Self { count, seen, now: since.as_secs(), mark })
    }

    fn account_count(self) -> u64 {
        1 + self.count / 10
    }

    /// Bytes that are the same for the same number, and look like any others.
    fn bytes<const N: usize>(self, of: &str, n: u64) -> [u8; N] {
        let mut state = mixed(self.mark) ^ n;
        state = of.bytes().fold(state, |state, byte| mixed(state ^ u64::from(byte)));
        std::array::from_fn(|_| {
            state = mixed(state);
            state.to_le_bytes()[0]
        })
    }

    fn secret(self, n: u64) -> FreshSecret {
        FreshSecret::from_random(self.bytes("secret", n))
    }

    fn account_id(self, n: u64) -> AccountId {
        AccountId::new((self.now - 24 * HOUR) * 1000 + n, self.bytes("account", n))
    }

    fn account(self, n: u64) -> Outcome<NewAccount> {
        let at = UnixTime(self.now - 24 * HOUR);
        let id = self.account_id(n);
        let name = format!("c{}-{n}", self.mark);
        let account = Account {
            id,
            username: Username::parse(&name).map_err(|_| "a name was refused")?,
            email: None,
            role: Role::Member,
            epoch: Epoch(0),
            password_version: PasswordVersion(0),
            disabled: false,
            created_at: at,
        };
        let password = PasswordHash::of_nobody(&HashParams::DEFAULT, &[7; 16], &[7; 32]);
        let event = self.event(EventKind::AccountCreated, (n, id), at);
        Ok(NewAccount { account, password, session: None, event })
    }

    /// Sessions were opened one after another in the last ten hours.
    fn session(self, n: u64) -> NewSession {
        let milliseconds = (self.now - 10 * HOUR) * 1000 + n * 10 * HOUR * 1000 / self.count;
        let opened_at = UnixTime(milliseconds / 1000);
        let every = (self.count / IN_LARGE_ACCOUNT).max(10);
        let owner = if n.is_multiple_of(every) { 0 } else { mixed(n) % self.account_count() };
        let account = self.account_id(owner);
        let sid = SessionId::new(milliseconds, self.bytes("session", n));
        // Each account is in one network.
        let [network] = self.bytes("network", owner);
        let [b, c] = self.bytes("ip", n);
        let agent = format!(
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
             Chrome/{}.0.0.0 Safari/537.36",
            100 + n % 57
        );
        let session = Session {
            owner: Some(Owner { account, epoch: Epoch(0) }),
            amr: vec![Method::Password],
            seen_at: UnixTime(self.seen.at(self.now)),
            ..Session::open_anonymous(sid, &self.secret(n), opened_at)
        };
        let mut event = self.event(EventKind::LoginSucceeded, (n, account), opened_at);
        let device = Device::seen(&agent, format!("10.{network}.{b}.{c}"));
        event.session = Some(sid);
        event.ip = Some(device.ip.clone());
        event.device = Some(device.label.clone());
        NewSession {
            session,
            proved: Some(PasswordVersion(0)),
            whereabouts: Some(Whereabouts::of(&device, None)),
            device,
            refresh: None,
            replaces: None,
            carry: Vec::new(),
            event,
        }
    }

    fn event(self, kind: EventKind, (n, account): (u64, AccountId), at: UnixTime) -> Event {
        let id = EventId::new(at.0 * 1000, self.bytes(kind.name(), n));
        let account = Some(account);
        Event { id, at, kind, account, session: None, ip: None, reason: None, device: None }
    }
}

/// One step of `SplitMix64`.
fn mixed(state: u64) -> u64 {
    let z = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn pages(database: &Path) -> Outcome {
    const PAGES: &str = "SELECT name, pgsize FROM dbstat WHERE aggregate = 1 ORDER BY pgsize DESC";
    const SESSIONS: &str = "SELECT count(*) FROM session";
    let db = Connection::open(database)?;
    let count: u64 = db.query_row(SESSIONS, (), |row| row.get::<_, i64>(0))?.try_into()?;
    let mut text = format!("session_count={count}\n");
    let mut statement = db.prepare(PAGES)?;
    let mut tables = statement.query(())?;
    while let Some(row) = tables.next()? {
        writeln!(text, "{}={}", row.get::<_, String>(0)?, row.get::<_, i64>(1)?)?;
    }
    say(text.trim_end())
}

async fn sweep(database: &Path, slice: usize) -> Outcome {
    let now = UnixTime(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs());
    let store = as_a_server(database).await?;
    let (mut slices, mut beside, mut forgotten) = (Vec::new(), Vec::new(), 0);
    let start = Instant::now();
    loop {
        let waiting = tokio::spawn(small_write(Arc::clone(&store), now));
        let asked = Instant::now();
        let swept = store.sweep(&Lifetimes::default(), now, slice).await?;
        slices.push(asked.elapsed());
        beside.push(waiting.await??);
        forgotten += swept.forgotten;
        if swept.is_done {
            break;
        }
    }
    let (rate, all) = (rate(forgotten, start.elapsed()), slices.len());
    say(&format!("forgotten={forgotten} slices={all} a_second={rate:.0}"))?;
    say(&format!("slice {}", percentiles(slices)))?;
    say(&format!("beside {}", percentiles(beside)))
}

/// Opens a store as a server does, and waits until all its sessions are in memory.
async fn as_a_server(database: &Path) -> Outcome<Arc<SqliteStore>> {
    let start = Instant::now();
    let shape = Shape::new(512 << 20, Arc::new(move || start.elapsed()));
    let store = Arc::new(SqliteStore::open_with_table(database, shape)?);
    while store.table_size().is_some_and(|size| !size.is_complete) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    say(&format!("filled_ms={}", start.elapsed().as_millis()))?;
    Ok(store)
}

/// How long somebody waits who writes next to nothing.
async fn small_write(store: Arc<SqliteStore>, now: UnixTime) -> Outcome<Duration> {
    let asked = Instant::now();
    store.probe(now).await?;
    Ok(asked.elapsed())
}

async fn end(database: &Path, count: u64) -> Outcome {
    let crowd = Crowd::new(count, Seen::Unseen)?;
    let store = as_a_server(database).await?;
    store.open_account(crowd.account(0)?).await?;
    in_shares(&store, crowd, count, |store, crowd, n| async move {
        let mut new = crowd.session(n);
        new.session.owner = Some(Owner { account: crowd.account_id(0), epoch: Epoch(0) });
        store.open_session(new).await?;
        Ok(String::new())
    })
    .await?;
    let at = UnixTime(crowd.now);
    let event = crowd.event(EventKind::SessionEnded, (count, crowd.account_id(0)), at);
    let (ending, asked) = (Ending { now: at, event }, Instant::now());
    let ends = store.end_sessions_of(crowd.account_id(0), None, ending);
    let (ended, beside) = tokio::join!(ends, small_write(Arc::clone(&store), at));
    let took = asked.elapsed();
    say(&format!("ended={} took_us={} beside_us={}", ended?, took.as_micros(), beside?.as_micros()))
}

fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |per_mille: usize| times[(times.len() - 1) * per_mille / 1000].as_micros();
    format!("p50_us={} p99_us={} max_us={}", at(500), at(990), at(1000))
}

#[expect(clippy::cast_precision_loss, reason = "nobody opens 2^53 sessions")]
fn rate(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

fn say(line: &str) -> Outcome {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}
