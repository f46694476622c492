//! Settings: what an operator decides, already parsed and checked.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use doorward_core::binding::Policy;
use doorward_core::credential::{HashParams, PasswordPolicy};
use doorward_core::data::DataKey;
use doorward_core::grant::{ADMIN_SCOPE, REVOCATIONS_SCOPE};
use doorward_core::hijack::Reactions;
use doorward_core::session::Lifetimes;
use doorward_core::site::{Origin, OriginPattern, Site as ProtectedSite};
use doorward_wire::cookie::{CookieForm, PassForm};
use doorward_wire::jose::Algorithm;
use ipnet::IpNet;

use crate::cors::Origins;
use crate::sites::ProtectedSites;

/// The most bytes of a request's body.
pub const BODY_MAX: usize = 64 * 1024;

/// The most bytes of a request's header fields together.
pub const HEADERS_MAX: usize = 16 * 1024;

/// The most bytes of a request's `Cookie` fields together.
pub const COOKIES_MAX: usize = 8 * 1024;

/// The most cookies in one request: a browser keeps 180 for a domain.
pub const COOKIE_COUNT_MAX: usize = 180;

/// How long a server that shares its store, or a guard that follows its log, goes by what it knows, at the
/// most, without having heard that there is nothing else.
pub const STALE_MAX: Duration = doorward_store::postgres::STALE_MAX;

/// The longest a request may take.
pub const REQUEST_TIME_MAX: Duration = Duration::from_secs(30);

/// Where the server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Site {
    /// Plain HTTP on this machine: `localhost`, `127.0.0.1`, `[::1]` and `*.localhost`, any port.
    Development {
        /// The issuer of tokens: `http://localhost:7117`.
        issuer: String,
    },
    /// HTTPS under one origin, through a proxy that is trusted to say who is asking.
    Production {
        /// The origin, which is the issuer too: `https://id.example.com`.
        origin: String,
        /// The proxies whose `X-Forwarded-*` count.
        trusted_proxies: Vec<IpNet>,
    },
}

impl Site {
    /// The issuer of our tokens (RFC 8414, section 2).
    #[must_use]
    pub fn issuer(&self) -> &str {
        match self {
            Self::Development { issuer } => issuer,
            Self::Production { origin, .. } => origin,
        }
    }

    /// What our cookie looks like.
    #[must_use]
    pub fn cookie(&self) -> CookieForm {
        match self {
            Self::Development { .. } => CookieForm::Development,
            Self::Production { .. } => CookieForm::Production,
        }
    }

    /// Whether sessions can be bound to a device here: browsers do that over HTTPS alone.
    #[must_use]
    pub fn can_bind(&self) -> bool {
        match self {
            Self::Development { .. } => false,
            Self::Production { .. } => true,
        }
    }

    /// The name of this site, without scheme and port.
    #[must_use]
    pub fn host(&self) -> &str {
        let (_, host) = self.issuer().split_once("://").unwrap_or_default();
        match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        }
    }

    /// Whether a browser's `Origin` is ours, in a request for `host`.
    ///
    /// In development the host is one of this machine's names: [`is_loopback_name`] has refused any
    /// other, so a name that was rebound to this machine (DNS rebinding) has no origin here.
    #[must_use]
    pub fn is_ours(&self, origin: &str, host: &str) -> bool {
        match self {
            Self::Development { .. } => {
                origin.strip_prefix("http://").is_some_and(|rest| rest == host)
                    && is_loopback_name(host)
            }
            Self::Production { origin: ours, .. } => origin == ours,
        }
    }

    /// Whether an address belongs to a proxy we trust.
    #[must_use]
    pub fn trusts(&self, peer: IpAddr) -> bool {
        match self {
            Self::Development { .. } => false,
            Self::Production { trusted_proxies, .. } => {
                trusted_proxies.iter().any(|range| range.contains(&peer.to_canonical()))
            }
        }
    }
}

/// Whether the value of a `Host` header names this machine.
///
/// ```
/// use doorward_server::settings::is_loopback_name;
/// assert!(is_loopback_name("app.localhost:7117"));
/// assert!(is_loopback_name("[::1]:7117"));
/// assert!(!is_loopback_name("localhost.evil.example"));
/// ```
#[must_use]
pub fn is_loopback_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.to_ascii_lowercase();
    matches!(name.as_str(), "localhost" | "127.0.0.1" | "[::1]") || name.ends_with(".localhost")
}

/// A service that access tokens may be for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audience {
    /// Its name: the `aud` of its tokens.
    pub name: String,
    /// The one algorithm its tokens are signed with.
    pub algorithm: Algorithm,
    /// The scopes that may be granted for it.
    pub scopes: Vec<String>,
}

/// What an operator decides.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the server is reached.
    pub site: Site,
    /// Whether anybody may make an account.
    pub registration_open: bool,
    /// What a password must be.
    pub password: PasswordPolicy,
    /// What a password's hash costs.
    pub hash: HashParams,
    /// How long sessions last.
    pub lifetimes: Lifetimes,
    /// The keys of session data that go over when a visitor signs in on our pages.
    pub carry: Vec<DataKey>,
    /// Whether sessions are bound to a device, and how tightly.
    pub binding: Policy,
    /// What is done when a request does not look like its session's own.
    pub signals: Reactions,
    /// The algorithm of tokens for our own API.
    pub algorithm: Algorithm,
    /// Whether each access token says where its status is told.
    pub status_list: bool,
    /// The other services that tokens may be for.
    pub audiences: Vec<Audience>,
    /// The origins whose scripts may use the API with a token.
    pub cors: Origins,
    /// The sites behind a proxy that asks us.
    pub sites: ProtectedSites,
    /// The domain of the sites whose browsers have one pass for them all.
    pub site_domain: Option<String>,
}

