//! Shared signals in PostgreSQL. Those of revocations are written by a trigger, in the act that revokes.

use async_trait::async_trait;
use doorward_core::signal::{Signal, Stream, Told, VERIFICATIONS_MAX};
use doorward_wire::{AccountId, ClientId, SessionId, StreamId, UnixTime};

use super::PostgresStore;
use super::acts::{Acted, Verdict};
use super::columns::{
    Columns, a_count, all, bytes, change, exists, first, only, params, rows, whole,
};
use super::fault::Fault;
use super::link::Link;
use crate::Signals;
use crate::act::StoreFailed;

/// Reads streams, as [`stream`] takes them.
macro_rules! select {
    ($where:literal) => {
        concat!("SELECT id, client, endpoint, enabled, created_at FROM signal_stream ", $where)
    };
}

#[async_trait]
impl Signals for PostgresStore {
    async fn add_stream(&self, stream: Stream, most: u64) -> Result<bool, StoreFailed> {
        self.acts.act(stream, move |db, stream| async move { add(&db, &stream, most).await }).await
    }

    async fn stream_of(&self, client: ClientId) -> Result<Option<Stream>, StoreFailed> {
        const OF: &str = select!("WHERE client = $1");
        self.readers
            .read(|db| async move { first(&db, OF, params![bytes(client.0)], stream).await })
            .await
    }

    async fn push_streams(&self) -> Result<Vec<Stream>, StoreFailed> {
        const PUSHED: &str = select!("WHERE enabled AND endpoint IS NOT NULL ORDER BY id");
        self.readers.read(|db| async move { all(&db, PUSHED, &[], stream).await }).await
    }

    async fn change_stream(&self, changed: Stream) -> Result<bool, StoreFailed> {
        const CHANGE: &str = "UPDATE signal_stream SET endpoint = $2, enabled = $3 WHERE id = $1";
        self.acts
            .act(changed, |db, changed| async move {
                let row = params![bytes(changed.id.0), changed.endpoint, changed.enabled];
                Ok(Verdict::Keep(change(&db, CHANGE, row).await? == 1))
            })
            .await
    }

    async fn delete_stream(&self, client: ClientId) -> Result<bool, StoreFailed> {
        const DELETE: &str = "DELETE FROM signal_stream WHERE client = $1";
        self.acts
            .act((), move |db, _| async move {
                Ok(Verdict::Keep(change(&db, DELETE, params![bytes(client.0)]).await? == 1))
            })
            .await
    }

    async fn verify_stream(
        &self,
        stream: StreamId,
        state: Option<String>,
        at: UnixTime,
    ) -> Result<bool, StoreFailed> {
        self.acts
            .act(
                state,
                move |db, state| async move { verify(&db, stream, state.as_deref(), at).await },
            )
            .await
    }

    async fn signals(&self, stream: StreamId, limit: usize) -> Result<Vec<Signal>, StoreFailed> {
        const WAITING: &str = "SELECT number, kind, subject, state, at FROM signal
            WHERE stream = $1 ORDER BY number LIMIT $2";
        let asked = (bytes(stream.0), rows(limit));
        self.readers
            .read(|db| async move { all(&db, WAITING, params![asked.0, asked.1], signal).await })
            .await
    }

    async fn acknowledge(&self, stream: StreamId, numbers: &[u64]) -> Result<(), StoreFailed> {
        const FORGET: &str = "DELETE FROM signal WHERE stream = $1 AND number = ANY ($2)";
        let numbers: Vec<i64> = numbers.iter().map(|number| whole(*number)).collect();
        self.acts
            .act(numbers, move |db, numbers| async move {
                change(&db, FORGET, params![bytes(stream.0), *numbers]).await?;
                Ok(Verdict::Keep(()))
            })
            .await
    }

    async fn sweep_signals(&self, before: UnixTime, limit: usize) -> Result<u64, StoreFailed> {
        const SWEEP: &str = "WITH oldest AS MATERIALIZED
            (SELECT number FROM signal ORDER BY number LIMIT $2 FOR UPDATE SKIP LOCKED)
            DELETE FROM signal USING oldest
            WHERE signal.number = oldest.number AND signal.at < $1";
        self.acts
            .act((), move |db, _| async move {
                let forgotten = change(&db, SWEEP, params![whole(before.0), rows(limit)]).await?;
                Ok(Verdict::Keep(forgotten))
            })
            .await
    }
}

/// Adds a stream. They are few and come seldom: whoever adds one has the others wait, so that their
/// number is known.
async fn add(db: &Link, stream: &Stream, most: u64) -> Acted<bool> {
    const COUNT: &str = "SELECT count(*) FROM signal_stream";
    const ADD: &str = "INSERT INTO signal_stream (id, client, endpoint, enabled, created_at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    db.perform("LOCK TABLE signal_stream IN SHARE ROW EXCLUSIVE MODE").await?;
    if only(db, COUNT, &[], a_count).await? >= most {
        return Ok(Verdict::Undo(false));
    }
    let row = params![
        bytes(stream.id.0),
        bytes(stream.client.0),
        stream.endpoint,
        stream.enabled,
        whole(stream.created_at.0),
    ];
    Ok(Verdict::Keep(change(db, ADD, row).await? == 1))
}

/// Has a stream say that it works, under its lock: so nobody asks for more meanwhile. One that is gone
/// has no room.
async fn verify(db: &Link, stream: StreamId, state: Option<&str>, at: UnixTime) -> Acted<bool> {
    const LOCK: &str = "SELECT 1 FROM signal_stream WHERE id = $1 FOR NO KEY UPDATE";
    const WAITING: &str = "SELECT count(*) FROM signal WHERE stream = $1 AND kind = 'verification'";
    const ADD: &str = "INSERT INTO signal (stream, kind, subject, state, at)
        VALUES ($1, 'verification', $2, $3, $4)";
    let id = bytes(stream.0);
    if !exists(db, LOCK, params![id]).await? {
        return Ok(Verdict::Undo(false));
    }
    if only(db, WAITING, params![id], a_count).await? >= VERIFICATIONS_MAX {
        return Ok(Verdict::Undo(false));
    }
    change(db, ADD, params![id, bytes(0), state.map(str::as_bytes), whole(at.0)]).await?;
    Ok(Verdict::Keep(true))
}

fn stream(row: &mut Columns<'_>) -> Result<Stream, StoreFailed> {
    Ok(Stream {
        id: row.id().map(StreamId)?,
        client: row.id().map(ClientId)?,
        endpoint: row.take()?,
        enabled: row.take()?,
        created_at: row.time()?,
    })
}

fn signal(row: &mut Columns<'_>) -> Result<Signal, StoreFailed> {
    let number = row.count()?;
    let (kind, subject): (&str, u128) = (row.take()?, row.id()?);
    let state = row.maybe(|state: Vec<u8>| String::from_utf8(state).ok())?;
    let what = match kind {
        "session" => Told::Session(SessionId(subject)),
        "account" => Told::Account(AccountId(subject)),
        "verification" => Told::Verification(state),
        _ => return Err(Fault::Unreadable("kind".to_owned()).into()),
    };
    Ok(Signal { number, what, at: row.time()? })
}
