//! Sessions in SQLite.

use async_trait::async_trait;
use doorward_core::account::{Epoch, PasswordVersion};
use doorward_core::binding::Bound;
use doorward_core::retired::Retired;
use doorward_core::revocation::Revoked;
use doorward_core::session::{Carrier, Device, Lifetimes, Owner, Session, Touch};
use doorward_wire::jose::Thumbprint;
use doorward_wire::{AccountId, SecretDigest, SessionId, UnixTime};
use rusqlite::{Connection, params};

use super::columns::{Columns, all, bytes, change, first, is_taken, only, rows, whole};
use super::words::{Address, AssuranceNumber, CarrierNumber, MethodBits};
use super::writer::{Acted, Verdict};
use super::{SqliteStore, accounts, data, events, log, refresh, sweep, visits};
use crate::Sessions;
use crate::act::{Ending, Found, NewSecret, NewSession, Page, SessionError, StoreFailed, Swept};
use crate::table::Answer;

/// Reads sessions with their accounts, as [`found`] takes them.
macro_rules! select {
    ($where:literal) => {
        concat!(
            "SELECT s.sid, s.key, s.account, s.epoch, s.carrier, s.remembered, s.opened_at,
                s.proved_at, s.seen_at, s.generation, s.amr, s.acr, s.bound_key, s.bound_at,
                u.text, s.ip,
                a.id, a.username, a.email, a.role, a.epoch, a.password_version, a.disabled,
                a.created_at
            FROM session AS s LEFT JOIN user_agent AS u ON u.id = s.user_agent
                LEFT JOIN account AS a ON a.id = s.account ",
            $where
        )
    };
}
pub(super) use select;

/// A page of the sessions of an account.
pub(super) const PAGE: &str =
    select!("WHERE s.account = ?1 AND s.sid < ?2 ORDER BY s.sid DESC LIMIT ?3");

#[async_trait]
impl Sessions for SqliteStore {
    async fn open_session(&self, new: NewSession) -> Result<(), SessionError> {
        self.writer.act(move |db| open(db, &new)).await?
    }

    async fn session_by_key(&self, key: SecretDigest) -> Result<Option<Found>, StoreFailed> {
        match self.ask(|table| table.by_key(key))? {
            Answer::Here(found) => Ok(Some(found)),
            Answer::Gone => Ok(None),
            Answer::Ask => self.readers.read(|db| find_by_key(db, key)),
        }
    }

    async fn session_by_retired_key(
        &self,
        key: SecretDigest,
    ) -> Result<Option<(Found, Retired)>, StoreFailed> {
        const RETIRED: &str = "SELECT sid, retired_at, reads, proved_at, acr FROM retired_key
            WHERE key = ?1";
        // A cookie that was made up costs no read: there is none of these either.
        if self.ask(|table| table.is_retired(key))? == Answer::Gone {
            return Ok(None);
        }
        self.readers.read(|db| {
            let kept = first(db, RETIRED, (key.0,), |row| {
                let (sid, at, reads) = (SessionId(row.id()?), row.time()?, row.take()?);
                let (proved_at, acr) = (row.time()?, row.take::<AssuranceNumber>()?.0);
                Ok((sid, Retired { key, at, reads, proved_at, acr }))
            })?;
            let Some((sid, retired)) = kept else { return Ok(None) };
            Ok(find(db, sid)?.map(|found| (found, retired)))
        })
    }

    async fn session(&self, sid: SessionId) -> Result<Option<Found>, StoreFailed> {
        match self.ask(|table| table.by_sid(sid))? {
            Answer::Here(found) => Ok(Some(found)),
            Answer::Gone => Ok(None),
            Answer::Ask => self.readers.read(|db| find(db, sid)),
        }
    }

