//! Security event tokens (RFC 8417), as Shared Signals and CAEP have them: what a receiver of others is told.
//!
//! # What this module answers
//!
//! - *An event taken for a token, or the reverse* (RFC 8417, section 4.5; RFC 8725, section 3.11): an event
//!   has a type of its own, and neither `sub` nor `exp`.
//! - *An event of another receiver*: its audience is one.

use serde::Serialize;
use serde_json::{Value, json};

use crate::id::{AccountId, SessionId};
use crate::jose::{SignFailed, SigningKey, sign_compact};
use crate::time::UnixTime;

/// The type that an event's header names.
pub const EVENT_TYPE: &str = "secevent+jwt";

/// The media type of an event that is pushed (RFC 8935, section 2.1).
pub const MEDIA_TYPE: &str = "application/secevent+jwt";

/// A session has ended (CAEP 1.0, section 3.1).
pub const SESSION_REVOKED: &str =
    "https://schemas.openid.net/secevent/caep/event-type/session-revoked";

/// A stream works (SSF 1.0, section 8.1.4).
pub const VERIFICATION: &str = "https://schemas.openid.net/secevent/ssf/event-type/verification";

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// A session, by its `sid`.
    Session(SessionId),
    /// Every session of an account.
    Account(AccountId),
    /// A stream, which was asked to say this.
    Stream(&'a str, Option<&'a str>),
}

/// An event, to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityEvent<'a> {
    /// Who says so.
    pub iss: &'a str,
    /// Who is told.
    pub aud: &'a str,
    /// Its own name, by which it is acknowledged. The same event has the same name whenever it is told.
    pub jti: &'a str,
    /// When it is told.
    pub iat: UnixTime,
    /// What it is about.
    pub subject: Subject<'a>,
    /// When it happened.
    pub happened_at: UnixTime,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    jti: &'a str,
    iat: UnixTime,
    sub_id: Value,
    events: Value,
}

impl SecurityEvent<'_> {
    /// Signs it.
    pub fn sign(&self, key: &SigningKey) -> Result<String, SignFailed> {
        let revoked = json!({ SESSION_REVOKED: { "event_timestamp": self.happened_at } });
        let (sub_id, events) = match self.subject {
            Subject::Session(sid) => {
                let session = json!({ "format": "opaque", "id": sid });
                (json!({ "format": "complex", "session": session }), revoked)
            }
            Subject::Account(account) => {
                let user = json!({ "format": "iss_sub", "iss": self.iss, "sub": account });
                (json!({ "format": "complex", "user": user }), revoked)
            }
            Subject::Stream(id, state) => {
                let said = state.map_or_else(|| json!({}), |state| json!({ "state": state }));
                (json!({ "format": "opaque", "id": id }), json!({ VERIFICATION: said }))
            }
        };
        let Self { iss, aud, jti, iat, .. } = *self;
        sign_compact(key, EVENT_TYPE, &Claims { iss, aud, jti, iat, sub_id, events })
    }
}
