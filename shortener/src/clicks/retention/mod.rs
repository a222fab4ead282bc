//! Makes partitions for the clicks to come, and drops those of clicks that are too old to keep.

mod store;

use std::time::Duration;

use chrono::{Datelike as _, Days, Months, NaiveDate};
use tokio_util::sync::CancellationToken;

use crate::database::{Db, timestamp::Timestamp};

const INTERVAL: Duration = Duration::from_hours(1);

/// This month and those after it for which there is a partition already.
const MONTHS_AHEAD: u32 = 2;

/// Drops what is too old until `stop`, and makes partitions for what is to come. `retention_days` of 0 keeps everything.
pub async fn keep(db: Db, retention_days: u64, stop: CancellationToken) -> anyhow::Result<()> {
    loop {
        let today = Timestamp::now().utc().date_naive();
        let oldest = today.checked_sub_days(Days::new(retention_days));
        let round = async {
            if let Some(oldest) = oldest.filter(|_| retention_days > 0)
                && let Err(error) = store::drop_clicks_before(&db, oldest).await
            {
                tracing::warn!(%error, "old clicks could not be dropped; trying again in an hour");
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
        make_partitions(&db, Timestamp::now()).await;
    }
}

/// Makes the partitions of this month and the next ones. Where that fails, the default partition takes the clicks.
pub async fn make_partitions(db: &Db, now: Timestamp) {
    let this_month = first_of_month(now.utc().date_naive());
    for ahead in 0..=MONTHS_AHEAD {
        let Some(month) = this_month.checked_add_months(Months::new(ahead)) else {
            continue;
        };
        if let Err(error) = store::make_partition(db, month).await {
            tracing::warn!(%error, %month, "a partition for clicks could not be made; they go to the default one");
        }
    }
}

/// The first day of the month that `day` is in.
pub fn first_of_month(day: NaiveDate) -> NaiveDate {
    day.with_day(1).expect("every month has a first day")
}
