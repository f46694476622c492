//! `[[site]]`: the sites behind a proxy that asks us, and `[forward_auth]`.

use anyhow::{Context, anyhow, bail};
use doorward_core::site::{Allow, OriginPattern, Rule, Site, Sites, Terms, TermsRefusal};
use serde::Deserialize;

use super::value::Length;

/// `[forward_auth]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ForwardAuthConfig {
    /// The domain of the sites and of Doorward: `example.com`. Browsers get one pass for all of it.
    pub domain: Option<String>,
}

/// `[[site]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteConfig {
    /// Where it is reached: `https://wiki.example.com`, or `https://*.example.com`.
    pub origin: String,
    /// Who may open what no rule fits: `members` by default.
    pub allow: Option<Allow>,
    /// Members of one of these roles, or one of `accounts`.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Members of these names, or of one of `roles`.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// How sure we must be of them: `aal2`.
    pub level: Option<String>,
    /// How long ago they may have proved themselves at the most: `15m`.
    pub proved_within: Option<Length>,
    /// The parts of it that are for others. The first that fits decides.
    #[serde(default)]
    pub rule: Vec<RuleConfig>,
}

/// `[[site.rule]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleConfig {
    /// The part: this path and everything below it.
    pub path: String,
    /// The methods that it is about: all by default.
    #[serde(default)]
    pub methods: Vec<String>,
    /// Who may open it: `members` by default.
    pub allow: Option<Allow>,
    /// As of the site.
    #[serde(default)]
    pub roles: Vec<String>,
    /// As of the site.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// As of the site.
    pub level: Option<String>,
    /// As of the site.
    pub proved_within: Option<Length>,
}

/// What is wrong, and what would be right.
fn advised(refusal: &TermsRefusal) -> anyhow::Error {
    let advice = match refusal {
        TermsRefusal::Role(_) => "roles = [\"administrator\"]",
        TermsRefusal::Account(_) => "accounts = [\"ada\"]",
        TermsRefusal::Level(_) => "level = \"aal2\"",
        TermsRefusal::NotOfMembers => "leave out allow",
        TermsRefusal::Method(_) => "methods = [\"GET\", \"HEAD\"]",
        TermsRefusal::Path(_) => "path = \"/admin\"",
    };
    anyhow!("{refusal}\nTry: {advice}")
}

impl SiteConfig {
    pub(super) fn site(&self) -> anyhow::Result<Site> {
        let origin = OriginPattern::parse(&self.origin).with_context(|| {
            format!("[[site]] \"{}\"\nTry: origin = \"https://wiki.example.com\"", self.origin)
        })?;
        let terms = Terms {
            allow: self.allow.unwrap_or_default(),
            roles: &self.roles,
            accounts: &self.accounts,
            level: self.level.as_deref(),
            proved_within: self.proved_within.map(|length| length.0),
        };
        let otherwise = terms
            .admission()
            .map_err(|refusal| advised(&refusal))
            .with_context(|| format!("[[site]] {origin}"))?;
        let rules = self.rule.iter().map(|rule| {
            rule.rule().with_context(|| format!("[[site.rule]] \"{}\" of {origin}", rule.path))
        });
        let rules = rules.collect::<Result<_, _>>()?;
        Ok(Site { origin, rules, otherwise })
    }
}

impl RuleConfig {
    fn rule(&self) -> anyhow::Result<Rule> {
        let terms = Terms {
            allow: self.allow.unwrap_or_default(),
            roles: &self.roles,
            accounts: &self.accounts,
            level: self.level.as_deref(),
            proved_within: self.proved_within.map(|length| length.0),
        };
        Rule::of(&self.path, &self.methods, &terms).map_err(|refusal| advised(&refusal))
    }
}

/// The sites, no two of one origin.
pub(super) fn sites(configs: &[SiteConfig]) -> anyhow::Result<Sites> {
    let sites = configs.iter().map(SiteConfig::site).collect::<Result<_, _>>()?;
    Sites::of(sites).context("[[site]] has an origin twice")
}

impl ForwardAuthConfig {
    /// The domain that sites share with `host`, which is ours.
    pub(super) fn domain(&self, host: &str) -> anyhow::Result<Option<String>> {
        let Some(domain) = &self.domain else { return Ok(None) };
        let is_ours =
            host == domain || host.strip_suffix(&**domain).is_some_and(|it| it.ends_with('.'));
        if !is_ours || !domain.contains('.') || domain.starts_with('.') {
            bail!(
                "[forward_auth] domain must be one that Doorward itself is in, and {host} is not in \
                 \"{domain}\"\nTry: domain = \"example.com\", with --url https://id.example.com"
            );
        }
        Ok(Some(domain.clone()))
    }
}
