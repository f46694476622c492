//! A clock that moves only when a test moves it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use doorward_server::ambient::Clock;
use doorward_wire::UnixTime;

/// 2026-01-05T09:00:00Z, a Monday morning.
const MORNING_MS: u64 = 1_767_603_600_000;

/// A clock moved by hand. A copy shows the same time.
#[derive(Clone, Debug)]
pub(crate) struct HandClock(Arc<AtomicU64>);

impl Default for HandClock {
    fn default() -> Self {
        Self(Arc::new(AtomicU64::new(MORNING_MS)))
    }
}

impl HandClock {
    /// What it shows at first.
    pub(crate) const START: UnixTime = UnixTime(MORNING_MS / 1000);

    /// Lets time pass.
    pub(crate) fn advance(&self, length: Duration) {
        let milliseconds = u64::try_from(length.as_millis()).unwrap();
        self.0.fetch_add(milliseconds, Ordering::SeqCst);
    }

    /// Lets this many seconds pass.
    pub(crate) fn advance_seconds(&self, seconds: u64) {
        self.advance(Duration::from_secs(seconds));
    }

    /// The time it shows.
    pub(crate) fn time(&self) -> UnixTime {
        self.now()
    }
}

impl Clock for HandClock {
    fn unix_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    /// This one nobody moves, not even by hand.
    fn steady_ms(&self) -> u64 {
        doorward::clock::steady_ms()
    }
}
