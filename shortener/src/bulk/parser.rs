//! Turns the bytes of a CSV file into records, on a thread of its own.

use std::{
    cell::Cell,
    io::{self, Read},
    rc::Rc,
};

use bytes::{Buf as _, Bytes};
use tokio::sync::mpsc;

use super::{BadRow, Batch, Record, Row};
use crate::{error::ApiError, invalid::Invalid};

/// Enough to make the round trip per batch cheap; and few enough for SQLite, which takes 32,766 values in a statement.
const BATCH_RECORDS: usize = 2_000;

/// What Windows programs begin UTF-8 with.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// A row longer than this is no row but a quote that was never closed: without a bound it would sit in memory whole.
const MAX_ROW_BYTES: u64 = 1 << 20;

/// Parses until the file ends. Returns how many records there were.
pub(super) fn parse<R: Record>(
    chunks: mpsc::Receiver<Bytes>,
    rules: &R::Rules,
    batches: &mpsc::Sender<Batch<R>>,
) -> Result<u64, ApiError> {
    let since_row_start = Rc::new(Cell::new(0));
    let source = Chunks {
        incoming: chunks,
        current: Bytes::new(),
        is_started: false,
        since_row_start: Rc::clone(&since_row_start),
    };
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(source);
    let header = reader.byte_headers().map_err(unreadable)?;
    let places = find_columns(header, R::COLUMNS)?;
    let width = header.len();

    let mut record = csv::ByteRecord::new();
    let mut batch = Batch::new();
    let mut total = 0;
    loop {
        since_row_start.set(0);
        if !reader.read_byte_record(&mut record).map_err(unreadable)? {
            break;
        }
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() == 1 && record[0].trim_ascii().is_empty() && width > 1 {
            continue;
        }
        if record.len() != width {
            let reason = format!(
                "the row has {} values, but the header names {width}",
                record.len()
            );
            return Err(BadRow {
                line,
                column: None,
                reason: reason.into(),
                is_conflict: false,
            }
            .into());
        }
        let row = Row {
            line,
            columns: R::COLUMNS,
            places: &places,
            record: &record,
        };
        batch.records.push(R::parse(&row, rules)?);
        batch.lines.push(line);
        total += 1;
        if batch.records.len() == BATCH_RECORDS {
            let full = std::mem::replace(&mut batch, Batch::new());
            if batches.blocking_send(full).is_err() {
                // The store has failed, and says why.
                return Ok(total);
            }
        }
    }
    if !batch.records.is_empty() {
        batches.blocking_send(batch).ok();
    }
    Ok(total)
}

/// Parses a file that is at hand as a whole, as if it arrived in chunks of `chunk_size`: its records, with the line on which
/// each began. No database is asked, so what refers to nothing is accepted.
///
/// For tests and the fuzzer: a file that somebody uploads is never held as a whole.
pub fn read_file<R: Record>(
    file: &[u8],
    chunk_size: usize,
    rules: &R::Rules,
) -> Result<Vec<(u64, R)>, ApiError> {
    // Nobody takes from either channel before all is put in, so both must hold everything. A record has a byte or more.
    let (chunks, to_parse) = mpsc::channel(file.len() / chunk_size + 1);
    let (batches, mut parsed) = mpsc::channel(file.len() / BATCH_RECORDS + 1);
    for chunk in file.chunks(chunk_size) {
        chunks
            .try_send(Bytes::copy_from_slice(chunk))
            .expect("the channel holds every chunk");
    }
    drop(chunks);
    parse(to_parse, rules, &batches)?;
    drop(batches);
    let mut records = Vec::new();
    while let Some(batch) = parsed.blocking_recv() {
        records.extend(batch.lines.into_iter().zip(batch.records));
    }
    Ok(records)
}

impl<R> Batch<R> {
    fn new() -> Self {
        Self {
            records: Vec::with_capacity(BATCH_RECORDS),
            lines: Vec::with_capacity(BATCH_RECORDS),
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

/// The chunks of a file as something to read from. Blocks until the next one arrives.
struct Chunks {
    incoming: mpsc::Receiver<Bytes>,
    current: Bytes,
    is_started: bool,
    /// How much was read for the row that is being parsed.
    since_row_start: Rc<Cell<u64>>,
}

impl Chunks {
    /// Skips the byte order mark, which may come in pieces.
    fn start(&mut self) {
        let mut start = Vec::new();
        while start.len() < BYTE_ORDER_MARK.len() {
            match self.incoming.blocking_recv() {
                Some(chunk) => start.extend_from_slice(&chunk),
                None => break,
            }
        }
        if start.starts_with(BYTE_ORDER_MARK) {
            start.drain(..BYTE_ORDER_MARK.len());
        }
        self.current = start.into();
    }
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !std::mem::replace(&mut self.is_started, true) {
            self.start();
        }
        while self.current.is_empty() {
            match self.incoming.blocking_recv() {
                Some(chunk) => self.current = chunk,
                None => return Ok(0),
            }
        }
        if self.since_row_start.get() > MAX_ROW_BYTES {
            return Err(io::Error::other(format!(
                "a row is longer than {MAX_ROW_BYTES} bytes; is a quote not closed?"
            )));
        }
        let count = buffer.len().min(self.current.len());
        self.current.copy_to_slice(&mut buffer[..count]);
        self.since_row_start
            .set(self.since_row_start.get() + count as u64);
        Ok(count)
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

    /// In the smallest chunks there are: every boundary is met.
    fn parse_text(text: &[u8]) -> Result<Vec<(u64, Pair)>, String> {
        read_file::<Pair>(text, 1, &()).map_err(|error| error.to_string())
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
