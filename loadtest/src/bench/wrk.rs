//! `wrk`, which asks as fast as it is answered and costs so little that the server is what is measured.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    net::SocketAddr,
    os::fd::AsRawFd as _,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, ensure};

use super::{cores::Core, failures};

const SCRIPT: &str = include_str!("wrk.lua");

/// Requests for wrk to send, in their order and then again. The files have no names, so that nothing is left of them,
/// whichever way this process ends.
#[derive(Debug)]
pub(super) struct RequestFile {
    requests: File,
    script: File,
}

/// What wrk saw.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome {
    /// Answered, each as it should be.
    pub requests: u32,
    /// Answered by a failure.
    pub failures: u32,
    pub elapsed: Duration,
    pub median_ms: f64,
    pub p99_ms: f64,
}

impl RequestFile {
    /// None of the requests may hold a NUL.
    pub(super) fn write(requests: impl IntoIterator<Item = Vec<u8>>) -> anyhow::Result<Self> {
        let mut script = tempfile::tempfile().context("no temporary file")?;
        script.write_all(SCRIPT.as_bytes())?;
        let mut file = BufWriter::new(tempfile::tempfile().context("no temporary file")?);
        for request in requests {
            file.write_all(&request)?;
            file.write_all(b"\0")?;
        }
        Ok(Self {
            requests: file
                .into_inner()
                .map_err(std::io::IntoInnerError::into_error)?,
            script,
        })
    }
}

/// Where another process finds an open file of this one.
fn path(file: &File) -> String {
    format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd())
}

impl Outcome {
    pub(super) fn rate(&self) -> f64 {
        f64::from(self.requests) / self.elapsed.as_secs_f64()
    }
}

/// Has wrk ask for so long, with as many requests at once as there are connections. It runs on `core`, or anywhere.
pub(super) fn run(
    core: Option<Core>,
    addr: SocketAddr,
    connections: u32,
    seconds: u32,
    requests: &RequestFile,
) -> anyhow::Result<Outcome> {
    let mut command = Command::new("wrk");
    command
        .args(["--threads", "1", "--timeout", "10s"])
        .args(["--connections", &connections.to_string()])
        .args(["--duration", &format!("{seconds}s")])
        .arg("--script")
        .arg(path(&requests.script))
        .arg(format!("http://{addr}/"))
        .env("WRK_REQUESTS", path(&requests.requests))
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .stdout(Stdio::piped());
    let child = match core {
        Some(core) => core.host(|| command.spawn())?,
        None => command.spawn(),
    };
    let child = child.context("`wrk` does not run; Debian has it in the package wrk")?;
    // Others of this process go on meanwhile.
    let output = tokio::task::block_in_place(|| child.wait_with_output())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers = text.lines().find_map(|line| line.strip_prefix("RESULT "));
    let numbers = numbers
        .with_context(|| format!("wrk: {text}{}", String::from_utf8_lossy(&output.stderr)))?;
    let numbers: Vec<u32> = numbers
        .split(' ')
        .map(|number| number.trim().parse().map_err(anyhow::Error::from))
        .collect::<Result<_, _>>()?;
    let &[requests, micros, median, p99, failures, unanswered] = numbers.as_slice() else {
        anyhow::bail!("wrk: {text}");
    };
    ensure!(
        unanswered == 0,
        "{unanswered} requests were not answered, besides {requests} that were"
    );
    failures::tolerate(failures, requests)?;
    Ok(Outcome {
        requests: requests - failures,
        failures,
        elapsed: Duration::from_micros(micros.into()),
        median_ms: f64::from(median) / 1e3,
        p99_ms: f64::from(p99) / 1e3,
    })
}
