//! The page that says why a token is refused.

use askama::Template;

use super::{Field, Problem, assets, problems};

/// `/inspect/token`. Posts `token`.
#[derive(Clone, Debug, Template)]
#[template(path = "token.html")]
pub struct TokenPage<'a> {
    /// What came of it, once somebody has asked.
    pub answer: Option<TokenAnswer>,
    /// The field. What was pasted is not shown again.
    pub token: Field<'a>,
}

/// What came of a token, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenAnswer {
    /// Whether it counts.
    pub verdict: &'static str,
    /// What it seems to be.
    pub kind: &'static str,
    /// The audience it was checked for.
    pub audience: String,
    /// Each check, in its order.
    pub checks: Vec<CheckRow>,
    /// The header, as JSON.
    pub header: Option<String>,
    /// The claims, as JSON.
    pub claims: Option<String>,
}

/// A check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckRow {
    /// Its name.
    pub name: &'static str,
    /// What is asked.
    pub question: &'static str,
    /// What came of it.
    pub verdict: &'static str,
    /// Whether it failed.
    pub is_grave: bool,
}

impl From<(&'static str, &'static str, &'static str)> for CheckRow {
    fn from((name, question, verdict): (&'static str, &'static str, &'static str)) -> Self {
        Self { name, question, verdict, is_grave: verdict == "failed" }
    }
}

impl<'a> TokenPage<'a> {
    fn has_problem(&self) -> bool {
        self.token.problem.is_some()
    }

    fn problems(&self) -> Vec<Problem<'a>> {
        problems([("token", self.token.problem)])
    }
}
