//! Doorward, the process: files, environment, clock, randomness, the command line.
//!
//! Nothing here decides anything about accounts, sessions or tokens. It reads what the operator
//! wants, opens what is needed, and starts the server. It is a library so that tests can start the
//! same server with a clock of their own.

pub mod cli;
pub mod clock;
pub mod config;
pub mod data_dir;
pub mod entropy;
pub mod open;
pub mod places;
pub mod serve;
pub mod telemetry;
pub mod terminal;
