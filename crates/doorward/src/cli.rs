//! The command line.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand};
use doorward_store::Store;
use ipnet::IpNet;
use tokio::runtime::Runtime;

use crate::clock::Stopwatch;
use crate::config::{self, Config, Flags, StorePlace};
use crate::data_dir::{DataDir, InUse};
use crate::open::{self, Use};
use crate::places::PlaceDatabase;
use crate::serve;
use crate::telemetry;
use crate::terminal::{complain, say};

mod account;
mod admin;
mod client;
mod cookie;
mod db;
mod key;
mod site;
mod token;

/// One login, one session, one switch that ends it everywhere.
///
/// Doorward is an authentication server. People log in once; their session travels in a cookie
/// (browsers) or in signed tokens (APIs); ending it ends both at once.
#[derive(Debug, Parser)]
#[command(name = "doorward", version, after_help = AFTER_HELP, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

const AFTER_HELP: &str = "\
Examples:
  doorward serve                        on http://localhost:7117, nothing to configure
  doorward serve --url https://id.example.com --trusted-proxy 127.0.0.1/32
                                        behind a proxy that speaks HTTPS
  doorward admin link                   a new link for an administrator
  doorward account add ada              an account, its password typed unseen

Settings can be written in doorward.toml, or set as DOORWARD_SERVER__URL=… and the like.
Exit codes: 0 ok, 1 failure, 2 usage, 3 a check says no, 4 not found, 75 try again, 78 configuration.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server.
    Serve(ServeFlags),
    /// What an administrator needs when no page helps.
    #[command(subcommand)]
    Admin(admin::AdminCommand),
    /// Accounts: add, list.
    #[command(subcommand)]
    Account(account::AccountCommand),
    /// Clients: services that follow revocations or ask about tokens.
    #[command(subcommand)]
    Client(client::ClientCommand),
    /// Cookies: explain what a browser makes of one.
    #[command(subcommand)]
    Cookie(cookie::CookieCommand),
    /// The database: back up, restore, check, bring up to date.
    #[command(subcommand)]
    Db(db::DbCommand),
    /// Signing keys: list, rotate, retire.
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Sites behind a proxy: list, add, check who may open what.
    #[command(subcommand)]
    Site(site::SiteCommand),
    /// Tokens: what one says, and why it is refused.
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Ask a running server whether it is ready: exit code 0, or 3.
    Healthcheck {
        /// Where it listens.
        #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7117")]
        listen: SocketAddr,
    },
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, clap::Args)]
struct ServeFlags {
    /// Address to listen on; port 0 picks a free one [default: 127.0.0.1:7117]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Folder for the database and the keys [default: ./doorward-data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Public https origin; makes it production: secure cookies, HSTS, closed registration
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Proxy whose X-Forwarded-* count; needed with --url; may be repeated
    #[arg(long = "trusted-proxy", value_name = "CIDR")]
    trusted_proxies: Vec<IpNet>,
    /// Where data is kept: sqlite:PATH [default: doorward.db in the data folder]
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Sessions beside the store; none can be in this version
    #[arg(long, value_name = "URL", hide = true)]
    sessions: Option<String>,
    /// Address for metrics; this version has none, so only `off`
    #[arg(long, value_name = "ADDR|off", hide = true)]
    metrics: Option<String>,
    /// Configuration file [default: ./doorward.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Do not open the browser at the first start
    #[arg(long)]
    no_open: bool,
}

/// Where the server's data is, for a command that works on it. As in serve.
#[derive(Debug, clap::Args)]
struct DataFlags {
    /// The server's data folder [default: ./doorward-data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The server's store [default: doorward.db in the data folder]
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// The server's configuration file [default: ./doorward.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl DataFlags {
    /// What the server is configured to, checked.
    fn config(&self) -> Result<Config, Outcome> {
        let config = config::read(&Flags {
            data: self.data.clone(),
            store: self.store.clone(),
            config: self.config.clone(),
            ..Flags::default()
        });
        let config = config.map_err(Outcome::Misconfigured)?;
        config.settings(0).map_err(Outcome::Misconfigured)?;
        Ok(config)
    }
}

/// Opens the data folder of a configuration for a command that may run beside the server.
fn folder(config: &Config) -> anyhow::Result<DataDir> {
    match config.store()? {
        StorePlace::File(database) if !database.exists() => anyhow::bail!(
            "there is no database at {}\nTry: start doorward serve once, or name the folder with --data",
            database.display()
        ),
        StorePlace::Postgres(_) if !config.data().exists() => DataDir::unmade(config),
        StorePlace::File(_) | StorePlace::Postgres(_) => DataDir::open(config),
    }
}

