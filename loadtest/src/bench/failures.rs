//! Failures among answers: a few are told, many make a measurement worthless.

use anyhow::ensure;

/// One in so many may be a failure.
const RARE: u32 = 100;

/// Ends a measurement that has more failures than can be told in a sentence.
pub(super) fn tolerate(failures: u32, requests: u32) -> anyhow::Result<()> {
    ensure!(
        failures <= requests / RARE,
        "{failures} of {requests} requests were answered by a failure"
    );
    Ok(())
}

/// The sentence; empty if there were none.
pub(super) fn told(failures: impl IntoIterator<Item = u32>) -> String {
    match failures.into_iter().sum::<u32>() {
        0 => String::new(),
        count => format!(" Answered by a failure: **{count}**."),
    }
}
