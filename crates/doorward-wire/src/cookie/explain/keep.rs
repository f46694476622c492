//! What a browser stores of a line (section 5.7), and why it would not.

use std::fmt;

use zeroize::Zeroizing;

use super::finding::{shown, sorted};
use super::{Context, Finding, Request, Rule, Scheme, SetCookie, Severity, parse_date, prefix};
use crate::UnixTime;
use crate::cookie::MAX_AGE_MAX;

/// What became of a line.
#[derive(Debug)]
pub struct Received {
    /// The cookie as it is stored, or `None` if it is not.
    pub kept: Option<Kept>,
    /// A cookie that has ended before it came: one of the same name, domain and path goes.
    pub taken_away: Option<Kept>,
    /// What was found, the weightiest first.
    pub findings: Vec<Finding>,
}

/// A cookie as a browser stores it.
#[derive(Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its name; may be empty.
    pub name: Vec<u8>,
    /// Its value.
    pub value: Zeroizing<Vec<u8>>,
    /// The host it goes to.
    pub domain: String,
    /// Whether it goes to that host alone, and not to those under it.
    pub host_only: bool,
    /// The path it goes to.
    pub path: Vec<u8>,
    /// Whether it goes over secure connections alone.
    pub secure: bool,
    /// Whether scripts cannot read it.
    pub http_only: bool,
    /// Whether it goes along when another site asks.
    pub same_site: SameSite,
    /// Under whose pages it lives, if it is partitioned.
    pub partition: Option<Partition>,
    /// When it was set.
    pub created_at: UnixTime,
    /// When it ends; `None` if with the browser's session.
    pub expires_at: Option<UnixTime>,
}

/// Whether a cookie goes along when another site asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// The line does not say: `Lax`, and in some browsers a little wider.
    Default,
    /// Never.
    Strict,
    /// Only by links: navigations with a safe method.
    Lax,
    /// Always.
    None,
}

/// Under whose pages a partitioned cookie lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partition {
    /// Its own site's.
    Own,
    /// Those of the other site whose page it was set in.
    Foreign,
}

impl SetCookie<'_> {
    /// Decides what a browser stores of this line, as the answer to a request.
    #[must_use]
    pub fn keep(&self, request: &Request, now: UnixTime) -> Received {
        let mut reader = Reader { cookie: self, request, now, findings: Vec::new() };
        self.read(&mut reader.findings);
        let expires_at = reader.life();
        let (domain, host_only) = reader.domain();
        let path = reader.path();
        let (secure, http_only) = (self.has("Secure"), self.has("HttpOnly"));
        reader.secure(secure);
        let same_site = reader.same_site(secure);
        prefix::check(self, &mut reader.findings);
        let partition = reader.partition(secure);
        reader.end(expires_at);

        let findings = sorted(reader.findings);
        let dropped = |finding: &&Finding| finding.severity() == Severity::Dropped;
        let accepted =
            !findings.iter().filter(dropped).any(|one| one.rule != Rule::ExpiredOnArrival);
        let accepted = accepted.then(|| Kept {
            name: self.name().to_vec(),
            value: Zeroizing::new(self.value().to_vec()),
            domain,
            host_only,
            path,
            secure,
            http_only,
            same_site,
            partition,
            created_at: now,
            expires_at,
        });
        let ended = expires_at.is_some_and(|end| end <= now);
        let (taken_away, kept) = if ended { (accepted, None) } else { (None, accepted) };
        Received { kept, taken_away, findings }
    }
}

/// Reads the attributes one by one and notes what it finds.
struct Reader<'a> {
    cookie: &'a SetCookie<'a>,
    request: &'a Request,
    now: UnixTime,
    findings: Vec<Finding>,
}

