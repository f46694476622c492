//! The data folder: the database, the master key, the setup link. Nobody else may read it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use doorward_server::ambient::Entropy;
use doorward_wire::FreshSecret;
use doorward_wire::seal::MasterKey;
use rustix::fs::{FlockOperation, flock};
use zeroize::Zeroizing;

use crate::config::{Config, Secret, StorePlace};

/// The database's name in a data folder.
pub const DATABASE: &str = "doorward.db";

const MASTER_KEY: &str = "master.key";

/// A data folder, and where everything is kept: in it or elsewhere.
#[derive(Clone, Debug)]
pub struct DataDir {
    path: PathBuf,
    store: StorePlace,
    /// The text of the master key, where it is not in the folder.
    master_key: Option<Secret>,
}

/// Proof that this process alone serves from a database, while it lives.
#[derive(Debug)]
pub struct Lock {
    file: File,
    was_used: bool,
}

/// Another process serves from the same database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "another doorward is serving from this data\nTry: stop it first, or name another folder with --data"
)]
pub struct InUse;

impl DataDir {
    /// Opens the folder of a configuration, and makes it if it is not there (mode 0700).
    pub fn open(config: &Config) -> anyhow::Result<Self> {
        Self::make(config.data())?;
        Self::unmade(config)
    }

    /// The folder of a configuration, whether it is there or not: with a store that is elsewhere a command
    /// may need none.
    pub fn unmade(config: &Config) -> anyhow::Result<Self> {
        Ok(Self {
            path: config.data().to_owned(),
            store: config.store()?,
            master_key: config.server.master_key.clone(),
        })
    }

    fn make(path: &Path) -> anyhow::Result<()> {
        let shown = path.display();
        match DirBuilder::new().mode(0o700).recursive(true).create(path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => bail!(
                "the data folder {shown} may not be made\nTry: make it yourself and give it to this \
                 user (chown), or name another with --data"
            ),
            Err(error) => return Err(error).context(format!("making the data folder {shown}")),
        }
        let found = fs::metadata(path).with_context(|| format!("reading {shown}"))?;
        if found.uid() != rustix::process::geteuid().as_raw() {
            bail!(
                "the data folder {shown} belongs to another user, who could change what is in it\n\
                 Try: run as that user, or give the folder to this one (chown)"
            );
        }
        if found.mode() & 0o077 != 0 {
            if !is_ours(path)? {
                bail!(
                    "{shown} may be read by others and holds other things than Doorward's\nTry: name a \
                     folder of its own with --data"
                );
            }
            let private = fs::Permissions::from_mode(0o700);
            fs::set_permissions(path, private)
                .with_context(|| format!("{shown} may be read by others, and cannot be closed"))?;
        }
        Ok(())
    }

    /// Takes the database for this process alone. Two servers on one are refused: each would keep
    /// its own keys in memory.
    pub fn lock(&self) -> anyhow::Result<Lock> {
        let lock = self.lock_out_servers()?;
        let StorePlace::File(database) = &self.store else { return Ok(lock) };
        let holds = fs::metadata(database).is_ok_and(|found| found.len() > 0);
        if lock.was_used && !holds {
            bail!(
                "{} was here and is gone or empty\nTry: doorward db restore, with your backup; or, to \
                 start anew, remove {} too",
                database.display(),
                self.lock_path().display()
            );
        }
        Ok(lock)
    }

