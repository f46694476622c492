use std::sync::Arc;
use std::time::Duration;

use postgres_server::{Database, Durability, Server, database};

use super::*;
use crate::conformance::sample::Tried;

mod faults;
mod histories;
mod model;
mod races;
mod schema;
mod speed;
mod tls;

async fn connect(database: &Database) -> Arc<PostgresStore> {
    Arc::new(PostgresStore::connect(&database.url()).await.unwrap())
}

/// A store in a fresh database.
async fn fresh() -> (Arc<PostgresStore>, Database) {
    let database = database();
    (connect(&database).await, database)
}

/// Two nodes on a fresh database.
async fn two_nodes() -> ([Tried; 2], Database) {
    let (first, database) = fresh().await;
    ([first, connect(&database).await], database)
}

#[track_caller]
fn check_message<T: fmt::Debug>(result: Result<T, StoreFailed>, expected: &str) {
    let message = result.unwrap_err().to_string();
    assert!(message.contains(expected), "{message}");
}

/// Asks again until it goes well.
async fn eventually<T>(ask: impl AsyncFn() -> Result<T, StoreFailed>) -> T {
    let begun = tokio::time::Instant::now();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(failure) => assert!(begun.elapsed().as_secs() < 20, "{failure}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

mod laws {
    use super::*;

    crate::store_laws!(async || fresh().await);
}

mod laws_as_a_node {
    use super::*;

    crate::store_laws!(async || {
        let database = database();
        (Arc::new(PostgresStore::connect_as_node(&database.url()).await.unwrap()), database)
    });
}
