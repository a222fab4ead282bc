//! Turns a CSV file into records, on a thread of its own.

use std::{
    cell::Cell,
    io::{self, Read},
    rc::Rc,
};

use tokio::sync::mpsc;

use super::{BadRow, Batch, Record, Row};
use crate::{error::ApiError, invalid::Invalid};

/// Enough to make the round trip per batch cheap; and few enough for SQLite, which takes 32,766 values in a statement.
const BATCH_RECORDS: usize = 4_000;

/// A batch is closed before it takes more memory than about this.
const BATCH_BYTES: usize = 2 << 20;

/// A row longer than this is no row but a quote that was never closed: without a bound it would sit in memory whole.
const MAX_ROW_BYTES: u64 = 1 << 20;

/// Parses until the file ends. Returns how many records there were.
pub(super) fn parse<R: Record>(
    file: impl Read,
    rules: &R::Rules,
    mut send: impl FnMut(Batch<R>) -> bool,
) -> Result<u64, ApiError> {
    let progress = Rc::new(Progress::default());
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .buffer_capacity(64 << 10)
        .from_reader(Watched {
            file,
            progress: Rc::clone(&progress),
        });
    let header = reader.byte_headers().map_err(unreadable)?;
    let places = find_columns(header, R::COLUMNS)?;
    let width = header.len();

    let mut record = csv::ByteRecord::new();
    let mut batch = Batch::new();
    let mut total = 0;
    loop {
        progress.since_row_start.set(0);
        if !reader.read_byte_record(&mut record).map_err(unreadable)? {
            break;
        }
        // The line feed after a carriage return is counted only with the row that follows it.
        let line = record.position().map_or(0, csv::Position::line)
            + u64::from(progress.has_returns.get());
        if record.len() != width {
            return Err(wrong_width(line, record.len(), width).into());
        }
        let row = Row {
            line,
            columns: R::COLUMNS,
            places: &places,
            record: &record,
        };
        batch.records.push(R::parse(&row, rules)?);
        batch.lines.push(line);
        batch.bytes += record.as_slice().len();
        total += 1;
        if batch.records.len() == BATCH_RECORDS || batch.bytes >= BATCH_BYTES {
            let full = std::mem::replace(&mut batch, Batch::new());
            if !send(full) {
                // The store has failed, and says why.
                return Ok(total);
            }
        }
    }
    if !batch.records.is_empty() {
        send(batch);
    }
    Ok(total)
}

/// Sends batches to an async task, which is slower than the parser.
pub(super) fn into_channel<R: Record>(
    batches: mpsc::Sender<Batch<R>>,
) -> impl FnMut(Batch<R>) -> bool {
    move |batch| batches.blocking_send(batch).is_ok()
}

/// Parses a file that is at hand: its records, with the line on which each began. No database is asked, so what refers to
/// nothing is accepted. For tests and the fuzzer.
pub fn read_file<R: Record>(file: impl Read, rules: &R::Rules) -> Result<Vec<(u64, R)>, ApiError> {
    let mut records = Vec::new();
    parse(file, rules, |batch: Batch<R>| {
        records.extend(batch.lines.into_iter().zip(batch.records));
        true
    })?;
    Ok(records)
}

fn wrong_width(line: u64, values: usize, width: usize) -> BadRow {
    BadRow {
        line,
        column: None,
        reason: format!("the row has {values} values, but the header names {width}").into(),
        is_conflict: false,
    }
}

impl<R> Batch<R> {
    fn new() -> Self {
        Self {
            records: Vec::new(),
            lines: Vec::new(),
            bytes: 0,
        }
    }
}

fn find_columns(
    header: &csv::ByteRecord,
    wanted: &'static [&'static str],
) -> Result<Vec<usize>, BadRow> {
    let place_of = |column: &'static str| {
        header
            .iter()
            .position(|name| name.trim_ascii().eq_ignore_ascii_case(column.as_bytes()))
            .ok_or_else(|| BadRow {
                line: 1,
                column: Some(column),
                reason: format!(
                    "is missing from the header, which must name {}",
                    wanted.join(", ")
                )
                .into(),
                is_conflict: false,
            })
    };
    wanted.iter().copied().map(place_of).collect()
}

fn unreadable(error: csv::Error) -> ApiError {
    let line = error.position().map(csv::Position::line);
    let reason = match error.into_kind() {
        csv::ErrorKind::Io(error) => error.to_string(),
        other => format!("{other:?}"),
    };
    let place = line.map_or(String::new(), |line| format!("line {line}: "));
    Invalid::from(format!("the file cannot be read as CSV: {place}{reason}")).into()
}

/// What is noticed of the bytes of a file while they are read.
#[derive(Default)]
struct Progress {
    /// How much was read for the row that is being parsed.
    since_row_start: Cell<u64>,
    /// Whether the first line ends as on Windows.
    has_returns: Cell<bool>,
    is_past_first_line: Cell<bool>,
    last_byte: Cell<u8>,
}

struct Watched<F> {
    file: F,
    progress: Rc<Progress>,
}

