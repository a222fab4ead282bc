//! Finds the programs of this clone that the tests run.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::SystemTime,
};

/// The service: `SHORTENER_BIN`, else the one in the target folder of this test, which is built when it is missing or older
/// than its sources: cargo does not know that these tests run it.
pub fn path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| find("SHORTENER_BIN", "shortener", "shortener"))
}

/// The operator: `SHORTENER_OPERATOR_BIN`, else as the service.
pub fn operator() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| find("SHORTENER_OPERATOR_BIN", "shortener-operator", "operator"))
}

/// The load test: `SHORTENER_LOADTEST_BIN`, else as the service.
pub fn load_test() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| find("SHORTENER_LOADTEST_BIN", "shortener-loadtest", "loadtest"))
}

fn find(variable: &str, program: &str, sources: &str) -> PathBuf {
    from_environment(variable).unwrap_or_else(|| from_target_folder(program, sources))
}

#[expect(
    clippy::disallowed_methods,
    reason = "which program is tested belongs to the run, not to a test"
)]
fn from_environment(variable: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).filter(|path| !path.is_empty())?;
    let path = PathBuf::from(path);
    assert!(
        path.is_file(),
        "{variable} names no file: {}",
        path.display()
    );
    Some(path)
}

fn from_target_folder(name: &str, sources: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let profile = test
        .ancestors()
        .nth(2)
        .expect("tests are in `target/<profile>/deps`");
    let program = profile.join(name);

    let built = fs::metadata(&program).and_then(|metadata| metadata.modified());
    if built.is_ok_and(|built| built >= newest_source(sources)) {
        return program;
    }
    build(profile, name);
    assert!(program.is_file(), "cargo built no {}", program.display());
    program
}

fn build(profile: &Path, program: &str) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--quiet", "--workspace", "--bin", program])
        .arg("--target-dir")
        .arg(profile.parent().expect("`target` holds the profile"))
        .current_dir(workspace());
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    let status = cargo.status().expect("cargo runs");
    assert!(status.success(), "`cargo build --bin {program}` failed");
}

fn newest_source(folder: &str) -> SystemTime {
    let mut newest = SystemTime::UNIX_EPOCH;
    let mut pending = vec![workspace().join(folder)];
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
