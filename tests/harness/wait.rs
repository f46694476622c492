//! Waiting: always for something, and never for ever.

use std::time::{Duration, Instant};

/// How long a test waits for what should happen at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Waits for a future, and fails the test when it takes longer than `limit`.
#[track_caller]
pub(crate) fn within<F: Future>(
    limit: Duration,
    what: &'static str,
    future: F,
) -> impl Future<Output = F::Output> {
    let caller = std::panic::Location::caller();
    async move {
        tokio::time::timeout(limit, future)
            .await
            .unwrap_or_else(|_| panic!("{what}: not within {limit:?} (waited for at {caller})"))
    }
}

/// Asks again and again until there is an answer, and fails the test when there never is.
#[track_caller]
pub(crate) fn eventually<T, F: Future<Output = Option<T>>>(
    what: &'static str,
    mut ask: impl FnMut() -> F,
) -> impl Future<Output = T> {
    let caller = std::panic::Location::caller();
    async move {
        let begun = Instant::now();
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            assert!(begun.elapsed() < PATIENCE, "never happened: {what} (waited for at {caller})");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