    async fn sessions_of(
        &self,
        account: AccountId,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Page<Found>, StoreFailed> {
        // Longer than any id, so that it sorts after them all.
        let below = after.map_or(vec![0xFF; 17], |sid| bytes(sid.0).to_vec());
        let asked = (bytes(account.0), below, rows(limit).saturating_add(1));
        let items = self.readers.read(|db| all(db, PAGE, asked, found))?;
        Ok(Page::cut(items, limit))
    }

    async fn touch(&self, touches: Vec<(SessionId, Touch)>) -> Result<(), StoreFailed> {
        self.writer
            .act(move |db| {
                for (sid, used) in touches {
                    touch(db, sid, used)?;
                }
                Ok(Verdict::Keep(()))
            })
            .await
    }

    async fn rename(&self, new: NewSecret) -> Result<(), SessionError> {
        self.writer.act(move |db| rename(db, &new)).await?
    }

    async fn end_session(&self, sid: SessionId, ending: Ending) -> Result<bool, StoreFailed> {
        self.writer.act(move |db| Ok(Verdict::Keep(end(db, sid, &ending, 0)?))).await
    }

    async fn end_sessions_of(
        &self,
        account: AccountId,
        except: Option<SessionId>,
        ending: Ending,
    ) -> Result<u64, StoreFailed> {
        self.writer
            .act(move |db| {
                move_epoch(db, account, except)?;
                Ok(Verdict::Keep(end_all_of(db, account, except, &ending)?))
            })
            .await
    }

    async fn sweep(
        &self,
        lifetimes: &Lifetimes,
        now: UnixTime,
        limit: usize,
    ) -> Result<Swept, StoreFailed> {
        sweep::sweep(self, (*lifetimes, now), limit).await
    }
}

/// Finds a session and its account.
pub(super) fn find(db: &Connection, sid: SessionId) -> Result<Option<Found>, StoreFailed> {
    first(db, select!("WHERE s.sid = ?1"), (bytes(sid.0),), found)
}

/// Finds the session that answers to a secret, and its account.
pub(super) fn find_by_key(
    db: &Connection,
    key: SecretDigest,
) -> Result<Option<Found>, StoreFailed> {
    first(db, select!("WHERE s.key = ?1"), (key.0,), found)
}

/// Writes a use of a session, as part of an act. The numbers of the levels sort as the levels do.
pub(super) fn touch(db: &Connection, sid: SessionId, used: Touch) -> Result<(), StoreFailed> {
    const TOUCH: &str = "UPDATE session SET seen_at = max(seen_at, ?2),
        acr = iif(generation = ?3, min(acr, ?4), acr),
        ip = iif(generation = ?3 AND seen_at < ?2, coalesce(?5, ip), ip) WHERE sid = ?1";
    let row = params![
        bytes(sid.0),
        whole(used.seen_at.0),
        used.generation,
        AssuranceNumber(used.acr),
        used.ip.map(|ip| Address(ip.to_string())),
    ];
    change(db, TOUCH, row)?;
    Ok(())
}

/// Keeps a new session, as part of an act.
pub(super) fn open(db: &Connection, new: &NewSession) -> Acted<Result<(), SessionError>> {
    let session = &new.session;
    if !is_admitted(db, session, new.proved)? {
        return Ok(Verdict::Undo(Err(SessionError::Gone)));
    }
    match insert(db, session, &new.device) {
        Err(error) if is_taken(&error) => return Ok(Verdict::Undo(Err(SessionError::Taken))),
        inserted => inserted?,
    }
    if let Some(token) = &new.refresh {
        match refresh::insert(db, token, None) {
            Err(error) if is_taken(&error) => return Ok(Verdict::Undo(Err(SessionError::Taken))),
            inserted => inserted?,
        }
    }
    events::keep(db, &new.event)?;
    visits::arrive(db, new)?;
    replace(db, new)?;
    Ok(Verdict::Keep(Ok(())))
}

/// Whether the owner's account lets this session in, now, inside the act: the password was checked
/// before it.
fn is_admitted(
    db: &Connection,
    session: &Session,
    proved: Option<PasswordVersion>,
) -> Result<bool, StoreFailed> {
    const ADMITTED: &str = "SELECT EXISTS (SELECT 1 FROM account
        WHERE id = ?1 AND epoch = ?2 AND password_version = ?3 AND NOT disabled)";
    let Some(owner) = session.owner else { return Ok(true) };
    let Some(proved) = proved else { return Ok(false) };
    only(db, ADMITTED, params![bytes(owner.account.0), owner.epoch.0, proved.0])
}

fn insert(db: &Connection, session: &Session, device: &Device) -> Result<(), rusqlite::Error> {
    const INSERT: &str = "INSERT INTO session (sid, key, account, epoch, carrier, remembered,
        opened_at, proved_at, seen_at, generation, amr, acr, user_agent, ip)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12,
            (SELECT id FROM user_agent WHERE text = ?13), ?14)";
    name(db, device)?;
    let row = params![
        bytes(session.sid.0),
        session.key.map(|key| key.0),
        session.owner.map(|owner| bytes(owner.account.0)),
        session.owner.map(|owner| owner.epoch.0),
        CarrierNumber(session.carrier),
        session.remembered,
        whole(session.opened_at.0),
        whole(session.proved_at.0),
        whole(session.seen_at.0),
        session.generation,
        MethodBits(session.amr.clone()),
        AssuranceNumber(session.acr),
        device.user_agent,
        Address(device.ip.clone()),
    ];
    change(db, INSERT, row).map(|_| ())
}

