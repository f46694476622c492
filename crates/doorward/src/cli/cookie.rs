//! `doorward cookie`: what a browser makes of a `Set-Cookie` line, told to people.

use std::io::{Read, stdin};

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use doorward_server::ambient::Clock;
use doorward_wire::UnixTime;
use doorward_wire::cookie::explain::{
    Context, Finding, Kept, Method, Partition, Place, Received, Request, SameSite, Sending,
    SetCookie,
};
use serde_json::{Value, json};

use super::Outcome;
use crate::clock::SystemClock;
use crate::terminal::say;

/// More than any server may send in one line; what is longer is no mistake of one cookie.
const LINE_MAX: u64 = 1024 * 1024;

/// Where a column of text ends.
const WIDTH: usize = 92;

const DAY: u64 = 24 * 60 * 60;

/// `doorward cookie …`
#[derive(Debug, Subcommand)]
pub(super) enum CookieCommand {
    /// Say what a browser makes of a Set-Cookie line: exit code 0 if kept (and sent), else 3.
    #[command(after_help = EXAMPLES)]
    Explain(Box<Explain>),
}

const EXAMPLES: &str = "\
Examples:
  doorward cookie explain 'Set-Cookie: sid=31d4; Secure; HttpOnly; SameSite=Lax; Path=/'
  doorward cookie explain 'sid=31d4; Path=/app' --from https://id.example.com/login \\
      --to https://id.example.com/app/x --site cross-site --method POST
  curl -si https://id.example.com/login | grep -i '^set-cookie: sid=' | doorward cookie explain -";

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(super) struct Explain {
    /// The line, with or without `Set-Cookie:`; `-` reads it from standard input, unseen by others
    #[arg(value_name = "SET-COOKIE", allow_hyphen_values = true)]
    line: String,
    /// URL whose answer sets the cookie [default: https on the line's Domain, or id.example.com]
    #[arg(long, value_name = "URL")]
    from: Option<Place>,
    /// It is set in a frame, or by a part, of another site's page
    #[arg(long)]
    embedded: bool,
    /// URL of a later request: would the cookie go along?
    #[arg(long, value_name = "URL")]
    to: Option<Place>,
    /// Method of the later request
    #[arg(long, value_name = "METHOD", default_value = "GET", requires = "to")]
    method: String,
    /// Who asks for the later request
    #[arg(long, value_enum, default_value = "same-site", requires = "to")]
    site: Site,
    /// The later request changes the address bar: a link, a form (the default)
    #[arg(long, requires = "to", group = "kind")]
    navigation: bool,
    /// The later request fills a frame
    #[arg(long, requires = "to", group = "kind")]
    frame: bool,
    /// The later request is for a script, an image, another part of a page
    #[arg(long, requires = "to", group = "kind")]
    fetch: bool,
    /// How long after it was set the later request comes, as in 90s or 3days
    #[arg(long, value_name = "TIME", default_value = "0s", requires = "to")]
    after: humantime::Duration,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Who asks.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Site {
    /// A page of the same site, or the person.
    SameSite,
    /// A page of another site.
    CrossSite,
}

pub(super) fn run(command: CookieCommand) -> Result<(), Outcome> {
    let CookieCommand::Explain(explain) = command;
    let now = UnixTime(SystemClock.unix_ms() / 1000);
    explain.run(now)
}

impl Explain {
    fn run(&self, now: UnixTime) -> Result<(), Outcome> {
        let (told, no) = self.tell(&self.line()?, now);
        say(told);
        no.map_or(Ok(()), |no| Err(Outcome::No(anyhow::anyhow!(no))))
    }

    /// What to print, and why the answer is no if it is.
    fn tell(&self, line: &[u8], now: UnixTime) -> (String, Option<&'static str>) {
        let cookie = SetCookie::parse(without_header_name(line));
        let from = self.answered(&cookie);
        let received = cookie.keep(&from, now);
        let later = self.later();
        let sending = later.as_ref().zip(received.kept.as_ref());
        let sending = sending.map(|(later, kept)| kept.send(later, now.after(*self.after)));
        let told = Told {
            cookie: &cookie,
            from: &from,
            received: &received,
            later: &later,
            method: &self.method,
        };
        let text = if self.json {
            told.json(sending.as_ref()).to_string()
        } else {
            told.text(sending.as_ref())
        };
        let sent = sending.is_none_or(|sending| sending.is_sent());
        let no = match (received.kept.is_some(), sent) {
            (false, _) => Some("a browser would not keep this cookie"),
            (true, false) => Some("a browser would not send this cookie there"),
            (true, true) => None,
        };
        (text, no)
    }

    fn line(&self) -> anyhow::Result<Vec<u8>> {
        if self.line != "-" {
            return Ok(self.line.clone().into_bytes());
        }
        let mut line = Vec::new();
        stdin().lock().take(LINE_MAX).read_to_end(&mut line).context("reading standard input")?;
        while line.last().is_some_and(|byte| b"\r\n".contains(byte)) {
            line.pop();
        }
        Ok(line)
    }

    /// The request that the line answers.
    fn answered(&self, cookie: &SetCookie<'_>) -> Request {
        let domain = cookie
            .attributes()
            .iter()
            .rev()
            .find(|one| one.name.eq_ignore_ascii_case(b"Domain") && !one.value.is_empty());
        let domain = domain.map(|one| String::from_utf8_lossy(one.value));
        let host = domain.as_deref().map(|domain| domain.strip_prefix('.').unwrap_or(domain));
        let on_domain = || host.and_then(|host| format!("https://{host}/").parse().ok());
        let usual = || "https://id.example.com/".parse().expect("this is a URL");
        let place = self.from.clone().or_else(on_domain).unwrap_or_else(usual);
        let context = if self.embedded { Context::CrossSiteFrame } else { Context::SameSite };
        Request { context, ..Request::visit(place) }
    }

    fn later(&self) -> Option<Request> {
        let by_link = self.navigation || !(self.frame || self.fetch);
        let context = match self.site {
            Site::SameSite => Context::SameSite,
            Site::CrossSite if by_link => Context::CrossSiteNavigation,
            Site::CrossSite if self.frame => Context::CrossSiteFrame,
            Site::CrossSite => Context::CrossSiteSubresource,
        };
        let method = Method::of(&self.method.to_ascii_uppercase());
        self.to.clone().map(|place| Request { place, method, context })
    }
}

/// The line as it stands after `Set-Cookie:`, without the space that HTTP takes off.
fn without_header_name(line: &[u8]) -> &[u8] {
    const HEADER: &[u8] = b"set-cookie:";
    let (start, rest) = line.split_at_checked(HEADER.len()).unwrap_or((b"", line));
    let mut value = if start.eq_ignore_ascii_case(HEADER) { rest } else { line };
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// All there is to tell.
struct Told<'a> {
    cookie: &'a SetCookie<'a>,
    from: &'a Request,
    received: &'a Received,
    later: &'a Option<Request>,
    method: &'a str,
}

impl Told<'_> {
    fn json(&self, sending: Option<&Sending>) -> Value {
        let findings = |findings: &[Finding]| findings.iter().map(finding_json).collect::<Value>();
        let mut told = json!({
            "from": self.from.place.to_string(),
            "kept": self.received.kept.is_some(),
            "cookie": self.received.kept.as_ref().map(cookie_json),
            "takes_away": self.received.taken_away.as_ref().map(cookie_json),
            "findings": findings(&self.received.findings),
        });
        if let Some(later) = self.later {
            told["to"] = later.place.to_string().into();
            told["sent"] = sending.is_some_and(Sending::is_sent).into();
            told["sending"] = sending.map_or_else(|| json!([]), |one| findings(&one.findings));
        }
        told
    }

    fn text(&self, sending: Option<&Sending>) -> String {
        let mut page = Page::default();
        let verdict = match (&self.received.kept, &self.received.taken_away) {
            (Some(_), _) => "Kept, as it is set",
            (None, Some(_)) => "Not kept: it takes an older cookie away, when it is set",
            (None, None) => "Dropped, when it is set",
        };
        page.line(&format!("{verdict} by {}.", self.from.place));
        let shown = self.received.kept.as_ref().or(self.received.taken_away.as_ref());
        match shown {
            Some(cookie) => page.facts(&facts(cookie)),
            None => page.facts(&[
                ("name", name_of(self.cookie.name())),
                ("value", bytes(self.cookie.value().len())),
            ]),
        }
        page.findings(&self.received.findings);
        if let (Some(later), Some(sending)) = (self.later, sending) {
            let verdict = if sending.is_sent() { "Sent" } else { "Not sent" };
            page.gap();
            let (method, place) = (escaped(self.method.as_bytes()), &later.place);
            page.line(&format!("{verdict} with {method} {place}, {}.", asked(later.context)));
            page.findings(&sending.findings);
        }
        page.text.trim_end().to_owned()
    }
}