/// The scopes of our own API.
pub const OWN_SCOPES: [&str; 4] = ["profile", "email", ADMIN_SCOPE, REVOCATIONS_SCOPE];

impl Settings {
    /// Settings for development on `port`.
    #[must_use]
    pub fn development(port: u16) -> Self {
        Self {
            site: Site::Development { issuer: format!("http://localhost:{port}") },
            registration_open: true,
            password: PasswordPolicy::default(),
            hash: HashParams::default(),
            lifetimes: Lifetimes::default(),
            carry: Vec::new(),
            binding: Policy::default(),
            signals: Reactions::default(),
            algorithm: Algorithm::EdDsa,
            status_list: false,
            audiences: Vec::new(),
            cors: Origins::default(),
            sites: ProtectedSites::default(),
            site_domain: None,
        }
    }

    /// The site of an origin. In development every origin is one, as long as none is set up.
    #[must_use]
    pub fn protected(&self, origin: &Origin) -> Option<Arc<ProtectedSite>> {
        let sites = self.sites.now();
        match &self.site {
            Site::Development { .. } if sites.is_empty() => {
                let localhost = OriginPattern::parse("http://localhost").ok()?;
                Some(Arc::new(ProtectedSite::for_members(localhost)))
            }
            Site::Development { .. } | Site::Production { .. } => sites.find(origin).cloned(),
        }
    }

    /// Whether we may send a browser to an origin, with a pass for it.
    #[must_use]
    pub fn may_lead_to(&self, origin: &Origin) -> bool {
        let sites = self.sites.now();
        match &self.site {
            Site::Development { .. } if sites.is_empty() => {
                origin.as_str().starts_with("http://") && is_loopback_name(origin.host())
            }
            Site::Development { .. } | Site::Production { .. } => sites.find(origin).is_some(),
        }
    }

    /// Whether an origin is beyond our cookies: its browsers get a pass of the site's own.
    #[must_use]
    pub fn is_far(&self, origin: &Origin) -> bool {
        match self.pass_form(origin) {
            PassForm::Domain(_) => false,
            PassForm::Site(_) | PassForm::Development(_) => origin.host() != self.site.host(),
        }
    }

    /// What the pass of an origin looks like.
    #[must_use]
    pub fn pass_form<'a>(&'a self, origin: &'a Origin) -> PassForm<'a> {
        let is_below = |domain: &str| {
            let rest = origin.host().strip_suffix(domain);
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        match (&self.site, self.site_domain.as_deref()) {
            (Site::Development { .. }, _) => PassForm::Development(origin.as_str()),
            (Site::Production { .. }, Some(domain)) if is_below(domain) => PassForm::Domain(domain),
            (Site::Production { .. }, _) => PassForm::Site(origin.as_str()),
        }
    }

    /// The audiences whose tokens are signed with a shared secret.
    #[must_use]
    pub fn sharing(&self) -> Vec<String> {
        let own = (self.algorithm, self.site.issuer());
        let others = self.audiences.iter().map(|other| (other.algorithm, other.name.as_str()));
        let sharing = std::iter::once(own).chain(others).filter(|(alg, _)| alg.shares_secret());
        sharing.map(|(_, name)| name.to_owned()).collect()
    }

    /// Every algorithm that tokens may be signed with.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        let others = self.audiences.iter().map(|other| other.algorithm);
        std::iter::once(self.algorithm).chain(others)
    }

    /// The algorithm and scopes of an audience, or `None` if tokens may not be for it.
    #[must_use]
    pub fn audience(&self, name: &str) -> Option<(Algorithm, Vec<&str>)> {
        if name.is_empty() || name == self.site.issuer() {
            return Some((self.algorithm, OWN_SCOPES.to_vec()));
        }
        let Some(found) = self.audiences.iter().find(|audience| audience.name == name) else {
            // A site takes tokens that are for it, and needs no scopes of its own.
            let (origin, rest) = Origin::split(name).ok()?;
            let is_site = rest.is_empty() && origin.as_str() == name;
            self.sites.now().find(&origin).filter(|_| is_site)?;
            return Some((self.algorithm, Vec::new()));
        };
        Some((found.algorithm, found.scopes.iter().map(String::as_str).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_loopback_names() {
        for name in ["localhost", "LOCALHOST:1", "127.0.0.1:7117", "[::1]", "a.b.localhost:80"] {
            assert!(is_loopback_name(name), "{name}");
        }
        for name in
            ["", "evil", "localhost.evil", "127.0.0.1.evil", "localhost:80:evil", "10.0.0.1"]
        {
            assert!(!is_loopback_name(name), "{name}");
        }
    }

    #[test]
    fn a_site_is_named_without_its_scheme_and_port() {
        let host = |origin: &str| {
            let trusted_proxies = Vec::new();
            let site = Site::Production { origin: origin.to_owned(), trusted_proxies };
            site.host().to_owned()
        };
        assert_eq!(host("https://id.example.com"), "id.example.com");
        assert_eq!(host("https://id.example.com:8443"), "id.example.com");
        assert_eq!(host("https://[::1]:8443"), "[::1]");
        assert_eq!(host("https://[::1]"), "[::1]");
        assert_eq!(Settings::development(7117).site.host(), "localhost");
    }

    #[test]
    fn an_origin_is_ours_only_when_it_is_the_one_that_was_asked() {
        let site = Settings::development(7117).site;
        assert!(site.is_ours("http://localhost:7117", "localhost:7117"));
        for origin in
            ["http://127.0.0.1:7117", "https://localhost:7117", "http://localhost", "null"]
        {
            assert!(!site.is_ours(origin, "localhost:7117"), "{origin}");
        }
        assert!(!site.is_ours("http://evil", "evil"));
    }
}
