//! The service as a child process: its settings, its output, its end.

use std::{
    io::{BufRead as _, BufReader, Read},
    net::SocketAddr,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{
    database::{DataDir, Database},
    eventually,
};

/// How long a process that a test is done with may take to end by itself, which writes down its coverage. One that waits
/// for its database has longer in mind.
const PATIENCE: Duration = Duration::from_secs(2);

/// A program started by a test. It ends with this value: by SIGTERM, or by SIGKILL if that takes long.
#[derive(Debug)]
pub struct Process {
    child: Child,
    captured: Arc<Mutex<Captured>>,
    /// Taken for each line of standard output: as long as somebody else has it, none is read.
    listening: Arc<Mutex<()>>,
    readers: Vec<JoinHandle<()>>,
    /// Disconnected when both outputs have ended, as they do with the process.
    silence: Mutex<mpsc::Receiver<()>>,
    /// Let go after `drop` has ended the process.
    _janitor: Janitor,
    /// In use as long as the process lives; fields are dropped after `drop` has ended it.
    _data_dir: Option<DataDir>,
}

/// How a process ended, and what it had said.
#[derive(Clone, Debug)]
pub struct Exit {
    /// None when a signal ended it.
    pub code: Option<i32>,
    /// Standard output and standard error, line by line as they came.
    pub output: String,
    pub stderr: String,
}

/// A service that ended, or did not get ready, instead of serving.
#[derive(Clone, Debug)]
pub struct StartFailure {
    /// None when a signal ended it, or the test gave up on it.
    pub code: Option<i32>,
    pub stderr: String,
    /// Standard output and standard error, line by line as they came.
    pub output: String,
}

/// A process whose standard output nobody reads.
#[derive(Debug)]
pub struct Unheard<'a>(#[expect(dead_code, reason = "held")] MutexGuard<'a, ()>);

#[derive(Debug, Default)]
struct Captured {
    both: String,
    stderr: String,
}

impl Process {
    /// Starts `program` with arguments and variables that win over the test's defaults, in a clean environment.
    pub(crate) fn spawn(
        database: &Database,
        arguments: &[String],
        variables: &[(String, String)],
    ) -> Self {
        let data_dir = database.lend_data_dir();
        let mut command = Command::new(crate::binary::path());
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("DATABASE_URL", database.url())
            .env("SHORTENER_DATA_DIR", data_dir.path())
            .env("SHORTENER_LISTEN", "127.0.0.1:0")
            .env("SHORTENER_LOG_FORMAT", "json")
            .env("SHORTENER_MANAGEMENT_LISTEN", "127.0.0.1:0")
            .envs(crate::keys::settings(database.dir()))
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .args(arguments);
        for (name, _) in variables.iter().filter(|(_, value)| value.is_empty()) {
            command.env_remove(name);
        }
        Self::run(command, database.dir(), Some(data_dir))
    }

    /// Runs a command in a directory, which goes with the test process if that is killed.
    pub(crate) fn run(mut command: Command, directory: &Path, data_dir: Option<DataDir>) -> Self {
        command
            .envs(profile())
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program runs");
        let captured = Arc::new(Mutex::new(Captured::default()));
        let listening = Arc::new(Mutex::new(()));
        let stdout = child.stdout.take().expect("its output is piped");
        let stderr = child.stderr.take().expect("its errors are piped");
        let (speaking, silence) = mpsc::channel();
        let to_both: fn(&mut Captured, &str) = |captured, line| captured.both.push_str(line);
        let to_stderr: fn(&mut Captured, &str) = |captured, line| {
            captured.both.push_str(line);
            captured.stderr.push_str(line);
        };
        let readers = vec![
            capture(
                stdout,
                Arc::clone(&listening),
                Arc::clone(&captured),
                speaking.clone(),
                to_both,
            ),
            capture(
                stderr,
                Arc::default(),
                Arc::clone(&captured),
                speaking,
                to_stderr,
            ),
        ];
        Self {
            _janitor: Janitor::watch(child.id(), directory),
            child,
            captured,
            listening,
            readers,
            silence: Mutex::new(silence),
            _data_dir: data_dir,
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Standard output and standard error so far.
    pub fn output(&self) -> String {
        self.captured().both.clone()
    }

    /// Leaves its standard output unread for as long as the result is kept.
    pub fn unheard(&self) -> Unheard<'_> {
        let listening = self.listening.lock();
        Unheard(listening.unwrap_or_else(PoisonError::into_inner))
    }

    /// The address of the `public` or the `management` listener, once the process has said it.
    pub fn listener(&self, name: &str) -> Option<SocketAddr> {
        self.captured()
            .both
            .lines()
            .find_map(|line| announced(line, name))
    }

    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a child has an id"), signal)
            .expect("an own child can be signalled until it is waited for");
    }

