//! What is found: a rule that took effect, and a sentence about this cookie.

use std::fmt;

use super::Rule;

/// What a rule did to the cookie. The weightiest comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The browser does not keep it.
    Dropped,
    /// The browser keeps it, and does not send it with this request.
    Withheld,
    /// The browser keeps something else than the line says.
    Changed,
    /// Nothing changes, but it may not be what was meant.
    Advice,
}

/// A rule that took effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// What it did to this cookie, in one or two sentences. Never holds the cookie's value.
    pub message: String,
}

impl Finding {
    /// What the rule did.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.rule.severity()
    }
}

impl Severity {
    /// Its name for programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Dropped => "dropped",
            Self::Withheld => "withheld",
            Self::Changed => "changed",
            Self::Advice => "advice",
        }
    }
}

/// The sentence, and where its rule is written.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.rule.source())
    }
}

/// Sorts findings: the weightiest first, else in the order the browser takes them.
pub(super) fn sorted(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by_key(Finding::severity);
    findings
}

/// Bytes of a stranger, for a sentence: short, and with nothing a terminal would obey.
pub(super) fn shown(bytes: &[u8]) -> String {
    const CHARACTERS_MAX: usize = 60;
    let text = String::from_utf8_lossy(bytes);
    let mut shown = String::new();
    for (at, character) in text.chars().enumerate() {
        if at == CHARACTERS_MAX {
            shown.push('…');
            break;
        }
        match character {
            '"' | '\'' | '\\' => shown.push(character),
            other => shown.extend(other.escape_debug()),
        }
    }
    shown
}
