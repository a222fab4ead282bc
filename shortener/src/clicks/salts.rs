//! The daily secrets behind visitor hashes, shared by all replicas through the database.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use super::{rollup::Slot, store, visitor::Salt};
use crate::database::{Db, timestamp::Timestamp};

/// The next day's salt is fetched a day ahead, so that a database that is away at midnight does not matter.
const REFRESH: Duration = Duration::from_mins(10);

/// The salts of yesterday, today and tomorrow.
#[derive(Debug, Default)]
pub struct Salts {
    by_day: RwLock<BTreeMap<i64, Salt>>,
}

impl Salts {
    /// The salt of the day that `now` is in. If the database could not be asked for a whole day, one of this process's own:
    /// then a visitor who comes through two replicas counts twice.
    pub fn at(&self, now: Timestamp) -> Salt {
        let day = Slot::of(now).day();
        let by_day = self.by_day.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(salt) = by_day.get(&day) {
            return salt.clone();
        }
        drop(by_day);
        let mut by_day = self.by_day.write().unwrap_or_else(PoisonError::into_inner);
        by_day
            .entry(day)
            .or_insert_with(|| Salt::new(rand::random()))
            .clone()
    }

    /// Fetches, or makes, the salts of the day of `now` and the next; forgets those of days that are over, everywhere.
    pub async fn refresh(&self, db: &Db, now: Timestamp) -> sqlx::Result<()> {
        let today = Slot::of(now).day();
        for day in [today, today + 1] {
            let salt = store::share_salt(db, day, rand::random()).await?;
            let mut by_day = self.by_day.write().unwrap_or_else(PoisonError::into_inner);
            by_day.insert(day, salt);
            by_day.retain(|day, _| *day >= today - 1);
        }
        // Clicks of yesterday may still be on their way, but they bring their hash.
        store::forget_salts_before(db, today - 1).await
    }
}

/// Keeps the salts fresh until `stop`.
pub async fn keep_fresh(salts: Arc<Salts>, db: Db, stop: CancellationToken) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(REFRESH) => {}
        }
        if let Err(error) = salts.refresh(&db, Timestamp::now()).await {
            tracing::warn!(%error, "the next day's visitor salt could not be fetched; trying again");
        }
    }
}
