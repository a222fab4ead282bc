//! Measures functions by their indentation, which rustfmt makes reliable: one ends at the `}` below its own `fn`.

/// A function, or a macro's that looks like one.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Function {
    /// Counted from 1.
    pub(crate) first_line: usize,
    pub(crate) lines: usize,
}

pub(crate) fn functions(text: &str) -> Vec<Function> {
    let lines: Vec<_> = text.lines().collect();
    let starts = lines.iter().enumerate().filter(|(_, line)| opens(line));
    starts
        .filter_map(|(start, line)| {
            let closing = format!("{}}}", indent(line));
            let length = lines[start..].iter().position(|line| *line == closing)?;
            Some(Function {
                first_line: start + 1,
                lines: length + 1,
            })
        })
        .collect()
}

/// Whether a function with a body of its own lines starts here.
fn opens(line: &str) -> bool {
    let words = line.trim_start();
    let is_code = !words.starts_with("//") && !words.contains('"');
    let is_function = words.starts_with("fn ") || words.contains(" fn ");
    let is_whole = words.ends_with('}') || words.ends_with(';');
    is_code && is_function && !is_whole
}

fn indent(line: &str) -> &str {
    &line[..line.len() - line.trim_start().len()]
}

#[cfg(test)]
mod tests {
    use super::{Function, functions};

    #[track_caller]
    fn check(text: &str, expected: &[(usize, usize)]) {
        let expected: Vec<_> = expected
            .iter()
            .map(|&(first_line, lines)| Function { first_line, lines })
            .collect();
        assert_eq!(functions(text), expected);
    }

    #[test]
    fn a_function_ends_at_its_own_brace() {
        check(
            "fn a() {\n    if b {\n    }\n}\n\nfn c() {\n}\n",
            &[(1, 4), (6, 2)],
        );
        check(
            "impl A {\n    pub(crate) async fn a(\n        b: C,\n    ) {\n        d\n    }\n}\n",
            &[(2, 5)],
        );
    }

    #[test]
    fn what_has_no_body_is_no_function() {
        check(
            "// a fn that is\ntrait A {\n    fn a();\n    fn b() {}\n}\n",
            &[],
        );
    }
}
