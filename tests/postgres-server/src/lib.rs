//! Real PostgreSQL servers for tests, started from what Debian's package `postgresql` installs.
//!
//! ```text
//!   a test process ──▶ the server of this run, started by whoever comes first ──▶ a database of its own
//!                                        ▲
//!   a watching shell ────────────────────┘ stops it when the run is over, and sweeps up
//! ```
//!
//! Nothing of the system's is read, started or stopped: a server has a folder of its own, listens on a
//! socket in it alone, and runs as somebody without rights where we are root. A database is gone when
//! its test ends, a server when the process ends that it was started for, however that ends.
#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "these are tests: one that cannot go on should stop there"
)]

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, parent_id};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Who has all rights in a server of ours.
const OWNER: &str = "doorward";

/// What a server has beside its defaults. Many tests share one.
const SETTINGS: &str = "-c max_connections=400 -c shared_buffers=64MB \
    -c log_min_messages=warning -c max_wal_size=256MB";

/// Whether what a server has committed outlives the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// As a server that is meant to keep something.
    Full,
    /// Quicker: for tests in which no machine fails.
    None,
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    folder: PathBuf,
    durability: Durability,
    /// Where it listens beside its socket, with a certificate and its key.
    private_port: Option<u16>,
    /// Whether it is ours alone, and ends with this.
    is_own: bool,
}

/// A database of a server, gone when this is dropped.
#[derive(Debug)]
pub struct Database {
    server: Server,
    name: String,
}

/// A fresh database, in the server that all processes of a test run share.
#[must_use]
pub fn database() -> Database {
    Server::shared().database()
}

impl Server {
    /// The server that all processes of a test run share. Whoever comes first starts it.
    #[must_use]
    pub fn shared() -> Self {
        let run = parent_id();
        let folder = std::env::temp_dir().join(format!("doorward-postgres-{run}"));
        let durability = Durability::None;
        let server = Self { folder, durability, private_port: None, is_own: false };
        fs::create_dir_all(&server.folder).unwrap();
        let lock = File::create(server.folder.join("lock")).unwrap();
        lock.lock().unwrap();
        if !server.is_running() {
            server.make(run);
            server.start();
        }
        server
    }

    /// A server for this test alone, which it may stop.
    #[must_use]
    pub fn own(durability: Durability) -> Self {
        let server = Self { folder: own_folder(), durability, private_port: None, is_own: true };
        server.make(std::process::id());
        server.start();
        server
    }

    /// A server for this test alone that offers TLS on the loopback, with a certificate and its key, in
    /// PEM. Also says on which port.
    #[must_use]
    pub fn own_with_tls(certificate: &str, key: &str) -> (Self, u16) {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (folder, durability) = (own_folder(), Durability::None);
        let server = Self { folder, durability, private_port: Some(port), is_own: true };
        server.make(std::process::id());
        let (user, group) = somebody();
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let file = server.data().join(name);
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            chown(&file, Some(user), Some(group)).unwrap();
        }
        server.start();
        (server, port)
    }

    /// A standby of this server, for this test alone: this one acknowledges nothing from here on that the
    /// standby has not on its disk.
    #[must_use]
    pub fn standby(&self) -> Self {
        let standby = Self { folder: own_folder(), is_own: true, ..*self };
        standby.claim();
        let from = format!("host={} port={} user={OWNER}", self.folder(), self.port());
        let mut copy = as_somebody("pg_basebackup");
        must(copy.args(["-R", "--no-sync", "-c", "fast", "-d", &from, "-D"]).arg(standby.data()));
        watch(std::process::id(), &standby.folder);
        standby.start();
        self.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'");
        self.sql("postgres", "SELECT pg_reload_conf()");
        standby
    }

    /// Makes a standby a server that takes writes, and waits for nobody.
    pub fn promote(&self) {
        self.control(&["promote"]);
        self.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = ''");
        self.sql("postgres", "SELECT pg_reload_conf()");
    }

    /// A fresh database.
    #[must_use]
    pub fn database(&self) -> Database {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let (id, n) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let name = format!("test_{id}_{n}");
        self.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE template0"));
        let (folder, private_port) = (self.folder.clone(), self.private_port);
        let server = Self { folder, durability: self.durability, private_port, is_own: false };
        Database { server, name }
    }

    /// Where a database of it is.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let folder = self.folder.display().to_string().replace('/', "%2F");
        format!("postgresql://{OWNER}@{folder}:{}/{database}", self.port())
    }

    fn socket(&self) -> PathBuf {
        self.folder.join(format!(".s.PGSQL.{}", self.port()))
    }

    fn port(&self) -> u16 {
        self.private_port.unwrap_or(5432)
    }

    /// Stops it at once, as a crash does: it recovers from its log when it starts again.
    pub fn crash(&self) {
        self.control(&["-m", "immediate", "stop"]);
    }

    /// Stops it in good order. Whoever is connected is cut off.
    pub fn stop(&self) {
        self.control(&["-m", "fast", "stop"]);
    }

    /// Starts it again.
    pub fn start(&self) {
        let quick = match self.durability {
            Durability::Full => "",
            Durability::None => "-c fsync=off -c full_page_writes=off",
        };
        let listening = match self.private_port {
            None => "-c listen_addresses=".to_owned(),
            Some(port) => format!("-c listen_addresses=127.0.0.1 -c port={port} -c ssl=on"),
        };
        let place = format!("-c unix_socket_directories={}", self.folder());
        let options = format!("{SETTINGS} {place} {listening} {quick}");
        let log = format!("{}/log", self.folder());
        self.control(&["-l", &log, "-o", &options, "start"]);
    }

    /// Asks it for something as its owner, and says what it printed.
    #[expect(clippy::must_use_candidate, reason = "what is printed is often of no interest")]
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let port = self.port().to_string();
        let place = ["-h", self.folder(), "-p", &port, "-U", OWNER, "-d", database];
        let mut asking = program("psql");
        asking.args(["-XqtA", "-v", "ON_ERROR_STOP=1"]).args(place).args(["-c", sql]);
        let said = asking.output().unwrap();
        let told = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success(), "psql: {told}");
        String::from_utf8(said.stdout).unwrap().trim().to_owned()
    }

    fn folder(&self) -> &str {
        self.folder.to_str().unwrap()
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn is_running(&self) -> bool {
        UnixStream::connect(self.socket()).is_ok()
    }

    /// Makes the server, and has a shell stop it once a process is gone.
    fn make(&self, needed_by: u32) {
        let data = self.data();
        if data.exists() {
            fs::remove_dir_all(&data).unwrap();
        }
        self.claim();
        let words = ["-U", OWNER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"];
        let mut make = as_somebody("initdb");
        must(make.args(words).arg("-D").arg(&data));
        watch(needed_by, &self.folder);
    }

    /// Gives the folder to whoever runs the server, and to nobody else.
    fn claim(&self) {
        let (user, group) = somebody();
        chown(&self.folder, Some(user), Some(group)).unwrap();
        fs::set_permissions(&self.folder, fs::Permissions::from_mode(0o700)).unwrap();
    }

    fn control(&self, words: &[&str]) {
        must(as_somebody("pg_ctl").arg("-D").arg(self.data()).args(["-w", "-s"]).args(words));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.is_own {
            if self.is_running() {
                self.crash();
            }
            drop(fs::remove_dir_all(&self.folder));
        }
    }
}

impl Database {
    /// What it is called in its server.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The socket of its server.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.server.socket()
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// Asks it for something as its owner, and says what it printed.
    #[expect(clippy::must_use_candidate, reason = "what is printed is often of no interest")]
    pub fn sql(&self, sql: &str) -> String {
        self.server.sql(&self.name, sql)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.server.is_running() && !std::thread::panicking() {
            self.server.sql("postgres", &format!("DROP DATABASE {} WITH (FORCE)", self.name));
        }
    }
}

/// A fresh folder for a server of this process.
fn own_folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let (id, n) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let folder = std::env::temp_dir().join(format!("doorward-postgres-{id}-{n}"));
    fs::create_dir(&folder).unwrap();
    folder
}

