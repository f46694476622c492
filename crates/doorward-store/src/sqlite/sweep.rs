//! Sweeping sessions out of SQLite: a look at each in turn, beside the writer.
//!
//! ```text
//!   call ──▶ look on from the cursor ──▶ forget what is past a limit ──▶ move the cursor
//!                     └── at most so many sessions, so that no call takes long
//! ```

use std::sync::Arc;

use doorward_core::session::{Lifetimes, Session};
use doorward_wire::{SessionId, UnixTime};
use rusqlite::Connection;

use super::columns::{Columns, bytes, change, first, rows};
use super::words::{AssuranceNumber, CarrierNumber};
use super::writer::Verdict;
use super::{SqliteStore, log};
use crate::act::{StoreFailed, Swept};
use crate::derived::past_limits;

/// What a look at sessions found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// Those that are past a limit.
    pub(super) past: Vec<SessionId>,
    /// The last one looked at, or none when there are no more.
    pub(super) last: Option<SessionId>,
}

/// Forgets at most `limit` sessions, from where the call before stopped.
pub(super) async fn sweep(
    store: &SqliteStore,
    (lifetimes, now): (Lifetimes, UnixTime),
    limit: usize,
) -> Result<Swept, StoreFailed> {
    let (readers, look_max) = (Arc::clone(&store.readers), store.look_max);
    let after = *store.swept.lock();
    // A look takes a second for a million sessions: it is made beside the writer, and away from the
    // threads that answer.
    let read = move |db: &Connection| look(db, after, (&lifetimes, now), (limit, look_max));
    let look = tokio::task::spawn_blocking(move || readers.read(read));
    let Look { past, last } = look.await.map_err(StoreFailed::because)??;
    let mut forgotten = 0;
    if !past.is_empty() {
        let act = move |db: &Connection| Ok(Verdict::Keep(forget(db, &past, &lifetimes, now)?));
        forgotten = store.writer.act(act).await?;
    }
    // Only now: what could not be forgotten is looked at again.
    *store.swept.lock() = last;
    Ok(Swept { forgotten, is_done: last.is_none() })
}

/// Looks at no more than `look_max` sessions after `after`, and finds at most `limit` that are past a
/// limit.
pub(super) fn look(
    db: &Connection,
    after: Option<SessionId>,
    (lifetimes, now): (&Lifetimes, UnixTime),
    (limit, look_max): (usize, usize),
) -> Result<Look, StoreFailed> {
    const EACH: &str = "SELECT sid, carrier, remembered, opened_at, proved_at, seen_at, acr
        FROM session WHERE sid > ?1 ORDER BY sid LIMIT ?2";
    let begin = after.map_or(Vec::new(), |sid| bytes(sid.0).to_vec());
    let mut statement = db.prepare_cached(EACH)?;
    let mut each = statement.query((begin, rows(look_max)))?;
    let (mut past, mut last, mut looks) = (Vec::new(), after, 0);
    while past.len() < limit && looks < look_max {
        let Some(row) = each.next()? else {
            last = None;
            break;
        };
        looks += 1;
        let session = ages(&mut Columns::of(row))?;
        let sid = session.sid;
        last = Some(sid);
        if past_limits(session, lifetimes, now) {
            past.push(sid);
        }
    }
    Ok(Look { past, last })
}

/// Forgets those that are still past a limit: one may have been used since it was found.
///
/// The log tells of each. No token outlives its session's age, and none is issued without a use; but
/// under a short idle limit a token can be good for a while yet, and a cache of sessions follows the
/// log to know what to drop.
pub(super) fn forget(
    db: &Connection,
    found: &[SessionId],
    lifetimes: &Lifetimes,
    now: UnixTime,
) -> Result<u64, StoreFailed> {
    const ONE: &str = "SELECT sid, carrier, remembered, opened_at, proved_at, seen_at, acr
        FROM session WHERE sid = ?1";
    const FORGET: &str = "DELETE FROM session WHERE sid = ?1";
    let mut forgotten = Vec::new();
    for sid in found {
        let session = first(db, ONE, (bytes(sid.0),), ages)?;
        if session.is_some_and(|session| past_limits(session, lifetimes, now)) {
            change(db, FORGET, (bytes(sid.0),))?;
            forgotten.push(*sid);
        }
    }
    log::append_ends(db, forgotten.iter().copied(), now)?;
    Ok(forgotten.len() as u64)
}

/// Reads what the limits of a session depend on, and nothing of whose it is.
fn ages(row: &mut Columns<'_>) -> Result<Session, StoreFailed> {
    Ok(Session {
        sid: row.id().map(SessionId)?,
        key: None,
        owner: None,
        carrier: row.take::<CarrierNumber>()?.0,
        remembered: row.take()?,
        opened_at: row.time()?,
        proved_at: row.time()?,
        seen_at: row.time()?,
        generation: 0,
        amr: Vec::new(),
        acr: row.take::<AssuranceNumber>()?.0,
        bound: None,
    })
}
