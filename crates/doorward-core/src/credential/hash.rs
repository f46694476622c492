//! A password hash: what the store keeps of a password, and the engine that makes it.
//!
//! Argon2id alone is made and read today; [`PasswordHash`] hides which, so that hashes of other
//! schemes can be read beside it without a caller noticing.

use std::fmt;

use argon2_rust::params::{Memory, TagLen};
use argon2_rust::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

#[cfg(test)]
mod tests;

const TAG_BYTES: usize = 32;

/// The longest text of a hash that is read at all.
const TEXT_MAX: usize = 512;

/// What one password hash costs: memory in KiB, passes over it, lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashParams {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// Why a cost was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashParamsRefusal {
    /// Cheaper than OWASP's weakest row for Argon2id.
    #[error("a password hash this cheap protects nobody: use at least m=7168,t=5 or m=19456,t=2")]
    TooCheap,
    /// Dearer than one login may be.
    #[error("a password hash this dear lets one login stop the server")]
    TooCostly,
}

/// A password, as kept.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(Scheme);

/// How a kept password was hashed. Imports of other schemes become variants of this.
#[derive(Clone, PartialEq, Eq)]
enum Scheme {
    Argon2id { params: HashParams, salt: Vec<u8>, tag: Vec<u8> },
}

/// Why a kept hash cannot be read. It is a failure: no password opens such an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableHash {
    /// Not a hash in the PHC string format, or one with a salt or a tag of unsafe length.
    #[error("not a password hash")]
    Malformed,
    /// A hash of a scheme or version that is not supported.
    #[error("a password hash of an unsupported scheme")]
    UnknownScheme,
    /// A hash whose check would cost more memory or time than one login may.
    #[error("a password hash that costs too much to check")]
    TooCostly,
}

