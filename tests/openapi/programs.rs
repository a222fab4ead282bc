//! The public programs that read the document, and a service for them that asks for keys.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use harness::{database::Database, service::Service};

/// The admin's key in these tests.
pub(crate) const ADMIN: &str = "the-admins-key-of-these-tests-long-enough";

/// A path in the repository.
pub(crate) fn file(path: &str) -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = tests.parent().expect("this crate is in the workspace");
    root.join(path)
}

/// A service that asks for keys, and lets the admin in.
pub(crate) async fn start(database: &Database) -> Service {
    let file = database.dir().join("admin");
    fs::write(&file, ADMIN).expect("the folder is the test's");
    Service::builder(database)
        .env("SHORTENER_AUTH", "keys")
        .env("SHORTENER_ADMIN_KEY_FILE", file.display().to_string())
        .start()
        .await
}

/// Python, with the modules that `scripts/needs openapi` installs.
pub(crate) fn python() -> Command {
    let modules = folder("OPENAPI_PYTHON");
    let mut command = Command::new("python3");
    // Some of them run others: the generator of clients has its code formatted.
    let path = format!("{}/bin:{}", modules.display(), variable("PATH"));
    command.env("PYTHONPATH", &modules).env("PATH", path);
    command
}

/// The linter that `scripts/needs openapi` installs.
pub(crate) fn redocly() -> Command {
    let program = folder("OPENAPI_NODE").join("node_modules/@redocly/cli/bin/cli.js");
    let mut command = Command::new("node");
    command
        .arg(program)
        .env("REDOCLY_TELEMETRY", "off")
        .env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true");
    command
}

/// Runs a program to its end and returns what it said; panics with that if it failed.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{command:?} found:\n{said}");
    said
}

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(variable(name));
    assert!(
        folder.is_dir(),
        "{name} names no folder: call `scripts/needs openapi`, and `source scripts/settings.sh`"
    );
    folder
}

#[expect(
    clippy::disallowed_methods,
    reason = "where programs are belongs to the machine, not to a test"
)]
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}
