//! Serving: from a configuration to requests that are answered, and back to rest.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use doorward_core::signal::KEPT as SIGNALS_KEPT;
use doorward_server::app::App;
use doorward_server::edge::{Body, Edge, Request, Response};
use doorward_server::flow::{issue, setup};
use doorward_server::places::Places;
use doorward_server::settings::Site;
use doorward_server::sites::LOOK_EVERY;
use doorward_server::{listen, push};
use doorward_store::act::{StoreFailed, Swept};
use doorward_store::sqlite::Shape;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::clock::{self, Stopwatch};
use crate::config::{self, Config, StorePlace};
use crate::data_dir::{DataDir, Lock};
use crate::open::{self, Extras};
use crate::places::PlaceDatabase;
use crate::terminal::say;

/// How often sessions that have ended of themselves are swept out.
const SWEEP_EVERY: Duration = Duration::from_mins(1);
/// How often the signing keys are looked after: one that was retired by a command counts no longer
/// than this.
const KEYS_EVERY: Duration = Duration::from_millis(500);
/// How many at once. Few, for each lies at other places of the file, and whoever writes meanwhile
/// waits for them all: a millisecond or two.
const SESSION_SLICE: usize = 25;
/// How many entries of a log at once. They lie side by side.
const ENTRY_SLICE: usize = 200;
/// How long events are kept: 90 days.
const EVENTS_KEPT: Duration = Duration::from_hours(90 * 24);

/// Serves until the process is asked to stop.
pub async fn serve(
    config: Config,
    places: Option<PlaceDatabase>,
    open_browser: bool,
    started: Stopwatch,
) -> anyhow::Result<()> {
    let listener = listen(&config).await?;
    let bound = listener.local_addr().context("reading the port")?;
    let open = Open::of(&config, bound.port(), places).await?;
    let stop = stop_signal()?;
    let (folder, link) = (open.folder.path(), open.link.as_deref());
    let is_shared = matches!(open.folder.store(), StorePlace::Postgres(_));
    let what = Announcement { bound, folder, is_new: open.is_new, is_shared, link };
    announce(&open.app, &what, started);
    if link.is_some() && open_browser {
        show_in_browser(open.app.settings.site.issuer());
    }
    listen::serve(open.app.clone(), listener, stop).await;
    open.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Everything that answering needs, opened, and what goes on meanwhile.
struct Open {
    app: App,
    folder: DataDir,
    /// The way to the first administrator's account, while there is none.
    link: Option<String>,
    is_new: bool,
    chores: Chores,
    /// No other process opens the folder while we have it.
    _lock: Lock,
}

/// What goes on while requests are answered. It ends when this is dropped.
struct Chores([JoinHandle<()>; 4]);

impl Drop for Chores {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl Open {
    async fn of(config: &Config, port: u16, places: Option<PlaceDatabase>) -> anyhow::Result<Self> {
        let settings = config.settings(port)?;
        let folder = DataDir::open(config)?;
        let mut lock = folder.lock()?;
        let threads = config.hash.threads.unwrap_or_else(cores);
        let places = places.map(|database| Box::new(database) as Box<dyn Places>);
        let table = config.session_table_bytes()?.map(|bytes| Shape::new(bytes, clock::elapsed()));
        let extras = Extras { table, places };
        let app = open::app(settings, threads, &folder, open::ambient(), extras).await?;
        app.settings.sites.look(&*app.store).await.context("reading the kept sites")?;
        // Now, so that keys are published before their first use and no login waits for an RSA key.
        issue::make_keys(&app).await.context("making the signing keys")?;
        let link = setup_link(&app, &folder).await?;
        let is_new = !lock.was_used();
        lock.mark_used(app.settings.site.issuer())?;
        let chores = Chores([
            tokio::spawn(sweep(app.clone(), folder.clone())),
            tokio::spawn(turn_keys(app.clone())),
            tokio::spawn(push::run(app.clone())),
            tokio::spawn(look_for_sites(app.clone())),
        ]);
        Ok(Self { app, folder, link, is_new, chores, _lock: lock })
    }

    /// Writes down what is not yet.
    async fn close(self) {
        drop(self.chores);
        self.app.write_touches().await;
    }
}

/// A server without a port of its own, for an app in the same process that has one.
///
/// The app answers what is its own and hands on the rest: the pages, the API, all of it. To the guard of
/// that app it is a `Server` ([`doorward_guard::Guard::beside`]).
///
/// [`doorward_guard::Guard::beside`]: https://docs.rs/doorward-guard
pub struct Embedded {
    open: Open,
    edge: Arc<Edge>,
}

impl Embedded {
    /// Opens everything, for an app that listens on `port`. Without `[server] url` it is for development.
    pub async fn open(config: &Config, port: u16) -> anyhow::Result<Self> {
        let places = config.places.database.as_deref().map(PlaceDatabase::open).transpose()?;
        let open = Open::of(config, port, places).await?;
        let edge = Edge::new(open.app.clone());
        Ok(Self { open, edge })
    }

    /// The origin of its pages, which is the app's too.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.open.app.settings.site.issuer()
    }

    /// The link to the page that makes the first administrator, while there is none.
    #[must_use]
    pub fn setup_link(&self) -> Option<&str> {
        self.open.link.as_deref()
    }

    /// Answers one request of `peer`.
    pub async fn answer(&self, peer: SocketAddr, request: Request<Body>) -> Response {
        self.edge.answer(peer, request).await
    }

    /// Writes down what is not yet, before the process ends.
    pub async fn close(self) {
        self.open.close().await;
    }
}

async fn listen(config: &Config) -> anyhow::Result<TcpListener> {
    let address = config.listen()?;
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| anyhow!("listening on {address}: {error}\nTry: --listen 127.0.0.1:0"))
}