/// A program of the newest PostgreSQL that is installed.
fn program(name: &str) -> Command {
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = installed
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
        .filter(|(_, folder)| folder.join("bin").join(name).is_file())
        .collect();
    versions.sort();
    let Some((_, folder)) = versions.pop() else {
        panic!("{name} is missing: install the package postgresql, then run this again");
    };
    let mut program = Command::new(folder.join("bin").join(name));
    program.stdin(Stdio::null()).env("LC_ALL", "C.UTF-8").current_dir("/");
    program
}

/// A program that runs as somebody without rights. A server refuses to run as root.
fn as_somebody(name: &str) -> Command {
    let (user, group) = somebody();
    let mut program = program(name);
    if is_root() {
        program.uid(user).gid(group);
    }
    program
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Whose the servers are: ours, unless we are root.
fn somebody() -> (u32, u32) {
    if !is_root() {
        let me = fs::metadata("/proc/self").unwrap();
        return (me.uid(), me.gid());
    }
    let known = fs::read_to_string("/etc/passwd").unwrap();
    let find = |name: &str| {
        let line = known.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut ids = line.split(':').skip(2).map_while(|id| id.parse().ok());
        Some((ids.next()?, ids.next()?))
    };
    find("postgres").or_else(|| find("nobody")).unwrap()
}

fn must(command: &mut Command) {
    // Into a file, for a server that goes on would keep a pipe open.
    let said = std::env::temp_dir().join(format!("doorward-postgres-said-{}", std::process::id()));
    let file = File::create(&said).unwrap();
    let status = command.stdout(file.try_clone().unwrap()).stderr(file).status().unwrap();
    let told = fs::read_to_string(&said).unwrap_or_default();
    drop(fs::remove_file(&said));
    assert!(status.success(), "{command:?}: {told}");
}

/// Has a shell wait until a process is gone, and then stop the server in a folder and sweep it up.
fn watch(needed_by: u32, folder: &Path) {
    const WATCH: &str = r#"
        while kill -0 "$1" 2>/dev/null && [ -d "$2" ]; do sleep 0.5; done
        read -r server < "$2/data/postmaster.pid" && kill -QUIT "$server" &&
            for try in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$server" || break; sleep 0.2; done
        rm -rf "$2"
    "#;
    let script = format!("({WATCH}) &");
    let words = ["-c", &script, "watch", &needed_by.to_string()];
    let mut watch = Command::new("sh");
    watch.args(words).arg(folder).current_dir("/").process_group(0);
    watch.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(watch.status().unwrap().success());
}
