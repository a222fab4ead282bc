//! Adds up roll-ups to what is answered. Pure: no clock, no database.

use std::collections::BTreeMap;

use chrono::DateTime;
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Bucket, Period};
use crate::clicks::rollup::{Count, Day, Dimension, Slot, Values};

/// Values of a dimension are kept apart up to here while days are added up.
const MAX_VALUES: usize = 10_000;

/// Statistics as answered.
#[derive(Debug, JsonSchema, Serialize)]
pub struct Summary {
    /// The start of the first quarter of an hour, and the end of the last, in the period's time zone.
    #[schemars(extend("format" = "date-time"))]
    pub from: String,
    #[schemars(extend("format" = "date-time"))]
    pub to: String,
    pub time_zone: &'static str,
    #[schemars(with = "Bucket")]
    pub bucket: &'static str,
    /// Clicks by people.
    pub clicks: u64,
    /// Clicks by bots, link previews and prefetches.
    pub bots: u64,
    /// People, about, told apart within a day (UTC): who comes on two days counts twice.
    pub unique_visitors: u64,
    pub series: Vec<Point>,
    pub referrers: Vec<Share>,
    pub countries: Vec<Share>,
    pub browsers: Vec<Share>,
    pub operating_systems: Vec<Share>,
    pub devices: Vec<Share>,
    pub utm: Utm,
}

/// The clicks of one bucket.
#[derive(Debug, JsonSchema, Serialize)]
pub struct Point {
    #[schemars(extend("format" = "date-time"))]
    pub start: String,
    pub clicks: u64,
    pub bots: u64,
}

/// Clicks that have a value in common; those beyond the most frequent have `null`.
#[derive(Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Share {
    pub value: Option<String>,
    pub clicks: u64,
}

/// By the campaign's parameters.
#[derive(Debug, JsonSchema, Serialize)]
pub struct Utm {
    pub source: Vec<Share>,
    pub medium: Vec<Share>,
    pub campaign: Vec<Share>,
    pub term: Vec<Share>,
    pub content: Vec<Share>,
}

/// Adds up `days` for `period`, with the `top` most frequent values of each dimension.
///
/// Breakdowns and visitors are kept per day (UTC): those of a day count if any of the day is in the period.
pub fn summarise(period: &Period, days: &[(i64, Day)], top: usize) -> Summary {
    let mut total = Count::default();
    let mut visitors = 0;
    let mut series: Vec<(DateTime<Tz>, Count)> = period
        .bucket_starts()
        .into_iter()
        .map(|start| (start, Count::default()))
        .collect();
    let mut dimensions: BTreeMap<Dimension, Values> = BTreeMap::new();
    for (number, day) in days {
        for (slot, count) in day.slots(*number) {
            let Some(time) = slot.start().filter(|_| period.contains(slot)) else {
                continue;
            };
            // By order, not by name of the hour: where clocks move by half an hour, hours are not where they were.
            let after = series.partition_point(|(start, _)| *start <= time.utc());
            if let Some((_, bucket)) = after.checked_sub(1).and_then(|last| series.get_mut(last)) {
                bucket.add(count);
            }
            total.add(count);
        }
        visitors += day.visitors;
        for (dimension, values) in &day.dimensions {
            let sum = dimensions.entry(*dimension).or_default();
            sum.rest += values.rest;
            for (value, clicks) in &values.counts {
                sum.add(value, *clicks, MAX_VALUES);
            }
        }
    }
    let mut shares = |dimension| shares(dimensions.remove(&dimension).unwrap_or_default(), top);
    Summary {
        from: edge(period, period.first),
        to: edge(period, period.end),
        time_zone: period.zone.name(),
        bucket: period.bucket.name(),
        clicks: total.people,
        bots: total.machines,
        // An estimate may be a little above what it estimates.
        unique_visitors: visitors.min(total.people),
        series: points(series),
        referrers: shares(Dimension::Referrer),
        countries: shares(Dimension::Country),
        browsers: shares(Dimension::Browser),
        operating_systems: shares(Dimension::Os),
        devices: shares(Dimension::Device),
        utm: Utm {
            source: shares(Dimension::UtmSource),
            medium: shares(Dimension::UtmMedium),
            campaign: shares(Dimension::UtmCampaign),
            term: shares(Dimension::UtmTerm),
            content: shares(Dimension::UtmContent),
        },
    }
}

fn edge(period: &Period, slot: Slot) -> String {
    slot.start().map_or(String::new(), |time| {
        time.utc().with_timezone(&period.zone).to_rfc3339()
    })
}

/// A point for every bucket, those without clicks included.
fn points(series: Vec<(DateTime<Tz>, Count)>) -> Vec<Point> {
    let point = |(start, count): (DateTime<Tz>, Count)| Point {
        start: start.to_rfc3339(),
        clicks: count.people,
        bots: count.machines,
    };
    series.into_iter().map(point).collect()
}

