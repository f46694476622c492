//! `[cors]`: whose scripts may use the API with a token.

use doorward_server::cors::{NotAnOrigin, Origins};
use serde::Deserialize;

/// `[cors]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CorsConfig {
    /// Origins, exactly: `https://app.example.com`. None by default.
    pub origins: Vec<String>,
}

impl CorsConfig {
    /// The origins.
    pub(super) fn origins(&self) -> anyhow::Result<Origins> {
        let origins = Origins::parse(self.origins.iter().map(String::as_str));
        origins.map_err(|NotAnOrigin| {
            anyhow::anyhow!(
                "[cors] origins has something that is no origin: {NotAnOrigin}\nTry: origins = \
                 [\"https://app.example.com\"]"
            )
        })
    }
}
