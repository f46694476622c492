//! A server in this process, with a clock moved by hand.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use doorward::entropy::SystemEntropy;
use doorward_core::account::Role;
use doorward_core::credential::{HashParams, Password, PasswordHash};
use doorward_core::device::Device;
use doorward_core::event::{Event, EventKind};
use doorward_core::revocation::LogEntry;
use doorward_server::ambient::{Ambient, Entropy};
use doorward_server::app::Parts;
use doorward_server::flow::account::{Application, prepare};
use doorward_server::hashing::HashPool;
use doorward_server::keyring::Keyring;
use doorward_server::places::Places;
use doorward_server::settings::Site;
use doorward_server::{App, Settings, listen};
use doorward_store::Store;
use doorward_store::sqlite::{Shape, SqliteStore};
use doorward_wire::seal::MasterKey;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::browser::Browser;
use super::client::Client;
use super::clock::HandClock;
use super::folder::Folder;
use super::reply::Reply;
use super::wait::eventually;
use super::{OTHER_PASSWORD, PASSWORD};

/// The origin of [`Server::production`].
pub(crate) const PRODUCTION: &str = "https://id.example.com";

/// A server in this process. It stops when it is dropped.
///
/// Real HTTP on a port of the system's choice, SQLite in a fresh folder, cheap password hashes, and
/// a clock that stands still until [`HandClock::advance`].
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// The origin of its pages, and the issuer of its tokens.
    pub(crate) origin: String,
    /// Its clock.
    pub(crate) clock: HandClock,
    /// What it keeps.
    pub(crate) store: Arc<dyn Store>,
    /// The app itself, for what HTTP does not show.
    pub(crate) app: App,
    folder: Arc<Folder>,
    master: [u8; 32],
    host: String,
    _stop: oneshot::Sender<()>,
}

/// An account whose password is known.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// Its id.
    pub(crate) id: String,
    /// What it logs in with.
    pub(crate) username: String,
    /// Its password.
    pub(crate) password: String,
}

/// What an API client holds after a login.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    /// The access token.
    pub(crate) access: String,
    /// The refresh token.
    pub(crate) refresh: String,
    /// The session's id.
    pub(crate) sid: String,
    /// The whole answer.
    pub(crate) body: Value,
}

/// How many rows each table has that a refused request must not touch. Events are not counted: a
/// refusal may well be written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rows {
    /// Accounts.
    pub(crate) account: u64,
    /// Sessions, anonymous ones too.
    pub(crate) session: u64,
    /// Values kept with sessions.
    pub(crate) session_datum: u64,
    /// Refresh tokens, used ones too.
    pub(crate) refresh_token: u64,
    /// Signing keys.
    pub(crate) signing_key: u64,
    /// Entries of the revocation log.
    pub(crate) revocation: u64,
}

