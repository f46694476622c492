//! Sessions in PostgreSQL.

use async_trait::async_trait;
use doorward_core::account::{Epoch, PasswordVersion};
use doorward_core::binding::Bound;
use doorward_core::retired::Retired;
use doorward_core::revocation::{Revocation, Revoked, revoke};
use doorward_core::session::{Carrier, Device, Lifetimes, Owner, Session, Touch};
use doorward_wire::jose::Thumbprint;
use doorward_wire::{AccountId, SecretDigest, SessionId, UnixTime};

use super::acts::{Acted, Verdict};
use super::columns::{
    Bytes, Columns, all, below, bytes, change, exists, first, params, rows, whole,
};
use super::fault::{Fault, is_taken};
use super::link::Link;
use super::words::{assurance, assurance_number, carrier, carrier_number, method_bits, methods};
use super::{PostgresStore, accounts, data, events, locks, log, refresh, sweep, touch, visits};
use crate::Sessions;
use crate::act::{Ending, Found, NewSecret, NewSession, Page, SessionError, StoreFailed, Swept};
use crate::recent::{Begun, Changed};

/// Reads sessions with their accounts, as [`found`] takes them.
macro_rules! select {
    ($where:literal) => {
        concat!(
            "SELECT s.sid, s.key, s.account, s.epoch, s.carrier, s.remembered, s.opened_at,
                s.proved_at, s.seen_at, s.generation, s.amr, s.acr, s.bound_key, s.bound_at,
                s.user_agent, s.ip,
                a.id, a.username, a.email, a.role, a.epoch, a.password_version, a.disabled,
                a.created_at
            FROM session AS s LEFT JOIN account AS a ON a.id = s.account ",
            $where
        )
    };
}

/// How often a session is read again whose answer came too late to count.
const READS_MAX: usize = 5;

#[async_trait]
impl Sessions for PostgresStore {
    async fn open_session(&self, new: NewSession) -> Result<(), SessionError> {
        self.acts.act(new, |db, new| async move { open(&db, &new).await }).await?
    }

    async fn session_by_key(&self, key: SecretDigest) -> Result<Option<Found>, StoreFailed> {
        const BY_KEY: &str = select!("WHERE s.key = $1");
        let read = || {
            self.readers
                .read(|db| async move { first(&db, BY_KEY, params![Bytes(key.0)], found).await })
        };
        let Some(recent) = &self.recent else { return read().await };
        if let Some(found) = recent.find(key) {
            return Ok(Some(found));
        }
        for _ in 0..READS_MAX {
            let begun = Begun::now();
            let Some(found) = read().await? else { return Ok(None) };
            // An answer that took too long, or was crossed by a change, is as old as one remembered.
            if recent.counts(&found, begun) {
                recent.keep(key, &found, begun);
                return Ok(Some(found));
            }
        }
        Err(Fault::TooLate.into())
    }

