//! A protected site: an app behind a proxy, and who may open what of it.
//!
//! ```text
//!   https://wiki.example.com
//!     1  /public           anybody
//!     2  /admin            administrators, proved within 15 minutes
//!        everything else   members
//! ```
//!
//! The first rule whose path and method fit decides.
//!
//! # What this module answers
//!
//! - *A path that two programs read in two ways* (attack 74): `/public/../admin`, `//admin`,
//!   `/admin;x`, `/%61dmin`, `/ADMIN`. Where we cannot know how the app will read a path, it must be
//!   allowed by each rule of the site that its method fits.
//! - *A site that nobody has set up*: it has no rules, so nobody may open it.
//! - *A login that leads nowhere*: whoever is signed in and not allowed is told so, and never sent to
//!   sign in again.

use std::sync::Arc;
use std::time::Duration;

use doorward_wire::UnixTime;

use crate::account::{Account, Role};
use crate::session::{Assurance, LiveSession};
use crate::username::Username;

mod origin;
mod path;
mod terms;
#[cfg(test)]
mod tests;

pub use origin::{Origin, OriginPattern, OriginRefusal};
pub use path::{PathPattern, PathRefusal};
pub use terms::{Allow, Terms, TermsRefusal};

use self::path::Fit;

/// The sites that are protected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sites(Vec<Arc<Site>>);

/// An app behind a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Where it is reached.
    pub origin: OriginPattern,
    /// Who may open what. The first that fits decides.
    pub rules: Vec<Rule>,
    /// Who may open what no rule fits.
    pub otherwise: Admission,
}

/// Who may open a part of a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The part.
    pub path: PathPattern,
    /// The methods, or all if there are none.
    pub methods: Vec<String>,
    /// Who.
    pub admission: Admission,
}

/// Who is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Whoever comes.
    Anybody,
    /// Whoever is signed in and meets this.
    Members(Demand),
    /// Nobody.
    Nobody,
}

/// What is asked of a member. By default nothing more than being one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// One of these roles, or one of [`accounts`](Self::accounts). With neither, every member will do.
    pub roles: Vec<Role>,
    /// One of these accounts.
    pub accounts: Vec<Username>,
    /// At least this sure of who they are.
    pub assurance: Option<Assurance>,
    /// A proof that is no older than this.
    pub proved_within: Option<Duration>,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug)]
pub struct Visit<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The path, as it was sent, without the query.
    pub path: &'a str,
}

/// A member who asks: what of them a rule can ask for.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// Their account.
    pub account: &'a Account,
    /// How sure we are of them.
    pub assurance: Assurance,
    /// When they last proved themselves.
    pub proved_at: UnixTime,
}

impl<'a> Member<'a> {
    /// Whoever a session belongs to, unless that is nobody.
    #[must_use]
    pub fn of(live: &'a LiveSession) -> Option<Self> {
        let session = live.session();
        let account = live.account()?;
        Some(Self { account, assurance: session.acr, proved_at: session.proved_at })
    }
}

/// What was decided, and by which rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// What was decided.
    pub verdict: Verdict,
    /// The number of the rule that did, from 1; `None` if no rule fitted.
    pub rule: Option<usize>,
}

/// Whether a request is let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Allowed,
    /// Whoever asks is to sign in first.
    SignIn,
    /// Whoever is signed in is to prove themselves again.
    ProveAgain,
    /// It is not, and signing in again would not change that.
    Denied(Denial),
}

/// Why a member is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// Nobody is.
    Closed,
    /// Others are.
    NotOneOfThem,
    /// They have not shown enough of who they are, and cannot by a password.
    Assurance,
}

impl Denial {
    /// A word for it, for the log and the tester.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::NotOneOfThem => "not-one-of-them",
            Self::Assurance => "assurance-too-low",
        }
    }
}

impl Sites {
    /// Sites, no two of one origin.
    pub fn of(sites: Vec<Site>) -> Result<Self, OriginRefusal> {
        for (index, site) in sites.iter().enumerate() {
            if sites[..index].iter().any(|other| other.origin == site.origin) {
                return Err(OriginRefusal::Twice);
            }
        }
        Ok(Self(sites.into_iter().map(Arc::new).collect()))
    }

    /// These, and those others whose origin is not one of theirs.
    #[must_use]
    pub fn and(&self, others: Vec<Site>) -> Self {
        let mut all = self.0.clone();
        for other in others {
            if !all.iter().any(|site| site.origin == other.origin) {
                all.push(Arc::new(other));
            }
        }
        Self(all)
    }

    /// The site of just this pattern.
    #[must_use]
    pub fn of_pattern(&self, origin: &OriginPattern) -> Option<&Arc<Site>> {
        self.0.iter().find(|site| site.origin == *origin)
    }

