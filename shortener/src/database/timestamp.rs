//! A point in time as the service keeps it: UTC, to the microsecond.
//!
//! Postgres stores a `timestamptz`, SQLite an integer of microseconds: text would sort wrongly as soon as fractions differ
//! in length.

use std::fmt;

use chrono::{DateTime, Datelike as _, NaiveDateTime, SecondsFormat, SubsecRound as _, Utc};
use sqlx::{
    Decode, Encode, Postgres, Sqlite, Type,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef},
    sqlite::{SqliteArgumentsBuffer, SqliteTypeInfo, SqliteValueRef},
};

use crate::openapi::value_schema;

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// The present. Only handlers and workers call this; everything below them takes `now` as an argument.
    pub fn now() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one place where time enters")]
        Utc::now().into()
    }

    /// Reads what RFC 3339 or a spreadsheet writes: `T` or a space between date and time, any fraction, any offset or
    /// none, which means UTC.
    pub fn parse(text: &str) -> Option<Self> {
        let time = match DateTime::parse_from_rfc3339(text) {
            Ok(time) => Some(time.to_utc()),
            Err(_) => parse_without_zone(text),
        };
        // Postgres knows others, but hardly anybody else does.
        time.filter(|time| (1..=9_999).contains(&time.year()))
            .map(Self::from)
    }
    /// Microseconds since 1970-01-01 UTC.
    pub fn micros(self) -> i64 {
        self.0.timestamp_micros()
    }

    pub fn from_micros(micros: i64) -> Option<Self> {
        DateTime::from_timestamp_micros(micros).map(Self)
    }

    /// The next moment that can be told apart.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + chrono::TimeDelta::microseconds(1))
    }

    pub fn utc(self) -> DateTime<Utc> {
        self.0
    }
}

value_schema!(Timestamp, {
    "type": "string", "format": "date-time", "examples": ["2026-11-24T12:00:00.000000Z"]
});

fn parse_without_zone(text: &str) -> Option<DateTime<Utc>> {
    ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .map(|time| time.and_utc())
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time.trunc_subsecs(6))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Type<Postgres> for Timestamp {
    fn type_info() -> PgTypeInfo {
        <DateTime<Utc> as Type<Postgres>>::type_info()
    }
}

impl PgHasArrayType for Timestamp {
    fn array_type_info() -> PgTypeInfo {
        <DateTime<Utc> as PgHasArrayType>::array_type_info()
    }
}

impl Encode<'_, Postgres> for Timestamp {
    fn encode_by_ref(&self, buf: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Postgres>::encode_by_ref(&self.0, buf)
    }
}

impl Decode<'_, Postgres> for Timestamp {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        <DateTime<Utc> as Decode<Postgres>>::decode(value).map(Self)
    }
}

impl Type<Sqlite> for Timestamp {
    fn type_info() -> SqliteTypeInfo {
        <i64 as Type<Sqlite>>::type_info()
    }
}

impl Encode<'_, Sqlite> for Timestamp {
    fn encode_by_ref(&self, buf: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Sqlite>::encode(self.micros(), buf)
    }
}

impl Decode<'_, Sqlite> for Timestamp {
    fn decode(value: SqliteValueRef<'_>) -> Result<Self, BoxDynError> {
        let micros = <i64 as Decode<Sqlite>>::decode(value)?;
        Self::from_micros(micros).ok_or_else(|| format!("{micros} µs is not a time").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let parsed = Timestamp::parse(text).map(|time| time.to_string());
        assert_eq!(parsed.as_deref(), expected, "{text:?}");
    }

    #[test]
    fn a_time_without_a_zone_is_utc() {
        check("2025-11-02 16:29:04", Some("2025-11-02T16:29:04Z"));
        check("2025-11-02T16:29:04", Some("2025-11-02T16:29:04Z"));
    }

    #[test]
    fn an_offset_is_converted() {
        check("2025-11-02T16:29:04+05:30", Some("2025-11-02T10:59:04Z"));
        check("2025-11-02T16:29:04Z", Some("2025-11-02T16:29:04Z"));
    }

    #[test]
    fn fractions_are_kept_to_the_microsecond() {
        check(
            "2025-11-02 16:29:04.1234567",
            Some("2025-11-02T16:29:04.123456Z"),
        );
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "yesterday",
            "2025-13-02 16:29:04",
            "2025-11-02",
            "1762100944",
            "0000-01-01 00:00:00",
            "+12345-01-01 00:00:00",
            "-0001-01-01 00:00:00",
        ] {
            check(text, None);
        }
    }
}
