//! Protected sites: those of the configuration, and those that administrators keep.
//!
//! The configuration wins where both name an origin: whoever may change the file decides over whoever may
//! sign in. What administrators keep is in the store; each server takes it up at its start and within
//! [`LOOK_EVERY`] of a change, its own changes at once.

use std::sync::Arc;
use std::time::Duration;

use doorward_core::account::Role;
use doorward_core::site::{
    Admission, Allow, Demand, OriginPattern, OriginRefusal, Rule, Site, Sites, Terms, TermsRefusal,
};
use doorward_core::username::Username;
use doorward_store::Store;
use doorward_store::act::{KeptSite, StoreFailed};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How often a server looks for sites that were kept elsewhere.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The most sites that are kept beside those of the configuration.
pub const KEPT_MAX: u64 = 1000;

/// The most rules of a site.
pub const RULES_MAX: usize = 200;

/// The sites of the configuration, and those that are kept.
#[derive(Clone, Debug, Default)]
pub struct ProtectedSites {
    configured: Sites,
    now: Arc<RwLock<Now>>,
    /// One looks at a time: what was read first must not be taken up last.
    looking: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Default)]
struct Now {
    /// As the store has them, so that what has not changed is not read again.
    kept: Vec<KeptSite>,
    all: Arc<Sites>,
}

impl From<Sites> for ProtectedSites {
    fn from(configured: Sites) -> Self {
        let all = Arc::new(configured.clone());
        let now = Arc::new(RwLock::new(Now { kept: Vec::new(), all }));
        Self { configured, now, looking: Arc::default() }
    }
}

impl ProtectedSites {
    /// Those of the configuration.
    #[must_use]
    pub fn configured(&self) -> &Sites {
        &self.configured
    }

    /// Whether the configuration has a site of just this pattern.
    #[must_use]
    pub fn is_configured(&self, origin: &OriginPattern) -> bool {
        self.configured.of_pattern(origin).is_some()
    }

    /// A site as it is told to administrators.
    #[must_use]
    pub fn document(&self, site: &Site) -> Value {
        let mut document = json!(SiteDocument::of(site));
        document["origin"] = site.origin.to_string().into();
        document["configured"] = self.is_configured(&site.origin).into();
        document
    }

    /// All that count now.
    #[must_use]
    pub fn now(&self) -> Arc<Sites> {
        Arc::clone(&self.now.read().all)
    }

    /// Takes up what the store has. One that cannot be read is told of, and closed: a wildcard that covers it
    /// must not decide in its place.
    pub async fn look(&self, store: &dyn Store) -> Result<(), StoreFailed> {
        let _one_at_a_time = self.looking.lock().await;
        let kept = store.sites().await?;
        if self.now.read().kept == kept {
            return Ok(());
        }
        let all = Arc::new(self.configured.and(kept.iter().filter_map(read_or_closed).collect()));
        *self.now.write() = Now { kept, all };
        Ok(())
    }
}

/// A kept site, or a closed one in its place.
fn read_or_closed(kept: &KeptSite) -> Option<Site> {
    let fault = match read(kept) {
        Ok(site) => return Some(site),
        Err(fault) => fault,
    };
    tracing::error!(origin = kept.origin, fault, "a kept site cannot be read: it is closed");
    let origin = OriginPattern::parse(&kept.origin).ok()?;
    Some(Site { origin, rules: Vec::new(), otherwise: Admission::Nobody })
}

fn read(kept: &KeptSite) -> Result<Site, String> {
    let document: SiteDocument =
        serde_json::from_str(&kept.document).map_err(|error| error.to_string())?;
    document.site(&kept.origin).map_err(|refusal| refusal.to_string())
}

/// Who may open what of a site, as JSON says it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SiteDocument {
    /// Who may open what no rule fits.
    pub allow: Allow,
    /// Members of one of these roles, or one of `accounts`.
    pub roles: Vec<String>,
    /// Members of these names, or of one of `roles`.
    pub accounts: Vec<String>,
    /// How sure we must be of them.
    pub level: Option<String>,
    /// How many seconds ago they may have proved themselves at the most.
    pub proved_within: Option<u64>,
    /// The parts of it that are for others. The first that fits decides.
    pub rules: Vec<RuleDocument>,
}

/// A rule of a site, as JSON says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleDocument {
    /// The part: this path and everything below it.
    pub path: String,
    /// The methods that it is about: all by default.
    #[serde(default)]
    pub methods: Vec<String>,
    /// As of the site.
    #[serde(default)]
    pub allow: Allow,
    /// As of the site.
    #[serde(default)]
    pub roles: Vec<String>,
    /// As of the site.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// As of the site.
    #[serde(default)]
    pub level: Option<String>,
    /// As of the site.
    #[serde(default)]
    pub proved_within: Option<u64>,
}

/// Why a document describes no site.
#[derive(Debug, thiserror::Error)]
pub enum DocumentRefusal {
    /// Its origin is none.
    #[error(transparent)]
    Origin(#[from] OriginRefusal),
    /// It has more rules than [`RULES_MAX`].
    #[error("a site has {RULES_MAX} rules at the most")]
    TooManyRules,
    /// What it says makes no sense: at the top, or in this rule, counted from 0.
    #[error("{1}")]
    Terms(Option<usize>, TermsRefusal),
}

impl SiteDocument {
    /// The site of an origin that this describes.
    pub fn site(&self, origin: &str) -> Result<Site, DocumentRefusal> {
        let origin = OriginPattern::parse(origin)?;
        if self.rules.len() > RULES_MAX {
            return Err(DocumentRefusal::TooManyRules);
        }
        let terms = Terms {
            allow: self.allow,
            roles: &self.roles,
            accounts: &self.accounts,
            level: self.level.as_deref(),
            proved_within: self.proved_within.map(Duration::from_secs),
        };
        let otherwise =
            terms.admission().map_err(|refusal| DocumentRefusal::Terms(None, refusal))?;
        let rule = |(index, rule): (usize, &RuleDocument)| {
            rule.rule().map_err(|refusal| DocumentRefusal::Terms(Some(index), refusal))
        };
        let rules = self.rules.iter().enumerate().map(rule).collect::<Result<_, _>>()?;
        Ok(Site { origin, rules, otherwise })
    }

