//! Flows: what happens, in order, when someone asks for something. No flow knows HTTP.

pub mod account;
pub mod authorize;
pub mod binding;
pub mod client;
pub mod dpop;
pub mod forward;
pub mod identify;
pub mod inspect;
pub mod issue;
pub mod login;
pub mod logout;
pub mod notice;
pub mod password;
pub mod personal;
pub mod refresh;
pub mod session;
pub mod setup;
pub mod signal;
pub mod site;
pub mod status;
pub mod suspicion;
