//! What a browser makes of one `Set-Cookie` line: kept or dropped, changed on the way, sent later.
//!
//! ```text
//!   bytes ──parse──▶ SetCookie ──keep──▶ Received ──▶ Kept ──send──▶ Sending
//!                    (5.6)       (5.7)      │                (5.8.3)    │
//!                                           └──────▶ Finding ◀─────────┘
//! ```
//!
//! The rules are those of RFC 6265bis, sections 5.1 to 5.8, with the prefixes `__Http-` and
//! `__Host-Http-` of draft-ietf-httpbis-layered-cookies and `Partitioned` of CHIPS. Where Chromium
//! is stricter than the text with tabs and with prefixes, Chromium decides: who asks wants to know
//! what becomes of the cookie. Where it is laxer, or reads a broken date otherwise, the text
//! decides; the tests name each line on which the two differ.
//!
//! # What this module answers
//!
//! - *A cookie that never arrives*: every reason is named, not only the one that decides.
//! - *A cookie that is not sent*: the same, for a later request of any origin.
//! - *A cookie in a report*: values are secrets, so no finding and no `Debug` shows one; and what
//!   is shown is escaped, because a pasted line may carry terminal sequences.
//!
//! # What is not here
//!
//! No clock, no public suffix list, and no store of other cookies: so neither what 5.7 (16) keeps
//! from overlaying a `Secure` cookie, nor which cookies a full store pushes out.
//!
//! ```
//! use doorward_wire::UnixTime;
//! use doorward_wire::cookie::explain::{Request, Rule, SetCookie};
//!
//! let login = Request::visit("https://id.example.com/login".parse().unwrap());
//! let line = SetCookie::parse(b"__Host-sid=31d4; Secure; Path=/login; SameSite=Lax");
//! let received = line.keep(&login, UnixTime(1_700_000_000));
//! assert!(received.kept.is_none());
//! assert_eq!(received.findings[0].rule, Rule::PrefixHost);
//! ```

mod date;
mod finding;
mod keep;
mod place;
mod prefix;
mod question;
mod rule;
mod send;
mod set_cookie;
mod words;

pub use date::parse_date;
pub use finding::{Finding, Severity};
pub use keep::{Kept, Partition, Received, SameSite};
pub use place::{Place, PlaceRefused, Scheme};
pub use question::{Answer, Kind, Later, Question, without_header_name};
pub use rule::Rule;
pub use send::Sending;
pub use set_cookie::{Attribute, SetCookie};
pub use words::{Verdict, escaped};

#[cfg(test)]
mod tests;

/// The most octets of name and value together (section 5.6, step 5).
pub const NAME_AND_VALUE_MAX: usize = 4096;

/// The most octets of an attribute's value; a longer one is ignored (section 5.6).
pub const ATTRIBUTE_VALUE_MAX: usize = 1024;

/// A request, as far as cookies depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Where it goes.
    pub place: Place,
    /// Whether its method is safe.
    pub method: Method,
    /// Who asked for it.
    pub context: Context,
}

/// Whether a method only reads (RFC 9110, section 9.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET, HEAD, OPTIONS or TRACE.
    Safe,
    /// Any other.
    Unsafe,
}

/// Who asked for a request, as section 5.2 tells sites apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// The same site, or the person at the keyboard.
    SameSite,
    /// Another site, by a link or a form that changes the address bar.
    CrossSiteNavigation,
    /// Another site, in a frame on its page.
    CrossSiteFrame,
    /// Another site, by a script, an image or any other part of its page.
    CrossSiteSubresource,
}

impl Request {
    /// A GET from the same site.
    #[must_use]
    pub fn visit(place: Place) -> Self {
        Self { place, method: Method::Safe, context: Context::SameSite }
    }
}

impl Method {
    /// The kind of a method's name. Names are case-sensitive (RFC 9110, section 9.1).
    #[must_use]
    pub fn of(name: &str) -> Self {
        match name {
            "GET" | "HEAD" | "OPTIONS" | "TRACE" => Self::Safe,
            _ => Self::Unsafe,
        }
    }
}

impl Context {
    /// Whether the request is made for a part of another site's page.
    #[must_use]
    pub fn is_embedded(self) -> bool {
        match self {
            Self::CrossSiteFrame | Self::CrossSiteSubresource => true,
            Self::SameSite | Self::CrossSiteNavigation => false,
        }
    }
}