impl Reader<'_> {
    fn note(&mut self, rule: Rule, message: impl Into<String>) {
        self.findings.push(rule.found(message));
    }

    /// When it ends: by the last `Max-Age` that can be read, else by the last such `Expires`.
    fn life(&mut self) -> Option<UnixTime> {
        let by_age = self.max_age();
        let by_date = self.expires();
        if by_age.is_some() && by_date.is_some() {
            self.note(
                Rule::ExpiresOverruled,
                "Max-Age and Expires are both there. Max-Age counts.",
            );
        }
        let meant = by_age.or(by_date)?;
        let last = self.now.after(MAX_AGE_MAX);
        if meant > last {
            let said = format!("400 days are the most a browser keeps a cookie: until {last}.");
            self.note(Rule::LifetimeCapped, said);
        }
        Some(meant.min(last))
    }

    fn max_age(&mut self) -> Option<UnixTime> {
        let mut end = None;
        for value in self.cookie.values("Max-Age") {
            let (minus, digits) = match value.strip_prefix(b"-") {
                Some(digits) => (true, digits),
                None => (false, value),
            };
            if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
                let said = format!(
                    "Max-Age={} is not a whole number of seconds. It is ignored.",
                    shown(value)
                );
                self.note(Rule::MaxAgeUnreadable, said);
                continue;
            }
            let digit = |sum: u64, digit: &u8| sum.saturating_mul(10) + u64::from(digit - b'0');
            let seconds = digits.iter().fold(0, |sum, next| digit(sum, next).min(u64::MAX / 16));
            let ended = minus || seconds == 0;
            end = Some(if ended {
                UnixTime(0)
            } else {
                UnixTime(self.now.0.saturating_add(seconds))
            });
        }
        end
    }

    fn expires(&mut self) -> Option<UnixTime> {
        let mut end = None;
        for value in self.cookie.values("Expires") {
            let Some(seconds) = parse_date(value) else {
                let said = format!(
                    "Expires={} is not a date as in Sun, 06 Nov 1994 08:49:37 GMT. It is ignored.",
                    shown(value)
                );
                self.note(Rule::ExpiresUnreadable, said);
                continue;
            };
            end = Some(UnixTime(u64::try_from(seconds).unwrap_or(0)));
        }
        end
    }

    /// The domain, and whether it is one host alone.
    fn domain(&mut self) -> (String, bool) {
        let host = self.request.place.host().to_owned();
        let Some(value) = self.cookie.values("Domain").next_back() else { return (host, true) };
        if value.is_empty() {
            let said = format!("Domain is empty, as if it were absent: it goes to {host} alone.");
            self.note(Rule::DomainEmpty, said);
            return (host, true);
        }
        let Some(domain) = std::str::from_utf8(value).ok().filter(|text| text.is_ascii()) else {
            let said = format!("Domain={} is not in ASCII. Write ü as xn--….", shown(value));
            self.note(Rule::DomainNotAscii, said);
            return (host, true);
        };
        let domain = domain.to_ascii_lowercase();
        let bare = domain.strip_prefix('.').unwrap_or(&domain);
        if bare.is_empty() || !self.request.place.domain_matches(bare) {
            let said = format!(
                "{host} may not set a cookie for {}: it is neither that host nor one under it.",
                shown(value)
            );
            self.note(Rule::DomainMismatch, said);
            return (host, true);
        }
        if bare.len() < domain.len() {
            let said = "The dot before Domain means nothing: hosts under it are meant without it.";
            self.note(Rule::DomainDot, said);
        }
        self.domain_of_hosts(bare, host)
    }

    /// A `Domain` that the host lies under, or is.
    fn domain_of_hosts(&mut self, domain: &str, host: String) -> (String, bool) {
        let address = self.request.place.is_address();
        let single = !domain.contains('.');
        if host == domain && (address || single) {
            let said = format!("Nothing lies under {host}: it goes to that host alone.");
            self.note(Rule::DomainHostOnly, said);
            return (host, true);
        }
        if single {
            let said = format!("{domain} belongs to everyone: no host may set a cookie for all.");
            self.note(Rule::DomainPublicSuffix, said);
            return (host, true);
        }
        let said = format!("It goes to {domain} and to every host under it, whoever runs them.");
        self.note(Rule::DomainWidens, said);
        let said = format!(
            "A public suffix cannot be checked here. If {domain} is one, as co.uk is, browsers \
             drop the cookie."
        );
        self.note(Rule::SuffixUnchecked, said);
        (domain.to_owned(), false)
    }

    /// The last `Path`, or the default.
    fn path(&mut self) -> Vec<u8> {
        let default = self.request.place.default_path().to_owned();
        match self.cookie.values("Path").next_back() {
            Some(path) if path.starts_with(b"/") => path.to_vec(),
            Some(path) => {
                let said = format!(
                    "Path={} does not begin with /. It is ignored, and the path is {default}.",
                    shown(path)
                );
                self.note(Rule::PathNotAbsolute, said);
                default.into_bytes()
            }
            None => {
                if default != "/" {
                    let said = format!("Without Path it goes to {default} and below alone.");
                    self.note(Rule::PathDefault, said);
                }
                default.into_bytes()
            }
        }
    }

    fn secure(&mut self, secure: bool) {
        let place = &self.request.place;
        match (secure, place.scheme(), place.is_secure()) {
            (true, Scheme::Http, false) => {
                let said = format!("Secure, but {} is plain http.", place.host());
                self.note(Rule::SecureOverHttp, said);
            }
            (true, Scheme::Http, true) => {
                let said = format!(
                    "Secure over http to {}: Chromium and Firefox trust this machine, other \
                     browsers may drop the cookie.",
                    place.host()
                );
                self.note(Rule::SecureOnLocalhost, said);
            }
            (false, Scheme::Https, _) => {
                let said = "Without Secure it also goes over plain http, where anyone can read \
                            it and set another in its place.";
                self.note(Rule::SecureAbsent, said);
            }
            (true, Scheme::Https, _) | (false, Scheme::Http, _) => {}
        }
    }

    fn same_site(&mut self, secure: bool) -> SameSite {
        let same_site = self.read_same_site();
        if same_site == SameSite::None && !secure {
            self.note(Rule::NoneWithoutSecure, "SameSite=None is for Secure cookies alone.");
        }
        if same_site != SameSite::None && self.request.context.is_embedded() {
            let said = "It is set from a part of another site's page, where only SameSite=None may \
                        be set.";
            self.note(Rule::CrossSite, said);
        }
        same_site
    }

    fn read_same_site(&mut self) -> SameSite {
        let Some(value) = self.cookie.values("SameSite").next_back() else {
            let said = "Without SameSite, Chromium takes it for Lax but lets POST through for two \
                        minutes. Other browsers may take it for None.";
            self.note(Rule::SameSiteAbsent, said);
            return SameSite::Default;
        };
        match value.to_ascii_lowercase().as_slice() {
            b"strict" => SameSite::Strict,
            b"lax" => SameSite::Lax,
            b"none" => SameSite::None,
            _ => {
                let said = format!(
                    "SameSite={} is none of Strict, Lax and None: as if it were absent.",
                    shown(value)
                );
                self.note(Rule::SameSiteUnknown, said);
                SameSite::Default
            }
        }
    }

    fn partition(&mut self, secure: bool) -> Option<Partition> {
        if !self.cookie.has("Partitioned") {
            return None;
        }
        if !secure {
            let said = "Partitioned is for Secure cookies alone.";
            self.note(Rule::PartitionedWithoutSecure, said);
        }
        Some(match self.request.context {
            Context::SameSite | Context::CrossSiteNavigation => Partition::Own,
            Context::CrossSiteFrame | Context::CrossSiteSubresource => Partition::Foreign,
        })
    }

    fn end(&mut self, expires_at: Option<UnixTime>) {
        if expires_at.is_some_and(|end| end <= self.now) {
            let said = "Its end is past when it arrives. It only takes away an older cookie of \
                        the same name, domain and path.";
            self.note(Rule::ExpiredOnArrival, said);
        }
    }
}

impl Kept {
    /// What the `Cookie` header holds for it: `name=value`, or the value if there is no name.
    #[must_use]
    pub fn pair(&self) -> Zeroizing<Vec<u8>> {
        let equals: &[u8] = if self.name.is_empty() { b"" } else { b"=" };
        Zeroizing::new([&self.name, equals, &self.value].concat())
    }
}

/// Everything but the value.
impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("name", &shown(&self.name))
            .field("domain", &self.domain)
            .field("host_only", &self.host_only)
            .field("path", &shown(&self.path))
            .field("secure", &self.secure)
            .field("http_only", &self.http_only)
            .field("same_site", &self.same_site)
            .field("partition", &self.partition)
            .field("created_at", &self.created_at)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}
