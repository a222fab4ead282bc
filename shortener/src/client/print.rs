//! What commands print: for people in columns, for programs as JSON.

use std::io::{self, Write as _};

use anyhow::Context as _;
use serde::Serialize;

/// The widest cell; what is longer is cut.
const WIDEST: usize = 72;

/// Prints a line on standard output.
pub fn line(text: &str) -> anyhow::Result<()> {
    write(&format!("{text}\n"))
}

/// Says something beside the output.
pub fn note(text: &str) -> anyhow::Result<()> {
    writeln!(io::stderr(), "{text}").context("could not write")
}

pub fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(&serde_json::to_string(value).context("could not write JSON")?)
}

/// Prints a text of several lines on standard output.
pub fn write(text: &str) -> anyhow::Result<()> {
    let mut output = io::stdout().lock();
    match output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
    {
        // Whoever reads, such as `head`, has enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("could not write"),
    }
}

/// A time to the minute, as a list has room for: `2026-11-24T21:49:39.398526Z` is `2026-11-24 21:49`.
pub fn minute(time: &str) -> String {
    time.get(..16).unwrap_or(time).replace('T', " ")
}

/// Rows under headings, in columns as wide as they need to be.
#[derive(Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(headings: &[&str]) -> Self {
        let headings = headings.iter().map(|&heading| heading.to_owned());
        Self {
            rows: vec![headings.collect()],
        }
    }

    /// Without headings: names and values.
    pub fn plain() -> Self {
        Self { rows: Vec::new() }
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows
            .push(cells.into_iter().map(|cell| fitting(&cell)).collect());
    }

    pub fn print(&self) -> anyhow::Result<()> {
        write(&self.text())
    }

    fn text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let cells = row.iter().zip(&widths);
            let line: Vec<_> = cells
                .map(|(cell, &width)| format!("{cell:width$}"))
                .collect();
            text.push_str(line.join("  ").trim_end());
            text.push('\n');
        }
        text
    }
}

/// `cell` on one line, without what a terminal would obey, and not too wide.
fn fitting(cell: &str) -> String {
    let safe = cell
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c });
    let mut kept: String = safe.clone().take(WIDEST).collect();
    if safe.count() > WIDEST {
        kept.pop();
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&["ID", "TITLE"]);
        table.row(["1".to_owned(), "Launch".to_owned()]);
        table.row(["1000".to_owned(), String::new()]);
        assert_eq!(table.text(), "ID    TITLE\n1     Launch\n1000\n");
    }

    #[test]
    fn what_would_move_the_cursor_is_shown_instead() {
        assert_eq!(fitting("a\u{1b}[2Jb\n"), "a\u{fffd}[2Jb\u{fffd}");
    }

    #[test]
    fn what_is_too_wide_is_cut() {
        let cut = fitting(&"é".repeat(100));
        assert_eq!(cut.chars().count(), WIDEST);
        assert!(cut.ends_with('…'));
    }

    #[test]
    fn a_time_is_told_to_the_minute() {
        assert_eq!(minute("2026-11-24T21:49:39.398526Z"), "2026-11-24 21:49");
        assert_eq!(minute("soon"), "soon");
    }
}
