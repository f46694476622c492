//! Databases that are new, old, newer, and not ours.

use super::super::schema::{Step, do_missing};
use super::*;
use crate::Accounts;
use crate::conformance::sample::account;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_nodes_that_start_at_once_make_one_database() {
    let database = database();
    let mut starting = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let url = database.url();
        starting.spawn(async move { PostgresStore::connect(&url).await.map(drop) });
    }
    for started in starting.join_all().await {
        started.unwrap();
    }
    assert_eq!(database.sql("SELECT version FROM doorward_schema"), "1");
}

#[tokio::test]
async fn a_database_from_the_future_is_refused_unless_it_admits_us() {
    let (store, database) = fresh().await;
    store.open_account(account(1, "ada")).await.unwrap();
    database.sql("UPDATE doorward_schema SET version = 9, oldest = 9");
    check_message(PostgresStore::connect(&database.url()).await, "has version 9");
    database.sql("UPDATE doorward_schema SET oldest = 1");
    let store = connect(&database).await;
    assert!(store.account(doorward_wire::AccountId(1)).await.unwrap().is_some());
    assert_eq!(database.sql("SELECT version FROM doorward_schema"), "9", "it stays as it is");
}

#[tokio::test]
async fn a_database_of_another_program_is_refused_and_left_alone() {
    let database = database();
    database.sql("CREATE TABLE theirs (a int)");
    check_message(PostgresStore::connect(&database.url()).await, "some other program");
    assert_eq!(database.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "1");
    // A schema of our own is enough.
    let ours = format!("{}?options=-csearch_path%3Dours", database.url());
    check_message(PostgresStore::connect(&ours).await, "the schema that `search_path` names");
    database.sql("CREATE SCHEMA ours");
    PostgresStore::connect(&ours).await.unwrap().open_account(account(1, "ada")).await.unwrap();
    assert_eq!(database.sql("SELECT count(*) FROM ours.account"), "1");
}

#[tokio::test]
async fn a_rehearsal_says_what_is_missing_and_leaves_nothing() {
    let database = database();
    let missing = PostgresStore::migrate_dry_run(&database.url()).await.unwrap();
    assert_eq!(missing, ["0001_first"]);
    assert_eq!(database.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "0");
    let _store = connect(&database).await;
    assert!(PostgresStore::migrate_dry_run(&database.url()).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_older_program_works_on_as_long_as_the_steps_of_a_newer_one_allow() {
    static NEWER: [Step; 3] = [
        Step { name: "first", sql: "CREATE TABLE a (x int)", oldest: 1 },
        Step { name: "expand", sql: "ALTER TABLE a ADD y int", oldest: 1 },
        Step { name: "contract", sql: "ALTER TABLE a DROP x", oldest: 2 },
    ];
    let database = database();
    let address = Address::parse(&database.url()).unwrap();
    let client = link::connect(&address).await.unwrap();
    assert_eq!(do_missing(&client, &NEWER[..1]).await.unwrap(), ["first"]);
    assert_eq!(do_missing(&client, &NEWER[..2]).await.unwrap(), ["expand"]);
    assert!(do_missing(&client, &NEWER[..1]).await.unwrap().is_empty(), "it may still work");
    assert_eq!(do_missing(&client, &NEWER).await.unwrap(), ["contract"]);
    assert!(do_missing(&client, &NEWER[..2]).await.unwrap().is_empty());
    assert!(matches!(do_missing(&client, &NEWER[..1]).await, Err(Fault::FromTheFuture { .. })));
}

#[tokio::test]
async fn a_database_of_another_encoding_is_refused() {
    let server = Server::own(Durability::None);
    server.sql("postgres", "CREATE DATABASE odd TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'");
    check_message(PostgresStore::connect(&server.url("odd")).await, "LATIN1");
}
