//! Writes clicks, and counts them in their days' roll-ups, in one transaction.

use std::collections::BTreeMap;

use super::{
    rollup::OpenDay,
    row::ClickRow,
    slices::Slices,
    store::{self, ChangedDay, DayColumns, DayKey},
};
use crate::database::Tx;

/// Clicks that are written together.
#[derive(Debug, Default)]
pub(super) struct Clicks {
    pub(super) rows: Vec<ClickRow>,
    /// The rows as Postgres copies them in; may be empty where there are few, or another database is written to.
    pub(super) text: Vec<u8>,
    /// The rows that each roll-up counts, by their index.
    pub(super) days: BTreeMap<DayKey, Vec<usize>>,
}

impl Clicks {
    pub(super) fn one(row: ClickRow) -> Self {
        let mut clicks = Self::default();
        clicks.rows.push(row);
        clicks.sort_from(0);
        clicks
    }

    /// Finds the roll-ups of the rows from `first` on.
    pub(super) fn sort_from(&mut self, first: usize) {
        for (index, row) in self.rows.iter().enumerate().skip(first) {
            let day = row.slot().day();
            for url_id in [store::ALL, row.url_id] {
                self.days.entry((url_id, day)).or_default().push(index);
            }
        }
    }
}

/// Writes `clicks`. Roll-ups are locked in the order of their keys, so that nobody who does the same deadlocks.
pub(super) async fn write(tx: &mut Tx, clicks: &Clicks) -> sqlx::Result<()> {
    store::insert_clicks(tx, &clicks.rows, &clicks.text).await?;
    if clicks.days.is_empty() {
        return Ok(());
    }
    let keys: Vec<DayKey> = clicks.days.keys().copied().collect();
    let mut stored = store::lock_days(tx, &keys).await?;
    // Thousands of roll-ups are no work for a thread that others wait for.
    let changed = tokio::task::block_in_place(|| {
        let mut slices = Slices::begin();
        let changed = keys.iter().map(|key| {
            slices.give_way();
            count(clicks, *key, stored.remove(key))
        });
        changed.collect::<sqlx::Result<_>>()
    })?;
    store::write_days(tx, changed).await
}

/// Counts the clicks that belong to the roll-up at `key`, which is `stored` unless it is new.
fn count(clicks: &Clicks, key: DayKey, stored: Option<DayColumns>) -> sqlx::Result<ChangedDay> {
    let is_new = stored.is_none();
    let (rollup, visitors) = stored.unwrap_or_default();
    let mut day = OpenDay::from_bytes(&rollup, &visitors)
        .map_err(|error| sqlx::Error::Decode(error.into()))?;
    for index in &clicks.days[&key] {
        clicks.rows[*index].counted(|click| day.count(click));
    }
    let columns = day.into_bytes();
    Ok(ChangedDay {
        key,
        has_new_visitors: columns.1 != visitors,
        columns,
        is_new,
    })
}
