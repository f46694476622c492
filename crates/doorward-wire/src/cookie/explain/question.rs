//! A question as a person asks it: a line, who sets it, and perhaps a later request.
//!
//! The command line and the page both ask it, so that both answer alike.

use std::time::Duration;

use super::{Context, Method, Place, Received, Request, Sending, SetCookie};
use crate::UnixTime;

/// What somebody wants to know of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// The URL whose answer sets the cookie. Else `https` on the line's `Domain`, or on a name of
    /// ours.
    pub from: Option<Place>,
    /// Whether it is set in a frame, or by a part, of another site's page.
    pub embedded: bool,
    /// A later request: would the cookie go along?
    pub later: Option<Later>,
}

/// A request that comes after the cookie was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Later {
    /// The request.
    pub request: Request,
    /// How long after.
    pub after: Duration,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It changes the address bar: a link, a form.
    Navigation,
    /// It fills a frame.
    Frame,
    /// It is for a script, an image, another part of a page.
    Part,
}

/// All there is to say.
#[derive(Debug)]
pub struct Answer<'a> {
    /// The line, taken apart.
    pub cookie: SetCookie<'a>,
    /// The request that it answers.
    pub from: Request,
    /// What becomes of the cookie when it is set.
    pub received: Received,
    /// The later request, and what becomes of the cookie then. A cookie that is not kept is not
    /// asked for.
    pub later: Option<(Request, Option<Sending>)>,
}

impl Question {
    /// Answers it for a line, with or without the name of the header.
    #[must_use]
    pub fn answer<'a>(&self, line: &'a [u8], now: UnixTime) -> Answer<'a> {
        let cookie = SetCookie::parse(without_header_name(line));
        let context = if self.embedded { Context::CrossSiteFrame } else { Context::SameSite };
        let place = self.from.clone().unwrap_or_else(|| usual_place(&cookie));
        let from = Request { context, ..Request::visit(place) };
        let received = cookie.keep(&from, now);
        let later = self.later.as_ref().map(|later| {
            let kept = received.kept.as_ref();
            let sending = kept.map(|kept| kept.send(&later.request, now.after(later.after)));
            (later.request.clone(), sending)
        });
        Answer { cookie, from, received, later }
    }
}

impl Later {
    /// A request to `place` by a method of this name, which may be written in small letters.
    #[must_use]
    pub fn new(place: Place, method: &str, context: Context, after: Duration) -> Self {
        let method = Method::of(&method.to_ascii_uppercase());
        Self { request: Request { place, method, context }, after }
    }
}

impl Context {
    /// Another site asks for a request of this kind.
    #[must_use]
    pub fn cross_site(kind: Kind) -> Self {
        match kind {
            Kind::Navigation => Self::CrossSiteNavigation,
            Kind::Frame => Self::CrossSiteFrame,
            Kind::Part => Self::CrossSiteSubresource,
        }
    }
}

impl Answer<'_> {
    /// Whether the cookie goes along with the later request, if one was asked about.
    #[must_use]
    pub fn is_sent(&self) -> Option<bool> {
        let (_, sending) = self.later.as_ref()?;
        Some(sending.as_ref().is_some_and(Sending::is_sent))
    }
}

/// Where a line is set by whoever does not say where.
fn usual_place(cookie: &SetCookie<'_>) -> Place {
    let is_domain = |name: &[u8]| name.eq_ignore_ascii_case(b"Domain");
    let named = cookie.attributes().iter().rev();
    let domain = named.into_iter().find(|one| is_domain(one.name) && !one.value.is_empty());
    let domain = domain.map(|one| String::from_utf8_lossy(one.value));
    let host = domain.as_deref().map(|domain| domain.strip_prefix('.').unwrap_or(domain));
    let on_domain = host.and_then(|host| format!("https://{host}/").parse().ok());
    on_domain.unwrap_or_else(|| "https://id.example.com/".parse().expect("this is a URL"))
}

/// The line as it stands after `Set-Cookie:`, without the space that HTTP takes off.
#[must_use]
pub fn without_header_name(line: &[u8]) -> &[u8] {
    const HEADER: &[u8] = b"set-cookie:";
    let (start, rest) = line.split_at_checked(HEADER.len()).unwrap_or((b"", line));
    let mut value = if start.eq_ignore_ascii_case(HEADER) { rest } else { line };
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}
