//! The load test in short: users who are within the limits meet no failure, and no 429.

use std::process::Command;

use harness::{binary, soak::report};
use tempfile::TempDir;

use crate::stack::Stack;

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_users_meet_no_failure_with_limits_on() {
    let stack = Stack::healthy().await;
    let folder = TempDir::new().unwrap();
    let mut command = Command::new(binary::load_test());
    command
        .args(["--base-url", &stack.url("/")])
        .args([
            "--users",
            "100",
            "--ramp-up",
            "5",
            "--duration",
            "15",
            "--links",
            "100",
        ])
        .arg("--report")
        .arg(folder.path());
    let output = tokio::task::block_in_place(|| command.output()).unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}{output:?}");
    // It says so if the service does not believe where users come from.
    let notes = String::from_utf8_lossy(&output.stderr);
    assert!(!notes.contains("no rate limit applies"), "{notes}");
    let all = text.lines().find(|line| line.starts_with("all "));
    report(all.expect("the table has a sum"));
}
