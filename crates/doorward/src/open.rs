//! Opening: from settings and a data folder to an app that can answer.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use doorward_core::credential::PasswordHash;
use doorward_server::ambient::Ambient;
use doorward_server::app::{App, Parts};
use doorward_server::hashing::HashPool;
use doorward_server::keyring::Keyring;
use doorward_server::places::Places;
use doorward_server::settings::Settings;
use doorward_store::Store;
use doorward_store::sqlite::{Shape, SqliteStore};

use crate::clock::SystemClock;
use crate::data_dir::DataDir;
use crate::entropy::SystemEntropy;

/// The machine's own clock and randomness.
#[must_use]
pub fn ambient() -> Arc<Ambient> {
    let (clock, entropy) = (Box::new(SystemClock), Box::new(SystemEntropy::default()));
    Arc::new(Ambient { clock, entropy })
}

/// Opens the database of a data folder, with a table of live sessions in front of it if it serves.
pub fn store(folder: &DataDir, table: Option<Shape>) -> anyhow::Result<Arc<dyn Store>> {
    let path = folder.database();
    let store = match table {
        Some(shape) => SqliteStore::open_with_table(path, shape),
        None => SqliteStore::open(path),
    };
    Ok(Arc::new(store.with_context(|| format!("opening {}", path.display()))?))
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
    // The key before the database: a database without its key is found out before it is touched.
    let master = folder.master_key(&*ambient.entropy)?;
    let store = store(folder, table)?;
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
