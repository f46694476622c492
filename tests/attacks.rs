//! What must be refused: one file per weakness, every claim shown over HTTP.
//!
//! Each test names the attack it stands for and where the rule comes from, and each has a control:
//! the honest request, which succeeds in the same test, so that nothing is refused for another
//! reason than the one under test. The numbers are those of `docs/why/attacks.md`.

mod ages;
mod answers;
mod authorize;
mod binding;
mod bodies;
mod caches;
mod clients;
mod cookies;
mod cors;
mod csrf;
mod dpop;
mod enumeration;
mod fixation;
mod forward;
mod headers;
mod hijack;
mod hosts;
mod kinds;
mod logout;
mod methods;
mod other_sessions;
mod passwords;
mod past_holes;
mod proxies;
mod races;
pub(crate) mod redirects;
mod rotation;
pub(crate) mod scripts;
mod secrecy;
mod tokens;
mod usernames;

use crate::harness::{OTHER_PASSWORD, PASSWORD, Reply};

/// What no answer may hold: how we are built, what went wrong inside, what somebody typed in
/// secret.
const INSIDES: [&str; 10] = [
    "panicked at",
    "stack backtrace",
    "RUST_BACKTRACE",
    ".rs:",
    "rusqlite",
    "SELECT ",
    "$argon2",
    "PRIVATE KEY",
    PASSWORD,
    OTHER_PASSWORD,
];

/// Asserts what holds of every answer, whatever was asked.
pub(crate) trait Clean: Sized {
    /// Not our failure, nothing of our insides, and nobody may store it.
    #[track_caller]
    fn clean(self) -> Self;
}

impl Clean for Reply {
    #[track_caller]
    fn clean(self) -> Self {
        assert!(self.status.as_u16() < 500, "our own failure: {}", self.describe());
        let body = String::from_utf8_lossy(&self.body);
        for inside in INSIDES {
            assert!(!body.contains(inside), "{inside:?} in an answer: {}", self.describe());
        }
        assert_eq!(self.header("cache-control"), Some("no-store"), "{}", self.describe());
        self
    }
}