fn finding_json(finding: &Finding) -> Value {
    json!({
        "code": finding.rule.code(),
        "severity": finding.severity().name(),
        "source": finding.rule.source(),
        "message": finding.message,
    })
}

/// The cookie without its value, which is a secret for all we know.
fn cookie_json(cookie: &Kept) -> Value {
    json!({
        "name": String::from_utf8_lossy(&cookie.name),
        "value_bytes": cookie.value.len(),
        "domain": cookie.domain,
        "host_only": cookie.host_only,
        "path": String::from_utf8_lossy(&cookie.path),
        "secure": cookie.secure,
        "http_only": cookie.http_only,
        "same_site": match cookie.same_site {
            SameSite::Default => "default",
            SameSite::Strict => "strict",
            SameSite::Lax => "lax",
            SameSite::None => "none",
        },
        "partitioned": cookie.partition.is_some(),
        "expires_at": cookie.expires_at.map(|end| end.to_string()),
    })
}

/// What a cookie is, a line each.
fn facts(cookie: &Kept) -> Vec<(&'static str, String)> {
    let hosts = if cookie.host_only { "alone" } else { "and every host under it" };
    let path = escaped(&cookie.path);
    let paths =
        if path == "/" { "/, which is every path".to_owned() } else { format!("{path} and below") };
    let connections = if cookie.secure { "secure ones alone" } else { "any, plain http too" };
    let scripts = if cookie.http_only { "cannot read it" } else { "can read it" };
    let life = cookie.expires_at.map_or_else(
        || "until the browser closes".to_owned(),
        |end| {
            let left = end.since(cookie.created_at);
            let days = left.as_secs() / DAY;
            let left = match days {
                0 | 1 => humantime::format_duration(left).to_string(),
                _ => format!("{days} days"),
            };
            format!("until {end}, {left} from now")
        },
    );
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
    facts.push(("lives", life));
    facts
}

