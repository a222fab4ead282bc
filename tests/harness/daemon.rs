//! A program of the system that runs beside a test and ends with it, whichever way the test does.

use std::{
    fs::{self, File},
    io::Write as _,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

use tempfile::TempDir;

/// Debian has some of them among the programs of the system.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Ends the program when its own input ends.
const SCRIPT: &str = r#"
"$@" &
read -r _
kill -TERM $!
wait
"#;

/// A running program. It ends with this value, and so does its folder.
#[derive(Debug)]
pub struct Daemon {
    shell: Child,
    /// Closed by `drop`, which is the sign to end.
    input: Option<ChildStdin>,
    log: PathBuf,
    dir: TempDir,
}

impl Daemon {
    /// Runs `program` in `dir`, with what it says in a file there.
    pub fn start(program: &str, arguments: &[String], dir: TempDir) -> Self {
        let log = dir.path().join("log");
        let output = File::create(&log).expect("the directory is ours");
        let errors = output.try_clone().expect("a file can be opened twice");
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT, program, program])
            .args(arguments)
            .env_clear()
            .env("PATH", PATH)
            .current_dir(dir.path())
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .expect("`sh` runs");
        let input = shell.stdin.take();
        Self {
            shell,
            input,
            log,
            dir,
        }
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// What the program has said so far.
    pub fn output(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(mut input) = self.input.take() {
            _ = input.write_all(b"\n");
        }
        _ = self.shell.wait();
    }
}

/// An address that nobody listens on, for a program that wants to be told one.
pub fn free_addr() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .expect("a port is free")
}
