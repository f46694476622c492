//! Who is let in, as an operator says it: in a file, or to the API.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::path::PathRefusal;
use super::{Admission, Demand};
use crate::account::Role;
use crate::session::Assurance;
use crate::username::Username;

/// Who may open a part of a site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// What is said of who is let in. The rest is asked of members only.
///
/// ```
/// use doorward_core::site::{Allow, Terms, TermsRefusal};
///
/// let roles = ["administrator".to_owned()];
/// let terms = Terms { roles: &roles, ..Terms::default() };
/// assert_eq!(terms.admission().unwrap().to_string(), "members: administrator");
///
/// let senseless = Terms { allow: Allow::Nobody, ..terms };
/// assert_eq!(senseless.admission(), Err(TermsRefusal::NotOfMembers));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms<'a> {
    /// Who in general.
    pub allow: Allow,
    /// Members of one of these roles, or one of `accounts`.
    pub roles: &'a [String],
    /// Members of these names, or of one of `roles`.
    pub accounts: &'a [String],
    /// How sure we must be of them: `aal2`.
    pub level: Option<&'a str>,
    /// How long ago they may have proved themselves at the most.
    pub proved_within: Option<Duration>,
}

/// Why what was said makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TermsRefusal {
    /// There is no such role.
    #[error("there is no role \"{0}\"")]
    Role(String),
    /// It is no username.
    #[error("\"{0}\" is no username")]
    Account(String),
    /// There is no such level.
    #[error("there is no level \"{0}\"")]
    Level(String),
    /// Something is asked of members where it is not members who are let in.
    #[error("roles, accounts, level and proved_within are asked of members only")]
    NotOfMembers,
    /// It is no method.
    #[error("\"{0}\" is no method")]
    Method(String),
    /// It is no path.
    #[error(transparent)]
    Path(#[from] PathRefusal),
}

impl Terms<'_> {
    /// Who is let in by these terms.
    pub fn admission(&self) -> Result<Admission, TermsRefusal> {
        let role =
            |name: &String| Role::from_name(name).ok_or_else(|| TermsRefusal::Role(name.clone()));
        let account =
            |name: &String| Username::parse(name).map_err(|_| TermsRefusal::Account(name.clone()));
        let level = |name: &str| {
            Assurance::from_name(name).ok_or_else(|| TermsRefusal::Level(name.to_owned()))
        };
        let demand = Demand {
            roles: self.roles.iter().map(role).collect::<Result<_, _>>()?,
            accounts: self.accounts.iter().map(account).collect::<Result<_, _>>()?,
            assurance: self.level.map(level).transpose()?,
            proved_within: self.proved_within,
        };
        match self.allow {
            Allow::Members => Ok(Admission::Members(demand)),
            Allow::Anybody | Allow::Nobody if demand != Demand::default() => {
                Err(TermsRefusal::NotOfMembers)
            }
            Allow::Anybody => Ok(Admission::Anybody),
            Allow::Nobody => Ok(Admission::Nobody),
        }
    }
}

impl TermsRefusal {
    /// What is wrong: the name of the member that says it.
    #[must_use]
    pub const fn member(&self) -> &'static str {
        match self {
            Self::Role(_) => "roles",
            Self::Account(_) => "accounts",
            Self::Level(_) => "level",
            Self::NotOfMembers => "allow",
            Self::Method(_) => "methods",
            Self::Path(_) => "path",
        }
    }
}

/// Who it is, in words: `members: administrator, at aal2, proved within 15m`.
impl fmt::Display for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let demand = match self {
            Self::Anybody => return f.write_str("anybody"),
            Self::Nobody => return f.write_str("nobody"),
            Self::Members(demand) => demand,
        };
        let roles = demand.roles.iter().map(|role| role.name());
        let accounts = demand.accounts.iter().map(Username::as_str);
        let names: Vec<&str> = roles.chain(accounts).collect();
        f.write_str("members")?;
        if !names.is_empty() {
            write!(f, ": {}", names.join(", "))?;
        }
        if let Some(level) = demand.assurance {
            write!(f, ", at {}", level.name())?;
        }
        if let Some(within) = demand.proved_within {
            let (count, unit) = match within.as_secs() {
                hours if hours.is_multiple_of(3600) => (hours / 3600, "h"),
                minutes if minutes.is_multiple_of(60) => (minutes / 60, "m"),
                seconds => (seconds, "s"),
            };
            write!(f, ", proved within {count}{unit}")?;
        }
        Ok(())
    }
}
