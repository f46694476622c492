//! An account: someone who may log in.

use std::fmt;

use doorward_wire::{AccountId, UnixTime};

use crate::username::Username;

/// Counts the times this account's trust was reset: each time its other sessions were ended.
///
/// "Log out everywhere" does so, with or without this session, and a change of password unless the
/// other sessions stay. A session remembers the epoch it belongs to, and is refused once the account
/// has moved on, wherever it is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(pub u32);

impl Epoch {
    /// The epoch after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// Counts the times this account's password was changed. A rehash of the same password is no change.
///
/// A check of a password takes long, and the password can change meanwhile, also without moving the
/// epoch. What a check leads to counts only while the account is at the version that was checked:
/// otherwise whoever stole the old password gets in behind the change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PasswordVersion(pub u32);

impl PasswordVersion {
    /// The version after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// What an account may do here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// May see and change their own things.
    Member,
    /// May see and change everybody's.
    Administrator,
}

impl Role {
    /// The role's name in JSON, tokens and the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Administrator => "administrator",
        }
    }

    /// Reads a role's name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Member, Self::Administrator].into_iter().find(|role| role.name() == name)
    }
}

/// Someone who may log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Who this is, for ever.
    pub id: AccountId,
    /// The name they log in with.
    pub username: Username,
    /// Where mail for them goes.
    pub email: Option<Email>,
    /// What they may do here.
    pub role: Role,
    /// How many times their trust was reset.
    pub epoch: Epoch,
    /// How many times their password was changed.
    pub password_version: PasswordVersion,
    /// Whether they are kept out: no login, and no session counts.
    pub disabled: bool,
    /// When the account was made.
    pub created_at: UnixTime,
}

/// An e-mail address, as far as text can tell.
#[derive(Clone, PartialEq, Eq)]
pub struct Email(String);

/// The text is not an e-mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedEmail;

impl Email {
    /// Reads an address: one `@`, something on both sides, at most 254 bytes (RFC 5321), and no
    /// space or control character that could break a mail header.
    ///
    /// ```
    /// use doorward_core::account::Email;
    /// assert!(Email::parse("ada@example.com").is_ok());
    /// assert!(Email::parse("ada@example.com\r\nBcc: x@y.z").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self, MalformedEmail> {
        let (local, domain) = text.rsplit_once('@').ok_or(MalformedEmail)?;
        let fits = text.len() <= 254 && !local.is_empty() && local.len() <= 64;
        let domain_fits = domain.contains('.')
            && domain.split('.').all(|label| !label.is_empty() && label.len() <= 63);
        let forbidden =
            |c: char| c.is_whitespace() || c.is_control() || "<>()[],;:\\\"@".contains(c);
        if !fits || !domain_fits || local.contains(forbidden) || domain.contains(forbidden) {
            return Err(MalformedEmail);
        }
        Ok(Self(text.to_owned()))
    }

    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An address is personal: it is shown to its owner, and not to a log.
impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_could_break_a_header_are_refused() {
        for text in
            ["", "@", "a@", "@b.c", "a@b", "a b@c.d", "a@b..c", "a@b.c\n", "a@b@c.d", "<a@b.c>"]
        {
            assert_eq!(Email::parse(text), Err(MalformedEmail), "{text:?}");
        }
        let local = "x".repeat(64);
        assert!(Email::parse(&format!("{local}@b.c")).is_ok());
        assert!(Email::parse(&format!("{local}x@b.c")).is_err());
    }
}
