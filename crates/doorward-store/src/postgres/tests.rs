use std::sync::Arc;

use postgres_server::{Database, database};

use super::*;

/// A fresh database, and a store in it.
async fn fresh() -> (Arc<PostgresStore>, Database) {
    let database = database();
    (Arc::new(PostgresStore::connect(&database.url()).await.unwrap()), database)
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