/// Keeps the text of a device's `User-Agent`, unless it is kept already. Triggers count the sessions
/// that have it, and it goes with the last.
fn name(db: &Connection, device: &Device) -> Result<(), rusqlite::Error> {
    const NAME: &str = "INSERT INTO user_agent (text) SELECT ?1 WHERE ?1 <> ''
        ON CONFLICT DO NOTHING";
    change(db, NAME, (&device.user_agent,)).map(|_| ())
}

/// Ends the session that the browser had before, if it still has one.
fn replace(db: &Connection, new: &NewSession) -> Result<(), StoreFailed> {
    const BEFORE: &str = "SELECT sid, account FROM session WHERE key = ?1 AND sid <> ?2";
    // The answer with its new secret was lost, or is on its way still.
    const RENEWED: &str = "SELECT s.sid, s.account FROM retired_key AS r
        JOIN session AS s ON s.sid = r.sid WHERE r.key = ?1 AND s.sid <> ?2";
    let Some(key) = new.replaces else { return Ok(()) };
    let look = |sql| {
        let asked = (key.0, bytes(new.session.sid.0));
        first(db, sql, asked, |row| Ok((SessionId(row.id()?), row.maybe_id()?)))
    };
    let before = match look(BEFORE)? {
        Some(before) => Some(before),
        None => look(RENEWED)?,
    };
    let Some((sid, owner)) = before else { return Ok(()) };
    // Somebody else's data does not go over: on a shared computer it would be read by the next.
    if owner.is_none() {
        data::carry(db, (sid, new.session.sid), &new.carry)?;
    }
    end(db, sid, &new.replacing(), 0)?;
    Ok(())
}

/// Puts a session under its new key, as part of an act.
pub(super) fn rename(db: &Connection, new: &NewSecret) -> Acted<Result<(), SessionError>> {
    const RENAME: &str = "UPDATE session SET key = ?3, epoch = ?4, proved_at = ?5,
        seen_at = max(seen_at, ?6), amr = ?7, acr = ?8, generation = ?9,
        user_agent = (SELECT id FROM user_agent WHERE text = ?10), ip = ?11
        WHERE sid = ?1 AND key IS ?2 AND generation + 1 = ?9";
    let (renamed, session) = (&new.renamed, &new.renamed.session);
    if !is_admitted(db, session, Some(new.proved))? {
        return Ok(Verdict::Undo(Err(SessionError::Gone)));
    }
    let row = params![
        bytes(session.sid.0),
        renamed.retired.map(|retired| retired.key.0),
        session.key.map(|key| key.0),
        session.owner.map(|owner| owner.epoch.0),
        whole(session.proved_at.0),
        whole(session.seen_at.0),
        MethodBits(session.amr.clone()),
        AssuranceNumber(session.acr),
        session.generation,
        new.device.user_agent,
        Address(new.device.ip.clone()),
    ];
    name(db, &new.device)?;
    match change(db, RENAME, row) {
        Ok(0) => return Ok(Verdict::Undo(Err(SessionError::Gone))),
        Err(error) if is_taken(&error) => return Ok(Verdict::Undo(Err(SessionError::Taken))),
        changed => changed?,
    };
    if let Some(retired) = renamed.retired {
        retire(db, session.sid, &retired)?;
    }
    log::append_one(db, Revoked::Proof(session.sid), session.proved_at)?;
    if session.carrier == Carrier::Token {
        refresh::forget_all_of(db, session.sid)?;
    }
    if let Some(token) = &new.refresh {
        match refresh::insert(db, token, None) {
            Err(error) if is_taken(&error) => return Ok(Verdict::Undo(Err(SessionError::Taken))),
            inserted => inserted?,
        }
    }
    events::keep(db, &new.event)?;
    Ok(Verdict::Keep(Ok(())))
}

