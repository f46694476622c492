//! Device Bound Session Credentials: a session that only one device can go on with.
//!
//! ```text
//!  login     ◀── Secure-Session-Registration: (ES256 RS256);path=…;challenge="c0"
//!  register  ──▶ Secure-Session-Response: JWT with its key in the header, over c0
//!            ◀── instructions, the bound cookie, Secure-Session-Challenge: "c1";id="ses_…"
//!  refresh   ──▶ Sec-Secure-Session-Id, Secure-Session-Response: JWT without a key, over c1
//!            ◀── the next bound cookie and challenge; or 403 and another challenge
//! ```
//!
//! The browser makes a key that it cannot give away, and shows again and again that it still has it.
//! In between a cookie of a few minutes says so; whoever copies the cookies has them for that long.
//!
//! # What this module answers
//!
//! - *Which of two spellings*: the drafts write the browser's values as quoted strings, Chromium 156
//!   sends them bare. [`bare`] reads either, and nothing else.
//! - *A proof that proves nothing*: see [`proof`](ProofKey).
//! - *Challenges and cookies from elsewhere*: see [`TicketKey`].
//!
//! # What is not here
//!
//! No federation (`provider_key`), no `authorization` that a client would have to understand. When a
//! challenge still counts is decided in core.

use serde_json::{Value, json};

use crate::id::SessionId;

mod proof;
#[cfg(test)]
mod tests;
mod ticket;

pub use proof::{Claims, ProofKey, ProofRefusal, Registration};

pub use crate::jose::Thumbprint;
pub use ticket::{About, PresentedTicket, TicketKey};

/// The header field that offers to bind a session.
pub const REGISTRATION: &str = "secure-session-registration";
/// The header field that carries the next challenge.
pub const CHALLENGE: &str = "secure-session-challenge";
/// The header field that carries a browser's proof.
pub const RESPONSE: &str = "secure-session-response";
/// The header field in which a browser says which session it is about.
pub const SESSION_ID: &str = "sec-secure-session-id";

/// Where a browser sends its key.
pub const REGISTER_PATH: &str = "/dbsc/register";
/// Where a browser shows that it still has it.
pub const REFRESH_PATH: &str = "/dbsc/refresh";

/// The name of the cookie that says for a few minutes that the key was shown.
///
/// Without `Http-` in its prefix: Chromium 156 binds no session to a cookie with that, and says
/// nothing of it.
pub const COOKIE: &str = "__Host-doorward-bound";

/// Its attributes. A browser holds them against the cookie that it gets.
const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Lax";

/// What needs no session, and so never waits for a refresh.
const OUT_OF_SCOPE: [&str; 5] = ["/assets", "/.well-known", "/livez", "/readyz", "/healthz"];

/// The value of [`REGISTRATION`]: asks for a key of a kind that we can verify.
#[must_use]
pub fn offer(challenge: &str) -> String {
    format!("(ES256 RS256);path=\"{REGISTER_PATH}\";challenge=\"{challenge}\"")
}

/// The value of [`CHALLENGE`]: what the next proof must be over.
#[must_use]
pub fn next_challenge(challenge: &str, sid: SessionId) -> String {
    format!("\"{challenge}\";id=\"{sid}\"")
}

/// What a browser is told of its bound session, where `host` is ours, without a port.
#[must_use]
pub fn instructions(sid: SessionId, host: &str) -> Value {
    let excluded =
        OUT_OF_SCOPE.map(|path| json!({ "type": "exclude", "domain": host, "path": path }));
    json!({
        "session_identifier": sid,
        "refresh_url": REFRESH_PATH,
        // No `allowed_refresh_initiators`: a foreign page could time whether somebody is signed in.
        "scope": { "include_site": false, "scope_specification": excluded },
        "credentials": [{ "type": "cookie", "name": COOKIE, "attributes": ATTRIBUTES }],
    })
}

/// The `Set-Cookie` value that gives a browser its bound cookie.
#[must_use]
pub fn set_cookie(ticket: &str, life: std::time::Duration) -> String {
    format!("{COOKIE}={ticket}; {ATTRIBUTES}; Max-Age={}", life.as_secs())
}

/// The `Set-Cookie` value that takes it away.
#[must_use]
pub fn clear_cookie() -> String {
    format!("{COOKIE}=; {ATTRIBUTES}; Max-Age=0")
}

/// Reads a browser's value: bare, as Chromium sends it, or a string of RFC 8941, as the drafts say.
///
/// ```
/// use doorward_wire::dbsc::bare;
/// assert_eq!(bare("abc.def"), Some("abc.def"));
/// assert_eq!(bare("\"abc.def\""), Some("abc.def"));
/// assert_eq!(bare("\"abc"), None);
/// assert_eq!(bare("abc, def"), None);
/// ```
#[must_use]
pub fn bare(value: &str) -> Option<&str> {
    let value = value.trim_matches([' ', '\t']);
    let inner = match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"')?,
        None => value,
    };
    // What we read is a token or an id, and neither has anything that would need an escape.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (!inner.is_empty() && inner.bytes().all(plain)).then_some(inner)
}
