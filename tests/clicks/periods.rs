//! Statistics over time: buckets, time zones, and what is inside a period.

use chrono::{DateTime, FixedOffset, TimeDelta, Timelike as _};
use harness::{database::Database, service::Service};
use serde_json::{Value, json};

use crate::{
    statistics::{FIREFOX, click, stats_of, stats_of_all},
    visitors::{path, some_urls},
};

/// Half an hour beside most others.
const KOLKATA: &str = "Asia/Kolkata";

/// A service and a URL with two clicks, and the time of the last one.
struct Visited {
    service: Service,
    url: Value,
    at: DateTime<FixedOffset>,
    /// Dropped last.
    database: Database,
}

impl Visited {
    async fn fresh(backend: harness::database::Backend) -> Self {
        let database = Database::fresh(backend).await;
        let service = Service::start(&database).await;
        let url = some_urls(&service).await.remove(0);
        for user_agent in [FIREFOX, "curl/8", FIREFOX] {
            click(&service, &path(&url), &[("user-agent", user_agent)]).await;
        }
        let events = service
            .get("/events?event_type=click&per_page=1")
            .await
            .json();
        let at = events[0]["timestamp"].as_str().unwrap();
        let at = DateTime::parse_from_rfc3339(at)
            .unwrap_or_else(|error| panic!("{at} is no time: {error}"));
        Self {
            service,
            url,
            at,
            database,
        }
    }

    /// The statistics of a period around the clicks.
    async fn around(&self, bucket: &str, zone: &str) -> Value {
        let from = self.at - TimeDelta::hours(3);
        let to = self.at + TimeDelta::hours(3);
        let query = format!(
            "?from={}&to={}&bucket={bucket}&time_zone={zone}",
            stamp(from),
            stamp(to)
        );
        stats_of(&self.service, &self.url, &query).await
    }
}

harness::on_each_database! {
    async fn clicks_fall_into_the_bucket_of_their_time(visited: Visited) {
        let lengths = [("quarter_hour", 15), ("hour", 60), ("day", 24 * 60), ("week", 7 * 24 * 60)];
        for zone in ["UTC", KOLKATA, "America/St_Johns", "Asia/Kathmandu"] {
            for (bucket, minutes) in lengths {
                let stats = visited.around(bucket, zone).await;
                assert_eq!((&stats["bucket"], &stats["time_zone"]), (&json!(bucket), &json!(zone)));
                let filled = filled(&stats);
                assert_eq!(sum(&stats, "clicks"), 2, "{bucket}, {zone}: {stats}");
                assert_eq!(sum(&stats, "bots"), 1, "{bucket}, {zone}: {stats}");
                // A day may be an hour longer; two buckets, if the clicks came at a turn of the hour.
                let length = TimeDelta::minutes(minutes) + TimeDelta::minutes(if minutes > 60 { 60 } else { 0 });
                let last = filled.last().unwrap();
                assert!(*last <= visited.at && visited.at < *last + length, "{bucket}, {zone}: {stats}");
            }
        }
    }

    async fn hours_and_days_begin_when_the_time_zone_says(visited: Visited) {
        let stats = visited.around("hour", KOLKATA).await;
        for start in starts(&stats) {
            assert_eq!(start.offset().local_minus_utc(), 5 * 3600 + 1800, "{stats}");
            assert_eq!(start.minute(), 0, "an hour there begins at its own full hour: {stats}");
            assert_eq!(start.to_utc().minute(), 30, "{stats}");
        }
        let stats = visited.around("day", KOLKATA).await;
        for start in starts(&stats) {
            assert_eq!((start.hour(), start.minute()), (0, 0), "{stats}");
        }
        let stats = visited.around("quarter_hour", KOLKATA).await;
        assert!(starts(&stats).windows(2).all(|pair| pair[1] - pair[0] == TimeDelta::minutes(15)));
        assert_eq!(starts(&stats).len(), 25, "six hours, and the slot that has begun: {stats}");
    }

    async fn a_period_beside_the_clicks_has_none(visited: Visited) {
        for (from, to) in [(-3, -1), (1, 3)] {
            let (from, to) = (visited.at + TimeDelta::hours(from), visited.at + TimeDelta::hours(to));
            let query = format!("?from={}&to={}", stamp(from), stamp(to));
            let stats = stats_of(&visited.service, &visited.url, &query).await;
            assert_eq!((sum(&stats, "clicks"), &stats["clicks"]), (0, &json!(0)), "{stats}");
        }
        let all = stats_of_all(&visited.service, "").await;
        assert_eq!(all["clicks"], 2, "{all}");
    }

    async fn days_are_meant_in_the_time_zone(visited: Visited) {
        let local = visited.at.with_timezone(&FixedOffset::east_opt(5 * 3600 + 1800).unwrap());
        let (today, tomorrow) = (local.date_naive(), local.date_naive().succ_opt().unwrap());
        let query = format!("?from={today}&to={tomorrow}&time_zone={KOLKATA}&bucket=hour");
        let stats = stats_of(&visited.service, &visited.url, &query).await;
        assert_eq!(starts(&stats).len(), 24, "{stats}");
        assert_eq!(stats["from"], format!("{today}T00:00:00+05:30"));
        assert_eq!(stats["to"], format!("{tomorrow}T00:00:00+05:30"));
        // Unless midnight there came between the first click and the last.
        assert!(sum(&stats, "clicks") >= 1, "{stats}");
    }

    async fn statistics_are_not_read_from_the_clicks(visited: Visited) {
        let before = visited.around("hour", "UTC").await;
        visited.database.execute("delete from click").await;
        assert_eq!(visited.around("hour", "UTC").await, before);
        let events = visited.service.get("/events?event_type=click").await.json();
        assert_eq!(events, json!([]), "they are gone indeed");
    }
}

fn stamp(time: DateTime<FixedOffset>) -> String {
    time.to_utc().format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn sum(stats: &Value, number: &str) -> u64 {
    let series = stats["series"].as_array().unwrap();
    series
        .iter()
        .map(|point| point[number].as_u64().unwrap())
        .sum()
}

fn starts(stats: &Value) -> Vec<DateTime<FixedOffset>> {
    let series = stats["series"].as_array().unwrap();
    series.iter().map(start).collect()
}

/// The starts of the buckets that have clicks.
fn filled(stats: &Value) -> Vec<DateTime<FixedOffset>> {
    let series = stats["series"].as_array().unwrap();
    let filled = series.iter().filter(|point| point["clicks"] != 0);
    filled.map(start).collect()
}

fn start(point: &Value) -> DateTime<FixedOffset> {
    DateTime::parse_from_rfc3339(point["start"].as_str().unwrap()).unwrap()
}
