//! Protected sites, looked after by administrators.

use doorward_core::account::Account;
use doorward_core::device::Device;
use doorward_core::event::{Event, EventKind};
use doorward_core::session::Assurance;
use doorward_core::site::{
    Member, Origin, OriginPattern, OriginRefusal, Ruling, Site, Verdict, Visit,
};
use doorward_core::username::Username;
use doorward_store::act::{KeptSite, SiteKeeping, StoreFailed};
use doorward_wire::UnixTime;

use super::identify::Caller;
use crate::App;
use crate::sites::{DocumentRefusal, KEPT_MAX, SiteDocument};

/// Why nothing was kept, removed or tried.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// It describes no site.
    #[error(transparent)]
    Document(#[from] DocumentRefusal),
    /// The configuration has the site, and wins.
    #[error("the configuration has {0}")]
    Configured(OriginPattern),
    /// There are as many as may be.
    #[error("as many sites as may be")]
    Full,
    /// There is no such site.
    #[error("no such site")]
    Unknown,
    /// There is no such account.
    #[error("no such account")]
    UnknownAccount,
    /// It is no address.
    #[error("not an address")]
    Address,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreFailed),
}

impl From<OriginRefusal> for SiteError {
    fn from(refusal: OriginRefusal) -> Self {
        Self::Document(refusal.into())
    }
}

/// Keeps a site in the place of the one of its origin. It counts from the answer on, and on other servers
/// within [`LOOK_EVERY`](crate::sites::LOOK_EVERY). Says whether there was none before.
pub async fn keep(
    app: &App,
    caller: &Caller,
    (origin, document): (&str, &SiteDocument),
    from: &Device,
) -> Result<(Site, bool), SiteError> {
    let site = document.site(origin)?;
    let name = unconfigured(app, site.origin.clone())?;
    // As it was understood, so that nothing else is ever read of it.
    let document = serde_json::json!(SiteDocument::of(&site)).to_string();
    let kept = KeptSite { origin: name.to_string(), document, changed_at: app.ambient.now() };
    let event = told(app, EventKind::SiteKept, (caller, &name), from);
    let keeping = app.store.keep_site(kept, KEPT_MAX, event).await?;
    take_up(app).await;
    match keeping {
        SiteKeeping::New => Ok((site, true)),
        SiteKeeping::Replaced => Ok((site, false)),
        SiteKeeping::Full => Err(SiteError::Full),
    }
}

/// Removes a site: nobody is let in there any more, unless a wildcard covers it.
pub async fn remove(
    app: &App,
    caller: &Caller,
    origin: &str,
    from: &Device,
) -> Result<(), SiteError> {
    let name = unconfigured(app, OriginPattern::parse(origin)?)?;
    let event = told(app, EventKind::SiteRemoved, (caller, &name), from);
    let was_there = app.store.remove_site(&name.to_string(), event).await?;
    take_up(app).await;
    if was_there { Ok(()) } else { Err(SiteError::Unknown) }
}

/// Takes up what was just kept, for certain. If it cannot be read now, it is within a second.
async fn take_up(app: &App) {
    if let Err(failure) = app.settings.sites.look(&*app.store).await {
        tracing::error!(%failure, "a change of the sites is kept, and was not taken up yet");
    }
}

fn unconfigured(app: &App, origin: OriginPattern) -> Result<OriginPattern, SiteError> {
    if app.settings.sites.is_configured(&origin) {
        return Err(SiteError::Configured(origin));
    }
    Ok(origin)
}

/// What would become of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The site that it would be for.
    pub site: OriginPattern,
    /// What would be decided.
    pub verdict: Verdict,
    /// The number of the rule that would decide, from 1.
    pub rule: Option<usize>,
    /// The same in words.
    pub reason: String,
}

/// Tries a request, as if its sender had signed in just now with a password; without a name, as if they had
/// not.
pub async fn try_out(
    app: &App,
    username: Option<&str>,
    (method, url): (&str, &str),
) -> Result<Tried, SiteError> {
    let (origin, rest) = Origin::split(url).map_err(|_| SiteError::Address)?;
    let site = app.settings.protected(&origin).ok_or(SiteError::Unknown)?;
    let account = match username {
        None => None,
        Some(name) => Some(find(app, name).await?.ok_or(SiteError::UnknownAccount)?),
    };
    let method = method.to_ascii_uppercase();
    let visit = Visit { method: &method, path: path_of(rest) };
    let ruling = as_if_signed_in(&site, account.as_ref(), visit, app.ambient.now());
    let Ruling { verdict, rule } = ruling;
    Ok(Tried { site: site.origin.clone(), verdict, rule, reason: ruling.reason(&site) })
}

/// What would be decided of a request of somebody who had signed in just now with a password.
#[must_use]
pub fn as_if_signed_in(
    site: &Site,
    account: Option<&Account>,
    visit: Visit<'_>,
    now: UnixTime,
) -> Ruling {
    let member = |account| Member { account, assurance: Assurance::Aal1, proved_at: now };
    site.rule_on(visit, account.map(member), now)
}

/// The path of what comes after an origin.
#[must_use]
pub fn path_of(rest: &str) -> &str {
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    if path.is_empty() { "/" } else { path }
}

async fn find(app: &App, name: &str) -> Result<Option<Account>, StoreFailed> {
    let Ok(username) = Username::parse(name) else { return Ok(None) };
    Ok(app.store.account_named(&username).await?.map(|(account, _)| account))
}

fn told(
    app: &App,
    kind: EventKind,
    (caller, origin): (&Caller, &OriginPattern),
    from: &Device,
) -> Event {
    Event {
        account: caller.live().account().map(|account| account.id),
        session: Some(caller.sid()),
        reason: Some(origin.to_string().into()),
        ..app.event(kind, from)
    }
}