    /// The site of an origin: the one that names it, or else the one with the longest pattern.
    #[must_use]
    pub fn find(&self, origin: &Origin) -> Option<&Arc<Site>> {
        let fitting = self.0.iter().filter(|site| site.origin.fits(origin));
        fitting.max_by_key(|site| site.origin.precision())
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Site> {
        self.0.iter().map(|site| &**site)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Site {
    /// A site whose every page is for members.
    #[must_use]
    pub fn for_members(origin: OriginPattern) -> Self {
        Self { origin, rules: Vec::new(), otherwise: Admission::Members(Demand::default()) }
    }

    /// Decides whether a visitor may do what they ask for.
    #[must_use]
    pub fn rule_on(&self, visit: Visit<'_>, who: Option<Member<'_>>, now: UnixTime) -> Ruling {
        let fitting = self.rules.iter().enumerate().filter(|(_, rule)| rule.is_for(visit.method));
        let mut doubtful = path::is_doubtful(visit.path);
        let mut first = None;
        for (index, rule) in fitting.clone() {
            match rule.path.fit(visit.path) {
                Fit::Exactly => {
                    first = Some((index, rule));
                    break;
                }
                // To an app that does not mind capitals it fits.
                Fit::ButForCase => doubtful = true,
                Fit::Not => {}
            }
        }
        if !doubtful {
            let (rule, admission) = first.map_or((None, &self.otherwise), |(index, rule)| {
                (Some(index + 1), &rule.admission)
            });
            return Ruling { verdict: admission.admits(who, now), rule };
        }
        // The strictest of all that it might be.
        let all = fitting
            .map(|(index, rule)| (Some(index + 1), &rule.admission))
            .chain([(None, &self.otherwise)]);
        all.map(|(rule, admission)| Ruling { verdict: admission.admits(who, now), rule })
            .max_by_key(|ruling| ruling.verdict.strictness())
            .unwrap_or(Ruling { verdict: Verdict::Denied(Denial::Closed), rule: None })
    }
}

impl Ruling {
    /// Which rule of the site decided, in words.
    #[must_use]
    pub fn reason(&self, site: &Site) -> String {
        match self.rule.and_then(|number| Some((number, site.rules.get(number.checked_sub(1)?)?))) {
            Some((number, rule)) => {
                format!("rule {number}, {}: {}", rule.path.as_str(), rule.admission)
            }
            None => format!("no rule fits, so {}", site.otherwise),
        }
    }
}

impl Rule {
    /// A rule for a path and everything below it; without methods, for all of them.
    pub fn of(path: &str, methods: &[String], terms: &Terms<'_>) -> Result<Self, TermsRefusal> {
        let is_method = |method: &&String| {
            !method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-')
        };
        if let Some(wrong) = methods.iter().find(|method| !is_method(method)) {
            return Err(TermsRefusal::Method(wrong.clone()));
        }
        let path = PathPattern::parse(path)?;
        Ok(Self { path, methods: methods.to_vec(), admission: terms.admission()? })
    }

    fn is_for(&self, method: &str) -> bool {
        self.methods.is_empty() || self.methods.iter().any(|one| one == method)
    }
}

impl Admission {
    fn admits(&self, who: Option<Member<'_>>, now: UnixTime) -> Verdict {
        let demand = match self {
            Self::Anybody => return Verdict::Allowed,
            // Whoever is nobody yet learns no more than that they are to sign in.
            Self::Nobody if who.is_some() => return Verdict::Denied(Denial::Closed),
            Self::Nobody => return Verdict::SignIn,
            Self::Members(demand) => demand,
        };
        let Some(Member { account, assurance, proved_at }) = who else {
            return Verdict::SignIn;
        };
        let is_open = demand.roles.is_empty() && demand.accounts.is_empty();
        let is_named = demand.accounts.contains(&account.username);
        if !is_open && !is_named && !demand.roles.contains(&account.role) {
            return Verdict::Denied(Denial::NotOneOfThem);
        }
        if demand.assurance.is_some_and(|least| assurance < least) {
            return Verdict::Denied(Denial::Assurance);
        }
        if demand.proved_within.is_some_and(|window| now.since(proved_at) >= window) {
            return Verdict::ProveAgain;
        }
        Verdict::Allowed
    }
}

impl Verdict {
    /// What was decided, in words, for the tester.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::SignIn => "sign in first",
            Self::ProveAgain => "prove again first",
            Self::Denied(Denial::Closed) => "denied: it is closed",
            Self::Denied(Denial::NotOneOfThem) => "denied: it is for others",
            Self::Denied(Denial::Assurance) => "denied: it needs a second factor",
        }
    }

    const fn strictness(self) -> u8 {
        match self {
            Self::Allowed => 0,
            Self::ProveAgain => 1,
            Self::SignIn => 2,
            Self::Denied(_) => 3,
        }
    }
}
