//! What is decided. Nothing here waits, reads a clock, draws randomness, or remembers.

pub mod account;
pub mod binding;
pub mod client;
pub mod code;
pub mod credential;
pub mod data;
pub mod device;
pub mod event;
pub mod grant;
pub mod hijack;
pub mod key;
pub mod label;
pub mod notice;
pub mod personal;
pub mod place;
pub mod redirect;
pub mod refresh;
pub mod retired;
pub mod revocation;
pub mod session;
pub mod signal;
pub mod site;
pub mod username;
pub mod whereabouts;
