//! Inspecting a token: each check in its order, and whether its session still counts.

use doorward_store::act::StoreFailed;
use doorward_wire::token::{Expectation, Explanation, Shown, Unverified};

use super::identify::{self, IdentifyError};
use crate::App;

/// What a token is, and why it is refused if it is.
#[derive(Debug)]
pub struct Inspected {
    /// What it says, which nobody has vouched for.
    pub said: Unverified,
    /// What came of each check.
    pub explained: Explanation,
    /// The audience it was checked for: its own, if that is one of ours.
    pub audience: String,
    /// Whether the session it hangs from is open; not asked when a check failed before.
    pub is_open: Option<bool>,
}

/// Inspects a token as the service that it is for would.
pub async fn inspect(app: &App, text: &str) -> Result<Inspected, StoreFailed> {
    let said = Unverified::of(text);
    let issuer = app.settings.site.issuer();
    let asked = said.claims.as_ref().and_then(|claims| claims["aud"].as_str()).unwrap_or(issuer);
    let known = app.settings.audience(asked).filter(|_| !asked.is_empty());
    let (audience, algorithm) = match known {
        Some((algorithm, _)) => (asked.to_owned(), algorithm),
        None => (issuer.to_owned(), app.settings.algorithm),
    };
    let algorithms = [algorithm];
    let expected =
        Expectation { issuer, audience: &audience, algorithms: &algorithms, shown: Shown::Bearer };
    let explained = Explanation::of(text, &app.keys.verifying(), &expected, app.ambient.now());
    let is_open = match explained.verified() {
        Ok(token) => match identify::behind_token(app, token).await {
            Ok(_) => Some(true),
            Err(IdentifyError::Store(failure)) => return Err(failure),
            Err(_) => Some(false),
        },
        Err(_) => None,
    };
    Ok(Inspected { said, explained, audience, is_open })
}

impl Inspected {
    /// Whether it would be accepted.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.is_open == Some(true)
    }

    /// Each check with its question and what came of it, the session's last.
    #[must_use]
    pub fn checks(&self) -> Vec<(&'static str, &'static str, &'static str)> {
        let steps = self.explained.steps();
        let steps = steps.map(|(step, verdict)| (step.name(), step.question(), verdict.name()));
        let session = match self.is_open {
            Some(true) => "passed",
            Some(false) => "failed",
            None => "not reached",
        };
        let question = "The session that it hangs from is open, and its owner has not proved \
                        themselves again since";
        steps.chain([("session", question, session)]).collect()
    }
}
