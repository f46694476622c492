//! The shape of the database, and the way to it from any older shape.

use rusqlite::{Connection, TransactionBehavior};

use super::columns::rows;
use super::fault::Fault;
use crate::act::StoreFailed;

/// Every step there ever was, in order. A step that was released is never edited.
pub(super) const MIGRATIONS: [&str; 15] = [
    include_str!("migrations/0001_first.sql"),
    include_str!("migrations/0002_life.sql"),
    include_str!("migrations/0003_user_agents.sql"),
    include_str!("migrations/0004_binding.sql"),
    include_str!("migrations/0005_account_events.sql"),
    include_str!("migrations/0006_signals.sql"),
    include_str!("migrations/0007_log_name.sql"),
    include_str!("migrations/0008_clients.sql"),
    include_str!("migrations/0009_key_life.sql"),
    include_str!("migrations/0010_dpop.sql"),
    include_str!("migrations/0011_personal_tokens.sql"),
    include_str!("migrations/0012_token_places.sql"),
    include_str!("migrations/0013_signals.sql"),
    include_str!("migrations/0014_codes.sql"),
    include_str!("migrations/0015_sites.sql"),
];

/// Marks a file as ours: `door`.
pub(super) const APPLICATION_ID: i64 = 0x646F_6F72;

/// Brings the database up to date, whole or not at all.
///
/// A file of a newer Doorward is refused: an old program would write rows that the new one takes
/// for its own.
///
/// Foreign keys are off until it is done: a step that makes a table anew drops the old one, and what
/// hangs from its rows must stay. They are on from then on.
pub(super) fn migrate(db: &mut Connection) -> Result<(), StoreFailed> {
    db.pragma_update(None, "foreign_keys", false)?;
    bring_up(db)?;
    db.pragma_update(None, "foreign_keys", true)?;
    Ok(())
}

fn bring_up(db: &mut Connection) -> Result<(), StoreFailed> {
    // Immediate, so that of two processes that start at once the second waits and finds it done.
    let act = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let number = |sql| act.query_row(sql, (), |row| row.get::<_, i64>(0));
    let marked = number("PRAGMA application_id")? == APPLICATION_ID;
    let empty = number("SELECT count(*) FROM sqlite_schema")? == 0;
    if !marked && !empty {
        return Err(Fault::NotOurs.into());
    }
    let found = usize::try_from(number("PRAGMA user_version")?).map_err(|_| Fault::NotOurs)?;
    let Some(missing) = MIGRATIONS.get(found..) else {
        return Err(Fault::FromTheFuture { found, known: MIGRATIONS.len() }.into());
    };
    for step in missing {
        act.execute_batch(step)?;
    }
    if !missing.is_empty() {
        if act.prepare("PRAGMA foreign_key_check")?.exists(())? {
            return Err(Fault::Dangling.into());
        }
        act.pragma_update(None, "application_id", APPLICATION_ID)?;
        act.pragma_update(None, "user_version", rows(MIGRATIONS.len()))?;
    }
    act.commit()?;
    Ok(())
}
