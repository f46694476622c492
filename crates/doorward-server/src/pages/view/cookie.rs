//! The page that says what a browser makes of a `Set-Cookie` line.

use askama::Template;
use doorward_wire::cookie::explain::{Answer, Finding, Severity, Verdict};

use super::{Field, Problem, assets, problems};

/// The most bytes of a line: three times what a browser keeps.
pub const LINE_MAX: usize = 16 * 1024;

/// The most seconds that a later request may come after the cookie was set: 400 days.
pub const AFTER_MAX: u64 = 400 * 24 * 60 * 60;

/// `/inspect/cookie`. Posts a [`CookieForm`].
#[derive(Clone, Debug, Template)]
#[template(path = "cookie.html")]
pub struct CookiePage<'a> {
    /// What becomes of the cookie, once somebody has asked.
    pub answer: Option<CookieAnswer>,
    /// The form, with what they asked.
    pub form: CookieForm<'a>,
}

/// Posts `line`, `from`, `embedded` (`1` or absent), `to`, `method`, `site`, `kind` and `after`.
#[derive(Clone, Copy, Debug)]
pub struct CookieForm<'a> {
    /// The line.
    pub line: Field<'a>,
    /// The URL whose answer sets it.
    pub from: Field<'a>,
    /// Whether it is set in another site's page.
    pub embedded: bool,
    /// The URL of a later request.
    pub to: Field<'a>,
    /// What is chosen of the later request.
    pub choices: Choices<'a>,
    /// How many seconds later it comes.
    pub after: Field<'a>,
}

/// What is chosen of the later request.
#[derive(Clone, Copy, Debug)]
pub struct Choices<'a> {
    /// Its method.
    pub method: &'a str,
    /// Who asks: `same-site` or `cross-site`.
    pub site: &'a str,
    /// What for: `navigation`, `frame` or `fetch`.
    pub kind: &'a str,
    /// What is wrong with one of them.
    pub problem: Option<&'a str>,
}

/// What becomes of the cookie, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieAnswer {
    /// When it is set.
    pub verdict: String,
    /// What the cookie is: names and words.
    pub facts: Vec<(&'static str, String)>,
    /// What was found when it is set.
    pub findings: Vec<FindingRow>,
    /// The later request: whether it goes along, and what was found.
    pub later: Option<(String, Vec<FindingRow>)>,
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindingRow {
    /// How much it weighs: `dropped`.
    pub severity: &'static str,
    /// Whether the browser does not do what was wanted.
    pub is_grave: bool,
    /// Its code.
    pub code: &'static str,
    /// Where its rule is written.
    pub source: String,
    /// What it means for this cookie.
    pub message: String,
}

impl CookieAnswer {
    /// In words. `method` is that of the later request.
    #[must_use]
    pub fn of(answer: &Answer<'_>, method: &str) -> Self {
        let rows = |findings: &[Finding]| findings.iter().map(FindingRow::of).collect::<Vec<_>>();
        let later = answer.later.as_ref().map(|(request, sending)| {
            let (place, asked) = (&request.place, request.context.words());
            let sent = match sending {
                Some(sending) if sending.is_sent() => "Sent",
                Some(_) | None => "Not sent",
            };
            let found = sending.as_ref().map(|sending| rows(&sending.findings));
            (format!("{sent} with {method} {place}, {asked}"), found.unwrap_or_default())
        });
        Self {
            verdict: format!("{} by {}", Verdict::of(answer).words(), answer.from.place),
            facts: answer.facts(),
            findings: rows(&answer.received.findings),
            later,
        }
    }
}

impl FindingRow {
    fn of(finding: &Finding) -> Self {
        Self {
            severity: finding.severity().name(),
            is_grave: finding.severity() <= Severity::Withheld,
            code: finding.rule.code(),
            source: finding.rule.source(),
            message: finding.message.clone(),
        }
    }
}

impl Choices<'_> {
    /// The methods that can be chosen.
    pub const METHODS: [&'static str; 7] =
        ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];
    /// Who can ask.
    const SITES: [(&'static str, &'static str); 2] =
        [("same-site", "A page of the same site, or a person"), ("cross-site", "Another site")];
    /// What can be asked for.
    const KINDS: [(&'static str, &'static str); 3] = [
        ("navigation", "A whole page: a link, a form"),
        ("frame", "A frame in a page"),
        ("fetch", "A part of a page: a script, an image"),
    ];
}

impl<'a> CookiePage<'a> {
    fn has_problem(&self) -> bool {
        !self.problems().is_empty()
    }

    fn problems(&self) -> Vec<Problem<'a>> {
        problems([
            ("line", self.form.line.problem),
            ("from", self.form.from.problem),
            ("to", self.form.to.problem),
            ("method", self.form.choices.problem),
            ("after", self.form.after.problem),
        ])
    }
}