/// Draws a link for the first administrator, while there is none.
async fn setup_link(app: &App, folder: &DataDir) -> anyhow::Result<Option<String>> {
    if app.store.has_administrator().await? {
        remove_spent_link(app, folder).await?;
        return Ok(None);
    }
    let secret = setup::draw_link(&*app.store, &app.ambient).await?;
    let link = link(app.settings.site.issuer(), &secret);
    folder.write_setup_link(&link)?;
    Ok(Some(link))
}

/// Removes the file of a setup link that opens nothing any more. One that `doorward admin link` has
/// written meanwhile stays.
async fn remove_spent_link(app: &App, folder: &DataDir) -> anyhow::Result<()> {
    let Some(link) = folder.read_setup_link()? else { return Ok(()) };
    let is_good = match setup::read(&link) {
        Some(secret) => app.store.has_setup(secret.digest(), app.ambient.now()).await?,
        None => false,
    };
    if is_good { Ok(()) } else { folder.remove_setup_link() }
}

/// The address of the setup page, with the secret where no server ever sees it.
#[must_use]
pub fn link(issuer: &str, secret: &doorward_wire::FreshSecret) -> String {
    format!("{issuer}/setup#{}{}", setup::PREFIX, secret.expose().as_str())
}

struct Announcement<'a> {
    bound: SocketAddr,
    folder: &'a Path,
    is_new: bool,
    is_shared: bool,
    link: Option<&'a str>,
}

/// Says that requests are answered: to people in words, to programs as one line of JSON.
fn announce(app: &App, what: &Announcement<'_>, started: Stopwatch) {
    let took_ms = started.elapsed().as_millis();
    let url = app.settings.site.issuer();
    if !std::io::stdout().is_terminal() {
        let line = serde_json::json!({
            "event": "server.ready",
            "url": url,
            "listen": what.bound.to_string(),
            "took_ms": u64::try_from(took_ms).unwrap_or(u64::MAX),
        });
        return say(line);
    }
    let mode = match &app.settings.site {
        Site::Development { .. } => "development mode (this machine only, no TLS)",
        Site::Production { .. } => "production",
    };
    say(format!("doorward {} — {mode}", env!("CARGO_PKG_VERSION")));
    say(format!("  sign in   {url}/"));
    let note = if what.is_new { " (new: database, master key)" } else { "" };
    say(format!("  data      {}{note}", what.folder.display()));
    if what.is_shared {
        say("  store     PostgreSQL");
    }
    if let Some(link) = what.link {
        say("\n  Create the first administrator — the link works once, for 30 minutes:");
        say(format!("  {link}        (again: doorward admin link)"));
    }
    say(format!("\nready in {took_ms} ms · Ctrl-C to stop"));
}

