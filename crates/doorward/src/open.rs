//! Opening: from settings and a data folder to an app that can answer.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use doorward_core::credential::PasswordHash;
use doorward_server::ambient::{Ambient, Entropy};
use doorward_server::app::{App, Parts};
use doorward_server::hashing::HashPool;
use doorward_server::keyring::Keyring;
use doorward_server::places::Places;
use doorward_server::settings::Settings;
use doorward_store::Store;
use doorward_store::act::StoreFailed;
use doorward_store::postgres::PostgresStore;
use doorward_store::sqlite::{Shape, SqliteStore};
use doorward_wire::seal::MasterKey;

use crate::clock::SystemClock;
use crate::config::StorePlace;
use crate::data_dir::DataDir;
use crate::entropy::SystemEntropy;

/// The machine's own clock and randomness.
#[must_use]
pub fn ambient() -> Arc<Ambient> {
    let (clock, entropy) = (Box::new(SystemClock), Box::new(SystemEntropy::default()));
    Arc::new(Ambient { clock, entropy })
}

/// What the store is opened for.
pub enum Use {
    /// A command, which reads a few things and ends.
    Command,
    /// A server: what it is asked most stands in front of the store. An embedded one has a table of live
    /// sessions, of this shape.
    Server(Option<Shape>),
}

/// Opens the store.
pub async fn store(folder: &DataDir, what_for: Use) -> anyhow::Result<Arc<dyn Store>> {
    match (folder.store(), what_for) {
        (StorePlace::File(path), Use::Server(Some(shape))) => {
            embedded(path, SqliteStore::open_with_table(path, shape))
        }
        (StorePlace::File(path), Use::Command | Use::Server(None)) => {
            embedded(path, SqliteStore::open(path))
        }
        (StorePlace::Postgres(url), Use::Command) => {
            shared(PostgresStore::connect(url.expose()).await)
        }
        (StorePlace::Postgres(url), Use::Server(_)) => {
            shared(PostgresStore::connect_as_node(url.expose()).await)
        }
    }
}

/// Opens the store and the master key that its signing keys are sealed with.
pub async fn with_key(
    folder: &DataDir,
    what_for: Use,
    entropy: &dyn Entropy,
) -> anyhow::Result<(Arc<dyn Store>, MasterKey)> {
    if let StorePlace::File(path) = folder.store() {
        // The key first: a database without its key is found out before it is touched.
        let master = folder.master_key(entropy, path.exists())?;
        return Ok((store(folder, what_for).await?, master));
    }
    let store = store(folder, what_for).await?;
    let is_sealed = !store.keys().await?.is_empty();
    Ok((store, folder.master_key(entropy, is_sealed)?))
}

fn embedded(
    path: &Path,
    opened: Result<SqliteStore, StoreFailed>,
) -> anyhow::Result<Arc<dyn Store>> {
    Ok(Arc::new(opened.with_context(|| format!("opening {}", path.display()))?))
}

fn shared(connected: Result<PostgresStore, StoreFailed>) -> anyhow::Result<Arc<dyn Store>> {
    Ok(Arc::new(connected.map_err(unreached)?))
}

fn unreached(StoreFailed(cause): StoreFailed) -> anyhow::Error {
    anyhow::anyhow!(
        "opening the PostgreSQL database: {cause}\nTry: --store postgres://user@host/database, with that \
         server running and the database made (createdb)"
    )
}

/// What a server has, and a command does without.
#[derive(Default)]
pub struct Extras {
    /// The table of live sessions in front of the database.
    pub table: Option<Shape>,
    /// A database of places.
    pub places: Option<Box<dyn Places>>,
}

/// Opens everything that answering needs.
pub async fn app(
    settings: Settings,
    hash_threads: usize,
    folder: &DataDir,
    ambient: Arc<Ambient>,
    Extras { table, places }: Extras,
) -> anyhow::Result<App> {
    let (store, master) = with_key(folder, Use::Server(table), &*ambient.entropy).await?;
    let keys = Keyring::open(&*store, master, settings.sharing(), ambient.now())
        .await
        .context("opening the signing keys")?;
    let hashing = HashPool::start(hash_threads, &settings.hash, lower_priority)
        .context("starting the threads that check passwords")?;
    let nobody = PasswordHash::of_nobody(&settings.hash, &ambient.random(), &ambient.random());
    let draining = AtomicBool::new(false);
    Ok(App::new(Parts { settings, store, ambient, hashing, keys, nobody, places, draining }))
}

/// Lets everything else go first: a session check never waits for a login's hash.
fn lower_priority() {
    let own = rustix::thread::gettid();
    if let Err(error) = rustix::process::setpriority_process(Some(own), 10) {
        tracing::warn!(%error, "the threads that check passwords run at ordinary priority");
    }
}
