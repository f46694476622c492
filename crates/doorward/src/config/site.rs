//! `[[site]]`: the sites behind a proxy that asks us, and `[forward_auth]`.

use std::time::Duration;

use anyhow::{Context, bail};
use doorward_core::account::Role;
use doorward_core::session::Assurance;
use doorward_core::site::{Admission, Demand, OriginPattern, PathPattern, Rule, Site, Sites};
use doorward_core::username::Username;
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

/// Who may open a part of a site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Allow {
    /// Whoever comes.
    Anybody,
    /// Whoever is signed in.
    #[default]
    Members,
    /// Nobody.
    Nobody,
}

/// What a site and a rule both say about members.
struct Said<'a> {
    allow: Option<Allow>,
    roles: &'a [String],
    accounts: &'a [String],
    level: Option<&'a str>,
    proved_within: Option<Duration>,
}

impl Said<'_> {
    fn admission(&self) -> anyhow::Result<Admission> {
        let demand = Demand {
            roles: self.roles.iter().map(|name| role(name)).collect::<Result<_, _>>()?,
            accounts: self.accounts.iter().map(|name| account(name)).collect::<Result<_, _>>()?,
            assurance: self.level.map(level).transpose()?,
            proved_within: self.proved_within,
        };
        match self.allow.unwrap_or_default() {
            Allow::Members => Ok(Admission::Members(demand)),
            _ if demand != Demand::default() => bail!(
                "roles, accounts, level and proved_within are asked of members only\nTry: leave out allow"
            ),
            Allow::Anybody => Ok(Admission::Anybody),
            Allow::Nobody => Ok(Admission::Nobody),
        }
    }
}

fn role(name: &str) -> anyhow::Result<Role> {
    Role::from_name(name)
        .with_context(|| format!("there is no role \"{name}\"\nTry: roles = [\"administrator\"]"))
}

fn account(name: &str) -> anyhow::Result<Username> {
    let parsed = Username::parse(name);
    parsed.map_err(|_| anyhow::anyhow!("\"{name}\" is no username\nTry: accounts = [\"ada\"]"))
}

fn level(name: &str) -> anyhow::Result<Assurance> {
    Assurance::from_name(name)
        .with_context(|| format!("there is no level \"{name}\"\nTry: level = \"aal2\""))
}

impl SiteConfig {
    pub(super) fn site(&self) -> anyhow::Result<Site> {
        let origin = OriginPattern::parse(&self.origin).with_context(|| {
            format!("[[site]] \"{}\"\nTry: origin = \"https://wiki.example.com\"", self.origin)
        })?;
        let said = Said {
            allow: self.allow,
            roles: &self.roles,
            accounts: &self.accounts,
            level: self.level.as_deref(),
            proved_within: self.proved_within.map(|length| length.0),
        };
        let otherwise = said.admission().with_context(|| format!("[[site]] {origin}"))?;
        let rules = self.rule.iter().map(|rule| {
            rule.rule().with_context(|| format!("[[site.rule]] \"{}\" of {origin}", rule.path))
        });
        let rules = rules.collect::<Result<_, _>>()?;
        Ok(Site { origin, rules, otherwise })
    }
}

impl RuleConfig {
    fn rule(&self) -> anyhow::Result<Rule> {
        let said = Said {
            allow: self.allow,
            roles: &self.roles,
            accounts: &self.accounts,
            level: self.level.as_deref(),
            proved_within: self.proved_within.map(|length| length.0),
        };
        let is_method = |method: &&String| {
            !method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-')
        };
        if let Some(wrong) = self.methods.iter().find(|method| !is_method(method)) {
            bail!("\"{wrong}\" is no method\nTry: methods = [\"GET\", \"HEAD\"]");
        }
        let path = PathPattern::parse(&self.path)?;
        Ok(Rule { path, methods: self.methods.clone(), admission: said.admission()? })
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
