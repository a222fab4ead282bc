//! On a terminal, where nobody collects what is written, the first admin's key is shown; elsewhere it is not (`first.rs`).

use std::{
    fs::{self, File},
    io::Read as _,
    os::fd::OwnedFd,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use harness::eventually;
use rustix::{
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};

const SOON: Duration = Duration::from_secs(30);

/// A terminal: the end that a person looks at, and the end that programs write to.
fn terminal() -> (File, File) {
    let person: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&person).expect("it is ours");
    unlockpt(&person).expect("it is ours");
    let name = ptsname(&person, Vec::new()).expect("it has a name");
    let program = File::options()
        .read(true)
        .write(true)
        .open(name.to_str().expect("a path"))
        .expect("it opens");
    (person.into(), program)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_start_shows_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let (mut person, program) = terminal();
    let mut child = Command::new(harness::binary::path())
        .env_clear()
        .env("SHORTENER_AUTH", "keys")
        .env("SHORTENER_DATA_DIR", folder.path())
        .env("SHORTENER_LISTEN", "127.0.0.1:0")
        .env("SHORTENER_MANAGEMENT_LISTEN", "127.0.0.1:0")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(program)
        .spawn()
        .unwrap();

    let seen = Arc::new(Mutex::new(String::new()));
    let screen = Arc::clone(&seen);
    let reader = thread::spawn(move || {
        let mut bytes = [0; 4_096];
        // It ends with the program.
        while let Ok(count @ 1..) = person.read(&mut bytes) {
            let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
            screen.lock().unwrap().push_str(&text);
        }
    });
    let shown = eventually::try_some(SOON, async || {
        let key = fs::read_to_string(folder.path().join("admin-key")).ok()?;
        let seen = seen.lock().unwrap();
        seen.contains(key.trim_end()).then_some(())
    })
    .await;

    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    kill_process(pid.unwrap(), Signal::TERM).unwrap();
    child.wait().unwrap();
    reader.join().unwrap();
    assert!(shown.is_some(), "{:?}", seen.lock().unwrap());
}
