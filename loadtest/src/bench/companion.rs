//! A server of somebody else's that ours is measured against or beside: nginx, Redis, another shortener. It ends with its
//! value, or with this process, even if that is killed.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead as _, BufReader},
    net::{SocketAddr, TcpStream},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use harness::daemon::{PATH, free_addr};
use tempfile::TempDir;

use super::cores::Core;

const START: Duration = Duration::from_secs(20);

const LOOK: Duration = Duration::from_millis(20);

/// Starts the program that the arguments are, tells its process, and ends it with the input. Then the folder goes, too.
const SCRIPT: &str = r#"
trap '' HUP INT PIPE
"$@" >log 2>&1 </dev/null &
echo $!
read -r _
kill -TERM $!
wait
folder=$PWD
cd / && rm -rf "$folder"
"#;

#[derive(Debug)]
pub(super) struct Companion {
    pub addr: SocketAddr,
    pub process: u32,
    shell: Child,
    /// Closed by `drop`, which is the sign to end.
    input: Option<ChildStdin>,
    folder: TempDir,
}

impl Companion {
    /// Runs a command line in `folder`, on `core`, and waits until it accepts connections at `addr`.
    pub(super) fn start<S: AsRef<OsStr>>(
        core: Core,
        folder: TempDir,
        addr: SocketAddr,
        command: &[S],
        variables: &[(&str, String)],
    ) -> anyhow::Result<Self> {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", SCRIPT, "companion"])
            .args(command)
            .env_clear()
            .env("PATH", PATH)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // A Ctrl-C goes to the group of the benchmark, and the shell has to outlive that to clean up.
            .process_group(0);
        let mut shell = core.host(|| shell.spawn())?.context("`sh` does not run")?;
        let mut line = String::new();
        let output = shell.stdout.take().context("its output is piped")?;
        BufReader::new(output).read_line(&mut line)?;
        let input = shell.stdin.take();
        let companion = Self {
            addr,
            process: line.trim().parse().context("the shell told no process")?,
            shell,
            input,
            folder,
        };
        companion.wait()?;
        Ok(companion)
    }

    fn wait(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + START;
        while TcpStream::connect_timeout(&self.addr, START).is_err() {
            let is_gone = fs::metadata(format!("/proc/{}", self.process)).is_err();
            if is_gone || Instant::now() >= deadline {
                let log = fs::read_to_string(self.folder.path().join("log"));
                bail!("it did not start: {}", log.unwrap_or_default().trim());
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        self.input = None;
        _ = self.shell.wait();
    }
}

pub(super) fn folder() -> anyhow::Result<TempDir> {
    TempDir::with_prefix("shortener-bench-").context("no temporary folder")
}

/// Starts a Redis that keeps nothing on the disk.
pub(super) fn redis(core: Core, program: &Path) -> anyhow::Result<Companion> {
    let addr = free_addr();
    let port = addr.port().to_string();
    let program = program.to_str().context("the path of Redis is no text")?;
    let command = [
        program,
        "--bind",
        "127.0.0.1",
        "--port",
        &port,
        "--save",
        "",
        "--appendonly",
        "no",
    ];
    Companion::start(core, folder()?, addr, &command, &[])
}