/// The hash could not be computed: the machine had no memory for it.
#[derive(Debug, thiserror::Error)]
#[error("the password could not be hashed")]
pub struct HashFailure(#[source] argon2_rust::Error);

/// Hashes passwords, one at a time, in memory it keeps.
///
/// Most of what a naive call costs is asking the system for 19 MiB, touching them, and giving them
/// back. Give each hash thread one of these. The memory is wiped after each hash.
pub struct Hasher {
    engine: argon2_rust::Hasher,
    today: HashParams,
}

impl HashParams {
    /// 19 MiB, two passes, one lane: OWASP's first choice.
    pub const DEFAULT: Self = Self { memory_kib: 19_456, passes: 2, lanes: 1 };

    const MEMORY_KIB_MAX: u32 = 256 * 1024;
    const PASSES_MAX: u32 = 16;
    const LANES_MAX: u32 = 8;
    /// Memory times passes, which is what time goes into: 1 GiB in all takes a second at most.
    const WORK_MAX: u64 = 1024 * 1024;

    /// OWASP's cheapest row of equal strength is 7 MiB with five passes.
    const MEMORY_KIB_MIN: u32 = 7168;
    const WORK_MIN: u64 = 7168 * 5;

    /// Makes a cost to hash with, within sense on both sides.
    ///
    /// ```
    /// use doorward_core::credential::HashParams;
    /// assert!(HashParams::new(47_104, 1, 1).is_ok());
    /// assert!(HashParams::new(1024, 1, 1).is_err());
    /// ```
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, HashParamsRefusal> {
        let params = Self { memory_kib, passes, lanes };
        if params.is_too_costly() {
            return Err(HashParamsRefusal::TooCostly);
        }
        if memory_kib < Self::MEMORY_KIB_MIN || params.work() < Self::WORK_MIN || lanes == 0 {
            return Err(HashParamsRefusal::TooCheap);
        }
        Ok(params)
    }

    /// The least that Argon2 allows. It protects nothing, and makes tests quick.
    #[must_use]
    pub const fn dangerous_cheap() -> Self {
        Self { memory_kib: 8, passes: 1, lanes: 1 }
    }

    /// Memory, in KiB.
    #[must_use]
    pub const fn memory_kib(&self) -> u32 {
        self.memory_kib
    }

    /// Passes over the memory.
    #[must_use]
    pub const fn passes(&self) -> u32 {
        self.passes
    }

    /// Lanes. One thread walks them all: more of them make no login quicker here.
    #[must_use]
    pub const fn lanes(&self) -> u32 {
        self.lanes
    }

    fn work(&self) -> u64 {
        u64::from(self.memory_kib) * u64::from(self.passes)
    }

    fn is_too_costly(&self) -> bool {
        self.memory_kib > Self::MEMORY_KIB_MAX
            || self.passes > Self::PASSES_MAX
            || self.lanes > Self::LANES_MAX
            || self.work() > Self::WORK_MAX
    }

    // One thread even for many lanes: a hash thread that spawned others would escape the bound on
    // how many passwords are hashed at once.
    fn argon2(&self, tag_bytes: usize) -> Result<Argon2, HashFailure> {
        let params = Params::builder()
            .memory(Memory::kib(self.memory_kib.into()))
            .passes(self.passes)
            .lanes(self.lanes)
            .threads(1)
            .tag_len(TagLen::bytes(tag_bytes as u64))
            .build()
            .map_err(HashFailure)?;
        Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }
}

impl Default for HashParams {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl PasswordHash {
    /// The hash of a password that nobody knows, to be checked when there is no account.
    ///
    /// Its tag is random and not the hash of anything, so it costs nothing to make.
    #[must_use]
    pub fn of_nobody(params: &HashParams, salt: &[u8; 16], tag: &[u8; TAG_BYTES]) -> Self {
        Self(Scheme::Argon2id { params: *params, salt: salt.to_vec(), tag: tag.to_vec() })
    }

    pub(super) fn make(
        password: &[u8],
        params: &HashParams,
        salt: &[u8; 16],
        engine: &mut Hasher,
    ) -> Result<Self, HashFailure> {
        let mut tag = vec![0; TAG_BYTES];
        engine.fill(password, params, salt, &mut tag)?;
        Ok(Self(Scheme::Argon2id { params: *params, salt: salt.to_vec(), tag }))
    }

    /// Reads a kept hash, and refuses one that would be dear to check, before any work.
    ///
    /// ```
    /// use doorward_core::credential::{PasswordHash, UnreadableHash};
    /// let bomb = "$argon2id$v=19$m=4194304,t=1,p=1$YWFhYWFhYWFhYWFhYWFhYQ$\
    ///             2TEjXJGJZtbbqJAdDfsCxeRwDb+h4YKbcQPPBwzYxHQ";
    /// assert_eq!(PasswordHash::parse(bomb), Err(UnreadableHash::TooCostly));
    /// ```
    pub fn parse(text: &str) -> Result<Self, UnreadableHash> {
        if text.len() > TEXT_MAX {
            return Err(UnreadableHash::Malformed);
        }
        if !text.starts_with("$argon2id$v=19$") {
            let is_hash = text.starts_with('$') && text.len() > 1;
            return Err(if is_hash {
                UnreadableHash::UnknownScheme
            } else {
                UnreadableHash::Malformed
            });
        }
        let read = argon2_rust::decode_phc(text).map_err(|_| UnreadableHash::Malformed)?;
        // A tag of few bytes is easily met by chance, and associated data is nothing we have.
        let is_safe = (8..=64).contains(&read.salt.len())
            && (16..=64).contains(&read.hash.len())
            && read.ad.is_empty();
        if !is_safe {
            return Err(UnreadableHash::Malformed);
        }
        let params = HashParams {
            memory_kib: read.params.memory_kib(),
            passes: read.params.passes(),
            lanes: read.params.lanes(),
        };
        if params.is_too_costly() {
            return Err(UnreadableHash::TooCostly);
        }
        let hash = Self(Scheme::Argon2id { params, salt: read.salt, tag: read.hash });
        // Fields may come in another order, as some write them; none twice, and none beside them.
        if hash.expose().len() == text.len() { Ok(hash) } else { Err(UnreadableHash::Malformed) }
    }

    /// The PHC string for the store. It goes nowhere else.
    #[must_use]
    pub fn expose(&self) -> String {
        let Scheme::Argon2id { params: HashParams { memory_kib, passes, lanes }, salt, tag } =
            &self.0;
        format!(
            "$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${}${}",
            base64(salt),
            base64(tag)
        )
    }

    /// Whether this is the hash of `password`. Tags are compared in constant time.
    pub(super) fn matches(
        &self,
        hasher: &mut Hasher,
        password: &[u8],
    ) -> Result<bool, HashFailure> {
        let Scheme::Argon2id { params, salt, tag } = &self.0;
        let mut computed = Zeroizing::new(vec![0; tag.len()]);
        hasher.fill(password, params, salt, &mut computed)?;
        Ok(argon2_rust::constant_time_eq(&computed, tag))
    }

    /// Whether this hash was made at the same cost as the other, with salt and tag as long.
    pub(super) fn costs_as(&self, other: &Self) -> bool {
        let shape = |hash: &Self| {
            let Scheme::Argon2id { params, salt, tag } = &hash.0;
            (*params, salt.len(), tag.len())
        };
        shape(self) == shape(other)
    }
}

impl Hasher {
    /// Makes an engine with memory for today's cost, or finds out now that there is none.
    pub fn new(today: &HashParams) -> Result<Self, HashFailure> {
        let mut engine = today.argon2(TAG_BYTES)?.hasher();
        engine.reserve().map_err(HashFailure)?;
        Ok(Self { engine, today: *today })
    }

    /// How much memory is kept between two hashes, in KiB.
    #[must_use]
    pub fn kept_kib(&self) -> usize {
        self.engine.reserved_blocks()
    }

    fn fill(
        &mut self,
        password: &[u8],
        params: &HashParams,
        salt: &[u8],
        tag: &mut [u8],
    ) -> Result<(), HashFailure> {
        self.engine.set_argon2(params.argon2(tag.len())?);
        let filled = self.engine.hash_into(password, salt, tag).map_err(HashFailure);
        // One dear import must not leave every hash thread holding 256 MiB for ever.
        if params.memory_kib > self.today.memory_kib {
            self.engine.clear();
        }
        filled
    }
}

/// A hash lets its holder guess for as long as they like: it is kept, and not shown.
impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").field("today", &self.today).finish_non_exhaustive()
    }
}

fn base64(bytes: &[u8]) -> String {
    argon2_rust::encode_base64(bytes).expect("a salt or a tag has at most 64 bytes")
}
