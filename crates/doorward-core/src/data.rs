//! Session data: small values that an app keeps with a session, each with its own version.
//!
//! Whole-record saves lose the writes of parallel requests, and bring an ended session back. Here
//! each key is written by itself, against the version it was read at, and only while its session
//! still counts.

use std::fmt;

/// The most bytes that the keys and values of one session may have together: 64 KiB.
pub const QUOTA: usize = 64 * 1024;

/// The most keys that one session may have.
pub const KEY_COUNT_MAX: usize = 128;

/// The most characters of a key.
pub const KEY_MAX: usize = 64;

/// The name of a value: 1 to 64 characters of `A-Z a-z 0-9 . _ -`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DataKey(String);

/// The text is not the name of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedKey;

impl DataKey {
    /// Reads a key.
    ///
    /// ```
    /// use doorward_core::data::DataKey;
    /// assert!(DataKey::parse("basket.v1").is_ok());
    /// assert!(DataKey::parse("../basket").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self, MalformedKey> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if text.is_empty() || text.len() > KEY_MAX || !text.bytes().all(allowed) {
            return Err(MalformedKey);
        }
        Ok(Self(text.to_owned()))
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKey({})", self.0)
    }
}

/// A value and its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datum {
    /// The value: JSON text.
    pub json: String,
    /// One more with each write. The first is 1, or follows the highest version of any key that was
    /// removed from the session.
    pub version: u64,
}

/// What must be true for a write to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// Anything.
    Any,
    /// The key has this version; 0 means that there is no such key.
    Version(u64),
}

/// The key has another version than the writer believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionConflict {
    /// The version it has now; 0 means that there is no such key.
    pub current: u64,
}

impl Precondition {
    /// Decides whether a write may happen, and which version it makes.
    ///
    /// `removed` is the highest version of any key that was removed from the session. A key that is
    /// made anew goes on above it: whoever saw it before the removal must not overwrite it now.
    pub fn next(self, current: u64, removed: u64) -> Result<u64, VersionConflict> {
        match self {
            Self::Version(expected) if expected != current => Err(VersionConflict { current }),
            Self::Any | Self::Version(_) if current == 0 => Ok(removed.saturating_add(1)),
            Self::Any | Self::Version(_) => Ok(current.saturating_add(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_a_length_and_an_alphabet() {
        assert!(DataKey::parse(&"k".repeat(KEY_MAX)).is_ok());
        for text in ["", " ", "a/b", "a b", "é", "a\0", &"k".repeat(KEY_MAX + 1)] {
            assert_eq!(DataKey::parse(text), Err(MalformedKey), "{text:?}");
        }
    }

    #[test]
    fn of_two_writers_who_read_the_same_version_one_is_told() {
        assert_eq!(Precondition::Version(3).next(3, 0), Ok(4));
        assert_eq!(Precondition::Version(3).next(4, 0), Err(VersionConflict { current: 4 }));
        assert_eq!(Precondition::Version(0).next(0, 0), Ok(1));
        assert_eq!(Precondition::Any.next(7, 0), Ok(8));
    }

    #[test]
    fn a_key_made_anew_goes_on_above_what_was_removed() {
        assert_eq!(Precondition::Version(0).next(0, 5), Ok(6));
        assert_eq!(Precondition::Any.next(0, 5), Ok(6));
        assert_eq!(Precondition::Version(5).next(0, 5), Err(VersionConflict { current: 0 }));
        assert_eq!(Precondition::Any.next(2, 5), Ok(3), "a key that was never removed counts on");
    }
}
