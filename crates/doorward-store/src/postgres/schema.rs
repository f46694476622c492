//! The shape of the database, and the way to it from any older shape.
//!
//! Nodes of two versions can work on one database, while one after the other is replaced: a step says
//! which programs can still work after it, and the database remembers. So a column that goes is first no
//! longer used, by one version, and dropped by a later one.

use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::Client;

use super::address::Address;
use super::fault::Fault;
use super::link::connect;

/// A step, and what the programs must know that work on the database after it.
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) sql: &'static str,
    /// The number of steps that a program must know, at least.
    pub(super) oldest: usize,
}

/// Every step there ever was, in order. A step that was released is never edited.
pub(super) const STEPS: [Step; 1] =
    [Step { name: "0001_first", sql: include_str!("migrations/0001_first.sql"), oldest: 1 }];

/// How long all the missing steps may take together, and how long to wait for another node that does
/// them.
const PATIENCE: Duration = Duration::from_mins(10);

/// What PostgreSQL 13 calls itself.
const VERSION_MIN: i32 = 130_000;

/// The name of the lock that whoever changes the shape holds: `door`.
const LOCK: &str = "SELECT pg_advisory_xact_lock(1685024626)";

/// Brings the database up to date, whole or not at all. Of two nodes that start at once the second waits,
/// and finds it done.
pub(super) async fn migrate(address: &Address) -> Result<(), Fault> {
    bring_up(address, "COMMIT").await.map(drop)
}

/// Does the missing steps, takes them back, and says which they were.
pub(super) async fn rehearse(address: &Address) -> Result<Vec<&'static str>, Fault> {
    bring_up(address, "ROLLBACK").await
}

async fn bring_up(address: &Address, end: &str) -> Result<Vec<&'static str>, Fault> {
    let client = connect(address).await?;
    let working = async {
        look_at_server(&client).await?;
        client
            .batch_execute(
                "SET statement_timeout = 0; SET lock_timeout = 0; SET synchronous_commit = on;
                BEGIN ISOLATION LEVEL READ COMMITTED",
            )
            .await?;
        client.batch_execute(LOCK).await?;
        let done = do_missing(&client, &STEPS).await?;
        client.batch_execute(end).await?;
        Ok(done)
    };
    timeout(PATIENCE, working).await.map_err(|_late| Fault::TooLate)?
}

/// Refuses a server on which we cannot keep our promises, and warns of one that does not keep its own.
async fn look_at_server(client: &Client) -> Result<(), Fault> {
    const LOOK: &str = "SELECT current_setting('server_version_num')::int,
        current_setting('server_version'), current_setting('server_encoding'), pg_is_in_recovery(),
        current_setting('fsync') = 'on', current_setting('full_page_writes') = 'on',
        current_schema() IS NOT NULL";
    let row = client.query_one(LOOK, &[]).await?;
    let encoding: String = row.try_get(2)?;
    if row.try_get::<_, i32>(0)? < VERSION_MIN {
        return Err(Fault::TooOld(row.try_get(1)?));
    }
    if encoding != "UTF8" {
        return Err(Fault::Encoding(encoding));
    }
    if row.try_get(3)? {
        return Err(Fault::Standby);
    }
    for (column, setting) in [(4, "fsync"), (5, "full_page_writes")] {
        if !row.try_get::<_, bool>(column)? {
            tracing::warn!(
                setting,
                "the database server has this off: a crash of its machine can lose or tear what was \
                 acknowledged, and ended sessions can come back; set it to on"
            );
        }
    }
    if row.try_get(6)? { Ok(()) } else { Err(Fault::NoSchema) }
}

/// Does the steps that are missing, inside a transaction, and says which they were.
pub(super) async fn do_missing(
    client: &Client,
    steps: &'static [Step],
) -> Result<Vec<&'static str>, Fault> {
    const MAKE: &str = "CREATE TABLE doorward_schema (
        only_row BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (only_row),
        -- How many steps were done.
        version BIGINT NOT NULL,
        -- How many a program must know to work here.
        oldest BIGINT NOT NULL)";
    const NOTE: &str = "INSERT INTO doorward_schema (version, oldest) VALUES ($1, $2)
        ON CONFLICT (only_row) DO UPDATE SET version = excluded.version, oldest = excluded.oldest";
    let is_there = version(client).await?;
    if is_there.is_none() {
        client.batch_execute(MAKE).await?;
    }
    let (found, oldest) = is_there.unwrap_or((0, 0));
    let known = steps.len();
    let Some(missing) = steps.get(found..) else {
        if oldest <= known {
            tracing::info!(found, known, "the database is newer than this program, and admits it");
            return Ok(Vec::new());
        }
        return Err(Fault::FromTheFuture { found, known });
    };
    for step in missing {
        client.batch_execute(step.sql).await?;
    }
    if !missing.is_empty() {
        let oldest = missing.iter().map(|step| step.oldest).fold(oldest, usize::max);
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        client.execute(NOTE, &[&number(known), &number(oldest)]).await?;
    }
    Ok(missing.iter().map(|step| step.name).collect())
}

/// How many steps were done here, and how many a program must know. Nothing where nothing is yet.
async fn version(client: &Client) -> Result<Option<(usize, usize)>, Fault> {
    // What an extension brings is nobody's program.
    const TABLES: &str = "SELECT current_schema()::text,
            coalesce(bool_or(c.relname = 'doorward_schema'), FALSE), count(c.oid) > 0
        FROM (SELECT oid, relname FROM pg_class AS c
            WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
                AND NOT EXISTS (SELECT 1 FROM pg_depend AS d WHERE d.objid = c.oid
                    AND d.classid = 'pg_class'::regclass AND d.deptype = 'e')) AS c";
    const VERSION: &str = "SELECT version, oldest FROM doorward_schema";
    let tables = client.query_one(TABLES, &[]).await?;
    let is_ours: bool = tables.try_get(1)?;
    if tables.try_get(2)? && !is_ours {
        return Err(Fault::NotOurs(tables.try_get(0)?));
    }
    if !is_ours {
        return Ok(None);
    }
    let Some(row) = client.query_opt(VERSION, &[]).await? else {
        return Err(Fault::Unreadable("doorward_schema.version".to_owned()));
    };
    let number = |column: usize| {
        let number: i64 = row.try_get(column)?;
        usize::try_from(number).map_err(|_| Fault::Unreadable("doorward_schema".to_owned()))
    };
    Ok(Some((number(0)?, number(1)?)))
}
