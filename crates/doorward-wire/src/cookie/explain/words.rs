//! A cookie in words, for a person at a terminal or before a page. None of them is its value.

use super::{Answer, Context, Kept, Partition, SameSite};

const DAY: u64 = 24 * 60 * 60;

/// What becomes of a line when it is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The browser keeps the cookie.
    Kept,
    /// The browser keeps nothing, and takes an older cookie away.
    TakesAway,
    /// The browser keeps nothing.
    Dropped,
}

impl Verdict {
    /// Of an answer.
    #[must_use]
    pub fn of(answer: &Answer<'_>) -> Self {
        match (&answer.received.kept, &answer.received.taken_away) {
            (Some(_), _) => Self::Kept,
            (None, Some(_)) => Self::TakesAway,
            (None, None) => Self::Dropped,
        }
    }

    /// The beginning of a sentence that ends with who sets it: "… by `https://id.example.com/`."
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Kept => "Kept, as it is set",
            Self::TakesAway => "Not kept: it takes an older cookie away, when it is set",
            Self::Dropped => "Dropped, when it is set",
        }
    }
}

impl Answer<'_> {
    /// What there is to know of the cookie: each a name and a few words.
    #[must_use]
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let shown = self.received.kept.as_ref().or(self.received.taken_away.as_ref());
        shown.map_or_else(
            || {
                let value = bytes(self.cookie.value().len());
                vec![("name", name_of(self.cookie.name())), ("value", value)]
            },
            facts,
        )
    }
}

/// What a cookie is, a line each.
fn facts(cookie: &Kept) -> Vec<(&'static str, String)> {
    let hosts = if cookie.host_only { "alone" } else { "and every host under it" };
    let path = escaped(&cookie.path);
    let paths =
        if path == "/" { "/, which is every path".to_owned() } else { format!("{path} and below") };
    let connections = if cookie.secure { "secure ones alone" } else { "any, plain http too" };
    let scripts = if cookie.http_only { "cannot read it" } else { "can read it" };
    let cross_site = match cookie.same_site {
        SameSite::Strict => "never when another site asks",
        SameSite::Lax => "by links from other sites, not by their forms, frames and scripts",
        SameSite::Default => "as with Lax in Chromium, in others maybe whoever asks",
        SameSite::None => "whoever asks",
    };
    let mut facts = vec![
        ("name", name_of(&cookie.name)),
        ("value", bytes(cookie.value.len())),
        ("goes to", format!("{} {hosts}", cookie.domain)),
        ("path", paths),
        ("connections", connections.to_owned()),
        ("scripts", scripts.to_owned()),
        ("is sent", cross_site.to_owned()),
    ];
    if let Some(partition) = cookie.partition {
        let under = match partition {
            Partition::Own => "under its own site's pages",
            Partition::Foreign => "under the one other site it was set in",
        };
        facts.push(("partition", under.to_owned()));
    }
    facts.push(("lives", life(cookie)));
    facts
}

fn life(cookie: &Kept) -> String {
    let Some(end) = cookie.expires_at else { return "until the browser closes".to_owned() };
    let left = end.since(cookie.created_at);
    let days = left.as_secs() / DAY;
    let left = match days {
        0 | 1 => humantime::format_duration(left).to_string(),
        _ => format!("{days} days"),
    };
    format!("until {end}, {left} from now")
}

fn name_of(name: &[u8]) -> String {
    if name.is_empty() { "none".to_owned() } else { escaped(name) }
}

fn bytes(count: usize) -> String {
    if count == 1 { "1 byte".to_owned() } else { format!("{count} bytes") }
}

/// A stranger's bytes, with nothing a terminal would obey.
#[must_use]
pub fn escaped(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let safe = |one: char| match one {
        '"' | '\'' | '\\' => one.to_string(),
        other => other.escape_debug().to_string(),
    };
    text.chars().map(safe).collect()
}

impl Context {
    /// Who asked, in words that end a sentence.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::SameSite => "asked for by the same site",
            Self::CrossSiteNavigation => "by a link or a form of another site",
            Self::CrossSiteFrame => "for a frame in another site's page",
            Self::CrossSiteSubresource => "for a part of another site's page",
        }
    }
}