    /// What describes a site.
    #[must_use]
    pub fn of(site: &Site) -> Self {
        let Said { allow, roles, accounts, level, proved_within } = Said::of(&site.otherwise);
        let rules = site.rules.iter().map(RuleDocument::of).collect();
        Self { allow, roles, accounts, level, proved_within, rules }
    }
}

impl RuleDocument {
    fn rule(&self) -> Result<Rule, TermsRefusal> {
        let terms = Terms {
            allow: self.allow,
            roles: &self.roles,
            accounts: &self.accounts,
            level: self.level.as_deref(),
            proved_within: self.proved_within.map(Duration::from_secs),
        };
        Rule::of(&self.path, &self.methods, &terms)
    }

    fn of(rule: &Rule) -> Self {
        let Said { allow, roles, accounts, level, proved_within } = Said::of(&rule.admission);
        let (path, methods) = (rule.path.as_str().to_owned(), rule.methods.clone());
        Self { path, methods, allow, roles, accounts, level, proved_within }
    }
}

/// What a site and a rule both say of who is let in.
struct Said {
    allow: Allow,
    roles: Vec<String>,
    accounts: Vec<String>,
    level: Option<String>,
    proved_within: Option<u64>,
}

impl Said {
    fn of(admission: &Admission) -> Self {
        let nothing = Demand::default();
        let (allow, demand) = match admission {
            Admission::Anybody => (Allow::Anybody, &nothing),
            Admission::Nobody => (Allow::Nobody, &nothing),
            Admission::Members(demand) => (Allow::Members, demand),
        };
        let role = |role: &Role| role.name().to_owned();
        let account = |name: &Username| name.as_str().to_owned();
        Self {
            allow,
            roles: demand.roles.iter().map(role).collect(),
            accounts: demand.accounts.iter().map(account).collect(),
            level: demand.assurance.map(|level| level.name().to_owned()),
            proved_within: demand.proved_within.map(|within| within.as_secs()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_describes_the_site_that_it_was_made_of() {
        let document = json!({
            "roles": ["administrator"],
            "accounts": ["ada"],
            "level": "aal2",
            "proved_within": 900,
            "rules": [
                { "path": "/public", "allow": "anybody" },
                { "path": "/api", "methods": ["GET", "HEAD"], "accounts": ["grace"] },
                { "path": "/old", "allow": "nobody" },
            ],
        });
        let document: SiteDocument = serde_json::from_value(document).unwrap();
        let site = document.site("https://Wiki.example.com:443").unwrap();
        assert_eq!(site.origin.to_string(), "https://wiki.example.com");
        assert_eq!(SiteDocument::of(&site), document);
    }

    /// A newer server may keep what this one cannot read.
    #[tokio::test]
    async fn a_kept_site_that_cannot_be_read_is_closed_and_not_a_wildcards() {
        let store = doorward_store::memory::MemoryStore::default();
        let wildcard = SiteDocument::default().site("https://*.example.com").unwrap();
        let sites = ProtectedSites::from(Sites::of(vec![wildcard]).unwrap());
        let kept = KeptSite {
            origin: "https://admin.example.com".to_owned(),
            document: r#"{"roles":["auditor"]}"#.to_owned(),
            changed_at: doorward_wire::UnixTime(0),
        };
        let event = doorward_store::conformance::sample::event(1);
        doorward_store::Sites::keep_site(&store, kept, 10, event).await.unwrap();
        sites.look(&store).await.unwrap();
        let now = sites.now();
        let origin = |host| doorward_core::site::Origin::of("https", host).unwrap();
        assert_eq!(now.find(&origin("admin.example.com")).unwrap().otherwise, Admission::Nobody);
        assert_ne!(now.find(&origin("wiki.example.com")).unwrap().otherwise, Admission::Nobody);
    }

    #[test]
    fn what_makes_no_sense_is_refused_where_it_stands() {
        let refused = |document| {
            let document: SiteDocument = serde_json::from_value(document).unwrap();
            match document.site("https://wiki.example.com").unwrap_err() {
                DocumentRefusal::Terms(rule, refusal) => (rule, refusal.member()),
                other => panic!("{other}"),
            }
        };
        assert_eq!(refused(json!({ "roles": ["king"] })), (None, "roles"));
        assert_eq!(refused(json!({ "allow": "nobody", "level": "aal2" })), (None, "allow"));
        let second = |rule| json!({ "rules": [{ "path": "/a" }, rule] });
        assert_eq!(refused(second(json!({ "path": "a" }))), (Some(1), "path"));
        let method = second(json!({ "path": "/", "methods": ["get"] }));
        assert_eq!(refused(method), (Some(1), "methods"));
        let rules = vec![json!({ "path": "/" }); RULES_MAX + 1];
        let many: SiteDocument = serde_json::from_value(json!({ "rules": rules })).unwrap();
        let refusal = many.site("https://wiki.example.com").unwrap_err();
        assert!(matches!(refusal, DocumentRefusal::TooManyRules));
    }
}
