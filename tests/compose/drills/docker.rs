//! What the engine is asked beside Compose.

use std::process::Command;

use crate::stack::setting;

/// Runs a command to its end, and returns what it printed.
pub(super) fn docker(arguments: &[&str]) -> String {
    try_docker(arguments).unwrap_or_else(|error| panic!("docker {arguments:?}: {error}"))
}

/// What it printed, or what it said instead.
pub(super) fn try_docker(arguments: &[&str]) -> Result<String, String> {
    let run = || Command::new("docker").args(arguments).output();
    let output = tokio::task::block_in_place(run).expect("the program is there");
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// The name that something of the project has.
pub(super) fn of_project(separator: char, name: &str) -> String {
    format!("{}{separator}{name}", setting("COMPOSE_PROJECT_NAME"))
}

/// Where a volume lies on this machine.
pub(super) fn mountpoint(volume: &str) -> String {
    docker(&["volume", "inspect", "--format", "{{.Mountpoint}}", volume])
}

/// What a query of the service's database says, asked inside of a container.
pub(super) fn psql(container: &str, query: &str) -> String {
    let psql = ["psql", "-U", "shortener", "-d", "shortener", "-Atc"];
    docker(&[&["exec", container], &psql[..], &[query]].concat())
}
