//! Makes partitions for the clicks to come, and drops those of clicks that are too old to keep.

use std::time::Duration;

use chrono::{Datelike as _, Days, Months, NaiveDate};
use tokio_util::sync::CancellationToken;

use super::store;
use crate::database::{Db, timestamp::Timestamp};

const INTERVAL: Duration = Duration::from_hours(1);

/// This month and those after it for which there is a partition already.
const MONTHS_AHEAD: u32 = 2;

/// Tends to the partitions until `stop`.
pub async fn keep(db: Db, retention_days: u64, stop: CancellationToken) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(INTERVAL) => {}
        }
        if let Err(error) = tend(&db, retention_days, Timestamp::now()).await {
            tracing::warn!(%error, "the partitions of clicks could not be tended to; trying again in an hour");
        }
    }
}

/// Makes what will be needed and drops what is too old; `retention_days` of 0 keeps everything.
pub async fn tend(db: &Db, retention_days: u64, now: Timestamp) -> sqlx::Result<()> {
    let today = now.utc().date_naive();
    let this_month = first_of_month(today);
    for ahead in 0..=MONTHS_AHEAD {
        if let Some(month) = this_month.checked_add_months(Months::new(ahead)) {
            store::make_partition(db, month).await?;
        }
    }
    if retention_days > 0
        && let Some(oldest) = today.checked_sub_days(Days::new(retention_days))
    {
        store::drop_clicks_before(db, oldest).await?;
    }
    Ok(())
}

/// The first day of the month that `day` is in.
pub fn first_of_month(day: NaiveDate) -> NaiveDate {
    day.with_day(1).expect("every month has a first day")
}