    /// Takes the place of the database, whatever is there now: no server starts or runs meanwhile.
    pub fn lock_out_servers(&self) -> anyhow::Result<Lock> {
        let file = private_file(&self.lock_path())?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| InUse)?;
        let was_used = file.metadata().is_ok_and(|found| found.len() > 0);
        Ok(Lock { file, was_used })
    }

    /// Where the server that was started last said that it is reached.
    #[must_use]
    pub fn issuer(&self) -> Option<String> {
        let text = fs::read_to_string(self.lock_path()).ok()?;
        Some(text.trim_end().to_owned()).filter(|issuer| !issuer.is_empty())
    }

    /// Beside an embedded database, whose lock it is. Each server on another store has a folder of its own.
    fn lock_path(&self) -> PathBuf {
        match &self.store {
            StorePlace::File(database) => database.with_extension("lock"),
            StorePlace::Postgres(_) => self.path.join(DATABASE).with_extension("lock"),
        }
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where everything is kept.
    #[must_use]
    pub fn store(&self) -> &StorePlace {
        &self.store
    }

    /// Where the setup link is written.
    fn setup_link(&self) -> PathBuf {
        self.path.join("setup-link")
    }

    /// The master key, drawn at the first start: only if nothing `is_sealed` with one already.
    pub fn master_key(&self, entropy: &dyn Entropy, is_sealed: bool) -> anyhow::Result<MasterKey> {
        if let Some(text) = &self.master_key {
            return parse_given(text);
        }
        if let Some(key) = master_key_in(&self.path)? {
            return Ok(key);
        }
        if is_sealed {
            return Err(without_master_key(&self.path));
        }
        let mut bytes = [0; 32];
        entropy.fill(&mut bytes);
        let text = FreshSecret::from_random(bytes).expose();
        write_private(&self.path.join(MASTER_KEY), &text)?;
        MasterKey::parse(&text).context("reading the master key that was drawn")
    }

    /// Writes the setup link (mode 0600).
    pub fn write_setup_link(&self, link: &str) -> anyhow::Result<()> {
        write_private(&self.setup_link(), &format!("{link}\n"))
    }

    /// Reads the setup link that was written last.
    pub fn read_setup_link(&self) -> anyhow::Result<Option<Zeroizing<String>>> {
        match fs::read_to_string(self.setup_link()) {
            Ok(link) => Ok(Some(Zeroizing::new(link))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).context("reading the setup link"),
        }
    }

    /// Removes a setup link that is of no use any more.
    pub fn remove_setup_link(&self) -> anyhow::Result<()> {
        match fs::remove_file(self.setup_link()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).context("removing the spent setup link")
            }
            _ => Ok(()),
        }
    }
}

/// The master key of a configuration, if there is one already: its own, or that of its data folder.
pub fn kept_master_key(config: &Config) -> anyhow::Result<Option<MasterKey>> {
    match &config.server.master_key {
        Some(text) => parse_given(text).map(Some),
        None => master_key_in(config.data()),
    }
}

fn parse_given(text: &Secret) -> anyhow::Result<MasterKey> {
    MasterKey::parse(text.expose()).context("reading [server] master_key")
}

/// The master key of a data folder, if it has one. Makes none.
pub fn master_key_in(folder: &Path) -> anyhow::Result<Option<MasterKey>> {
    let path = folder.join(MASTER_KEY);
    let text = match fs::read_to_string(&path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).context(format!("reading {}", path.display())),
    };
    let key = MasterKey::parse(text.trim_end());
    key.map(Some).with_context(|| format!("reading {}", path.display()))
}

/// Why nothing goes on in a folder that has no master key.
#[must_use]
pub fn without_master_key(folder: &Path) -> anyhow::Error {
    anyhow::anyhow!(
        "{} is missing, and the signing keys in the database are sealed with it\nTry: put it there, from \
         where you keep it or from another server on this database",
        folder.join(MASTER_KEY).display()
    )
}

/// Whether a folder is empty, or a data folder already.
fn is_ours(path: &Path) -> anyhow::Result<bool> {
    let mut inside = fs::read_dir(path).with_context(|| format!("reading {}", path.display()))?;
    Ok(path.join(MASTER_KEY).exists() || inside.next().is_none())
}

impl Lock {
    /// Whether a server has served from the database before.
    #[must_use]
    pub fn was_used(&self) -> bool {
        self.was_used
    }

    /// Writes down that the database is in use, and where the server is reached.
    pub fn mark_used(&mut self, issuer: &str) -> anyhow::Result<()> {
        let mut write = || -> io::Result<()> {
            self.file.set_len(0)?;
            self.file.rewind()?;
            writeln!(self.file, "{issuer}")?;
            self.file.sync_all()
        };
        write().context("writing the lock file")
    }
}

fn private_file(path: &Path) -> anyhow::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).mode(0o600);
    options.open(path).with_context(|| format!("opening {}", path.display()))
}

/// Writes a file that nobody else may read, whole or not at all.
fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let draft = path.with_extension("new");
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new();
        file.create(true).truncate(true).write(true).mode(0o600);
        let mut file = file.open(&draft)?;
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    };
    write().with_context(|| format!("writing {}", path.display()))
}
