//! A personal access token: a member's own key for one program, which opens what it says and no more.
//!
//! # What this module answers
//!
//! - *A token that opens everything for ever*: it has scopes, a service and an end, and cannot make
//!   tokens, change a password, or show that its owner is there.
//! - *A token that outlives what its owner has ended*: it joins the account's epoch when it is made. With
//!   "sign out everywhere", and with a change of password that ends the other sessions, it is over.
//! - *A leaked token that nobody notices*: its text begins with what scanners look for, and it shows when it was
//!   last used.

use std::time::Duration;

use doorward_wire::{AccountId, TokenId, UnixTime};

use crate::account::{Account, Epoch};
use crate::grant::Grant;
use crate::label::Label;

/// The longest life of one: a year.
pub const LIFE_MAX: Duration = Duration::from_hours(366 * 24);

/// The life of one whose maker does not say: thirty days.
pub const LIFE: Duration = Duration::from_hours(30 * 24);

/// The most of one account.
pub const COUNT_MAX: usize = 50;

/// How long after a use the next one is written down.
pub const TOUCH: Duration = Duration::from_mins(1);

/// A personal access token as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonalToken {
    /// Its name for ever, which is no secret.
    pub id: TokenId,
    /// Whose it is.
    pub account: AccountId,
    /// The account's epoch when it was made.
    pub epoch: Epoch,
    /// What its owner calls it.
    pub name: Label,
    /// What it is for.
    pub grant: Grant,
    /// When it was made.
    pub created_at: UnixTime,
    /// When it ends.
    pub expires_at: UnixTime,
    /// When it was last used, to within [`TOUCH`].
    pub used_at: Option<UnixTime>,
}

/// Why a token does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PersonalRefusal {
    /// It has ended.
    Expired,
    /// Its account has ended everything since.
    Epoch,
    /// Its account is disabled.
    Disabled,
}

impl PersonalToken {
    /// Decides whether it counts now, for its account as it is now.
    pub fn check(&self, account: &Account, now: UnixTime) -> Result<(), PersonalRefusal> {
        if now >= self.expires_at {
            return Err(PersonalRefusal::Expired);
        }
        if self.epoch != account.epoch {
            return Err(PersonalRefusal::Epoch);
        }
        if account.disabled {
            return Err(PersonalRefusal::Disabled);
        }
        Ok(())
    }

    /// Whether a use at this time is to be written down.
    #[must_use]
    pub fn wants_touch(&self, now: UnixTime) -> bool {
        self.used_at.is_none_or(|used| now.since(used) >= TOUCH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{PasswordVersion, Role};
    use crate::username::Username;

    const NOON: UnixTime = UnixTime(1_700_000_000);

    fn token() -> PersonalToken {
        PersonalToken {
            id: TokenId(1),
            account: AccountId(42),
            epoch: Epoch(3),
            name: Label::parse("backup").unwrap(),
            grant: Grant::default(),
            created_at: NOON,
            expires_at: NOON.after(LIFE),
            used_at: None,
        }
    }

    fn account(epoch: u32, disabled: bool) -> Account {
        Account {
            id: AccountId(42),
            username: Username::parse("ada").unwrap(),
            email: None,
            role: Role::Member,
            epoch: Epoch(epoch),
            password_version: PasswordVersion(0),
            disabled,
            created_at: NOON,
        }
    }

    #[test]
    fn a_token_ends_with_its_time_its_epoch_and_its_account() {
        let ada = account(3, false);
        let last = UnixTime(token().expires_at.0 - 1);
        assert_eq!(token().check(&ada, last), Ok(()));
        assert_eq!(token().check(&ada, token().expires_at), Err(PersonalRefusal::Expired));
        assert_eq!(token().check(&account(4, false), NOON), Err(PersonalRefusal::Epoch));
        assert_eq!(token().check(&account(3, true), NOON), Err(PersonalRefusal::Disabled));
    }

    #[test]
    fn a_use_is_written_once_a_minute() {
        let used = PersonalToken { used_at: Some(NOON), ..token() };
        assert!(token().wants_touch(NOON));
        assert!(!used.wants_touch(UnixTime(NOON.0 + 59)));
        assert!(used.wants_touch(UnixTime(NOON.0 + 60)));
    }
}
