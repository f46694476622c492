//! `doorward db`: the embedded database, as files.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Subcommand;
use doorward_server::keyring::Keyring;
use doorward_store::act::StoreFailed;
use doorward_store::postgres::PostgresStore;
use doorward_store::sqlite::{self, Examined, Finding, SqliteStore};
use doorward_wire::seal::MasterKey;
use serde_json::json;

use self::place::{Draft, must_be_free};
use super::{DataFlags, Outcome, block_on};
use crate::config::{Config, StorePlace};
use crate::data_dir::{DataDir, kept_master_key, master_key_in};
use crate::terminal::{note, say};

mod place;
mod restore;

/// `doorward db …`
#[derive(Debug, Subcommand)]
pub(super) enum DbCommand {
    /// Copy the database into one file, also while the server runs.
    ///
    /// The file is never overwritten. master.key is not in it: keep that elsewhere.
    Backup {
        /// The file to make.
        file: PathBuf,
        #[command(flatten)]
        data: DataFlags,
    },
    /// Check the database, or a backup: exit code 0 if all is well, else 3. Nothing is changed.
    Check {
        /// A backup, or another copy [default: the database of the data folder]
        file: Option<PathBuf>,
        /// One JSON object.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        data: DataFlags,
    },
    /// Put a backup in the database's place. The server must be stopped, and master.key be there.
    ///
    /// The database that was there stays beside it under another name.
    Restore {
        /// The backup.
        file: PathBuf,
        /// End every session and personal token, also those that ended already after the backup.
        #[arg(long)]
        end_sessions: bool,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        data: DataFlags,
    },
    /// Bring the database to the shape of this version, as a start of the server does.
    Migrate {
        /// Only say which steps are missing.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        data: DataFlags,
    },
}

pub(super) fn run(command: DbCommand) -> Result<(), Outcome> {
    match command {
        DbCommand::Backup { file, data } => back_up(&database(&data.config()?)?, &file),
        DbCommand::Check { file: Some(file), json, data } => check_copy(&file, json, &data),
        DbCommand::Check { file: None, json, data } => check(&data.config()?, json),
        DbCommand::Restore { file, end_sessions, yes, data } => {
            restore::run(&file, &data.config()?, restore::Wanted { end_sessions, yes })
        }
        DbCommand::Migrate { dry_run: true, data } => {
            let missing = missing(&data.config()?)?;
            for step in &missing {
                say(format!("missing: {step}"));
            }
            if missing.is_empty() {
                say("up to date");
            }
            Ok(())
        }
        DbCommand::Migrate { dry_run: false, data } => migrate(&data.config()?),
    }
}

/// The steps that a database lacks. PostgreSQL does them, and takes them back.
fn missing(config: &Config) -> Result<Vec<&'static str>, Outcome> {
    if let StorePlace::Postgres(url) = config.store()? {
        let rehearsed = block_on(async { Ok(PostgresStore::migrate_dry_run(url.expose()).await?) });
        return Ok(rehearsed.context("rehearsing the missing steps")?);
    }
    let database = database(config)?;
    Ok(read(sqlite::missing_steps(&database), &database)?)
}

/// Where a configuration's database is.
fn place(config: &Config) -> anyhow::Result<PathBuf> {
    config.database()
}

/// A configuration's database, which is there.
fn database(config: &Config) -> Result<PathBuf, Outcome> {
    let database = place(config)?;
    if database.exists() {
        return Ok(database);
    }
    let error = anyhow::anyhow!(
        "there is no database at {}\nTry: name the server's folder with --data",
        database.display()
    );
    Err(Outcome::NotFound(error))
}

/// A backup, which is there.
fn must_be_there(file: &Path) -> Result<(), Outcome> {
    if file.is_file() {
        return Ok(());
    }
    let error = anyhow::anyhow!("there is no file {}\nTry: another path", file.display());
    Err(Outcome::NotFound(error))
}