fn shares(values: Values, top: usize) -> Vec<Share> {
    let share = |(value, clicks)| Share {
        value: Some(value),
        clicks,
    };
    let mut shares: Vec<_> = values.counts.into_iter().map(share).collect();
    // By name where equal, so that the answer does not change from one call to the next.
    shares.sort_by(|a, b| b.clicks.cmp(&a.clicks).then_with(|| a.value.cmp(&b.value)));
    let beyond = shares.split_off(top.min(shares.len()));
    let rest = values.rest + beyond.iter().map(|share| share.clicks).sum::<u64>();
    if rest > 0 {
        shares.push(Share {
            value: None,
            clicks: rest,
        });
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clicks::rollup::{Counted, OpenDay},
        database::timestamp::Timestamp,
        statistics::period::{Moment, Wish, parse_zone},
    };

    fn days_of(clicks: &[(&str, &str, bool)]) -> Vec<(i64, Day)> {
        let mut days: BTreeMap<i64, OpenDay> = BTreeMap::new();
        for (visitor, (at, referrer, is_person)) in (0..).zip(clicks) {
            let slot = Slot::of(Timestamp::parse(at).unwrap());
            days.entry(slot.day()).or_default().count(Counted {
                slot,
                is_person: *is_person,
                visitor,
                values: &[(Dimension::Referrer, referrer)],
            });
        }
        let stored = |day: OpenDay| Day::from_bytes(&day.into_bytes().0).unwrap();
        days.into_iter()
            .map(|(number, day)| (number, stored(day)))
            .collect()
    }

    fn period(from: &str, to: &str, bucket: Bucket, zone: &str) -> Period {
        let wish = Wish {
            from: Some(Moment::parse(from).unwrap()),
            to: Some(Moment::parse(to).unwrap()),
            bucket: Some(bucket),
            zone: Some(parse_zone(zone).unwrap()),
        };
        Period::new(wish, Timestamp::parse("2026-11-24T12:00:00Z").unwrap()).unwrap()
    }

    #[test]
    fn clicks_fall_into_the_days_of_the_zone_and_empty_days_are_shown() {
        let days = days_of(&[
            ("2026-11-23T23:30:00Z", "a.example", true),
            ("2026-11-24T01:00:00Z", "b.example", true),
            ("2026-11-24T01:00:00Z", "b.example", false),
        ]);
        let period = period("2026-11-23", "2026-11-26", Bucket::Day, "Europe/Berlin");
        let summary = summarise(&period, &days, 10);
        let series: Vec<_> = summary
            .series
            .iter()
            .map(|point| (point.start.as_str(), point.clicks, point.bots))
            .collect();
        assert_eq!(
            series,
            [
                ("2026-11-23T00:00:00+01:00", 0, 0),
                ("2026-11-24T00:00:00+01:00", 2, 1),
                ("2026-11-25T00:00:00+01:00", 0, 0),
            ]
        );
        let totals = (summary.clicks, summary.bots, summary.unique_visitors);
        assert_eq!(totals, (2, 1, 2));
    }

    #[test]
    fn the_most_frequent_come_first_and_the_rest_together() {
        let days = days_of(&[
            ("2026-11-24T01:00:00Z", "b.example", true),
            ("2026-11-24T01:00:00Z", "b.example", true),
            ("2026-11-24T01:00:00Z", "c.example", true),
            ("2026-11-24T01:00:00Z", "a.example", true),
        ]);
        let period = period("2026-11-24", "2026-11-25", Bucket::Day, "UTC");
        let referrers = summarise(&period, &days, 2).referrers;
        let shares: Vec<_> = referrers
            .iter()
            .map(|share| (share.value.as_deref(), share.clicks))
            .collect();
        assert_eq!(
            shares,
            [(Some("b.example"), 2), (Some("a.example"), 1), (None, 1)]
        );
    }

    #[test]
    fn no_click_is_lost_where_clocks_move_by_half_an_hour() {
        let days = days_of(&[
            ("2026-04-04T13:10:00Z", "a.example", true),
            ("2026-04-04T18:40:00Z", "a.example", true),
        ]);
        let zone = "Australia/Lord_Howe";
        let period = period("2026-04-04", "2026-04-06", Bucket::Hour, zone);
        let summary = summarise(&period, &days, 2);
        let charted: u64 = summary.series.iter().map(|point| point.clicks).sum();
        assert_eq!((charted, summary.clicks), (2, 2));
    }

    #[test]
    fn clicks_outside_the_period_do_not_count() {
        let days = days_of(&[
            ("2026-11-24T10:59:00Z", "a.example", true),
            ("2026-11-24T11:00:00Z", "a.example", true),
            ("2026-11-24T12:00:00Z", "a.example", true),
        ]);
        let (from, to) = ("2026-11-24T11:00:00Z", "2026-11-24T12:00:00Z");
        let period = period(from, to, Bucket::Hour, "UTC");
        assert_eq!(summarise(&period, &days, 2).clicks, 1);
    }
}