    async fn session_by_retired_key(
        &self,
        key: SecretDigest,
    ) -> Result<Option<(Found, Retired)>, StoreFailed> {
        const RETIRED: &str = "SELECT sid, retired_at, reads, proved_at, acr FROM retired_key
            WHERE key = $1";
        self.readers
            .read(|db| async move {
                let read = |row: &mut Columns<'_>| {
                    let (sid, at, reads) = (SessionId(row.id()?), row.time()?, row.take()?);
                    let (proved_at, acr) = (row.time()?, row.read(assurance)?);
                    Ok((sid, Retired { key, at, reads, proved_at, acr }))
                };
                let kept = first(&db, RETIRED, params![Bytes(key.0)], read).await?;
                let Some((sid, retired)) = kept else { return Ok(None) };
                Ok(find(&db, sid).await?.map(|found| (found, retired)))
            })
            .await
    }

    async fn session(&self, sid: SessionId) -> Result<Option<Found>, StoreFailed> {
        self.readers.read(|db| async move { find(&db, sid).await }).await
    }

    async fn sessions_of(
        &self,
        account: AccountId,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Page<Found>, StoreFailed> {
        const PAGE: &str =
            select!("WHERE s.account = $1 AND s.sid < $2 ORDER BY s.sid DESC LIMIT $3");
        let below = below(after.map(|sid| sid.0));
        let one_more = rows(limit).saturating_add(1);
        let items = self.readers.read(|db| async move {
            all(&db, PAGE, params![bytes(account.0), below, one_more], found).await
        });
        Ok(Page::cut(items.await?, limit))
    }

    async fn touch(&self, mut touches: Vec<(SessionId, Touch)>) -> Result<(), StoreFailed> {
        // By rising id, in the order of locks; those of one session stay as they came.
        touches.sort_by_key(|(sid, _)| *sid);
        self.acts
            .act(touches, |db, touches| async move {
                touch::all(&db, &touches).await?;
                Ok(Verdict::Keep(()))
            })
            .await
    }

    async fn rename(&self, new: NewSecret) -> Result<(), SessionError> {
        self.acts.act(new, |db, new| async move { rename(&db, &new).await }).await?
    }

    async fn end_session(&self, sid: SessionId, ending: Ending) -> Result<bool, StoreFailed> {
        let ended = self.acts.act(ending, move |db, ending| async move {
            Ok(Verdict::Keep(end(&db, sid, &ending, 0).await?))
        });
        ended.await
    }

    async fn end_sessions_of(
        &self,
        account: AccountId,
        except: Option<SessionId>,
        ending: Ending,
    ) -> Result<u64, StoreFailed> {
        self.acts
            .long_act(ending, move |db, ending| async move {
                locks::account(&db, account).await?;
                locks::sessions_of(&db, account).await?;
                move_epoch(&db, account, except).await?;
                let ended = end_all_before_log(&db, account, except, &ending).await?;
                log::append(&db, &ended).await?;
                Ok(Verdict::Keep(ended.len() as u64))
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
pub(super) async fn find(db: &Link, sid: SessionId) -> Result<Option<Found>, StoreFailed> {
    first(db, select!("WHERE s.sid = $1"), params![bytes(sid.0)], found).await
}

/// Keeps a new session, as part of an act.
pub(super) async fn open(db: &Link, new: &NewSession) -> Acted<Result<(), SessionError>> {
    let session = &new.session;
    if !is_admitted(db, session, new.proved).await? {
        return Ok(Verdict::Undo(Err(SessionError::Gone)));
    }
    if !insert(db, session, &new.device).await? {
        return Ok(Verdict::Undo(Err(SessionError::Taken)));
    }
    if let Some(token) = &new.refresh
        && !refresh::insert(db, token, None).await?
    {
        return Ok(Verdict::Undo(Err(SessionError::Taken)));
    }
    events::keep(db, &new.event).await?;
    visits::arrive(db, new).await?;
    replace(db, new).await?;
    Ok(Verdict::Keep(Ok(())))
}

/// Whether the owner's account lets this session in, now, inside the act: the password was checked
/// before it. From here on whoever changes the account waits.
async fn is_admitted(
    db: &Link,
    session: &Session,
    proved: Option<PasswordVersion>,
) -> Result<bool, StoreFailed> {
    const ADMITTED: &str = "SELECT 1 FROM account
        WHERE id = $1 AND epoch = $2 AND password_version = $3 AND NOT disabled
        FOR NO KEY UPDATE";
    let Some(owner) = session.owner else { return Ok(true) };
    let Some(proved) = proved else { return Ok(false) };
    let asked = params![bytes(owner.account.0), i64::from(owner.epoch.0), i64::from(proved.0)];
    exists(db, ADMITTED, asked).await
}

/// Inserts a session, and says whether its names were free.
async fn insert(db: &Link, session: &Session, device: &Device) -> Result<bool, StoreFailed> {
    const INSERT: &str = "INSERT INTO session (sid, key, account, epoch, carrier, remembered,
        opened_at, proved_at, seen_at, generation, amr, acr, user_agent, ip)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        ON CONFLICT DO NOTHING";
    let row = params![
        bytes(session.sid.0),
        session.key.map(|key| Bytes(key.0)),
        session.owner.map(|owner| bytes(owner.account.0)),
        session.owner.map(|owner| i64::from(owner.epoch.0)),
        carrier_number(session.carrier),
        session.remembered,
        whole(session.opened_at.0),
        whole(session.proved_at.0),
        whole(session.seen_at.0),
        i64::from(session.generation),
        method_bits(&session.amr),
        assurance_number(session.acr),
        device.user_agent,
        device.ip,
    ];
    Ok(change(db, INSERT, row).await? == 1)
}

/// Ends the session that the browser had before, if it still has one.
async fn replace(db: &Link, new: &NewSession) -> Result<(), StoreFailed> {
    const BEFORE: &str = "SELECT sid, account FROM session WHERE key = $1 AND sid <> $2 FOR UPDATE";
    // The answer with its new secret was lost, or is on its way still.
    const RENEWED: &str = "SELECT s.sid, s.account FROM retired_key AS r
        JOIN session AS s ON s.sid = r.sid WHERE r.key = $1 AND s.sid <> $2 FOR UPDATE OF s";
    let Some(key) = new.replaces else { return Ok(()) };
    let asked = params![Bytes(key.0), bytes(new.session.sid.0)];
    let read = |row: &mut Columns<'_>| Ok((SessionId(row.id()?), row.maybe_id()?));
    let before = match first(db, BEFORE, asked, read).await? {
        Some(before) => Some(before),
        None => first(db, RENEWED, asked, read).await?,
    };
    let Some((sid, owner)) = before else { return Ok(()) };
    // Somebody else's data does not go over: on a shared computer it would be read by the next.
    if owner.is_none() {
        data::carry(db, (sid, new.session.sid), &new.carry).await?;
    }
    end(db, sid, &new.replacing(), 0).await?;
    Ok(())
}

/// Puts a session under its new key.
async fn rename(db: &Link, new: &NewSecret) -> Acted<Result<(), SessionError>> {
    let renamed = rename_before_log(db, new).await?;
    if let Verdict::Keep(Ok(())) = renamed {
        log::append(db, &[new_proof(new)]).await?;
    }
    Ok(renamed)
}

/// What the log says of a session that is put under its new key.
pub(super) fn new_proof(new: &NewSecret) -> Revocation {
    let session = &new.renamed.session;
    revoke(Revoked::Proof(session.sid), session.proved_at)
}

/// Puts a session under its new key, as part of an act that says so in the log at its end.
pub(super) async fn rename_before_log(
    db: &Link,
    new: &NewSecret,
) -> Acted<Result<(), SessionError>> {
    let (renamed, session) = (&new.renamed, &new.renamed.session);
    if !is_admitted(db, session, Some(new.proved)).await? {
        return Ok(Verdict::Undo(Err(SessionError::Gone)));
    }
    if let Err(refused) = put_under(db, new).await? {
        return Ok(Verdict::Undo(Err(refused)));
    }
    if let Some(retired) = renamed.retired {
        retire(db, session.sid, &retired).await?;
    }
    if session.carrier == Carrier::Token {
        refresh::forget_all_of(db, session.sid).await?;
    }
    if let Some(token) = &new.refresh
        && !refresh::insert(db, token, None).await?
    {
        return Ok(Verdict::Undo(Err(SessionError::Taken)));
    }
    events::keep(db, &new.event).await?;
    Ok(Verdict::Keep(Ok(())))
}

async fn put_under(db: &Link, new: &NewSecret) -> Result<Result<(), SessionError>, StoreFailed> {
    const RENAME: &str = "UPDATE session SET key = $3, epoch = $4, proved_at = $5,
        seen_at = greatest(seen_at, $6), amr = $7, acr = $8, generation = $9,
        user_agent = $10, ip = $11
        WHERE sid = $1 AND key IS NOT DISTINCT FROM $2 AND generation + 1 = $9";
    let session = &new.renamed.session;
    let row = params![
        bytes(session.sid.0),
        new.renamed.retired.map(|retired| Bytes(retired.key.0)),
        session.key.map(|key| Bytes(key.0)),
        session.owner.map(|owner| i64::from(owner.epoch.0)),
        whole(session.proved_at.0),
        whole(session.seen_at.0),
        method_bits(&session.amr),
        assurance_number(session.acr),
        i64::from(session.generation),
        new.device.user_agent,
        new.device.ip,
    ];
    db.changes_sessions([session.sid]);
    match change(db, RENAME, row).await {
        Ok(0) => Ok(Err(SessionError::Gone)),
        Ok(_) => Ok(Ok(())),
        Err(error) if is_taken(&error) => Ok(Err(SessionError::Taken)),
        Err(error) => Err(error.into()),
    }
}

/// Remembers what a session answered to before.
async fn retire(db: &Link, sid: SessionId, retired: &Retired) -> Result<(), StoreFailed> {
    const RETIRE: &str = "INSERT INTO retired_key (key, sid, retired_at, reads, proved_at, acr)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (key) DO UPDATE SET sid = excluded.sid, retired_at = excluded.retired_at,
            reads = excluded.reads, proved_at = excluded.proved_at, acr = excluded.acr";
    let row = params![
        Bytes(retired.key.0),
        bytes(sid.0),
        whole(retired.at.0),
        retired.reads,
        whole(retired.proved_at.0),
        assurance_number(retired.acr),
    ];
    change(db, RETIRE, row).await?;
    Ok(())
}

/// Ends a session, the `n`th of an act, and says whether there was one. Its data and its refresh
/// tokens go with the row.
pub(super) async fn end(
    db: &Link,
    sid: SessionId,
    ending: &Ending,
    n: u64,
) -> Result<bool, StoreFailed> {
    const END: &str = "DELETE FROM session WHERE sid = $1 RETURNING account, epoch";
    db.changes_sessions([sid]);
    let ended = first(db, END, params![bytes(sid.0)], owner).await?;
    let Some(owner) = ended else { return Ok(false) };
    events::keep(db, &ending.event_of(sid, owner, n)).await?;
    log::append_ends(db, &[sid], ending.now).await?;
    Ok(true)
}

/// Ends every session of an account but `except`, as part of an act that holds them and says so in the
/// log at its end: in these words.
pub(super) async fn end_all_before_log(
    db: &Link,
    account: AccountId,
    except: Option<SessionId>,
    ending: &Ending,
) -> Result<Vec<Revocation>, StoreFailed> {
    const ALL: &str = "DELETE FROM session WHERE account = $1 AND sid IS DISTINCT FROM $2
        RETURNING sid, account, epoch";
    let asked = params![bytes(account.0), except.map(|sid| bytes(sid.0))];
    let read = |row: &mut Columns<'_>| Ok((SessionId(row.id()?), owner(row)?));
    let mut ended = all(db, ALL, asked, read).await?;
    ended.sort_by_key(|(sid, _)| *sid);
    db.changes_sessions(ended.iter().map(|(sid, _)| *sid));
    let told = ended.iter().zip(0..).map(|((sid, owner), n)| ending.event_of(*sid, *owner, n));
    events::keep_all(db, &told.collect::<Vec<_>>()).await?;
    Ok(ended.iter().map(|(sid, _)| revoke(Revoked::Session(*sid), ending.now)).collect())
}

/// Moves an account's epoch, as part of an act. The session `except` joins the new one, if it was of
/// the one before.
async fn move_epoch(
    db: &Link,
    account: AccountId,
    except: Option<SessionId>,
) -> Result<(), StoreFailed> {
    const JOIN: &str = "UPDATE session SET epoch = epoch + 1 WHERE sid = $2 AND account = $1
        AND epoch = (SELECT epoch FROM account WHERE id = $1)";
    const MOVE: &str = "UPDATE account SET epoch = epoch + 1 WHERE id = $1";
    db.changes([Changed::Account(account)]);
    if let Some(sid) = except {
        change(db, JOIN, params![bytes(account.0), bytes(sid.0)]).await?;
    }
    change(db, MOVE, params![bytes(account.0)]).await?;
    Ok(())
}

/// Reads the columns of [`select!`].
pub(super) fn found(row: &mut Columns<'_>) -> Result<Found, StoreFailed> {
    let session = Session {
        sid: row.id().map(SessionId)?,
        key: row.maybe_array()?.map(SecretDigest),
        owner: owner(row)?,
        carrier: row.read(carrier)?,
        remembered: row.take()?,
        opened_at: row.time()?,
        proved_at: row.time()?,
        seen_at: row.time()?,
        generation: row.number()?,
        amr: row.read(methods)?,
        acr: row.read(assurance)?,
        bound: bound(row)?,
    };
    let device = Device::kept(row.take()?, row.take()?);
    let account = if row.is_null() { None } else { Some(accounts::account(row)?) };
    Ok(Found { session, device, account })
}

fn owner(row: &mut Columns<'_>) -> Result<Option<Owner>, StoreFailed> {
    let account = row.maybe_id()?.map(AccountId);
    let epoch = row.maybe(|epoch: i64| u32::try_from(epoch).ok().map(Epoch))?;
    Ok(account.zip(epoch).map(|(account, epoch)| Owner { account, epoch }))
}

fn bound(row: &mut Columns<'_>) -> Result<Option<Bound>, StoreFailed> {
    let (key, at) = (row.maybe_array()?, row.maybe_time()?);
    Ok(key.zip(at).map(|(key, at)| Bound { key: Thumbprint(key), at }))
}
