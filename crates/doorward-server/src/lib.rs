//! What is spoken: flows, routes and pages.
//!
//! ```text
//!   bytes ──▶ edge ──▶ routes / pages ──▶ flow ──▶ core, store
//!    ▲                      │
//!    └──── answer ◀─────────┘
//! ```
//!
//! [`edge`] holds what every request must pass, whatever it asks for. [`routes`] and [`pages`] parse
//! and write HTTP. [`flow`] is what happens, in order, and knows no HTTP. [`answer`] is the one place
//! that turns a refusal or a failure into a status.

pub mod ambient;
pub mod answer;
pub mod app;
pub mod cors;
pub mod edge;
pub mod feed;
pub mod flow;
pub mod hashing;
pub mod keyring;
pub mod listen;
pub mod pages;
pub mod places;
pub mod push;
pub mod request;
pub mod routes;
pub mod settings;
pub mod sites;
mod told;
mod touches;
pub mod words;

pub use app::App;
pub use settings::Settings;