    /// Waits for its end; panics when it does not come `within` that time.
    pub async fn exit(mut self, within: Duration) -> Exit {
        let ended = eventually::try_some(within, async || self.try_exit()).await;
        ended.unwrap_or_else(|| panic!("it has not ended within {within:?}:\n{}", self.output()))
    }

    /// How it ended, if it has.
    pub fn try_exit(&mut self) -> Option<Exit> {
        let status = self
            .child
            .try_wait()
            .expect("an own child can be waited for")?;
        Some(self.ended(status))
    }

    /// Ends it by SIGKILL and waits for it.
    pub fn kill(&mut self) -> Exit {
        self.child.kill().expect("an own child can be killed");
        let status = self.child.wait().expect("an own child can be waited for");
        self.ended(status)
    }

    fn ended(&mut self, status: ExitStatus) -> Exit {
        for reader in self.readers.drain(..) {
            reader.join().expect("the output is read to its end");
        }
        let captured = self.captured();
        Exit {
            code: status.code(),
            output: captured.both.clone(),
            stderr: captured.stderr.clone(),
        }
    }

    fn captured(&self) -> MutexGuard<'_, Captured> {
        self.captured.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal(Signal::TERM);
            // One that a test has stopped would not notice.
            self.signal(Signal::CONT);
            let silence = self.silence.get_mut();
            _ = silence
                .unwrap_or_else(PoisonError::into_inner)
                .recv_timeout(PATIENCE);
        }
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl From<Exit> for StartFailure {
    fn from(exit: Exit) -> Self {
        Self {
            code: exit.code,
            stderr: exit.stderr,
            output: exit.output,
        }
    }
}

/// A shell that does what `drop` would have done, if the test process is killed: it sees that its pipe is closed.
#[derive(Debug)]
struct Janitor(Child);

impl Janitor {
    fn watch(process: u32, directory: &Path) -> Self {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", r#"read -r _; kill -9 "$1"; rm -rf "$2""#, "janitor"])
            .arg(process.to_string())
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        Self(shell.spawn().expect("`sh` runs"))
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        _ = self.0.kill();
        // Not `wait` alone: it would close the pipe first, which is the sign to clean up.
        _ = self.0.wait();
    }
}

/// Reads lines on a thread of their own: a full pipe would stop the child, whatever the test is busy with, unless it has
/// `listening`.
fn capture(
    source: impl Read + Send + 'static,
    listening: Arc<Mutex<()>>,
    captured: Arc<Mutex<Captured>>,
    speaking: mpsc::Sender<()>,
    add: fn(&mut Captured, &str),
) -> JoinHandle<()> {
    thread::spawn(move || {
        let _speaking = speaking;
        let mut source = BufReader::new(source);
        let mut line = Vec::new();
        while source
            .read_until(b'\n', &mut line)
            .is_ok_and(|read| read > 0)
        {
            drop(listening.lock().unwrap_or_else(PoisonError::into_inner));
            let mut captured = captured.lock().unwrap_or_else(PoisonError::into_inner);
            add(&mut captured, &String::from_utf8_lossy(&line));
            line.clear();
        }
    })
}

/// The address in a log line that says that the listener `name` is open.
fn announced(line: &str, name: &str) -> Option<SocketAddr> {
    let line: Value = serde_json::from_str(line).ok()?;
    let fields = [line.get("fields"), Some(&line)];
    let member = |key: &str| {
        fields
            .iter()
            .flatten()
            .find_map(|fields| fields.get(key)?.as_str())
    };
    if member("message") != Some("listening") || member("listener") != Some(name) {
        return None;
    }
    member("address")?.parse().ok()
}

/// Where an instrumented service writes down which lines it ran: where its tests do.
fn profile() -> Option<(&'static str, std::ffi::OsString)> {
    #[expect(clippy::disallowed_methods, reason = "no setting, but the compiler's")]
    let place = std::env::var_os("LLVM_PROFILE_FILE");
    place.map(|place| ("LLVM_PROFILE_FILE", place))
}

#[cfg(test)]
mod tests {
    use super::announced;

    #[test]
    fn a_listener_is_found_wherever_its_address_stands() {
        let nested = r#"{"level":"INFO","fields":{"message":"listening","listener":"public","address":"127.0.0.1:4"}}"#;
        let flat =
            r#"{"level":"INFO","message":"listening","listener":"public","address":"127.0.0.1:4"}"#;
        for line in [nested, flat] {
            assert_eq!(announced(line, "public"), "127.0.0.1:4".parse().ok());
            assert_eq!(announced(line, "management"), None);
        }
        assert_eq!(announced("listening on 127.0.0.1:4", "public"), None);
    }
}
