//! A disk that is really full: records are refused, none is lost, and nothing gets a SIGBUS.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::{contents, fill};
use crate::clicks::journal::{JournalDirectory, Options, Position, Refused};

/// A file system of its own, unmounted in the end.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None` without the right to mount.
    fn mount(kib: u32) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", &format!("size={kib}k"), "tmpfs"])
            .arg(dir.path());
        let output = mount.output().ok()?;
        output.status.success().then_some(Self(dir))
    }

    fn take_the_rest(&self) -> PathBuf {
        let path = self.0.path().join("ballast");
        let mut file = fs::File::create(&path).unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).output();
    }
}

fn options() -> Options {
    Options {
        segment_bytes: 64 * 1024,
        ..Options::default()
    }
}

fn append_until_full(dir: &Path, disk: &SmallDisk) {
    let record = [7; 1000];
    let journal = JournalDirectory::open(dir)
        .unwrap()
        .create(options(), || {})
        .unwrap();
    journal.append(&record).unwrap();

    // The disk is full now, and what was allocated can be written all the same.
    let ballast = disk.take_the_rest();
    let appended = 1 + fill(&journal, &record);
    assert_eq!(appended, (64 * 1024 - 8) / 1008);
    assert!(journal.gauges().is_full);
    for _ in 0..10_000 {
        assert_eq!(journal.append(&record), Err(Refused::Full));
    }
    let now = Instant::now();
    journal.maintain(now, Position::START).unwrap();
    assert!(journal.gauges().is_full);

    fs::remove_file(ballast).unwrap();
    journal.maintain(now, Position::START).unwrap();
    assert!(!journal.gauges().is_full);
    journal.append(&record).unwrap();

    // Room that appears is found without `maintain` too, only later.
    let ballast = disk.take_the_rest();
    let more = 1 + fill(&journal, &record);
    fs::remove_file(ballast).unwrap();
    assert!((0..10_000).any(|_| journal.append(&record).is_ok()));

    let mut reader = journal.reader(Position::START);
    assert!(contents(&mut reader).len() > appended + more);
    assert_eq!(reader.damaged(), 0);
}

#[test]
fn a_full_disk_refuses_records_and_loses_none() {
    let Some(disk) = SmallDisk::mount(512) else {
        eprintln!("skipped: mounting a small disk takes root");
        return;
    };
    append_until_full(&disk.0.path().join("journal"), &disk);
}

#[test]
fn a_disk_that_is_full_from_the_start_does_not_stop_it() {
    let Some(disk) = SmallDisk::mount(32) else {
        eprintln!("skipped: mounting a small disk takes root");
        return;
    };
    let journals = JournalDirectory::open(disk.0.path().join("journal")).unwrap();
    let journal = journals.create(options(), || {}).unwrap();
    assert_eq!(journal.append(b"click"), Err(Refused::Full));
    assert!(contents(&mut journal.reader(Position::START)).is_empty());
}
