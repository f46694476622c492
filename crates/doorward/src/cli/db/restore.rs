//! `doorward db restore`: a backup in the database's place.
//!
//! ```text
//!   lock ──▶ check ──▶ ask ──▶ draft, beside ──▶ the old one: whole, and kept ──▶ rename
//! ```
//!
//! Until the last step nothing has changed for a server that starts.

use std::borrow::Cow;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use doorward_core::event::{Event, EventKind};
use doorward_server::ambient::Ambient;
use doorward_store::act::Ending;
use doorward_store::sqlite::{self, Beginning, Held, Rest};
use doorward_wire::UnixTime;

use super::place::{Draft, sync_folder_of, with};
use super::{Outcome, keys, must_be_there, must_be_whole, place, read};
use crate::config::Config;
use crate::data_dir::{DataDir, InUse, kept_master_key, without_master_key};
use crate::open;
use crate::terminal::{confirm, note, say};

/// What whoever restores has chosen.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub(super) end_sessions: bool,
    pub(super) yes: bool,
}

const AGAIN: &str = "\
What happened after the backup is undone. Sessions, cookies, refresh tokens and personal tokens that ended
since count again, and so do old passwords, old client secrets and retired signing keys.";

const ENDED: &str = "\
What happened after the backup is undone: old passwords, old client secrets and retired signing keys count
again. Every session and personal token ends.";

pub(super) fn run(file: &Path, config: &Config, wanted: Wanted) -> Result<(), Outcome> {
    must_be_there(file)?;
    let database = place(config)?;
    // Before the folder is made: it would be of no use.
    let master = kept_master_key(config)?;
    let master = master.ok_or_else(|| without_master_key(config.data()))?;
    let folder = DataDir::open(config)?;
    let mut lock = folder.lock_out_servers()?;
    must_be_another(file, &database)?;

    let examined = read(sqlite::examine_copy(file), file)?;
    must_be_whole(&examined, file, "another backup")?;
    if let Some(why) = keys(&examined, Some(&master)).failure() {
        let error = anyhow::anyhow!("{why}\nTry: with the master.key of that server");
        return Err(Outcome::No(error));
    }
    let effect = if wanted.end_sessions { ENDED } else { AGAIN };
    note(effect);
    if !wanted.end_sessions {
        note("If the backup is of a running server, or a theft is the reason: --end-sessions.");
    }
    let question = format!("Put {} at {}?", file.display(), &database.display());
    if !wanted.yes && !confirm(&question)? {
        return Ok(());
    }

    let ambient = open::ambient();
    let draft = Draft::only_of(&database)?;
    let made = sqlite::begin_again(file, draft.path(), &beginning(&ambient, wanted.end_sessions));
    let made = made.map_err(|failed| {
        anyhow::anyhow!("making a database from {}: {}", file.display(), failed.0)
    })?;
    must_be_whole(&made, file, "another backup")?;
    if !lock.was_used() {
        // From here on a server that finds no database here asks for one, and makes none.
        lock.mark_used("")?;
    }
    let aside = set_aside(&database, ambient.now())?;
    draft.replace(&database)?;
    drop(aside.held);
    folder.remove_setup_link()?;
    say(database.display());
    if let Some(kept) = aside.kept {
        note(format!("The database that was there is kept: {}", kept.display()));
    }
    Ok(())
}

/// A database cannot be put in its own place.
fn must_be_another(file: &Path, database: &Path) -> anyhow::Result<()> {
    let (file, database) = (file.canonicalize(), database.canonicalize());
    if file.is_ok_and(|file| database.is_ok_and(|database| file == database)) {
        bail!("this is the database itself\nTry: the path of a backup");
    }
    Ok(())
}

fn beginning(ambient: &Ambient, end_sessions: bool) -> Beginning {
    let event = |kind, reason: &'static str| Event {
        id: ambient.event_id(),
        at: ambient.now(),
        kind,
        account: None,
        session: None,
        ip: None,
        reason: Some(Cow::Borrowed(reason)),
        device: None,
    };
    let (log, now) = (ambient.random(), ambient.now());
    if !end_sessions {
        let event = event(EventKind::DatabaseRestored, "sessions-kept");
        return Beginning { log, event, ending: None };
    }
    let ending = Ending { now, event: event(EventKind::SessionEnded, "restored") };
    let event = event(EventKind::DatabaseRestored, "sessions-ended");
    Beginning { log, event, ending: Some(ending) }
}

/// The database that is to be replaced.
struct Aside {
    /// Where it is kept, if there was one.
    kept: Option<PathBuf>,
    /// Nobody opens it while this lasts.
    held: Option<Held>,
}

/// Gives the database that is there another name too, with what belongs to it. Its write-ahead log must
/// not stay: SQLite would take it for the new one's.
fn set_aside(database: &Path, now: UnixTime) -> anyhow::Result<Aside> {
    let kept = free_name(database, now);
    let is_there = fs::metadata(database).is_ok_and(|found| found.len() > 0);
    let rest = if is_there { sqlite::lay_down(database) } else { Ok(Rest::Damaged) };
    let held = match read(rest, database)? {
        Rest::InUse => bail!(InUse),
        Rest::Whole(held) => {
            // It keeps its own name too until the new one takes that. Not every disk knows links.
            fs::hard_link(database, &kept)
                .or_else(|_| fs::rename(database, &kept))
                .with_context(|| format!("keeping the database as {}", kept.display()))?;
            Some(held)
        }
        Rest::Damaged => {
            for end in ["", "-journal", "-wal", "-shm"] {
                move_if_there(&with(database, end), &with(&kept, end))?;
            }
            None
        }
    };
    sync_folder_of(database).context("keeping the database that was there")?;
    Ok(Aside { kept: Some(kept).filter(|kept| kept.exists()), held })
}

fn move_if_there(from: &Path, to: &Path) -> anyhow::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("moving {}", from.display()))
        }
        _ => Ok(()),
    }
}

/// `doorward.db.before-20261127T150102Z`, or with more behind it.
fn free_name(database: &Path, now: UnixTime) -> PathBuf {
    let day: String = now.to_string().chars().filter(|letter| !"-:".contains(*letter)).collect();
    let mut name = with(database, &format!(".before-{day}"));
    while name.exists() {
        name = with(&name, "x");
    }
    name
}
