//! `[places]` and `[signals]`: where addresses are, and what is done when a request does not look like
//! its session's own.

use std::path::PathBuf;

use doorward_core::hijack::{Reaction, Reactions};
use serde::Deserialize;

/// `[places]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlacesConfig {
    /// A database of cities or countries in MaxMind's format. None by default.
    pub database: Option<PathBuf>,
}

/// `[signals]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SignalsConfig {
    /// Another family of browsers: `ask`, `note` or `off`. `ask` by default.
    pub browser: ReactionName,
    /// Another continent. `ask` by default.
    pub continent: ReactionName,
    /// Farther away than anybody could have travelled. `ask` by default.
    pub travel: ReactionName,
}

impl SignalsConfig {
    /// What is done about each signal.
    pub(super) fn reactions(&self) -> Reactions {
        let Self { browser, continent, travel } = self;
        Reactions { browser: browser.0, continent: continent.0, travel: travel.0 }
    }
}

/// The name of what is done about a signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReactionName(pub Reaction);

impl<'de> Deserialize<'de> for ReactionName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Reaction::from_name(&text)
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("a signal is one of `ask`, `note` and `off`"))
    }
}
