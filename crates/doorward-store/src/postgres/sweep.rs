//! Sweeping sessions out of PostgreSQL: a look at each in turn, beside the acts.
//!
//! ```text
//!   call ──▶ look on from the cursor ──▶ forget what is past a limit ──▶ move the cursor
//!                     └── at most so many sessions, so that no call takes long
//! ```
//!
//! Each node has a cursor of its own. A session that somebody holds is passed over: it is being used, or
//! ended, or swept by another node.

use doorward_core::session::{Lifetimes, Session};
use doorward_wire::{SessionId, UnixTime};

use super::acts::Verdict;
use super::columns::{Columns, all, beyond, bytes, change, params, rows};
use super::link::Link;
use super::words::{assurance, carrier};
use super::{PostgresStore, log};
use crate::act::{StoreFailed, Swept};
use crate::derived::past_limits;

/// What a look at sessions found.
struct Look {
    /// Those that are past a limit.
    past: Vec<SessionId>,
    /// The last one looked at, or none when there are no more.
    last: Option<SessionId>,
}

/// Forgets at most `limit` sessions, from where the call before stopped.
pub(super) async fn sweep(
    store: &PostgresStore,
    (lifetimes, now): (Lifetimes, UnixTime),
    limit: usize,
) -> Result<Swept, StoreFailed> {
    const EACH: &str = "SELECT sid, carrier, remembered, opened_at, proved_at, seen_at, acr
        FROM session WHERE sid > $1 ORDER BY sid LIMIT $2";
    let after = *store.swept.lock();
    let (begin, look_max) = (beyond(after.map(|sid| sid.0)), rows(store.look_max));
    let seen = store
        .readers
        .read(|db| async move { all(&db, EACH, params![begin, look_max], ages).await })
        .await?;
    let are_all = seen.len() < store.look_max;
    let Look { past, last } = look(seen, after, (&lifetimes, now), (limit, are_all));
    let mut forgotten = 0;
    if !past.is_empty() {
        let forgetting = store.acts.act(past, move |db, past| async move {
            Ok(Verdict::Keep(forget(&db, &past, &lifetimes, now).await?))
        });
        forgotten = forgetting.await?;
    }
    // Only now: what could not be forgotten is looked at again.
    *store.swept.lock() = last;
    Ok(Swept { forgotten, is_done: last.is_none() })
}

/// Looks at sessions until `limit` were found that are past a limit.
fn look(
    seen: Vec<Session>,
    after: Option<SessionId>,
    (lifetimes, now): (&Lifetimes, UnixTime),
    (limit, are_all): (usize, bool),
) -> Look {
    let (mut past, mut last) = (Vec::new(), after);
    for session in seen {
        if past.len() >= limit {
            return Look { past, last };
        }
        let sid = session.sid;
        last = Some(sid);
        if past_limits(session, lifetimes, now) {
            past.push(sid);
        }
    }
    // Whoever stops at the last one does not know yet that it was.
    let is_end = are_all && past.len() < limit;
    Look { past, last: last.filter(|_| !is_end) }
}

/// Forgets those that are still past a limit: one may have been used since it was found.
///
/// The log tells of each. No token outlives its session's age, and none is issued without a use; but
/// under a short idle limit a token can be good for a while yet, and a cache of sessions follows the
/// log to know what to drop.
async fn forget(
    db: &Link,
    found: &[SessionId],
    lifetimes: &Lifetimes,
    now: UnixTime,
) -> Result<u64, StoreFailed> {
    const HOLD: &str = "SELECT sid, carrier, remembered, opened_at, proved_at, seen_at, acr
        FROM session WHERE sid = ANY ($1) ORDER BY sid FOR UPDATE SKIP LOCKED";
    const FORGET: &str = "DELETE FROM session WHERE sid = ANY ($1)";
    let sids: Vec<_> = found.iter().map(|sid| bytes(sid.0)).collect();
    let mut held = all(db, HOLD, params![sids], ages).await?;
    held.retain(|session| past_limits(session.clone(), lifetimes, now));
    let forgotten: Vec<_> = held.iter().map(|session| session.sid).collect();
    let sids: Vec<_> = forgotten.iter().map(|sid| bytes(sid.0)).collect();
    db.changes_sessions(forgotten.iter().copied());
    change(db, FORGET, params![sids]).await?;
    log::append_ends(db, &forgotten, now).await?;
    Ok(forgotten.len() as u64)
}

/// Reads what the limits of a session depend on, and nothing of whose it is.
fn ages(row: &mut Columns<'_>) -> Result<Session, StoreFailed> {
    Ok(Session {
        sid: row.id().map(SessionId)?,
        key: None,
        owner: None,
        carrier: row.read(carrier)?,
        remembered: row.take()?,
        opened_at: row.time()?,
        proved_at: row.time()?,
        seen_at: row.time()?,
        generation: 0,
        amr: Vec::new(),
        acr: row.read(assurance)?,
        bound: None,
    })
}
