//! Where the programs of Kubernetes are, and how one is run to its end.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What a program printed, and whether it succeeded.
#[derive(Clone, Debug)]
pub struct Output {
    pub succeeded: bool,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// Its standard output; panics with its standard error when it failed.
    #[track_caller]
    pub fn expect(self, what: &str) -> String {
        assert!(self.succeeded, "{what}:\n{}{}", self.stdout, self.stderr);
        self.stdout
    }
}

/// The folder of the control plane, kubectl and helm.
pub(super) fn folder() -> PathBuf {
    setting("KUBERNETES_BIN")
}

/// The definitions of KEDA, the Prometheus operator, the Gateway API and `CloudNativePG`, a folder each.
pub(super) fn definitions() -> PathBuf {
    setting("KUBERNETES_CRDS")
}

#[expect(
    clippy::disallowed_methods,
    reason = "where the programs are belongs to the run, not to a test"
)]
fn setting(name: &str) -> PathBuf {
    let folder = std::env::var_os(name)
        .map(PathBuf::from)
        .filter(|folder| folder.is_dir());
    folder.unwrap_or_else(|| {
        panic!("{name} names no folder: run `scripts/needs kubernetes`, then `source scripts/settings.sh`")
    })
}

/// Runs a program, off the threads that tests run on.
pub(super) async fn run<A: AsRef<OsStr>>(
    program: &Path,
    kubeconfig: &Path,
    arguments: &[A],
) -> Output {
    let mut command = Command::new(program);
    let home = kubeconfig.parent().expect("it is in a folder");
    command
        .env_clear()
        .env("KUBECONFIG", kubeconfig)
        // Both keep what they have discovered there.
        .env("HOME", home)
        .env("PATH", crate::daemon::PATH)
        .args(arguments);
    let running = tokio::task::spawn_blocking(move || command.output().expect("the program runs"));
    let output = running.await.expect("the program is waited for");
    Output {
        succeeded: output.status.success(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The files of a folder with that ending, by name.
pub(super) fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("the folder is readable").path())
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .collect();
    files.sort();
    files
}
