//! A password as typed, and what makes one good enough to be set.
//!
//! The rules are those of NIST SP 800-63B-4, section 3.1.1.2: a length counted in code points, a
//! blocklist, and nothing else. There are no rules of composition: `Password1!` obeys them all.

use std::fmt;

use serde::{Deserialize, Deserializer};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};
use zeroize::Zeroizing;

use doorward_wire::AccountId;

use super::Proven;
use super::blocklist;
use super::hash::{HashFailure, HashParams, Hasher, PasswordHash};

/// The most bytes of a typed password that we look at: above it we only count.
const BYTES_MAX: usize = 1024;

/// The service's own name, which nobody may use as a password.
const SERVICE: &str = "doorward";

/// A password, as typed. It leaves no copy behind.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// A password that may be set: long enough, not too long, not guessed first. It is in NFC.
///
/// ```compile_fail,E0423
/// # use doorward_core::credential::NewPassword;
/// let unchecked = NewPassword(String::from("hunter2").into());
/// ```
pub struct NewPassword(Zeroizing<String>);

/// How long a password must be to be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordPolicy {
    length_min: u8,
}

/// Why a policy is no policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordPolicyRefusal {
    /// Below 8 characters: too few even beside a second factor (NIST SP 800-63B-4, 3.1.1.2).
    #[error("the shortest password allowed cannot be below 8 characters")]
    BelowFloor,
    /// Above 64 characters, which everybody must be allowed to use.
    #[error("the shortest password allowed cannot be above 64 characters")]
    AboveCeiling,
}

/// Why a password may not be set. Its text is for the person choosing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordRefusal {
    /// It has fewer characters than the policy asks for.
    #[error("Use at least {length_min} characters. A few words are easy to remember, spaces too.")]
    TooShort {
        /// What the policy asks for.
        length_min: u8,
    },
    /// It has more than 128 characters.
    #[error("Use at most 128 characters.")]
    TooLong,
    /// It is one of the passwords guessed first, or one of them stretched.
    #[error("This password is among the first that are guessed. Choose one that is only yours.")]
    Common,
    /// It is the account's own name or address, or the service's name.
    #[error("This password is your name, your address or ours. Choose one nobody can look up.")]
    Context,
}

impl Password {
    /// Decides whether this password may be set.
    ///
    /// `context` holds what an attacker knows of this account: its username, its e-mail address,
    /// the site's own name. The password as a whole is compared, never its parts; case, and a run
    /// of keys put on either end, do not make another password of it.
    pub fn accept(
        &self,
        policy: &PasswordPolicy,
        context: &[&str],
    ) -> Result<NewPassword, PasswordRefusal> {
        let Some(typed) = self.within_cap() else {
            return Err(PasswordRefusal::TooLong);
        };
        let password = self.composed().unwrap_or_else(|| Zeroizing::new(typed.to_owned()));
        let length = password.chars().count();
        if length > PasswordPolicy::LENGTH_MAX {
            return Err(PasswordRefusal::TooLong);
        }
        if length < usize::from(policy.length_min) {
            return Err(PasswordRefusal::TooShort { length_min: policy.length_min });
        }
        let folded = fold(&password);
        // Whoever registers may send any text as a name. Longer than this is neither name nor address.
        let known = context.iter().copied().filter(|word| word.len() <= BYTES_MAX).chain([SERVICE]);
        if known.flat_map(spellings).any(|word| blocklist::is_stretched(&folded, &fold(word))) {
            return Err(PasswordRefusal::Context);
        }
        if blocklist::is_guessed_first(&folded) {
            return Err(PasswordRefusal::Common);
        }
        Ok(NewPassword(password))
    }

    /// The text, unless it is so long that it deserves no work.
    pub(super) fn within_cap(&self) -> Option<&str> {
        (self.0.len() <= BYTES_MAX).then_some(self.0.as_str())
    }

    /// The text in NFC, if that is other text.
    pub(super) fn composed(&self) -> Option<Zeroizing<String>> {
        if is_nfc_quick(self.0.chars()) == IsNormalized::Yes {
            return None;
        }
        // NFC can grow three times as long (UAX #15). Room for it all means that no half-grown
        // buffer is given back unwiped.
        let mut composed = Zeroizing::new(String::with_capacity(self.0.len() * 3));
        composed.extend(self.0.nfc());
        (*composed != *self.0).then_some(composed)
    }
}

impl NewPassword {
    /// Whoever has just chosen the password of an account that is being made has proved themselves
    /// to it. Open the session in the same act that makes the account, and for no other.
    #[must_use]
    pub fn dangerous_proof_of_new(&self, account: AccountId) -> Proven {
        Proven::of_new(account)
    }

    /// Hashes the password, under a salt that was never used before.
    pub fn hash(
        &self,
        params: &HashParams,
        salt: &[u8; 16],
        engine: &mut Hasher,
    ) -> Result<PasswordHash, HashFailure> {
        PasswordHash::make(self.0.as_bytes(), params, salt, engine)
    }
}

impl PasswordPolicy {
    /// The most characters a password may have; every one of them counts.
    pub const LENGTH_MAX: usize = 128;

    /// 15 characters: what NIST SP 800-63B-4 asks of a password that stands alone.
    pub const DEFAULT: Self = Self { length_min: 15 };

    /// Makes a policy whose shortest password has `length_min` characters, from 8 to 64.
    ///
    /// ```
    /// use doorward_core::credential::PasswordPolicy;
    /// assert!(PasswordPolicy::new(8).is_ok());
    /// assert!(PasswordPolicy::new(7).is_err());
    /// ```
    pub const fn new(length_min: u8) -> Result<Self, PasswordPolicyRefusal> {
        match length_min {
            ..8 => Err(PasswordPolicyRefusal::BelowFloor),
            8..=64 => Ok(Self { length_min }),
            65.. => Err(PasswordPolicyRefusal::AboveCeiling),
        }
    }

    /// How many characters the shortest password has.
    #[must_use]
    pub const fn length_min(&self) -> u8 {
        self.length_min
    }
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl PasswordRefusal {
    /// The refusal's name in `application/problem+json`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooShort { .. } => "password-too-short",
            Self::TooLong => "password-too-long",
            Self::Common => "password-common",
            Self::Context => "password-context",
        }
    }
}

impl From<String> for Password {
    fn from(typed: String) -> Self {
        Self(Zeroizing::new(typed))
    }
}

/// So that a request's body is read straight into a type that does not print itself.
impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewPassword(…)")
    }
}

/// A word an attacker knows; and of an address, also what stands before the `@`.
fn spellings(word: &str) -> impl Iterator<Item = &str> {
    [Some(word), word.rsplit_once('@').map(|(local, _)| local)].into_iter().flatten()
}

/// The text as the blocklist sees it: NFC, in lower case.
fn fold(text: &str) -> Zeroizing<String> {
    let mut folded = Zeroizing::new(String::with_capacity(text.len() * 3));
    folded.extend(text.nfc().flat_map(char::to_lowercase));
    folded
}