fn name_of(name: &[u8]) -> String {
    if name.is_empty() { "none".to_owned() } else { escaped(name) }
}

fn bytes(count: usize) -> String {
    if count == 1 { "1 byte".to_owned() } else { format!("{count} bytes") }
}

/// A stranger's bytes, with nothing a terminal would obey.
fn escaped(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let safe = |one: char| match one {
        '"' | '\'' | '\\' => one.to_string(),
        other => other.escape_debug().to_string(),
    };
    text.chars().map(safe).collect()
}

/// Who asked, in words.
fn asked(context: Context) -> &'static str {
    match context {
        Context::SameSite => "asked for by the same site",
        Context::CrossSiteNavigation => "by a link or a form of another site",
        Context::CrossSiteFrame => "for a frame in another site's page",
        Context::CrossSiteSubresource => "for a part of another site's page",
    }
}

/// Text as it grows, wrapped and indented.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn gap(&mut self) {
        self.text.push('\n');
    }

    fn facts(&mut self, facts: &[(&str, String)]) {
        self.gap();
        for (name, fact) in facts {
            self.line(&format!("  {name:12} {fact}"));
        }
    }

    fn findings(&mut self, findings: &[Finding]) {
        for finding in findings {
            self.gap();
            let (severity, rule) = (finding.severity().name(), finding.rule);
            self.line(&format!("  {severity:12} {}  ({})", rule.code(), rule.source()));
            self.wrapped(&finding.message);
        }
    }

    /// A paragraph under a finding.
    fn wrapped(&mut self, paragraph: &str) {
        const INDENT: &str = "               ";
        let mut line = INDENT.to_owned();
        for word in paragraph.split(' ') {
            let full = line.chars().count() + 1 + word.chars().count() > WIDTH;
            if full && line != INDENT {
                self.line(&line);
                line.truncate(INDENT.len());
            }
            if line.len() > INDENT.len() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.line(&line);
    }
}

#[cfg(test)]
mod tests;
