//! Keeps a server alive exactly as long as the test process, through a shell that watches a pipe.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
};

use crate::daemon::free_addr;

/// A free port can be taken by somebody else before the server binds it, but hardly three times in a row.
const PORT_ATTEMPTS: usize = 3;

/// The shell that is the parent of a server. It obeys words, answers each by one line, and cleans up when its input ends.
#[derive(Debug)]
pub(crate) struct Supervisor {
    shell: Child,
    /// Closed by `drop`, which is the sign to clean up.
    words: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    directory: PathBuf,
}

impl Supervisor {
    /// Starts `script`, whose first line of output is the directory that it has made, with `program` and `options`.
    pub(crate) fn spawn(script: &str, program: &Path, options: &[String]) -> Self {
        let mut shell = Command::new("sh")
            .args(["-c", script, "supervise"])
            .arg(program)
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // A Ctrl-C or a test runner's kill goes to the group of the test process, and this one has to outlive it.
            .process_group(0)
            .spawn()
            .expect("`sh` runs");
        let words = shell.stdin.take();
        let answers = BufReader::new(shell.stdout.take().expect("its output is piped"));
        let mut supervisor = Self {
            shell,
            words,
            answers,
            directory: PathBuf::new(),
        };
        supervisor.directory = supervisor.line().into();
        assert!(
            supervisor.directory.is_dir(),
            "no directory for the server could be made"
        );
        supervisor
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Has a word obeyed, or returns why it was not.
    pub(crate) fn say(&mut self, word: &str) -> Result<(), String> {
        let words = self.words.as_mut().expect("open until dropped");
        writeln!(words, "{word}").map_err(|error| format!("the supervisor is gone: {error}"))?;
        match self.line() {
            answer if answer == "ok" => Ok(()),
            answer => Err(answer),
        }
    }

    /// Has a word obeyed by a supervisor that many talk to, off the threads that tests run on.
    pub(crate) async fn tell(supervisor: &Arc<Mutex<Self>>, word: String) {
        let supervisor = Arc::clone(supervisor);
        let saying = tokio::task::spawn_blocking(move || {
            let mut supervisor = supervisor.lock().unwrap_or_else(PoisonError::into_inner);
            supervisor.say(&word)
        });
        saying
            .await
            .expect("the supervisor is asked")
            .expect("the server obeys");
    }

    /// Starts the server on a port that is free, which is returned.
    pub(crate) fn start_on_free_port(&mut self) -> u16 {
        let mut reason = String::new();
        for _ in 0..PORT_ATTEMPTS {
            let port = free_addr().port();
            match self.say(&format!("start {port}")) {
                Ok(()) => return port,
                Err(refusal) => reason = refusal,
            }
        }
        panic!("{reason}")
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        match self.answers.read_line(&mut line) {
            Ok(_) => line.trim_end().to_owned(),
            Err(error) => format!("the supervisor is gone: {error}"),
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.words = None;
        _ = self.shell.wait();
    }
}
