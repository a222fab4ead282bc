//! Fills roll-ups as the recorder would have, had it recorded that many clicks; the clicks themselves are not written,
//! since no statistics look at them.

use std::collections::BTreeMap;

use anyhow::Context as _;
use loadtest::chance::Random;
use shortener::{
    clicks::{
        rollup::{OpenDay, Slot},
        row::Interpreter,
        visitor::Salt,
    },
    database::timestamp::Timestamp,
};
use sqlx::{Connection as _, PgConnection};

use super::store;
use crate::bench::traffic::Traffic;

const MICROS_PER_DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// A URL's two columns on a day.
pub(super) type Filled = (i64, (Vec<u8>, Vec<u8>));

/// Fills the database at `url`, and returns the size of its roll-ups in bytes.
pub(super) async fn fill(
    url: &str,
    traffic: &Traffic,
    clicks: u32,
    urls: u32,
    days: i64,
) -> anyhow::Result<i64> {
    let mut connection = PgConnection::connect(url)
        .await
        .context("could not connect to the benchmark's database")?;
    store::make_urls(&mut connection, urls).await?;
    let today = Slot::of(Timestamp::now()).day();
    let per_day = i64::from(clicks) / days;
    for day in today - days + 1..=today {
        store::write_day(&mut connection, day, one_day(traffic, day, per_day)?).await?;
    }
    store::settle(&mut connection).await?;
    Ok(store::size(&mut connection).await?)
}

/// The roll-ups of a day, of each URL and (as URL 0) of all.
fn one_day(traffic: &Traffic, day: i64, clicks: i64) -> anyhow::Result<Vec<Filled>> {
    let mut random = Random::new(day.cast_unsigned());
    let mut interpreter = Interpreter::new(Vec::new());
    let salt = Salt::new([7; 32]);
    let mut open: BTreeMap<i64, OpenDay> = BTreeMap::new();
    let mut record = Vec::new();
    for number in 0..clicks {
        let at = day * MICROS_PER_DAY + number * MICROS_PER_DAY / clicks;
        traffic.click(&mut random).write(at, &salt, &mut record);
        let row = interpreter.row(&record)?;
        for url in [0, row.url_id] {
            let rollup = open.entry(url).or_default();
            row.counted(|click| rollup.count(click));
        }
    }
    let filled = open.into_iter();
    Ok(filled.map(|(url, day)| (url, day.into_bytes())).collect())
}
