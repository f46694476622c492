//! What an act has changed: the database itself tells.
//!
//! Triggers on the writer's connection, which no file keeps, name each row that is put, changed or
//! dropped, also by a cascade. So no act has to tell, and none can forget to. What was taken back is
//! named too; that does no harm, for what counts is read back before the commit.

use std::collections::BTreeSet;
use std::sync::Arc;

use doorward_wire::{AccountId, SecretDigest, SessionId};
use parking_lot::Mutex;
use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};

use super::columns::only;
use super::{accounts, sessions};
use crate::act::StoreFailed;
use crate::table::{Change, Kept};

/// The tables whose rows the table of live sessions is made of, with the names of their rows.
const WATCHED: [(&str, &str); 3] = [("session", "sid"), ("account", "id"), ("retired_key", "key")];

/// The rows that were changed since they were last read.
pub(super) struct Changes(Arc<Mutex<Named>>);

#[derive(Default)]
struct Named {
    sids: BTreeSet<u128>,
    accounts: BTreeSet<u128>,
    keys: BTreeSet<[u8; 32]>,
}

impl Changes {
    /// Has the connection name every row that it changes from now on.
    pub(super) fn watch(db: &Connection) -> Result<Self, StoreFailed> {
        let named = Arc::new(Mutex::new(Named::default()));
        let noted = Arc::clone(&named);
        let note = move |call: &mut Context<'_>| noted.lock().note(call);
        db.create_scalar_function("note_change", 2, FunctionFlags::SQLITE_UTF8, note)?;
        for (table, name) in WATCHED {
            for (event, row) in
                [("INSERT", "NEW"), ("UPDATE", "OLD"), ("UPDATE", "NEW"), ("DELETE", "OLD")]
            {
                db.execute_batch(&format!(
                    "CREATE TEMP TRIGGER {table}_{event}_{row} AFTER {event} ON main.{table}
                    BEGIN SELECT note_change('{table}', {row}.{name}); END"
                ))?;
            }
        }
        Ok(Self(named))
    }

    /// Forgets what was named, for it was not kept.
    pub(super) fn forget(&self) {
        *self.0.lock() = Named::default();
    }

    /// Reads what was named, as it is now: inside the transaction, as the commit will leave it.
    pub(super) fn read(&self, db: &Connection) -> Vec<Change> {
        let named = std::mem::take(&mut *self.0.lock());
        let sessions = named.sids.into_iter().map(SessionId).map(|sid| {
            let found = sessions::find(db, sid).map(|found| found.map(Box::new));
            Change::Session(sid, kept(found))
        });
        let accounts = named.accounts.into_iter().map(AccountId).map(|id| {
            let found = accounts::find(db, id).map(|found| found.map(Box::new));
            Change::Account(id, kept(found))
        });
        let retired = named.keys.into_iter().map(SecretDigest).map(|key| {
            let is_retired = is_retired(db, key).map(|is_it| is_it.then_some(()));
            Change::Retired(key, kept(is_retired))
        });
        sessions.chain(accounts).chain(retired).collect()
    }
}

impl Named {
    fn note(&mut self, call: &Context<'_>) -> rusqlite::Result<Option<i64>> {
        match call.get_raw(0).as_str()? {
            "session" => self.sids.insert(call.get(1).map(u128::from_be_bytes)?),
            "account" => self.accounts.insert(call.get(1).map(u128::from_be_bytes)?),
            _ => self.keys.insert(call.get(1)?),
        };
        // A function has to answer, and nobody wants to know.
        Ok(None)
    }
}

/// Whether a key is one that was retired.
pub(super) fn is_retired(db: &Connection, key: SecretDigest) -> Result<bool, StoreFailed> {
    only(db, "SELECT EXISTS (SELECT 1 FROM retired_key WHERE key = ?1)", (key.0,))
}

/// What was read, or that it could not be: then the act happens all the same, and whoever asks for
/// the row gets the failure.
fn kept<T>(found: Result<Option<T>, StoreFailed>) -> Kept<T> {
    match found {
        Ok(Some(found)) => Kept::Here(found),
        Ok(None) => Kept::Gone,
        Err(failure) => {
            tracing::error!(%failure, "a row that was written cannot be read");
            Kept::Unreadable
        }
    }
}
