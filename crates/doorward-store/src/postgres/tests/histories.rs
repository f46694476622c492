//! Random histories of sessions, on two nodes and with crashes of the server.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::*;
use crate::conformance::histories::{self, Plan, Trial};

/// Asks for something in the middle of a history, which is told in a runtime.
fn now<T>(future: impl Future<Output = T>) -> T {
    block_in_place(|| Handle::current().block_on(future))
}

/// Two nodes on one database, which are asked by turns.
struct Nodes {
    both: [Tried; 2],
    turn: AtomicUsize,
    _database: Database,
}

impl Nodes {
    fn new() -> Self {
        let (both, database) = now(two_nodes());
        Self { both, turn: AtomicUsize::new(0), _database: database }
    }
}

impl Trial for Nodes {
    fn store(&self) -> Tried {
        Arc::clone(&self.both[self.turn.fetch_add(1, Ordering::Relaxed) % 2])
    }

    fn crash(&mut self) -> bool {
        false
    }
}

/// A server that loses power, with a node that knows nothing of it and goes on.
struct Mortal {
    store: Tried,
    database: Database,
    server: Server,
}

impl Mortal {
    fn new() -> Self {
        let server = Server::own(Durability::Full);
        let database = server.database();
        Self { store: now(connect(&database)), database, server }
    }
}

impl Trial for Mortal {
    fn store(&self) -> Tried {
        Arc::clone(&self.store)
    }

    fn crash(&mut self) -> bool {
        block_in_place(|| {
            self.server.crash();
            self.server.start();
        });
        // Every other time the node starts again too.
        if self.database.sql("SELECT seq % 2 FROM revocation_head") == "1" {
            self.store = now(connect(&self.database));
        }
        now(eventually(|| async { self.store.probe(crate::conformance::sample::NOON).await }));
        true
    }
}

#[test]
fn histories_on_two_nodes_go_by_the_rules() {
    histories::hold(Nodes::new, Plan { first: 20_000, count: 400 });
}

#[test]
fn histories_with_crashes_of_the_server_go_by_the_rules() {
    histories::hold(Mortal::new, Plan { first: 30_000, count: 40 });
}
