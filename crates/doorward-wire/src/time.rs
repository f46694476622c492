//! Time, as a value that callers pass in.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Seconds since 1970-01-01T00:00:00Z.
///
/// ```
/// use doorward_wire::UnixTime;
/// assert_eq!(UnixTime(1_000_000_000).to_string(), "2001-09-09T01:46:40Z");
/// ```
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnixTime(pub u64);

/// The last second that RFC 3339 can write: 9999-12-31T23:59:59Z.
const LAST: u64 = 253_402_300_799;

impl UnixTime {
    /// How long ago `earlier` was, or zero if `earlier` has not come yet.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0))
    }

    /// This time and `length` more, in whole seconds.
    #[must_use]
    pub fn after(self, length: Duration) -> Self {
        Self(self.0.saturating_add(length.as_secs()))
    }

    /// This time less `length`, in whole seconds, and never before 1970.
    #[must_use]
    pub fn before(self, length: Duration) -> Self {
        Self(self.0.saturating_sub(length.as_secs()))
    }
}

/// RFC 3339 in UTC, to the second.
impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = UNIX_EPOCH + Duration::from_secs(self.0.min(LAST));
        humantime::format_rfc3339_seconds(at).fmt(f)
    }
}

/// The text was no time in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time such as 2001-09-09T01:46:40Z")]
pub struct MalformedTime;

/// RFC 3339 in UTC. Parts of a second are left out.
///
/// ```
/// use doorward_wire::UnixTime;
/// assert_eq!("2001-09-09T01:46:40Z".parse(), Ok(UnixTime(1_000_000_000)));
/// ```
impl FromStr for UnixTime {
    type Err = MalformedTime;

    fn from_str(text: &str) -> Result<Self, MalformedTime> {
        let at = humantime::parse_rfc3339(text).map_err(|_| MalformedTime)?;
        let since = at.duration_since(UNIX_EPOCH).map_err(|_| MalformedTime)?;
        Ok(Self(since.as_secs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_it_was_written_and_nothing_else_is() {
        for time in [UnixTime(0), UnixTime(1_800_000_000), UnixTime(LAST)] {
            assert_eq!(time.to_string().parse(), Ok(time));
        }
        for text in ["", "now", "2001-09-09", "2001-09-09T01:46:40", "2001-09-09T01:46:40+01:00"] {
            assert_eq!(text.parse::<UnixTime>(), Err(MalformedTime), "{text}");
        }
    }

    #[test]
    fn time_never_runs_below_zero() {
        assert_eq!(UnixTime(5).since(UnixTime(9)), Duration::ZERO);
        assert_eq!(UnixTime(5).before(Duration::from_secs(9)), UnixTime(0));
    }

    #[test]
    fn the_last_time_can_be_written() {
        assert_eq!(UnixTime(u64::MAX).to_string(), "9999-12-31T23:59:59Z");
    }
}