fn back_up(database: &Path, file: &Path) -> Result<(), Outcome> {
    must_be_free(file)?;
    let draft = Draft::beside(file)?;
    // A backup has time: the server beside it goes first. Where that cannot be, it is made all the same.
    let _ = rustix::process::setpriority_process(None, 10);
    sqlite::back_up(database, draft.path()).map_err(|failed| {
        let (from, to) = (database.display(), file.display());
        anyhow::anyhow!(
            "copying {from} to {to}: {}\nTry: a folder with room for it that you may write to; or doorward \
             db check",
            failed.0
        )
    })?;
    let examined = read(sqlite::examine_copy(draft.path()), file)?;
    must_be_whole(&examined, database, "doorward db restore, with an earlier backup")?;
    draft.keep_as(file)?;
    say(file.display());
    note(
        "The signing keys in it are sealed with master.key, which is not in it. A restore needs both: keep a \
         copy of master.key, and not in the same place.",
    );
    Ok(())
}

/// Refuses what a check said no to.
fn must_be_whole(examined: &Examined, file: &Path, advice: &str) -> Result<(), Outcome> {
    let Some((check, why)) = examined.failed() else { return Ok(()) };
    let (name, file) = (check.name(), file.display());
    Err(Outcome::No(anyhow::anyhow!("{file} is not whole: {name}: {why}\nTry: {advice}")))
}

fn check(config: &Config, as_json: bool) -> Result<(), Outcome> {
    let database = database(config)?;
    let examined = read(sqlite::examine(&database), &database)?;
    let master = kept_master_key(config)?;
    let keys = keys(&examined, master.as_ref());
    tell(&database, &examined, &keys, as_json)
}

fn check_copy(file: &Path, as_json: bool, data: &DataFlags) -> Result<(), Outcome> {
    must_be_there(file)?;
    let examined = read(sqlite::examine_copy(file), file)?;
    // The folder that is not named may be of another server.
    let keys = match &data.data {
        Some(folder) => keys(&examined, master_key_in(folder)?.as_ref()),
        None if examined.failed().is_some() => Finding::NotReached,
        None => Finding::Absent,
    };
    tell(file, &examined, &keys, as_json)
}

/// Whether a master key opens the signing keys.
fn keys(examined: &Examined, master: Option<&MasterKey>) -> Finding {
    if examined.failed().is_some() {
        return Finding::NotReached;
    }
    let Some(master) = master else { return Finding::Failed("there is no master.key".to_owned()) };
    let other = examined.keys.iter().find(|row| !Keyring::is_sealed_with(master, row));
    other.map_or(Finding::Passed, |row| {
        Finding::Failed(format!("{} was sealed with another master key", row.kid))
    })
}

fn tell(file: &Path, examined: &Examined, keys: &Finding, as_json: bool) -> Result<(), Outcome> {
    const KEYS: (&str, &str) = ("keys", "master.key opens the signing keys");
    let inside =
        examined.checks.iter().map(|(check, finding)| (check.name(), check.claim(), finding));
    let checks: Vec<_> = inside.chain([(KEYS.0, KEYS.1, keys)]).collect();
    let failed = checks.iter().find_map(|(name, _, finding)| Some((*name, finding.failure()?)));
    if as_json {
        let each = checks.iter().map(|(name, _, finding)| {
            json!({ "check": name, "verdict": finding.name(), "why": finding.failure() })
        });
        say(json!({
            "good": failed.is_none(),
            "refused": failed.as_ref().map(|(name, _)| name),
            "checks": each.collect::<Vec<_>>(),
        }));
    } else {
        for (name, claim, finding) in &checks {
            say(format!("{:11}  {name:10}  {claim}", finding.name()));
        }
    }
    match failed {
        None => Ok(()),
        Some((name, why)) => {
            Err(Outcome::No(anyhow::anyhow!("{} is not whole: {name}: {why}", file.display())))
        }
    }
}

/// What was read of a file, or why it could not be.
fn read<T>(done: Result<T, StoreFailed>, file: &Path) -> anyhow::Result<T> {
    done.map_err(|failed| anyhow::anyhow!("reading {}: {}", file.display(), failed.0))
}

fn migrate(config: &Config) -> Result<(), Outcome> {
    let database = database(config)?;
    let folder = DataDir::open(config)?;
    // An older server would go on in a shape that it does not know.
    let _lock = folder.lock()?;
    let missing = read(sqlite::missing_steps(&database), &database)?;
    drop(SqliteStore::open(&database).context("bringing the database up to date")?);
    for step in missing {
        say(format!("done: {step}"));
    }
    say("up to date");
    Ok(())
}
