//! The programs that read what is checked, and where it is.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use harness::daemon;

/// A path in the repository.
pub(crate) fn file(path: &str) -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = tests.parent().expect("this crate is in the workspace");
    root.join(path)
}

pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files of a folder that end so, by name.
pub(crate) fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(file(folder)).expect("the folder is there");
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("it is readable").path())
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no {ending} in {folder}");
    files
}

/// How a program ended, and all that it said.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) success: bool,
    pub(crate) said: String,
}

impl Verdict {
    #[track_caller]
    pub(crate) fn assert_content(&self) {
        assert!(self.success, "{}", self.said);
    }
}

/// Runs a program of a Debian package that scripts/needs installs, with that as its input.
pub(crate) fn run(command: &mut Command, input: &str) -> Verdict {
    let mut child = command
        .env("PATH", daemon::PATH)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} is not installed: {error}"));
    let mut stdin = child.stdin.take().expect("its input is piped");
    // A program that has seen enough may close it.
    _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let said = [output.stdout, output.stderr].concat();
    Verdict {
        success: output.status.success(),
        said: String::from_utf8_lossy(&said).into_owned(),
    }
}
