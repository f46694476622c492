//! This machine's own clocks: the one that somebody sets, and moments on the one that nobody does.

use std::time::Duration;

use doorward_wire::UnixTime;

/// The machine's clock, for [`Guard::layer`](crate::Guard::layer). A guard that follows its issuer looks at it
/// only until it has heard the issuer's.
#[must_use]
pub fn system_clock() -> UnixTime {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    // Before 1970 it is 1970: nothing counts then.
    UnixTime(u64::try_from(now.tv_sec).unwrap_or(0))
}

/// A moment, in milliseconds since some moment before it.
///
/// It goes on while the process is stopped and while the machine sleeps: what was known before is as
/// old afterwards as it really is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) u64);

impl Moment {
    /// This moment.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn now() -> Self {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let (seconds, nanos) = (now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs());
        Self(seconds * 1000 + nanos / 1_000_000)
    }

    /// This moment.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn now() -> Self {
        // Elsewhere this goes on in sleep as well.
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let (seconds, nanos) = (now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs());
        Self(seconds * 1000 + nanos / 1_000_000)
    }

    /// This moment and `length` more.
    pub(crate) fn after(self, length: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(length.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long ago `earlier` was, or zero if it has not come yet.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}