impl Server {
    /// A development server.
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A development server with other settings.
    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::build(change, None).await
    }

    /// A server for [`PRODUCTION`] behind a trusted proxy on this machine. Its clients speak as that
    /// proxy does: `X-Forwarded-Proto: https`, `X-Forwarded-For: 203.0.113.7`.
    pub(crate) async fn production(change: impl FnOnce(&mut Settings)) -> Self {
        Self::behind_proxy(change, None).await
    }

    /// The same with a database of places. Each client says where it is: `X-Forwarded-For`.
    pub(crate) async fn with_places(
        places: impl Places + 'static,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        Self::behind_proxy(change, Some(Box::new(places))).await
    }

    async fn behind_proxy(
        change: impl FnOnce(&mut Settings),
        places: Option<Box<dyn Places>>,
    ) -> Self {
        let change = |settings: &mut Settings| {
            settings.site = Site::Production {
                origin: PRODUCTION.to_owned(),
                trusted_proxies: vec!["127.0.0.1/32".parse().unwrap()],
            };
            change(settings);
        };
        Self::build(change, places).await
    }

    /// A production server for another origin, behind a trusted proxy on this machine.
    pub(crate) async fn behind(origin: &str) -> Self {
        Self::production(|settings| {
            settings.site = Site::Production {
                origin: origin.to_owned(),
                trusted_proxies: vec!["127.0.0.1/32".parse().unwrap()],
            };
        })
        .await
    }

    /// Another node of the same server, or the same after a restart: another port and other
    /// settings, the same clock, store and master key.
    pub(crate) async fn again(&self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.app.settings.clone();
        change(&mut settings);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let kept = (Arc::clone(&self.folder), Arc::clone(&self.store), self.master);
        Self::open(listener, settings, (self.clock.clone(), None), kept).await
    }

    async fn build(change: impl FnOnce(&mut Settings), places: Option<Box<dyn Places>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut settings = Settings::development(address.port());
        settings.hash = HashParams::dangerous_cheap();
        change(&mut settings);
        let folder = Arc::new(Folder::fresh());
        // With the table of live sessions, as the server itself.
        let shape = Shape::new(64 << 20, doorward::clock::elapsed());
        let store = SqliteStore::open_with_table(&folder.join("doorward.db"), shape).unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        let mut master = [0; 32];
        SystemEntropy::default().fill(&mut master);
        Self::open(listener, settings, (HandClock::default(), places), (folder, store, master))
            .await
    }

    async fn open(
        listener: TcpListener,
        settings: Settings,
        (clock, places): (HandClock, Option<Box<dyn Places>>),
        (folder, store, master): (Arc<Folder>, Arc<dyn Store>, [u8; 32]),
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let (origin, host) = match &settings.site {
            Site::Development { issuer } => {
                (issuer.clone(), format!("localhost:{}", address.port()))
            }
            Site::Production { origin, .. } => {
                (origin.clone(), origin.trim_start_matches("https://").to_owned())
            }
        };
        let ambient = Arc::new(Ambient {
            clock: Box::new(clock.clone()),
            entropy: Box::new(SystemEntropy::default()),
        });
        let key = MasterKey::from_bytes(&master).unwrap();
        let app = App::new(Parts {
            store: Arc::clone(&store),
            hashing: HashPool::start(2, &settings.hash, || ()).unwrap(),
            keys: Keyring::open(&*store, key, settings.sharing(), ambient.now()).await.unwrap(),
            nobody: PasswordHash::of_nobody(&settings.hash, &ambient.random(), &ambient.random()),
            places,
            draining: AtomicBool::new(false),
            ambient,
            settings,
        });
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(listen::serve(app.clone(), listener, async move {
            // Dropped or told: either way it is time to stop.
            let _ = stopped.await;
        }));
        Self { address, origin, clock, store, app, folder, master, host, _stop: stop }
    }

    /// The database file.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.join("doorward.db")
    }

    /// Writes to the database past the server, as another process would, and has it noticed: the
    /// server looks with the next act, and by itself within a second.
    pub(crate) async fn write_from_outside(&self, sql: &str) {
        let outside = rusqlite::Connection::open(self.database()).unwrap();
        assert!(outside.execute(sql, ()).unwrap() > 0, "{sql}");
        self.store.probe(self.clock.time()).await.unwrap();
    }

    /// Whether the site is [`PRODUCTION`].
    fn is_production(&self) -> bool {
        matches!(self.app.settings.site, Site::Production { .. })
    }

    /// The name of its session cookie.
    pub(crate) fn cookie_name(&self) -> &'static str {
        self.app.settings.site.cookie().name()
    }

    /// A client without a cookie. Behind a production site it speaks as the proxy does.
    pub(crate) fn client(&self) -> Client {
        let client = Client::new(self.address, &self.host);
        if self.is_production() {
            client.always("x-forwarded-proto", "https").always("x-forwarded-for", "203.0.113.7")
        } else {
            client
        }
    }

    /// An empty browser.
    pub(crate) fn browser(&self) -> Browser {
        Browser::new(self.client(), &self.origin)
    }

    /// Makes a member's account.
    pub(crate) async fn member(&self, username: &str) -> Member {
        self.account(username, Role::Member).await
    }

    /// Makes an administrator's account, as the setup page would.
    pub(crate) async fn administrator(&self, username: &str) -> Member {
        self.account(username, Role::Administrator).await
    }

    async fn account(&self, username: &str, role: Role) -> Member {
        let application = Application {
            username: username.to_owned(),
            email: String::new(),
            password: Password::from(PASSWORD.to_owned()),
            from: Device { ip: "127.0.0.1".to_owned(), ..Device::default() },
        };
        let (new, _) = prepare(&self.app, application, role).await.unwrap();
        let id = new.account.id.to_string();
        self.store.open_account(new).await.unwrap();
        Member { id, username: username.to_owned(), password: PASSWORD.to_owned() }
    }

    /// Logs in by cookie, in a new browser.
    pub(crate) async fn sign_in(&self, member: &Member) -> Browser {
        let browser = self.browser();
        self.sign_in_with(&browser, member, json!({})).await.must_be(200);
        browser
    }

    /// Logs in by cookie, in this browser, with more members in the request: `remember`, `carry`.
    pub(crate) async fn sign_in_with(
        &self,
        browser: &Browser,
        member: &Member,
        more: Value,
    ) -> Reply {
        browser.post_json("/api/v1/login", &login_body(member, "cookie", more)).await
    }

    /// Logs in by token.
    pub(crate) async fn tokens(&self, member: &Member) -> Tokens {
        self.tokens_with(member, json!({})).await
    }

    /// Logs in by token with more members in the request: `audience`, `scope`, `remember`.
    pub(crate) async fn tokens_with(&self, member: &Member, more: Value) -> Tokens {
        let body = login_body(member, "token", more);
        Tokens::read(&self.client().post_json("/api/v1/login", &body).await.must_be(200))
    }

    /// Presents a refresh token.
    pub(crate) async fn refresh(&self, refresh: &str) -> Reply {
        let body = json!({ "refresh_token": refresh });
        self.client().post_json("/api/v1/refresh", &body).await
    }

    /// Asks who an access token is.
    pub(crate) async fn whoami(&self, access: &str) -> Reply {
        self.client().get("/api/v1/session").bearer(access).await
    }

    /// Every event of a kind that is written by now, newest first.
    pub(crate) async fn events(&self, kind: EventKind) -> Vec<Event> {
        let mut events = self.store.events(100_000).await.unwrap();
        events.retain(|event| event.kind == kind);
        events
    }

    /// Waits for an event of a kind: some are written after the answer.
    pub(crate) async fn event(&self, kind: EventKind) -> Event {
        eventually("an event in the log", || async { self.events(kind).await.into_iter().next() })
            .await
    }

    /// The whole revocation log.
    pub(crate) async fn revocations(&self) -> Vec<LogEntry> {
        self.store.revocations(0, 100_000).await.unwrap()
    }

    /// Counts what is really in the database, past the server.
    pub(crate) fn rows(&self) -> Rows {
        Rows::of(&self.database())
    }
}

