//! What every test stands on: servers, clients, a clock.
//!
//! ```no_run
//! let server = Server::start().await;                  // in this process, development site
//! let alice = server.member("alice").await;            // an account, made over HTTP
//!
//! let browser = server.sign_in(&alice).await;          // keeps its cookie, sends Origin
//! browser.get("/api/v1/session").await.must_be(200);
//!
//! let tokens = server.tokens(&alice).await;            // an API client
//! server.clock.advance(Duration::from_secs(600));      // time passes only when a test says so
//! let reply = server.client().get("/api/v1/session").bearer(&tokens.access).await;
//! assert_eq!(reply.problem_code(), "invalid_token");
//!
//! server.client().raw("GET / HTTP/1.1\r\n\r\n").await; // bytes as they are
//! assert_eq!(server.rows().session, 2);                // what is really in the database
//!
//! let process = Process::start(&[]).await;             // the real binary, its own data folder
//! process.client().get("/livez").await.must_be(200);
//! let data = process.kill().await;                     // SIGKILL, and reaped
//! let process = data.start(&[]).await;                 // again on the same data
//! ```

pub(crate) mod browser;
pub(crate) mod client;
pub(crate) mod clock;
pub(crate) mod cluster;
pub(crate) mod code;
pub(crate) mod device;
pub(crate) mod dpop;
pub(crate) mod echo;
pub(crate) mod example;
pub(crate) mod folder;
pub(crate) mod mmdb;
pub(crate) mod nginx;
pub(crate) mod oauth;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod relay;
pub(crate) mod reply;
pub(crate) mod server;
pub(crate) mod shop;
pub(crate) mod stream;
pub(crate) mod wait;

pub(crate) use browser::Browser;
pub(crate) use client::Client;
pub(crate) use device::Device;
pub(crate) use folder::Folder;
pub(crate) use process::Process;
pub(crate) use reply::Reply;
pub(crate) use server::{Member, Server, Tokens};
pub(crate) use shop::Shop;
pub(crate) use wait::{eventually, within};

/// A password that the default policy accepts.
pub(crate) const PASSWORD: &str = "violet harbour tin whistle";

/// Another one.
pub(crate) const OTHER_PASSWORD: &str = "seven quiet lanterns burning";

/// Prints a measurement into the test's output; nothing is asserted of it.
#[expect(clippy::print_stdout, reason = "a measurement is meant to be read")]
pub(crate) fn report(line: &str) {
    println!("measured: {line}");
}
