//! A credential: what an account keeps so that its owner can prove themselves with a password.
//!
//! ```text
//!   Password ──accept──▶ NewPassword ──hash──▶ PasswordHash ──▶ the store
//!      │                                            │
//!      └───────────────▶ verify ◀───────────────────┘
//!                          └──▶ Proven ──▶ a session
//! ```
//!
//! A [`Password`] is whatever somebody typed. Only [`Password::accept`] makes a [`NewPassword`],
//! which is the only thing that can be hashed to be kept; only [`verify`] makes a [`Proven`], and a
//! session asks for nothing less. So neither the policy nor the check can be forgotten.
//!
//! # What this module answers
//!
//! - *Names guessed by time*: an unknown account costs a hash at today's cost, and never proves.
//! - *Long passwords as a weapon*: bytes are counted before any work; a megabyte costs one hash.
//! - *Truncation*: the whole password is hashed, NUL included; nothing stops at byte 72.
//! - *One password, two spellings*: what is kept is in NFC (NIST SP 800-63B-4, 3.1.1.2), what is
//!   typed is tried as it came and then in NFC.
//! - *A poisoned import*: a kept hash states its own cost, which is capped when it is read, before
//!   any memory is asked for.
//! - *Guessing*: the passwords guessed first, also stretched to fit the policy, cannot be set.
//!
//! # What is not here
//!
//! No thread and no queue: the server gives each of its hash threads one [`Hasher`]. No throttle
//! (see `throttle`). No padding of cheaper imported hashes up to today's cost: until its owner logs
//! in once and is rehashed, an imported account may answer a wrong password in another time.

use doorward_wire::AccountId;

use crate::session::Method;

mod blocklist;
mod hash;
mod password;
#[cfg(test)]
mod tests;

pub use hash::{HashFailure, HashParams, HashParamsRefusal, Hasher, PasswordHash, UnreadableHash};
pub use password::{NewPassword, Password, PasswordPolicy, PasswordPolicyRefusal, PasswordRefusal};

/// An account whose owner has just proved themselves. Only [`verify`] makes one.
///
/// ```compile_fail,E0451
/// # use doorward_core::credential::Proven;
/// # use doorward_wire::AccountId;
/// let forged = Proven { account: AccountId(42), rehash: false };
/// ```
#[derive(Debug)]
pub struct Proven {
    account: AccountId,
    rehash: bool,
}

impl Proven {
    /// Whose proof this is.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// How it was proved.
    #[must_use]
    pub fn method(&self) -> Method {
        Method::Password
    }

    /// Whether the kept hash is not as we hash today, so that the password should be hashed again.
    #[must_use]
    pub fn wants_rehash(&self) -> bool {
        self.rehash
    }

    /// Hashes the password that made this proof anew, at the cost of `params`.
    ///
    /// The policy is not asked: whoever has an old password may go on using it.
    pub fn rehash(
        &self,
        typed: &Password,
        (params, salt): (&HashParams, &[u8; 16]),
        engine: &mut Hasher,
    ) -> Result<PasswordHash, HashFailure> {
        let composed = typed.composed();
        let text = composed.as_ref().map(|text| text.as_str()).or_else(|| typed.within_cap());
        PasswordHash::make(text.unwrap_or_default().as_bytes(), params, salt, engine)
    }

    /// See [`NewPassword::dangerous_proof_of_new`].
    fn of_new(account: AccountId) -> Self {
        Self { account, rehash: false }
    }

    /// A proof of nothing.
    #[cfg(test)]
    pub(crate) fn for_tests(account: AccountId) -> Self {
        Self { account, rehash: false }
    }
}

/// Why nothing was proved.
#[derive(Debug, thiserror::Error)]
pub enum NotProven {
    /// No such account, or the wrong password. Nobody is told which.
    #[error("wrong name or password")]
    WrongCredentials,
    /// The check could not be made: nobody's credentials are wrong.
    #[error(transparent)]
    Failed(#[from] HashFailure),
}

/// Checks a password.
///
/// `found` is `None` when there is no such account: the work is done all the same, against
/// `nobody`, which the caller makes at start with [`PasswordHash::of_nobody`] at today's cost. It
/// is also what tells whether a kept hash is of today.
///
/// ```
/// use doorward_core::credential::{self, *};
/// use doorward_wire::AccountId;
/// let params = HashParams::dangerous_cheap();
/// let mut hasher = Hasher::new(&params)?;
/// let nobody = PasswordHash::of_nobody(&params, &[1; 16], &[2; 32]);
/// let typed = Password::from("four words picked blindly".to_owned());
/// let kept = typed.accept(&PasswordPolicy::DEFAULT, &[])?.hash(&params, &[3; 16], &mut hasher)?;
///
/// let found = Some((AccountId(42), &kept));
/// assert_eq!(credential::verify(&mut hasher, &typed, found, &nobody)?.account(), AccountId(42));
/// assert!(credential::verify(&mut hasher, &typed, None, &nobody).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn verify(
    hasher: &mut Hasher,
    typed: &Password,
    found: Option<(AccountId, &PasswordHash)>,
    nobody: &PasswordHash,
) -> Result<Proven, NotProven> {
    let kept = found.map_or(nobody, |(_, kept)| kept);
    let matched = matches(hasher, typed, kept)?;
    match found {
        Some((account, kept)) if matched => Ok(Proven { account, rehash: !kept.costs_as(nobody) }),
        // A match with `nobody` proves nothing, even to somebody who knows that password.
        _ => Err(NotProven::WrongCredentials),
    }
}

/// Whether the typed password is the kept one. The work depends on what was typed and on the kept
/// cost, and not on which of the two is wrong.
fn matches(
    hasher: &mut Hasher,
    typed: &Password,
    kept: &PasswordHash,
) -> Result<bool, HashFailure> {
    let Some(text) = typed.within_cap() else {
        // Too long to be anybody's. The empty password is hashed in its place, and matches nothing.
        kept.matches(hasher, b"")?;
        return Ok(false);
    };
    // As typed first: a hash imported from elsewhere may be of text that was never normalised.
    if kept.matches(hasher, text.as_bytes())? {
        return Ok(true);
    }
    match typed.composed() {
        Some(composed) => kept.matches(hasher, composed.as_bytes()),
        None => Ok(false),
    }
}