impl Rows {
    /// Counts the rows of a database file.
    pub(crate) fn of(database: &std::path::Path) -> Self {
        let db = rusqlite::Connection::open_with_flags(
            database,
            rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY,
        )
        .unwrap();
        let count = |table: &str| {
            let sql = format!("SELECT count(*) FROM {table}");
            db.query_row(&sql, (), |row| row.get::<_, i64>(0)).unwrap().cast_unsigned()
        };
        Self {
            account: count("account"),
            session: count("session"),
            session_datum: count("session_datum"),
            refresh_token: count("refresh_token"),
            signing_key: count("signing_key"),
            revocation: count("revocation"),
        }
    }
}

impl Tokens {
    /// Reads the answer of a login or a refresh.
    #[track_caller]
    pub(crate) fn read(reply: &Reply) -> Self {
        let body = reply.json();
        let text = |pointer: &str| {
            let value = body.pointer(pointer).and_then(Value::as_str);
            value.unwrap_or_else(|| panic!("{pointer} is missing: {body}")).to_owned()
        };
        Self {
            access: text("/access_token"),
            refresh: text("/refresh_token"),
            sid: text("/session/sid"),
            body: body.clone(),
        }
    }
}

impl Member {
    /// The same account with the password changed to [`OTHER_PASSWORD`].
    pub(crate) fn with_other_password(&self) -> Self {
        Self { password: OTHER_PASSWORD.to_owned(), ..self.clone() }
    }
}

/// The body of a login.
pub(crate) fn login_body(member: &Member, carrier: &str, more: Value) -> Value {
    let mut body = json!({
        "username": member.username,
        "password": member.password,
        "carrier": carrier,
    });
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    body
}
