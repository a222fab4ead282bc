//! Rows in the text format of Postgres' `copy … from stdin`.
//!
//! Format: <https://www.postgresql.org/docs/current/sql-copy.html>, "Text Format".

use std::fmt::{Display, Write as _};

/// A buffer of rows; columns are added left to right.
#[derive(Debug, Default)]
pub struct CopyText {
    text: String,
    row_started: bool,
}

impl CopyText {
    /// Adds a value that cannot hold a tab, a line break or a backslash: numbers, booleans, times.
    pub fn plain(&mut self, value: impl Display) -> &mut Self {
        self.separate();
        write!(self.text, "{value}").expect("writing to a string cannot fail");
        self
    }

    pub fn text(&mut self, value: &str) -> &mut Self {
        self.separate();
        for character in value.chars() {
            match character {
                '\\' => self.text.push_str("\\\\"),
                '\n' => self.text.push_str("\\n"),
                '\r' => self.text.push_str("\\r"),
                '\t' => self.text.push_str("\\t"),
                other => self.text.push(other),
            }
        }
        self
    }

    pub fn optional_text(&mut self, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.text(value),
            None => self.plain("\\N"),
        }
    }

    pub fn end_row(&mut self) {
        self.text.push('\n');
        self.row_started = false;
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.text.into_bytes()
    }

    fn separate(&mut self) {
        if self.row_started {
            self.text.push('\t');
        }
        self.row_started = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_column_or_a_row_is_escaped() {
        let mut rows = CopyText::default();
        rows.plain(1)
            .text("a\tb\\c\nd\re")
            .optional_text(None)
            .end_row();
        rows.plain(true).optional_text(Some("\\N")).end_row();
        assert_eq!(
            rows.into_bytes(),
            b"1\ta\\tb\\\\c\\nd\\re\t\\N\ntrue\t\\\\N\n"
        );
    }
}
