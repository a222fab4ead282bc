//! Old clicks go, the log of events and the statistics stay; and there is room for clicks to come.

use std::time::Duration;

use chrono::{Datelike as _, Months, NaiveDate};
use harness::{
    database::{Backend, Database},
    eventually,
    service::Service,
};
use serde_json::json;

use crate::{
    statistics::{FIREFOX, click, stats_of_all},
    visitors::{path, some_urls},
};

/// For what happens beside the requests.
const SOON: Duration = Duration::from_secs(30);

/// More than are deleted at a time.
const OLD_CLICKS: i64 = 2_500;

harness::on_each_database! {
    async fn old_clicks_go_at_a_start_and_all_else_stays(database: Database) {
        let service = Service::start(&database).await;
        let urls = some_urls(&service).await;
        click(&service, &path(&urls[0]), &[("user-agent", FIREFOX)]).await;
        assert_eq!(stats_of_all(&service, "").await["clicks"], 1);
        service.terminate().await;
        make_old_clicks(&database).await;
        let old = "select count(*) from click where id < 0";
        let rollups = database.integer("select count(*) from click_day").await;
        let events = database.integer("select count(*) from event").await;

        let service = Service::start(&database).await;
        assert_eq!(database.integer(old).await, OLD_CLICKS, "without being told to, it keeps them");
        service.terminate().await;

        let service = Service::builder(&database).arg("--click-retention-days=90").start().await;
        let gone = async || database.integer(old).await == 0;
        eventually::holds("the old ones are gone", SOON, gone).await;
        assert_eq!(database.integer("select count(*) from click").await, 1, "new ones are kept");
        assert_eq!(database.integer("select count(*) from click_day").await, rollups);
        assert_eq!(database.integer("select count(*) from event").await, events);
        assert_eq!(stats_of_all(&service, "").await["clicks"], 1);
        let created = service.get("/events?event_type=created").await.json();
        assert_eq!(created.as_array().unwrap().len(), urls.len(), "{created}");
        click(&service, &path(&urls[0]), &[("user-agent", FIREFOX)]).await;
        assert_eq!(stats_of_all(&service, "").await["clicks"], 2);
    }
}

harness::on_each_postgres! {
    async fn there_is_a_partition_for_this_month_and_the_next_two(database: Database) {
        let service = Service::start(&database).await;
        let urls = some_urls(&service).await;
        click(&service, &path(&urls[0]), &[("user-agent", FIREFOX)]).await;
        let events = service.get("/events?event_type=click").await.json();
        let today = events[0]["timestamp"].as_str().unwrap();
        let today: NaiveDate = today[..10].parse().unwrap();

        let expected: Vec<_> = (0..3).map(|ahead| partition(today, ahead)).collect();
        let partitions = "select relname::text from pg_class
            where relname ~ '^click_[0-9]{4}_[0-9]{2}$' order by relname";
        assert_eq!(database.texts(partitions).await, expected);
        let place = "select tableoid::regclass::text from click";
        assert_eq!(database.texts(place).await, [expected[0].clone()]);
    }

    async fn a_month_is_kept_as_long_as_one_of_its_days_is(database: Database) {
        let service = Service::start(&database).await;
        let today = database.texts("select current_date::text").await.remove(0);
        let today: NaiveDate = today.parse().unwrap();
        service.terminate().await;
        // So many days that the oldest one is the first of the month before the last.
        let oldest = first(today).checked_sub_months(Months::new(2)).unwrap();
        let days = (today - oldest).num_days();
        for back in [2, 3] {
            let month = first(today).checked_sub_months(Months::new(back)).unwrap();
            make_month(&database, month, &format!("({}, 7, 7, timestamptz '{month} 12:00 UTC')", -i64::from(back))).await;
        }
        let _service = Service::builder(&database).arg(format!("--click-retention-days={days}")).start().await;
        // Its own month, but not the one before.
        let kept = async || database.integers("select id from click").await == [-2];
        eventually::holds("the month before went", SOON, kept).await;
    }

    async fn a_click_from_a_wrong_clock_does_not_stop_a_start(database: Database) {
        let service = Service::start(&database).await;
        let urls = some_urls(&service).await;
        service.terminate().await;
        // What a process left whose clock ran ahead, when there was no partition for that month yet.
        let month = database
            .texts("select to_char(now() + interval '2 months', 'YYYY_MM')")
            .await
            .remove(0);
        database.execute(&format!("drop table click_{month}")).await;
        let early = "insert into click (url_id, user_id, occurred_at)
            values (1, 1, date_trunc('month', now() + interval '2 months') + interval '1 day')";
        database.execute(early).await;

        let service = Service::start(&database).await;
        click(&service, &path(&urls[0]), &[("user-agent", FIREFOX)]).await;
        assert_eq!(stats_of_all(&service, "").await["clicks"], json!(1));
        assert_eq!(database.integer("select count(*) from click").await, 2);
    }
}

/// In a month of long ago.
async fn make_old_clicks(database: &Database) {
    match database.backend() {
        Backend::Sqlite => {
            database
                .execute(&format!(
                    "with recursive number (n) as (select 1 union all select n + 1 from number where n < {OLD_CLICKS})
                     insert into click (id, url_id, user_id, occurred_at) select -n, 7, 7, 1579046400000000 from number"
                ))
                .await;
        }
        Backend::Postgres15 | Backend::Postgres18 => {
            let month = NaiveDate::from_ymd_opt(2020, 1, 1).unwrap();
            let rows = "(0, 7, 7, timestamptz '2020-01-15 00:00 UTC')";
            make_month(database, month, rows).await;
            database
                .execute(&format!(
                    "delete from click where id = 0;
                     insert into click (id, url_id, user_id, occurred_at)
                     select -n, 7, 7, '2020-01-15 00:00 UTC' from generate_series(1, {OLD_CLICKS}) n"
                ))
                .await;
        }
    }
}

async fn make_month(database: &Database, month: NaiveDate, rows: &str) {
    let next = month.checked_add_months(Months::new(1)).unwrap();
    let name = partition(month, 0);
    database
        .execute(&format!(
            "create table {name} partition of click for values from ('{month} UTC') to ('{next} UTC');
             insert into click (id, url_id, user_id, occurred_at) values {rows}"
        ))
        .await;
}

fn first(day: NaiveDate) -> NaiveDate {
    day.with_day(1).expect("every month has a first day")
}

fn partition(day: NaiveDate, months_ahead: u32) -> String {
    let month = first(day).checked_add_months(Months::new(months_ahead));
    month.unwrap().format("click_%Y_%m").to_string()
}
