//! The journal as its owner, its drainer and its heirs see it.

mod background;
mod crash;
mod damage;
mod full_disk;
mod limits;
mod ownership;
mod reading;

use std::path::PathBuf;

use super::{Journal, JournalDirectory, Options, Position, Reader};

/// A data directory of a test's own.
struct Home {
    temp: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        Self { temp }
    }

    fn journals(&self) -> JournalDirectory {
        JournalDirectory::open(self.temp.path().join("journal")).unwrap()
    }

    /// A journal whose segments hold `segment_bytes`, with room for a thousand.
    fn journal(&self, segment_bytes: u32) -> Journal {
        let options = Options {
            segment_bytes,
            limit_bytes: u64::from(segment_bytes) * 1000,
            ..Options::default()
        };
        self.journals().create(options, || {}).unwrap()
    }

    fn dir(&self, journal: &Journal) -> PathBuf {
        self.temp
            .path()
            .join("journal")
            .join(journal.id().to_string())
    }
}

/// Appends `record` until it is refused; tells how often it was not.
fn fill(journal: &Journal, record: &[u8]) -> usize {
    let mut appended = 0;
    while journal.append(record).is_ok() {
        appended += 1;
    }
    appended
}

/// All that `reader` has, each record with the position after it.
fn drain(reader: &mut Reader) -> Vec<(Vec<u8>, Position)> {
    let mut records = Vec::new();
    while let Some(record) = reader.read().unwrap() {
        records.push((record.bytes.to_vec(), record.after));
    }
    records
}

fn contents(reader: &mut Reader) -> Vec<Vec<u8>> {
    drain(reader).into_iter().map(|(bytes, _)| bytes).collect()
}
