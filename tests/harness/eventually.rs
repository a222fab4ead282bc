//! Waits for a condition instead of sleeping: a test is as fast as what it waits for, and says what never came.

use std::{
    panic::Location,
    time::{Duration, Instant},
};

/// Short enough to go unnoticed in a test's run time, long enough to leave a small machine its processor.
const INTERVAL: Duration = Duration::from_millis(10);

/// Waits until `condition` is true; panics, naming `what`, when it is not `within` that time.
#[track_caller]
pub fn holds(
    what: &str,
    within: Duration,
    mut condition: impl AsyncFnMut() -> bool,
) -> impl Future<Output = ()> {
    some(what, within, async move || condition().await.then_some(()))
}

/// Waits until `attempt` yields a value; panics, naming `what`, when it does not `within` that time.
#[track_caller]
pub fn some<T>(
    what: &str,
    within: Duration,
    attempt: impl AsyncFnMut() -> Option<T>,
) -> impl Future<Output = T> {
    let caller = Location::caller();
    async move {
        try_some(within, attempt)
            .await
            .unwrap_or_else(|| panic!("{caller}: not within {within:?}: {what}"))
    }
}

/// Waits until `attempt` yields a value, and gives up `within` that time. Always tries at least once.
pub async fn try_some<T>(
    within: Duration,
    mut attempt: impl AsyncFnMut() -> Option<T>,
) -> Option<T> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(value) = attempt().await {
            return Some(value);
        }
        if Instant::now() >= deadline {
            return None;
        }
        tokio::time::sleep(INTERVAL).await;
    }
}
