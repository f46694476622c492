//! Listens for entries in the revocation log that other nodes have made.
//!
//! ```text
//!   connect ──▶ LISTEN ──▶ bump ──▶ ┌ a notification ──▶ bump ┐
//!      ▲                            └ silence ──▶ ask again ──┘
//!      └── a pause ◀── no answer ◀──────────┘
//! ```
//!
//! A notification says only that there is something to read: the table is the truth. While nobody
//! listened one may have been missed, and so each new beginning counts as one.
//!
//! The same connection holds the turn of the one node that does what is to be done once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::tls::TlsStream;
use tokio_postgres::{AsyncMessage, Client, Connection, Socket};

use super::address::Address;
use super::fault::{Fault, sentence};

/// How long the server may be silent before it is asked whether it is there.
const SILENCE_MAX: Duration = Duration::from_millis(250);

/// How long it may take to answer that.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// How long to wait before connecting again, at first.
const PAUSE_MIN: Duration = Duration::from_millis(50);

/// How long at most.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// What is heard of the server.
#[derive(Clone)]
struct Heard {
    last: Arc<Mutex<Instant>>,
    has_turn: Arc<AtomicBool>,
    appended: watch::Sender<u64>,
}

impl Heard {
    fn something(&self) {
        *self.last.lock() = Instant::now();
    }

    fn perhaps_entries(&self) {
        self.something();
        self.appended.send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// Listens until it is dropped.
pub(super) struct Listener {
    heard: Heard,
    task: JoinHandle<()>,
}

impl Listener {
    /// Begins to listen, with a connection of its own.
    pub(super) fn start(address: Address, appended: watch::Sender<u64>) -> Self {
        let last = Arc::new(Mutex::new(Instant::now()));
        let heard = Heard { last, has_turn: Arc::default(), appended };
        let task = tokio::spawn(listen(address, heard.clone()));
        Self { heard, task }
    }

    /// How long ago the server was heard last.
    pub(super) fn last_heard(&self) -> Duration {
        self.heard.last.lock().elapsed()
    }

    /// Whether this node does what is to be done once.
    pub(super) fn has_turn(&self) -> bool {
        self.heard.has_turn.load(Ordering::Relaxed)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(address: Address, heard: Heard) {
    let mut pause = PAUSE_MIN;
    loop {
        let begun = heard.last.lock().to_owned();
        if let Err(fault) = hold(&address, &heard).await {
            tracing::warn!(%fault, "other nodes are not heard for a while");
        }
        heard.has_turn.store(false, Ordering::Relaxed);
        let has_heard = *heard.last.lock() != begun;
        pause = if has_heard { PAUSE_MIN } else { PAUSE_MAX.min(pause * 2) };
        sleep(pause).await;
    }
}

/// Listens on one connection until it is lost.
async fn hold(address: &Address, heard: &Heard) -> Result<(), Fault> {
    let connecting = timeout(ANSWER_MAX, address.config().connect(address.tls())).await;
    let connected = connecting.map_err(|_late| Fault::TooLate)?;
    let (client, connection) = connected.map_err(|error| address.explain(&sentence(&error)))?;
    tokio::select! {
        lost = carry(connection, heard) => lost,
        lost = keep_asking(&client, heard) => lost,
    }
}

/// Carries what goes over the connection, and tells of each notification.
async fn carry<T>(mut connection: Connection<Socket, T>, heard: &Heard) -> Result<(), Fault>
where
    T: TlsStream + Unpin,
{
    loop {
        let message = std::future::poll_fn(|context| connection.poll_message(context)).await;
        match message {
            Some(Ok(AsyncMessage::Notification(_))) => heard.perhaps_entries(),
            Some(Ok(_)) => heard.something(),
            Some(Err(error)) => return Err(error.into()),
            None => return Err(Fault::Unreachable("the server has hung up".to_owned())),
        }
    }
}

/// Begins to listen, and then asks for a trifle again and again.
async fn keep_asking(client: &Client, heard: &Heard) -> Result<(), Fault> {
    ask(client, "LISTEN doorward_log").await?;
    heard.perhaps_entries();
    loop {
        // The lock is held as long as the connection: the turn of a node that is gone is another's.
        if !heard.has_turn.load(Ordering::Relaxed) && take_turn(client).await? {
            heard.has_turn.store(true, Ordering::Relaxed);
        }
        sleep(SILENCE_MAX).await;
        ask(client, "SELECT 1").await?;
        heard.something();
    }
}

/// Takes the turn, unless another node has it. Each schema has one.
async fn take_turn(client: &Client) -> Result<bool, Fault> {
    const TAKE: &str = "SELECT pg_try_advisory_lock(1685024627, hashtext(current_schema()::text))";
    let answered = timeout(ANSWER_MAX, client.query_one(TAKE, &[])).await;
    Ok(answered.map_err(|_late| Fault::TooLate)??.try_get(0)?)
}

async fn ask(client: &Client, sql: &str) -> Result<(), Fault> {
    let answered = timeout(ANSWER_MAX, client.batch_execute(sql)).await;
    Ok(answered.map_err(|_late| Fault::TooLate)??)
}