/// Opens the setup page. The secret stays in the terminal: anybody on the machine can read the
/// arguments of a command.
fn show_in_browser(issuer: &str) {
    if std::io::stdout().is_terminal() && config::has_desktop() {
        // The link is printed too; a machine without a browser loses nothing.
        let _ = std::process::Command::new("xdg-open").arg(format!("{issuer}/setup")).spawn();
    }
}

fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    let mut hangup = signal(SignalKind::hangup()).context("listening for SIGHUP")?;
    Ok(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => return,
                _ = interrupt.recv() => return,
                _ = hangup.recv() => {
                    tracing::warn!("the configuration is read at start only: restart to change it");
                }
            }
        }
    })
}

/// Takes up what has become of the keys, which commands change too, and does what is due.
async fn turn_keys(app: App) {
    let mut tick = tokio::time::interval(KEYS_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Err(error) = app.keys.turn(&*app.store, &app.ambient).await {
            tracing::error!(%error, "the signing keys were not looked after: it will be tried again");
        }
    }
}

/// Takes up the sites that administrators keep, which other servers on the same store change too.
async fn look_for_sites(app: App) {
    let mut tick = tokio::time::interval(LOOK_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_failing = false;
    loop {
        tick.tick().await;
        let looked = app.settings.sites.look(&*app.store).await;
        // Once, and not each second: whoever reads the log knows by then.
        if let Err(failure) = &looked
            && !is_failing
        {
            tracing::error!(%failure, "the kept sites were not read: those known count until they are");
        }
        is_failing = looked.is_err();
    }
}

/// Forgets what no check could pass any more, in slices that stall nobody.
async fn sweep(app: App, folder: DataDir) {
    let mut tick = tokio::time::interval(SWEEP_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let now = app.ambient.now();
        if let Err(error) = remove_spent_link(&app, &folder).await {
            tracing::error!(%error, "a spent setup link was not removed");
        }
        if !app.store.has_turn() {
            continue;
        }
        let (store, slice) = (&app.store, ENTRY_SLICE);
        let lifetimes = &app.settings.lifetimes;
        in_slices("ended sessions", || store.sweep(lifetimes, now, SESSION_SLICE)).await;
        in_slices("expired revocations", || async move {
            store.sweep_revocations(now, slice).await.map(oldest_first)
        })
        .await;
        in_slices("signals that nobody heard", || async move {
            store.sweep_signals(now.before(SIGNALS_KEPT), slice).await.map(oldest_first)
        })
        .await;
        in_slices("places in status lists", || async move {
            store.sweep_places(now, slice).await.map(oldest_first)
        })
        .await;
        in_slices("personal access tokens", || async move {
            store.sweep_personals(now, slice).await.map(oldest_first)
        })
        .await;
        in_slices("codes of the past", || async move {
            store.sweep_codes(now, slice).await.map(oldest_first)
        })
        .await;
        in_slices("proofs of the past", || async move {
            store.sweep_proofs(now, slice).await.map(oldest_first)
        })
        .await;
        in_slices("old events", || async move {
            store.sweep_events(now.before(EVENTS_KEPT), slice).await.map(oldest_first)
        })
        .await;
    }
}

/// What a sweep came to that finds what is past first: a slice that is not full was the last.
fn oldest_first(forgotten: u64) -> Swept {
    Swept { forgotten, is_done: forgotten < ENTRY_SLICE as u64 }
}

/// Sweeps until there is nothing left. After each slice it rests for as long as that took: however
/// much there is to sweep, half of the machine is everybody else's.
async fn in_slices<'a, F>(what: &str, slice: impl Fn() -> F)
where
    F: Future<Output = Result<Swept, StoreFailed>> + 'a,
{
    loop {
        let started = Stopwatch::start();
        match slice().await {
            Ok(swept) if !swept.is_done => tokio::time::sleep(started.elapsed()).await,
            Ok(_) => return,
            Err(failure) => {
                tracing::error!(%failure, what, "not swept: it will be tried again");
                return;
            }
        }
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
