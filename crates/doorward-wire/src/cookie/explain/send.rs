//! Whether a stored cookie goes along with a request (section 5.8.3), and why it would not.

use std::time::Duration;

use super::finding::{shown, sorted};
use super::{Context, Finding, Kept, Method, Partition, Request, Rule, SameSite, Severity};
use crate::UnixTime;

/// How long some browsers let a cookie without `SameSite` go along with a foreign POST.
const LAX_ALLOWING_UNSAFE: Duration = Duration::from_mins(2);

/// Whether a cookie goes along with a request.
#[derive(Debug)]
pub struct Sending {
    /// What was found, the weightiest first.
    pub findings: Vec<Finding>,
}

impl Sending {
    /// Whether it is sent: nothing holds it back.
    #[must_use]
    pub fn is_sent(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity() != Severity::Withheld)
    }
}

impl Kept {
    /// Decides whether this cookie goes along with a request, and names every reason if not.
    #[must_use]
    pub fn send(&self, request: &Request, now: UnixTime) -> Sending {
        let place = [self.ended(now), self.elsewhere(request), self.off_path(request)];
        let rest = [self.in_the_clear(request), self.foreign(request, now), self.parted(request)];
        let advice = [self.third_party(request)];
        let findings = place.into_iter().chain(rest).chain(advice).flatten().collect();
        Sending { findings: sorted(findings) }
    }

    fn ended(&self, now: UnixTime) -> Option<Finding> {
        let end = self.expires_at.filter(|end| *end <= now)?;
        Some(Rule::Expired.found(format!("It ended at {end}.")))
    }

    fn elsewhere(&self, request: &Request) -> Option<Finding> {
        let (place, domain) = (&request.place, &self.domain);
        if self.host_only {
            let said = format!("It goes to {domain} alone, and this is {}.", place.host());
            return (place.host() != domain).then(|| Rule::OtherHost.found(said));
        }
        let said = format!("It goes to {domain} and below, and {} is not there.", place.host());
        (!place.domain_matches(domain)).then(|| Rule::OtherDomain.found(said))
    }

    fn off_path(&self, request: &Request) -> Option<Finding> {
        let path = shown(&self.path);
        let said = format!("It goes to {path} and below, and {} is not.", request.place.path());
        (!request.place.path_matches(&self.path)).then(|| Rule::OtherPath.found(said))
    }

    fn in_the_clear(&self, request: &Request) -> Option<Finding> {
        let said = "It is Secure, and the request goes in the clear.";
        (self.secure && !request.place.is_secure()).then(|| Rule::SecureOnly.found(said))
    }

    fn foreign(&self, request: &Request, now: UnixTime) -> Option<Finding> {
        if request.context == Context::SameSite {
            return None;
        }
        match self.same_site {
            SameSite::None => None,
            SameSite::Strict => {
                let said = "It is SameSite=Strict, and another site asked for the request.";
                Some(Rule::StrictFromCrossSite.found(said))
            }
            SameSite::Lax | SameSite::Default => self.lax(request, now),
        }
    }

    fn lax(&self, request: &Request, now: UnixTime) -> Option<Finding> {
        let says = match self.same_site {
            SameSite::Default => "It has no SameSite, which stands for Lax",
            SameSite::Lax | SameSite::Strict | SameSite::None => "It is SameSite=Lax",
        };
        if request.context.is_embedded() {
            let said = format!("{says}, and the request is for a part of another site's page.");
            return Some(Rule::LaxEmbedded.found(said));
        }
        if request.method == Method::Safe {
            return None;
        }
        let young = now.since(self.created_at) <= LAX_ALLOWING_UNSAFE;
        if self.same_site == SameSite::Default && young {
            let said = "Another site asked with an unsafe method. Because it has no SameSite, \
                        Chromium sends it for two minutes after it was set, and then holds it back.";
            return Some(Rule::LaxAllowingUnsafe.found(said));
        }
        let said = format!("{says}, and another site asked with an unsafe method.");
        Some(Rule::LaxUnsafe.found(said))
    }

    fn parted(&self, request: &Request) -> Option<Finding> {
        let (lives, asked) = match (self.partition?, request.context.is_embedded()) {
            (Partition::Own, true) => ("its own site's pages", "another site's page"),
            (Partition::Foreign, false) => ("another site's pages", "a page of its own site"),
            (Partition::Own, false) | (Partition::Foreign, true) => return None,
        };
        let said = format!("It is Partitioned and lives under {lives}; this is for {asked}.");
        Some(Rule::OtherPartition.found(said))
    }

    fn third_party(&self, request: &Request) -> Option<Finding> {
        let third = self.partition.is_none() && self.same_site == SameSite::None;
        let said = "Browsers that block third-party cookies, as many do, hold it back. Partitioned \
                    would go, under each site apart.";
        (third && request.context.is_embedded()).then(|| Rule::ThirdParty.found(said))
    }
}
