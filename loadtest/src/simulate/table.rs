//! A table in Markdown.

/// Cells under a header.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    lines: Vec<String>,
}

impl Table {
    pub(crate) fn new<const N: usize>(header: [&str; N]) -> Self {
        let rule = ["---"; N].join(" | ");
        let lines = vec![line(&header), format!("| {rule} |")];
        Self { lines }
    }

    pub(crate) fn row(&mut self, cells: &[String]) {
        self.lines.push(line(cells));
    }

    /// With a line break at its end.
    pub(crate) fn text(&self) -> String {
        self.lines.join("\n") + "\n"
    }
}

fn line<T: AsRef<str>>(cells: &[T]) -> String {
    let cells: Vec<_> = cells.iter().map(AsRef::as_ref).collect();
    format!("| {} |", cells.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_header_a_rule_and_rows() {
        let mut table = Table::new(["a", "b"]);
        table.row(&["1".to_owned(), "2".to_owned()]);
        assert_eq!(table.text(), "| a | b |\n| --- | --- |\n| 1 | 2 |\n");
    }
}