/// Opens the store of a configuration for such a command.
fn store(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    block_on(open::store(&folder(config)?, Use::Command))
}

/// Why a command did not do as asked, by exit code.
#[derive(Debug)]
enum Outcome {
    Failed(anyhow::Error),
    Misconfigured(anyhow::Error),
    No(anyhow::Error),
    NotFound(anyhow::Error),
}

impl From<anyhow::Error> for Outcome {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

/// Runs the command line.
#[must_use]
pub fn run() -> ExitCode {
    let started = Stopwatch::start();
    let (error, code) = match dispatch(Cli::parse(), started) {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Outcome::Failed(error)) if error.is::<InUse>() => (error, 75),
        Err(Outcome::Failed(error)) => (error, 1),
        Err(Outcome::No(error)) => (error, 3),
        Err(Outcome::NotFound(error)) => (error, 4),
        Err(Outcome::Misconfigured(error)) => (error, 78),
    };
    complain(&error);
    ExitCode::from(code)
}

fn dispatch(cli: Cli, started: Stopwatch) -> Result<(), Outcome> {
    match cli.command {
        None => Ok(Cli::command().print_help().context("printing help")?),
        Some(Command::Serve(flags)) => run_server(flags, started),
        Some(Command::Admin(command)) => admin::run(command),
        Some(Command::Account(command)) => account::run(command),
        Some(Command::Client(command)) => client::run(command),
        Some(Command::Cookie(command)) => cookie::run(command),
        Some(Command::Db(command)) => db::run(command),
        Some(Command::Key(command)) => key::run(command),
        Some(Command::Site(command)) => site::run(command),
        Some(Command::Token(command)) => token::run(command),
        Some(Command::Healthcheck { listen }) => healthcheck(listen).map_err(Outcome::No),
        Some(Command::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "doorward", &mut script);
            say(String::from_utf8_lossy(&script).trim_end());
            Ok(())
        }
    }
}

fn run_server(flags: ServeFlags, started: Stopwatch) -> Result<(), Outcome> {
    let open_browser = !flags.no_open;
    if flags.sessions.is_some() {
        let error =
            anyhow::anyhow!("this version keeps sessions in its store\nTry: without --sessions");
        return Err(Outcome::Misconfigured(error));
    }
    if flags.metrics.is_some_and(|metrics| metrics != "off") {
        let error = anyhow::anyhow!("this version serves no metrics\nTry: --metrics off");
        return Err(Outcome::Misconfigured(error));
    }
    let tells = flags.store.as_deref().is_some_and(config::tells_a_password);
    let flags = Flags {
        config: flags.config,
        listen: flags.listen,
        data: flags.data,
        url: flags.url,
        trusted_proxies: flags.trusted_proxies,
        store: flags.store,
    };
    let config = config::read(&flags).map_err(Outcome::Misconfigured)?;
    // Everything that can be wrong with the settings is found before anything is made.
    config.settings(0).map_err(Outcome::Misconfigured)?;
    config.store().map_err(Outcome::Misconfigured)?;
    config.listen().map_err(Outcome::Misconfigured)?;
    let places = config.places.database.as_deref().map(PlaceDatabase::open).transpose();
    let places = places.map_err(Outcome::Misconfigured)?;
    let filter = config::log_filter().or_else(|| config.log.filter.clone());
    telemetry::start(filter.as_deref().unwrap_or("info")).map_err(Outcome::Misconfigured)?;
    if tells {
        tracing::warn!(
            "everybody on this machine can read the password in --store; try: a file with the address, named \
             by DOORWARD_SERVER__STORE_FILE"
        );
    }
    Ok(block_on(serve::serve(config, places, open_browser, started))?)
}

/// Waits for something. There is one runtime for a whole command: what was opened goes on in between.
fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return runtime.block_on(future);
    }
    let made = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let made = made.context("starting the runtime")?;
    RUNTIME.get_or_init(|| made).block_on(future)
}

/// Asks `/readyz` in plain HTTP/1.1.
fn healthcheck(listen: SocketAddr) -> anyhow::Result<()> {
    let patience = Duration::from_secs(3);
    let mut stream = TcpStream::connect_timeout(&listen, patience)
        .with_context(|| format!("nothing answers on {listen}"))?;
    stream.set_read_timeout(Some(patience)).context("setting a timeout")?;
    stream
        .write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .context("asking")?;
    let mut answer = String::new();
    stream.take(4096).read_to_string(&mut answer).context("reading the answer")?;
    let first = answer.lines().next().unwrap_or_default();
    anyhow::ensure!(first.starts_with("HTTP/1.1 200"), "not ready: {first}");
    Ok(())
}
