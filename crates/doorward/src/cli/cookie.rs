//! `doorward cookie`: what a browser makes of a `Set-Cookie` line, told to people.

use std::io::{Read, stdin};

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use doorward_server::ambient::Clock;
use doorward_wire::UnixTime;
use doorward_wire::cookie::explain::{
    Answer, Context, Finding, Kept, Kind, Later, Place, Question, SameSite, Sending, Verdict,
    escaped,
};
use serde_json::{Value, json};

use super::Outcome;
use crate::clock::SystemClock;
use crate::terminal::say;

/// More than any server may send in one line; what is longer is no mistake of one cookie.
const LINE_MAX: u64 = 1024 * 1024;

/// Where a column of text ends.
const WIDTH: usize = 92;

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
  curl -si https://id.example.com/login | grep -i '^set-cookie: sid=' | doorward cookie explain -

The same on a page: /inspect/cookie of every Doorward server.";

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
        let question =
            Question { from: self.from.clone(), embedded: self.embedded, later: self.later() };
        let answer = question.answer(line, now);
        let told = Told { answer: &answer, method: &self.method };
        let text = if self.json { told.json().to_string() } else { told.text() };
        let no = match (answer.received.kept.is_some(), answer.is_sent()) {
            (false, _) => Some("a browser would not keep this cookie"),
            (true, Some(false)) => Some("a browser would not send this cookie there"),
            (true, Some(true) | None) => None,
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

    fn later(&self) -> Option<Later> {
        let kind = match (self.frame, self.fetch) {
            (true, _) => Kind::Frame,
            (false, true) => Kind::Part,
            (false, false) => Kind::Navigation,
        };
        let context = match self.site {
            Site::SameSite => Context::SameSite,
            Site::CrossSite => Context::cross_site(kind),
        };
        let place = self.to.clone()?;
        Some(Later::new(place, &self.method, context, *self.after))
    }
}

/// All there is to tell.
struct Told<'a> {
    answer: &'a Answer<'a>,
    method: &'a str,
}

impl Told<'_> {
    fn json(&self) -> Value {
        let findings = |findings: &[Finding]| findings.iter().map(finding_json).collect::<Value>();
        let received = &self.answer.received;
        let mut told = json!({
            "from": self.answer.from.place.to_string(),
            "kept": received.kept.is_some(),
            "cookie": received.kept.as_ref().map(cookie_json),
            "takes_away": received.taken_away.as_ref().map(cookie_json),
            "findings": findings(&received.findings),
        });
        if let Some((later, sending)) = &self.answer.later {
            told["to"] = later.place.to_string().into();
            told["sent"] = sending.as_ref().is_some_and(Sending::is_sent).into();
            let found = sending.as_ref().map(|one| findings(&one.findings));
            told["sending"] = found.unwrap_or_else(|| json!([]));
        }
        told
    }

    fn text(&self) -> String {
        let mut page = Page::default();
        let verdict = Verdict::of(self.answer).words();
        page.line(&format!("{verdict} by {}.", self.answer.from.place));
        page.facts(&self.answer.facts());
        page.findings(&self.answer.received.findings);
        if let Some((later, Some(sending))) = &self.answer.later {
            let verdict = if sending.is_sent() { "Sent" } else { "Not sent" };
            page.gap();
            let (method, place) = (escaped(self.method.as_bytes()), &later.place);
            page.line(&format!("{verdict} with {method} {place}, {}.", later.context.words()));
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
