//! Values in the configuration that have a form of their own.

use std::time::Duration;

use doorward_core::binding::{LIFE_MAX, LIFE_MIN, Policy};
use doorward_wire::jose::Algorithm;
use serde::Deserialize;

/// A length of time: `15m`, `24h`, `30d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length(pub Duration);

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let length = humantime::parse_duration(&text).map_err(serde::de::Error::custom)?;
        if length < Duration::from_mins(1) {
            return Err(serde::de::Error::custom("at least one minute is needed: `1m`"));
        }
        Ok(Self(length))
    }
}

/// What nobody else may read, in the configuration or the environment.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The name of a signature algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlgorithmName(pub Algorithm);

impl<'de> Deserialize<'de> for AlgorithmName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(|_| {
            serde::de::Error::custom("the algorithms are `EdDSA`, `ES256`, `RS256` and `HS256`")
        })
    }
}

/// Whether sessions are bound to a device, and how tightly: `10m`, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound(pub Policy);

impl<'de> Deserialize<'de> for Bound {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "off" {
            return Ok(Self(Policy { offered: false, ..Policy::default() }));
        }
        let wrong = || serde::de::Error::custom("from five minutes to one hour, `10m`, or `off`");
        let life = humantime::parse_duration(&text).map_err(|_| wrong())?;
        if !(LIFE_MIN..=LIFE_MAX).contains(&life) {
            return Err(wrong());
        }
        Ok(Self(Policy { offered: true, life }))
    }
}
