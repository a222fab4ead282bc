//! `pgbench`: clients that do nothing but run one statement over and over.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    str::FromStr,
};

use anyhow::{Context as _, ensure};

use crate::bench::companion;

/// What pgbench tells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome {
    pub transactions: u32,
    pub per_second: f64,
    pub mean_ms: f64,
}

/// Has so many clients run `script` for so long.
pub(super) fn run(
    folder: &Path,
    server: SocketAddr,
    database: &str,
    script: &str,
    clients: u32,
    seconds: u32,
) -> anyhow::Result<Outcome> {
    let scripts = companion::folder()?;
    let file = scripts.path().join("script.sql");
    fs::write(&file, script)?;
    let mut command = Command::new(folder.join("pgbench"));
    command
        .args(["--no-vacuum", "--protocol", "prepared", "--jobs", "1"])
        .args(["--client", &clients.to_string()])
        .args(["--time", &seconds.to_string()])
        .arg("--file")
        .arg(&file)
        .args(["--host", &server.ip().to_string()])
        .args(["--port", &server.port().to_string()])
        .args(["--username", "postgres", database])
        .stdin(Stdio::null());
    let output = tokio::task::block_in_place(|| command.output())
        .with_context(|| format!("no `pgbench` runs in {}", folder.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let complaint = || format!("{text}{}", String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "pgbench: {}", complaint());
    let told = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.with_context(|| format!("pgbench: {}", complaint()))
    };
    Ok(Outcome {
        transactions: first(told("number of transactions actually processed: ")?)?,
        per_second: first(told("tps = ")?)?,
        mean_ms: first(told("latency average = ")?)?,
    })
}

fn first<T: FromStr>(text: &str) -> anyhow::Result<T> {
    let word = text
        .split([' ', '/'])
        .next()
        .and_then(|word| word.parse().ok());
    word.with_context(|| format!("pgbench: {text}"))
}
