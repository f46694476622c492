//! A connection, set up the way that every act and every read counts on.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use doorward_wire::SessionId;
use parking_lot::Mutex;
use tokio::time::timeout;
use tokio_postgres::{Client, Row, Statement};

use super::DEADLINE;
use super::address::Address;
use super::columns::Params;
use super::fault::{Fault, sentence};
use crate::recent::Changed;

/// What the server gives a statement of ours, in milliseconds: a little less than we give the server,
/// so that it is the server that takes the statement back, and says so.
const STATEMENT_TIMEOUT: &str = "4000";

/// What it gives a statement of ours that waits for a row, in milliseconds.
const LOCK_TIMEOUT: &str = "4000";

/// What it gives an act of ours that does not go on, in milliseconds.
const IDLE_TIMEOUT: &str = "5000";

/// One round for all: what the server's owner set elsewhere is theirs, and these are ours.
const SET_UP: &str = "SELECT set_config('statement_timeout', $1, false),
    set_config('lock_timeout', $2, false),
    set_config('idle_in_transaction_session_timeout', $3, false),
    set_config('synchronous_commit', CASE current_setting('synchronous_commit')
        WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false),
    set_config('standard_conforming_strings', 'on', false)";

/// A connection, and the statements that were prepared on it.
pub(super) struct Link {
    client: Client,
    statements: Mutex<HashMap<&'static str, Statement>>,
    has_failed: AtomicBool,
    has_appended: AtomicBool,
    changed: Mutex<Vec<Changed>>,
}

impl Link {
    /// Connects.
    pub(super) async fn open(address: &Address) -> Result<Self, Fault> {
        let client = connect(address).await?;
        let link = Self {
            client,
            statements: Mutex::default(),
            has_failed: AtomicBool::new(false),
            has_appended: AtomicBool::new(false),
            changed: Mutex::default(),
        };
        let limits: Params<'_> = &[&STATEMENT_TIMEOUT, &LOCK_TIMEOUT, &IDLE_TIMEOUT];
        match timeout(DEADLINE, link.client.query(SET_UP, limits)).await {
            Ok(done) => done.map(|_| link).map_err(Fault::Database),
            Err(_late) => Err(Fault::TooLate),
        }
    }

    /// Whether nothing can be asked here any more.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Asks for rows.
    pub(super) async fn query(
        &self,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        let statement = self.statement(sql).await?;
        let found = self.client.query(&statement, params).await;
        self.watch(found)
    }

    /// Changes rows, and says how many.
    pub(super) async fn change(
        &self,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<u64, tokio_postgres::Error> {
        let statement = self.statement(sql).await?;
        let changed = self.client.execute(&statement, params).await;
        self.watch(changed)
    }

    /// Does what takes no values.
    pub(super) async fn perform(&self, sql: &str) -> Result<(), tokio_postgres::Error> {
        let performed = self.client.batch_execute(sql).await;
        self.watch(performed)
    }

    /// Begins an act: from here on it has not failed, has appended nothing and changed nothing.
    pub(super) async fn begin(&self) -> Result<(), tokio_postgres::Error> {
        self.has_failed.store(false, Ordering::Relaxed);
        self.has_appended.store(false, Ordering::Relaxed);
        self.changed.lock().clear();
        self.perform("BEGIN ISOLATION LEVEL READ COMMITTED").await
    }

    /// Commits an act. The server answers a commit after a failed statement by rolling back, and calls
    /// that a success: so it is not asked.
    pub(super) async fn commit(&self) -> Result<(), Fault> {
        if self.has_failed.load(Ordering::Relaxed) {
            return Err(Fault::NotWhole);
        }
        Ok(self.perform("COMMIT").await?)
    }

    /// Notes that the act appends to the revocation log.
    pub(super) fn appends(&self) {
        self.has_appended.store(true, Ordering::Relaxed);
    }

    /// Whether the act has appended to the revocation log.
    pub(super) fn has_appended(&self) -> bool {
        self.has_appended.load(Ordering::Relaxed)
    }

    /// Notes what the act changes of that which is remembered of sessions.
    pub(super) fn changes(&self, all: impl IntoIterator<Item = Changed>) {
        self.changed.lock().extend(all);
    }

    /// Notes that the act changes these sessions.
    pub(super) fn changes_sessions(&self, sids: impl IntoIterator<Item = SessionId>) {
        self.changes(sids.into_iter().map(Changed::Session));
    }

    /// What the act changes, as far as it has come.
    pub(super) fn changed(&self) -> Vec<Changed> {
        self.changed.lock().clone()
    }

    async fn statement(&self, sql: &'static str) -> Result<Statement, tokio_postgres::Error> {
        let kept = self.statements.lock().get(sql).cloned();
        if let Some(statement) = kept {
            return Ok(statement);
        }
        let prepared = self.client.prepare(sql).await;
        let statement = self.watch(prepared)?;
        self.statements.lock().insert(sql, statement.clone());
        Ok(statement)
    }

    fn watch<T>(
        &self,
        outcome: Result<T, tokio_postgres::Error>,
    ) -> Result<T, tokio_postgres::Error> {
        if outcome.is_err() {
            self.has_failed.store(true, Ordering::Relaxed);
        }
        outcome
    }
}

/// Connects, and has a task of its own carry what goes over the connection.
pub(super) async fn connect(address: &Address) -> Result<Client, Fault> {
    let connecting = address.config().connect(address.tls());
    let connected = match timeout(DEADLINE, connecting).await {
        Ok(connected) => connected.map_err(|error| address.explain(&sentence(&error)))?,
        Err(_late) => return Err(Fault::TooLate),
    };
    let (client, connection) = connected;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::warn!(cause = sentence(&error), "a connection to the database was lost");
        }
    });
    Ok(client)
}
