//! The one integration binary: whole stories over real HTTP, against a real database.
//!
//! ```text
//!   harness    a server in this process with a clock moved by hand; the real binary; clients
//!   journeys   what a person or a program does from beginning to end
//!   attacks    what must be refused, one file per weakness
//!   endpoints  the table of routes against what everybody really gets
//!   bad_input  what no route may swallow
//!   chromium   the pages in a real browser
//!   models     protocols in every order of their steps, by spin
//!   readme     the README's transcript, run as printed
//! ```
//!
//! Nothing here sleeps to wait for something: it polls with a deadline. Ports are picked by the
//! system, folders are fresh, and every process that a test starts ends with the test.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on should stop there, and tests may ask the machine"
)]

mod attacks;
mod bad_input;
mod chromium;
mod endpoints;
mod harness;
mod journeys;
mod models;
mod readme;