impl<F: Read> Read for Watched<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.progress.since_row_start.get() > MAX_ROW_BYTES {
            return Err(io::Error::other(format!(
                "a row is longer than {MAX_ROW_BYTES} bytes; is a quote not closed?"
            )));
        }
        let count = self.file.read(buffer)?;
        self.progress.note(&buffer[..count]);
        Ok(count)
    }
}

impl Progress {
    fn note(&self, bytes: &[u8]) {
        self.since_row_start
            .set(self.since_row_start.get() + bytes.len() as u64);
        if self.is_past_first_line.get() {
            return;
        }
        for byte in bytes {
            if *byte == b'\n' {
                self.has_returns.set(self.last_byte.get() == b'\r');
                self.is_past_first_line.set(true);
                return;
            }
            self.last_byte.set(*byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::database::Tx;

    /// Two columns, the second of which must not be empty.
    #[derive(Debug, Eq, PartialEq)]
    struct Pair(String, String);

    impl Record for Pair {
        const COLUMNS: &'static [&'static str] = &["a", "b"];
        type Rules = ();
        type Found = ();

        fn parse(row: &Row<'_>, (): &()) -> Result<Self, BadRow> {
            let a = row.read("a", |text| Ok(text.to_owned()))?;
            let b = row.read("b", |text| {
                if text.is_empty() {
                    return Err("must not be empty".into());
                }
                Ok(text.to_owned())
            })?;
            Ok(Self(a, b))
        }

        async fn find_dangling(
            _: &mut Tx,
            _: &[Self],
            (): &mut (),
        ) -> sqlx::Result<Option<super::super::Refused>> {
            Ok(None)
        }

        async fn insert_all(_: &mut Tx, _: &[Self]) -> sqlx::Result<()> {
            Ok(())
        }

        async fn advance_ids(_: &mut Tx) -> sqlx::Result<()> {
            Ok(())
        }
    }

    fn parse_text(text: &[u8]) -> Result<Vec<(u64, Pair)>, String> {
        read_file::<Pair>(text, &()).map_err(|error| error.to_string())
    }

    fn pair(a: &str, b: &str) -> Pair {
        Pair(a.to_owned(), b.to_owned())
    }

    #[test]
    fn a_byte_order_mark_and_windows_line_ends_are_accepted() {
        let rows = parse_text(b"\xEF\xBB\xBFa,b\r\n1,2\r\n").unwrap();
        assert_eq!(rows, [(2, pair("1", "2"))]);
    }

    #[test]
    fn columns_may_stand_in_any_order_and_others_are_ignored() {
        let rows = parse_text(b"x,B, a\n0,2,1\n").unwrap();
        assert_eq!(rows, [(2, pair("1", "2"))]);
    }

    #[test]
    fn a_quoted_value_may_span_lines_and_lines_are_counted_right() {
        let rows = parse_text(b"a,b\n\"1\n1\",\"say \"\"hi\"\"\"\n3,4\n").unwrap();
        assert_eq!(rows, [(2, pair("1\n1", "say \"hi\"")), (4, pair("3", "4"))]);
    }

    #[test]
    fn lines_of_windows_files_are_counted_as_an_editor_counts_them() {
        let rows = parse_text(b"a,b\r\n\"1\r\n1\",2\r\n3,4\r\n").unwrap();
        assert_eq!(rows, [(2, pair("1\r\n1", "2")), (4, pair("3", "4"))]);
    }

    #[test]
    fn a_bad_value_is_told_by_line_and_column() {
        let error = parse_text(b"a,b\n1,2\n3,\n").unwrap_err();
        assert_eq!(error, "line 3, column `b`: must not be empty");
    }

    #[test]
    fn a_short_row_is_told_by_its_length() {
        let error = parse_text(b"a,b\n1\n").unwrap_err();
        assert_eq!(
            error,
            "line 2: the row has 1 values, but the header names 2"
        );
    }

    #[test]
    fn a_header_without_a_column_is_refused() {
        for text in [&b""[..], b"a,c\n1,2\n"] {
            let error = parse_text(text).unwrap_err();
            assert!(error.starts_with("line 1, column `"), "{error}");
        }
    }

    #[test]
    fn a_quote_that_is_never_closed_does_not_fill_the_memory() {
        let mut text = b"a,b\n1,\"".to_vec();
        text.resize(3 << 20, b'x');
        let error = parse_text(&text).unwrap_err();
        assert!(error.contains("is a quote not closed?"), "{error}");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            _ = parse_text(&bytes);
        }

        #[test]
        fn what_was_written_is_read(values in proptest::collection::vec(("\\PC{0,8}", "\\PC{1,8}"), 0..20)) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(["a", "b"]).unwrap();
            for (a, b) in &values {
                writer.write_record([a, b]).unwrap();
            }
            let rows = parse_text(&writer.into_inner().unwrap()).unwrap();
            let read: Vec<_> = rows.into_iter().map(|(_, Pair(a, b))| (a, b)).collect();
            prop_assert_eq!(read, values);
        }
    }
}
