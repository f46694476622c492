//! What is kept. The one place that speaks to a database.
//!
//! There is one narrow trait per noun; its methods are verbs of the domain, and each is one atomic
//! act: it happens whole or not at all, and once it returns it is durable and every reader sees it.
//! The laws are public tests in [`conformance`]: a backend that passes them is a backend.

pub mod act;
pub mod conformance;
mod derived;
pub mod memory;
pub mod postgres;
mod recent;
pub mod sqlite;
mod table;
mod traits;

pub use table::TableSize;
pub use traits::{
    Accounts, Bindings, Clients, Codes, Events, Keys, Notices, PersonalTokens, Probe, Proofs,
    RefreshTokens, RevocationLog, SessionData, Sessions, Setup, Signals, Sites, StatusPlaces,
    Store, Turns,
};
