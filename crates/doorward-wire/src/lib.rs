//! What travels: the secret in a cookie, the token in a header, the ids and times in both.
//!
//! Nothing here waits, reads a clock, draws randomness or knows a database or an HTTP framework.
//! Both sides of the street use this crate: the server, and `doorward-guard` in somebody's app.

pub mod cookie;
pub mod csrf;
pub mod dbsc;
pub mod dpop;
pub mod id;
pub mod jose;
pub mod json;
pub mod personal;
pub mod pkce;
pub mod revocation;
pub mod seal;
pub mod secevent;
pub mod secret;
pub mod sse;
pub mod status_list;
pub mod time;
pub mod token;

pub use id::{AccountId, ClientId, EventId, KeyId, SessionId, StreamId, TokenId};
pub use secret::{FreshSecret, MalformedSecret, PresentedSecret, SecretDigest};
pub use time::UnixTime;
