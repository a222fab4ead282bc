//! Which time statistics are about, and how it is cut into buckets.

use chrono::{
    DateTime, Datelike as _, Days, Months, NaiveDate, NaiveTime, TimeDelta, TimeZone as _,
    Timelike as _,
};
use chrono_tz::Tz;

use crate::{
    clicks::rollup::{SLOT_MINUTES, Slot},
    database::timestamp::Timestamp,
    invalid::Invalid,
    openapi::value_schema,
};

/// More buckets than this are no chart.
const MAX_BUCKETS: i64 = 5_000;

/// Ten years.
const MAX_DAYS: i64 = 3_660;

/// How long is looked back unless it is said.
const DEFAULT_DAYS: i64 = 30;

/// The length of a bucket. Those of a day and more begin at midnight, where the time zone has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Bucket {
    QuarterHour,
    Hour,
    Day,
    Week,
    Month,
}

impl Bucket {
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        match text {
            "quarter_hour" => Ok(Self::QuarterHour),
            "hour" => Ok(Self::Hour),
            "day" => Ok(Self::Day),
            "week" => Ok(Self::Week),
            "month" => Ok(Self::Month),
            _ => Err("must be one of quarter_hour, hour, day, week, month".into()),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::QuarterHour => "quarter_hour",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// What a chart of this many days reads best in.
    fn for_days(days: i64) -> Self {
        match days {
            ..=2 => Self::Hour,
            3..=100 => Self::Day,
            _ => Self::Month,
        }
    }

    /// The shortest that a bucket can be, in minutes.
    fn minutes(self) -> i64 {
        match self {
            Self::QuarterHour => SLOT_MINUTES,
            Self::Hour => 60,
            Self::Day => 23 * 60,
            Self::Week => 7 * 24 * 60 - 60,
            Self::Month => 28 * 24 * 60 - 60,
        }
    }
}

value_schema!(Bucket, {
    "type": "string", "enum": ["quarter_hour", "hour", "day", "week", "month"]
});

/// A stretch of time, in whole quarters of an hour.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Period {
    pub first: Slot,
    /// The slot after the last one.
    pub end: Slot,
    pub bucket: Bucket,
    pub zone: Tz,
}

/// What a caller said of a period.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish {
    pub from: Option<Moment>,
    pub to: Option<Moment>,
    pub bucket: Option<Bucket>,
    pub zone: Option<Tz>,
}

/// A time, or a day, which begins when the time zone says.
#[derive(Clone, Copy, Debug)]
pub enum Moment {
    At(Timestamp),
    Day(NaiveDate),
}

impl Moment {
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let wrong = || {
            Invalid::from(
                "must be a day such as 2026-01-31, or a time such as 2026-01-31T12:00:00Z",
            )
        };
        if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            let is_near = (1..=9_999).contains(&day.year());
            return is_near.then_some(Self::Day(day)).ok_or_else(wrong);
        }
        // A plus sign that was not encoded arrives as a space.
        Timestamp::parse(text)
            .or_else(|| Timestamp::parse(&text.replacen(' ', "+", 1)))
            .map(Self::At)
            .ok_or_else(wrong)
    }

    fn in_zone(self, zone: Tz) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::Day(day) => start_of_day(zone, day).to_utc().into(),
        }
    }
}

impl Period {
    /// Makes a period of what was said and, for the rest, of what is usual: the last 30 days, in UTC.
    pub fn new(wish: Wish, now: Timestamp) -> Result<Self, (&'static str, Invalid)> {
        let zone = wish.zone.unwrap_or(Tz::UTC);
        let to = wish.to.map_or(now, |to| to.in_zone(zone));
        let from = match wish.from {
            Some(from) => from.in_zone(zone),
            None => to
                .utc()
                .checked_sub_signed(TimeDelta::days(DEFAULT_DAYS))
                .ok_or(("to", Invalid::from("is too long ago")))?
                .into(),
        };
        if from >= to {
            return Err(("from", "must be before `to`".into()));
        }
        let length = to.utc() - from.utc();
        if length.num_days() > MAX_DAYS {
            let reason = format!("must be at most {MAX_DAYS} days before `to`");
            return Err(("from", reason.into()));
        }
        let bucket = wish.bucket.unwrap_or(Bucket::for_days(length.num_days()));
        if length.num_minutes() / bucket.minutes() > MAX_BUCKETS {
            let reason = format!(
                "is too short for this period: it would make more than {MAX_BUCKETS} buckets"
            );
            return Err(("bucket", reason.into()));
        }
        // A slot that has begun is part of the period.
        let end = match Slot::of(to) {
            slot if slot.start() == Some(to) => slot,
            slot => Slot(slot.0 + 1),
        };
        Ok(Self {
            first: Slot::of(from),
            end,
            bucket,
            zone,
        })
    }

    pub fn contains(&self, slot: Slot) -> bool {
        self.first <= slot && slot < self.end
    }

    /// The starts of all buckets, in order. The first may be before the period.
    pub fn bucket_starts(&self) -> Vec<DateTime<Tz>> {
        let (Some(first), Some(end)) = (self.first.start(), self.end.start()) else {
            return Vec::new();
        };
        let end = end.utc();
        let mut start = self.bucket_of(first);
        let mut starts = vec![start];
        loop {
            let next = self.next(&start);
            if next >= end || next <= start {
                return starts;
            }
            starts.push(next);
            start = next;
        }
    }

