//! A row of a CSV file, read column by column.

use std::{borrow::Cow, fmt};

use crate::{database::timestamp::Timestamp, error::ApiError, invalid::Invalid};

/// The largest id that a file may bring: beyond it, programs that keep numbers as floats (JavaScript) lose digits.
const MAX_ID: i64 = 1 << 53;

/// A value in a file that cannot be accepted, and where it stands.
#[derive(Clone, Debug)]
pub struct BadRow {
    /// From 1, which is the header.
    pub line: u64,
    /// `None` if it is the row as a whole.
    pub column: Option<&'static str>,
    pub reason: Cow<'static, str>,
    /// Whether it is the stored data, rather than the value itself, that stands against it.
    pub is_conflict: bool,
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(column) = self.column {
            write!(f, ", column `{column}`")?;
        }
        write!(f, ": {}", self.reason)
    }
}

impl From<BadRow> for ApiError {
    fn from(bad: BadRow) -> Self {
        Self::BadRow(bad)
    }
}

/// A row, with the places of the columns that its file's header names.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    pub line: u64,
    pub columns: &'static [&'static str],
    /// Where each of `columns` stands in `record`.
    pub places: &'a [usize],
    pub record: &'a csv::ByteRecord,
}

impl Row<'_> {
    pub fn read<T>(
        &self,
        column: &'static str,
        parse: impl FnOnce(&str) -> Result<T, Invalid>,
    ) -> Result<T, BadRow> {
        let bad = |reason: Invalid| BadRow {
            line: self.line,
            column: Some(column),
            reason: reason.0,
            is_conflict: false,
        };
        let place = self
            .columns
            .iter()
            .position(|name| *name == column)
            .map(|index| self.places[index])
            .expect("a record reads the columns it declares");
        let mut bytes = self.record.get(place).unwrap_or_default();
        // Lines end with a line feed; Windows puts a carriage return before it.
        if place + 1 == self.record.len() {
            bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| bad("is no UTF-8".into()))?;
        parse(text).map_err(bad)
    }
}

/// An id that the file brings.
pub fn id(text: &str) -> Result<i64, Invalid> {
    match text.trim().parse() {
        Ok(id @ 1..=MAX_ID) => Ok(id),
        _ => Err(format!("must be a whole number from 1 to {MAX_ID}").into()),
    }
}

pub fn time(text: &str) -> Result<Timestamp, Invalid> {
    Timestamp::parse(text.trim())
        .ok_or_else(|| "must be a time such as 2026-01-31 23:59:59, or in ISO 8601".into())
}

pub fn boolean(text: &str) -> Result<bool, Invalid> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "t" | "1" => Ok(true),
        "false" | "f" | "0" => Ok(false),
        _ => Err("must be True or False".into()),
    }
}
