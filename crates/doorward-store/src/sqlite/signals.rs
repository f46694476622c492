//! Shared signals in SQLite. Those of revocations are written by a trigger, in the act that revokes.

use async_trait::async_trait;
use doorward_core::signal::{Signal, Stream, Told, VERIFICATIONS_MAX};
use doorward_wire::{AccountId, ClientId, SessionId, StreamId, UnixTime};
use rusqlite::params;

use super::SqliteStore;
use super::columns::{Columns, all, bytes, change, first, only, rows, whole};
use super::fault::Fault;
use super::writer::Verdict;
use crate::Signals;
use crate::act::StoreFailed;

/// Reads streams, as [`stream`] takes them.
macro_rules! select {
    ($where:literal) => {
        concat!("SELECT id, client, endpoint, enabled, created_at FROM signal_stream ", $where)
    };
}

#[async_trait]
impl Signals for SqliteStore {
    async fn add_stream(&self, stream: Stream, most: u64) -> Result<bool, StoreFailed> {
        const COUNT: &str = "SELECT count(*) FROM signal_stream";
        const ADD: &str = "INSERT INTO signal_stream (id, client, endpoint, enabled, created_at)
            VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
        self.writer
            .act(move |db| {
                let row = params![
                    bytes(stream.id.0),
                    bytes(stream.client.0),
                    stream.endpoint,
                    stream.enabled,
                    whole(stream.created_at.0),
                ];
                let has_room = only::<i64>(db, COUNT, ())? < whole(most);
                Ok(Verdict::Keep(has_room && change(db, ADD, row)? == 1))
            })
            .await
    }

    async fn stream_of(&self, client: ClientId) -> Result<Option<Stream>, StoreFailed> {
        self.readers.read(|db| first(db, select!("WHERE client = ?1"), (bytes(client.0),), stream))
    }

    async fn push_streams(&self) -> Result<Vec<Stream>, StoreFailed> {
        const PUSHED: &str = select!("WHERE enabled AND endpoint IS NOT NULL ORDER BY id");
        self.readers.read(|db| all(db, PUSHED, (), stream))
    }

    async fn change_stream(&self, changed: Stream) -> Result<bool, StoreFailed> {
        const CHANGE: &str = "UPDATE signal_stream SET endpoint = ?2, enabled = ?3 WHERE id = ?1";
        self.writer
            .act(move |db| {
                let row = params![bytes(changed.id.0), changed.endpoint, changed.enabled];
                Ok(Verdict::Keep(change(db, CHANGE, row)? == 1))
            })
            .await
    }

    async fn delete_stream(&self, client: ClientId) -> Result<bool, StoreFailed> {
        const DELETE: &str = "DELETE FROM signal_stream WHERE client = ?1";
        self.writer
            .act(move |db| Ok(Verdict::Keep(change(db, DELETE, (bytes(client.0),))? == 1)))
            .await
    }

    async fn verify_stream(
        &self,
        stream: StreamId,
        state: Option<String>,
        at: UnixTime,
    ) -> Result<bool, StoreFailed> {
        const WAITING: &str =
            "SELECT count(*) FROM signal WHERE stream = ?1 AND kind = 'verification'";
        const ADD: &str = "INSERT INTO signal (stream, kind, subject, state, at)
            VALUES (?1, 'verification', zeroblob(16), ?2, ?3)";
        self.writer
            .act(move |db| {
                let id = bytes(stream.0);
                if only::<i64>(db, WAITING, (id,))? >= whole(VERIFICATIONS_MAX) {
                    return Ok(Verdict::Undo(false));
                }
                change(db, ADD, (id, state, whole(at.0)))?;
                Ok(Verdict::Keep(true))
            })
            .await
    }

    async fn signals(&self, stream: StreamId, limit: usize) -> Result<Vec<Signal>, StoreFailed> {
        const WAITING: &str = "SELECT number, kind, subject, state, at FROM signal
            WHERE stream = ?1 ORDER BY number LIMIT ?2";
        self.readers.read(|db| all(db, WAITING, (bytes(stream.0), rows(limit)), signal))
    }

    async fn acknowledge(&self, stream: StreamId, numbers: &[u64]) -> Result<(), StoreFailed> {
        const FORGET: &str = "DELETE FROM signal WHERE stream = ?1 AND number = ?2";
        let numbers = numbers.to_vec();
        self.writer
            .act(move |db| {
                for number in numbers {
                    change(db, FORGET, (bytes(stream.0), whole(number)))?;
                }
                Ok(Verdict::Keep(()))
            })
            .await
    }

    async fn sweep_signals(&self, before: UnixTime, limit: usize) -> Result<u64, StoreFailed> {
        const SWEEP: &str = "DELETE FROM signal WHERE at < ?1 AND number IN
            (SELECT number FROM signal ORDER BY number LIMIT ?2)";
        self.writer
            .act(move |db| {
                let forgotten = change(db, SWEEP, (whole(before.0), rows(limit)))?;
                Ok(Verdict::Keep(forgotten as u64))
            })
            .await
    }
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
    let (kind, subject): (String, u128) = (row.take()?, row.id()?);
    let state = row.take()?;
    let what = match &*kind {
        "session" => Told::Session(SessionId(subject)),
        "account" => Told::Account(AccountId(subject)),
        "verification" => Told::Verification(state),
        _ => return Err(Fault::Unreadable("kind".to_owned()).into()),
    };
    Ok(Signal { number, what, at: row.time()? })
}