    /// The start of the bucket that `time` is in.
    fn bucket_of(&self, time: Timestamp) -> DateTime<Tz> {
        let local = time.utc().with_timezone(&self.zone);
        let day = local.date_naive();
        match self.bucket {
            Bucket::QuarterHour => local,
            // Offsets are whole quarters of an hour, and change only between slots.
            Bucket::Hour => local - TimeDelta::minutes(local.minute().into()),
            Bucket::Day => start_of_day(self.zone, day),
            Bucket::Week => {
                let since_monday = day.weekday().num_days_from_monday();
                start_of_day(self.zone, day - Days::new(since_monday.into()))
            }
            Bucket::Month => start_of_day(self.zone, day.with_day(1).unwrap_or(day)),
        }
    }

    fn next(&self, start: &DateTime<Tz>) -> DateTime<Tz> {
        let day = start.date_naive();
        match self.bucket {
            Bucket::QuarterHour => *start + TimeDelta::minutes(SLOT_MINUTES),
            Bucket::Hour => *start + TimeDelta::hours(1),
            Bucket::Day => start_of_day(self.zone, day + Days::new(1)),
            Bucket::Week => start_of_day(self.zone, day + Days::new(7)),
            Bucket::Month => start_of_day(self.zone, day + Months::new(1)),
        }
    }
}

/// When `day` begins in `zone`. Where clocks skip midnight, that is when they show the next full quarter of an hour.
fn start_of_day(zone: Tz, day: NaiveDate) -> DateTime<Tz> {
    let midnight = day.and_time(NaiveTime::MIN);
    (0..=96)
        .find_map(|quarters| {
            let local = midnight + TimeDelta::minutes(quarters * SLOT_MINUTES);
            zone.from_local_datetime(&local).earliest()
        })
        .unwrap_or_else(|| zone.from_utc_datetime(&midnight))
}

pub fn parse_zone(text: &str) -> Result<Tz, Invalid> {
    text.parse()
        .map_err(|_| "must be the name of a time zone such as Europe/Berlin".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(from: &str, to: &str, bucket: Bucket, zone: &str) -> Wish {
        Wish {
            from: Some(Moment::parse(from).unwrap()),
            to: Some(Moment::parse(to).unwrap()),
            bucket: Some(bucket),
            zone: Some(parse_zone(zone).unwrap()),
        }
    }

    fn now() -> Timestamp {
        Timestamp::parse("2026-11-24T12:00:00Z").unwrap()
    }

    #[track_caller]
    fn check(wish: Wish, expected: &[&str]) {
        let period = Period::new(wish, now()).unwrap();
        let starts = period.bucket_starts();
        let starts: Vec<_> = starts.iter().map(DateTime::to_rfc3339).collect();
        assert_eq!(starts, expected);
    }

    #[test]
    fn days_begin_at_midnight_of_their_zone() {
        check(
            wish("2026-11-24", "2026-11-26", Bucket::Day, "Asia/Kathmandu"),
            &["2026-11-24T00:00:00+05:45", "2026-11-25T00:00:00+05:45"],
        );
    }

    #[test]
    fn a_day_on_which_clocks_change_has_another_length() {
        check(
            wish("2026-10-24", "2026-10-27", Bucket::Day, "Europe/Berlin"),
            &[
                "2026-10-24T00:00:00+02:00",
                "2026-10-25T00:00:00+02:00",
                "2026-10-26T00:00:00+01:00",
            ],
        );
        let hours = wish("2026-10-25", "2026-10-26", Bucket::Hour, "Europe/Berlin");
        assert_eq!(Period::new(hours, now()).unwrap().bucket_starts().len(), 25);
    }

    #[test]
    fn a_day_without_a_midnight_begins_later() {
        // Clocks in Beirut went from 23:59:59 to 01:00:00.
        check(
            wish("2024-03-31", "2024-04-01", Bucket::Day, "Asia/Beirut"),
            &["2024-03-31T01:00:00+03:00"],
        );
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_the_first() {
        check(
            wish("2026-11-24", "2026-12-02", Bucket::Week, "UTC"),
            &["2026-11-23T00:00:00+00:00", "2026-11-30T00:00:00+00:00"],
        );
        check(
            wish("2026-11-24", "2026-12-02", Bucket::Month, "UTC"),
            &["2026-11-01T00:00:00+00:00", "2026-12-01T00:00:00+00:00"],
        );
    }

    #[test]
    fn the_last_thirty_days_by_day_are_what_is_usual() {
        let period = Period::new(Wish::default(), now()).unwrap();
        assert_eq!(period.bucket, Bucket::Day);
        let expected = Timestamp::parse("2026-10-25T12:00:00Z");
        assert_eq!(period.first.start(), expected);
        assert_eq!(period.end.start(), Some(now()));
    }

    #[test]
    fn a_period_that_makes_no_sense_is_refused_by_name() {
        let check = |from, bucket, expected| {
            let refused = Period::new(wish(from, "2026-11-24", bucket, "UTC"), now());
            assert_eq!(refused.unwrap_err().0, expected);
        };
        check("2026-11-24", Bucket::Day, "from");
        check("2010-01-01", Bucket::Month, "from");
        check("2025-11-24", Bucket::QuarterHour, "bucket");
    }

    #[test]
    fn the_slot_that_has_begun_belongs_to_the_period() {
        let (from, to) = ("2026-11-24T11:07:00Z", "2026-11-24T11:31:00Z");
        let period = Period::new(wish(from, to, Bucket::QuarterHour, "UTC"), now()).unwrap();
        assert_eq!(period.end.0 - period.first.0, 3);
    }
}
