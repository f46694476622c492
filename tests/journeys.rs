//! Journeys: whole stories over HTTP, from the first request to the last refusal.

mod anonymous;
mod behind_nginx;
mod beside;
mod bound;
mod clients;
mod command_line;
mod cookie;
mod cookie_linter;
mod durability;
mod ending;
mod first_start;
mod forms;
pub(crate) mod forward_auth;
mod guards;
mod keys;
mod limits;
mod password;
mod places;
mod portal;
mod proxies;
mod refresh;
mod refresh_storm;
mod review;
mod revocations;
mod store_failure;
mod token;
mod token_inspector;
