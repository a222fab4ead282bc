//! Removes keys, and the answers kept with them, when they are old enough.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::store;
use crate::database::{Db, timestamp::Timestamp};

/// How often it is looked, and how many are removed in one transaction.
const INTERVAL: Duration = Duration::from_mins(10);
const AT_ONCE: i64 = 1_000;

/// Removes what is older than `hours`, a little at a time, until `stop`.
pub async fn keep_clean(db: Db, hours: u64, stop: CancellationToken) -> anyhow::Result<()> {
    loop {
        let round = async {
            if let Err(error) = remove_older(&db, hours).await {
                tracing::warn!(%error, "old idempotency keys stay for now");
            }
        };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = round => {}
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}

async fn remove_older(db: &Db, hours: u64) -> sqlx::Result<()> {
    let age = i64::try_from(hours)
        .unwrap_or(i64::MAX)
        .saturating_mul(3_600_000_000);
    let Some(oldest) = Timestamp::from_micros(Timestamp::now().micros().saturating_sub(age)) else {
        return Ok(());
    };
    while store::remove_before(db, oldest, AT_ONCE).await? == AT_ONCE.unsigned_abs() {}
    Ok(())
}
