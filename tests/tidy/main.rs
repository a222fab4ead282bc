//! Invariants of the sources that no compiler checks. ARCHITECTURE.md states them; this suite holds us to them.

mod function_length;
mod source;

use std::{collections::BTreeSet, fs, path::Path};

use source::{SourceFile, product, root, tests};

/// Beyond this a file is usually about two things.
const MAX_FILE_LINES: usize = 500;

/// Beyond this a function does not fit the reader's screen, nor head.
const MAX_FUNCTION_LINES: usize = 80;

/// Names that say where code was put, not what it is.
const DRAWERS: [&str; 9] = [
    "common",
    "helper",
    "helpers",
    "misc",
    "shared",
    "types",
    "util",
    "utils",
    "utilities",
];

/// In pieces, so that this file does not break its own rules.
const SLEEPS: [&str; 2] = [concat!("time::", "sleep("), concat!("thread::", "sleep(")];

const IGNORE: &str = concat!("#[", "ignore");

#[test]
fn every_file_says_what_it_is_for() {
    check(
        everything(),
        |file| file.text.starts_with("//!"),
        "start the file with a `//!` line that says what it is for",
    );
}

#[test]
fn no_file_is_a_drawer() {
    let named = |file: &SourceFile| {
        let mut stems = file.path.iter().map(|part| Path::new(part).file_stem());
        stems.all(|stem| !DRAWERS.iter().any(|drawer| stem == Some(drawer.as_ref())))
    };
    check(everything(), named, "name the module after what it holds");
}

#[test]
fn sql_stays_in_stores() {
    let allowed = |file: &SourceFile| {
        let is_store = file.path.ends_with("store.rs");
        let is_database = file
            .path
            .iter()
            .any(|part| part == "database" || part == "database.rs");
        // `sqlx::query` alone is what it calls its log.
        let asks = |call| file.text.contains(call);
        is_store
            || is_database
            || !["sqlx::query(", "sqlx::query_", "sqlx::query!"]
                .into_iter()
                .any(asks)
    };
    check(
        product(),
        allowed,
        "move the query to the `store.rs` of its module",
    );
}

#[test]
fn files_stay_short() {
    check(
        everything(),
        |file| file.text.lines().count() <= MAX_FILE_LINES,
        &format!("split the file by what it is about: at most {MAX_FILE_LINES} lines"),
    );
}

#[test]
fn functions_stay_short() {
    let mut long = Vec::new();
    for file in everything() {
        for function in function_length::functions(&file.text) {
            if function.lines > MAX_FUNCTION_LINES {
                let (path, line) = (file.path.display(), function.first_line);
                long.push(format!("{path}:{line} has {} lines", function.lines));
            }
        }
    }
    assert!(
        long.is_empty(),
        "split the function by its steps: at most {MAX_FUNCTION_LINES} lines: {long:#?}"
    );
}

#[test]
fn no_test_sleeps() {
    let waits = |file: &SourceFile| {
        let is_the_one_place = file.path.ends_with("harness/eventually.rs");
        is_the_one_place || !SLEEPS.iter().any(|sleep| file.tests().contains(sleep))
    };
    check(
        everything(),
        waits,
        "wait for the condition, with a deadline: `harness::eventually`, or a paused clock in a unit test",
    );
}

#[test]
fn no_test_is_switched_off() {
    check(
        everything(),
        |file| !file.text.contains(IGNORE),
        "let the test run, or assert what happens today and say why that is wrong",
    );
}

#[test]
fn both_dialects_have_the_same_migrations() {
    let names = |dialect: &str| -> BTreeSet<_> {
        let folder = root().join("shortener/migrations").join(dialect);
        let entries = fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{} is not readable: {error}", folder.display()));
        entries.map(|entry| entry.unwrap().file_name()).collect()
    };
    let (postgres, sqlite) = (names("postgres"), names("sqlite"));
    let lone: Vec<_> = postgres.symmetric_difference(&sqlite).collect();
    assert!(
        lone.is_empty(),
        "give each migration a file of the same name in both `migrations/postgres` and `migrations/sqlite`, \
         if only to say why the other one needs nothing: {lone:?}"
    );
}

fn everything() -> Vec<SourceFile> {
    [product(), tests()].concat()
}

#[track_caller]
fn check(files: Vec<SourceFile>, holds: impl Fn(&SourceFile) -> bool, advice: &str) {
    let offenders: Vec<_> = files
        .iter()
        .filter(|file| !holds(file))
        .map(|file| file.path.display().to_string())
        .collect();
    assert!(offenders.is_empty(), "{advice}: {offenders:#?}");
}
