//! Finds the `shortener` program that the tests run.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::SystemTime,
};

/// `SHORTENER_BIN`, else the one in the target folder of this test, which is built when it is missing or older than
/// its sources: cargo does not know that these tests run it.
pub fn path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| from_environment().unwrap_or_else(from_target_folder))
}

#[expect(
    clippy::disallowed_methods,
    reason = "which program is tested belongs to the run, not to a test"
)]
fn from_environment() -> Option<PathBuf> {
    let path = std::env::var_os("SHORTENER_BIN").filter(|path| !path.is_empty())?;
    let path = PathBuf::from(path);
    assert!(
        path.is_file(),
        "SHORTENER_BIN names no file: {}",
        path.display()
    );
    Some(path)
}

fn from_target_folder() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let profile = test
        .ancestors()
        .nth(2)
        .expect("tests are in `target/<profile>/deps`");
    let program = profile.join("shortener");

    let built = fs::metadata(&program).and_then(|metadata| metadata.modified());
    if built.is_ok_and(|built| built >= newest_source()) {
        return program;
    }
    build(profile);
    assert!(program.is_file(), "cargo built no {}", program.display());
    program
}

fn build(profile: &Path) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--quiet", "--workspace", "--bin", "shortener"])
        .arg("--target-dir")
        .arg(profile.parent().expect("`target` holds the profile"))
        .current_dir(workspace());
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    let status = cargo.status().expect("cargo runs");
    assert!(status.success(), "`cargo build --bin shortener` failed");
}

fn newest_source() -> SystemTime {
    let mut newest = SystemTime::UNIX_EPOCH;
    let mut pending = vec![workspace().join("shortener")];
    while let Some(path) = pending.pop() {
        let metadata = fs::metadata(&path).expect("the sources are readable");
        if metadata.is_dir() {
            let entries = fs::read_dir(&path).expect("the sources are readable");
            pending.extend(entries.map(|entry| entry.expect("the sources are readable").path()));
        } else {
            newest = newest.max(metadata.modified().expect("files have a modification time"));
        }
    }
    newest
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate is in the workspace")
}