/// Remembers what a session answered to before.
fn retire(db: &Connection, sid: SessionId, retired: &Retired) -> Result<(), StoreFailed> {
    const RETIRE: &str = "INSERT OR REPLACE INTO retired_key
        (key, sid, retired_at, reads, proved_at, acr) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let row = params![
        retired.key.0,
        bytes(sid.0),
        whole(retired.at.0),
        retired.reads,
        whole(retired.proved_at.0),
        AssuranceNumber(retired.acr),
    ];
    change(db, RETIRE, row)?;
    Ok(())
}

/// Ends a session, the `n`th of an act, and says whether there was one. Its data and its refresh
/// tokens go with the row.
pub(super) fn end(
    db: &Connection,
    sid: SessionId,
    ending: &Ending,
    n: u64,
) -> Result<bool, StoreFailed> {
    const END: &str = "DELETE FROM session WHERE sid = ?1 RETURNING account, epoch";
    let Some(owner) = first(db, END, (bytes(sid.0),), owner)? else { return Ok(false) };
    log::append_ends(db, [sid].into_iter(), ending.now)?;
    events::keep(db, &ending.event_of(sid, owner, n))?;
    Ok(true)
}

/// Ends every session of an account but `except`, as part of an act, and says how many.
///
/// One statement takes them all. With one for each, SQLite goes through all that the act has changed
/// before, each time: of a hundred thousand sessions that would be minutes in which nobody writes.
pub(super) fn end_all_of(
    db: &Connection,
    account: AccountId,
    except: Option<SessionId>,
    ending: &Ending,
) -> Result<u64, StoreFailed> {
    const ALL: &str = "DELETE FROM session WHERE account = ?1 AND sid IS NOT ?2
        RETURNING sid, account, epoch";
    let asked = (bytes(account.0), except.map(|sid| bytes(sid.0)));
    let mut ended = all(db, ALL, asked, |row| Ok((SessionId(row.id()?), owner(row)?)))?;
    ended.sort_by_key(|(sid, _)| *sid);
    log::append_ends(db, ended.iter().map(|(sid, _)| *sid), ending.now)?;
    for ((sid, owner), n) in ended.iter().zip(0..) {
        events::keep(db, &ending.event_of(*sid, *owner, n))?;
    }
    Ok(ended.len() as u64)
}

/// Moves an account's epoch, as part of an act. The session `except` joins the new one, if it was of
/// the one before.
fn move_epoch(
    db: &Connection,
    account: AccountId,
    except: Option<SessionId>,
) -> Result<(), StoreFailed> {
    const JOIN: &str = "UPDATE session SET epoch = epoch + 1 WHERE sid = ?2 AND account = ?1
        AND epoch = (SELECT epoch FROM account WHERE id = ?1)";
    const MOVE: &str = "UPDATE account SET epoch = epoch + 1 WHERE id = ?1";
    if let Some(sid) = except {
        change(db, JOIN, (bytes(account.0), bytes(sid.0)))?;
    }
    change(db, MOVE, (bytes(account.0),))?;
    Ok(())
}

/// Reads the columns of [`select!`].
pub(super) fn found(row: &mut Columns<'_>) -> Result<Found, StoreFailed> {
    let session = Session {
        sid: row.id().map(SessionId)?,
        key: row.take::<Option<_>>()?.map(SecretDigest),
        owner: owner(row)?,
        carrier: row.take::<CarrierNumber>()?.0,
        remembered: row.take()?,
        opened_at: row.time()?,
        proved_at: row.time()?,
        seen_at: row.time()?,
        generation: row.take()?,
        amr: row.take::<MethodBits>()?.0,
        acr: row.take::<AssuranceNumber>()?.0,
        bound: bound(row)?,
    };
    let user_agent = row.take::<Option<String>>()?.unwrap_or_default();
    let device = Device::kept(user_agent, row.take::<Address>()?.0);
    let account = if row.is_null()? { None } else { Some(accounts::account(row)?) };
    Ok(Found { session, device, account })
}

/// Reads whose a session is.
pub(super) fn owner(row: &mut Columns<'_>) -> Result<Option<Owner>, StoreFailed> {
    let (account, epoch) = (row.maybe_id()?, row.take::<Option<u32>>()?);
    let owner = |(account, epoch)| Owner { account: AccountId(account), epoch: Epoch(epoch) };
    Ok(account.zip(epoch).map(owner))
}

fn bound(row: &mut Columns<'_>) -> Result<Option<Bound>, StoreFailed> {
    let (key, at) = (row.take::<Option<_>>()?, row.maybe_time()?);
    Ok(key.zip(at).map(|(key, at)| Bound { key: Thumbprint(key), at }))
}
