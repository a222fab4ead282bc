//! The journals on a service's disk, as a test sees and spoils them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use harness::database::Database;

/// A journal's folder.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct JournalFolder(PathBuf);

/// The journals in a data directory, closed ones included.
pub(crate) fn journals(data_dir: &Path) -> Vec<JournalFolder> {
    let entries = fs::read_dir(data_dir.join("journal")).expect("there is a folder of journals");
    let mut journals: Vec<_> = entries
        .map(|entry| JournalFolder(entry.expect("the folder is readable").path()))
        .filter(|journal| journal.0.join("lock").exists())
        .collect();
    journals.sort();
    journals
}

/// The data directory of a test's only service.
pub(crate) fn data_dir(database: &Database) -> PathBuf {
    database.dir().join("data-1")
}

impl JournalFolder {
    pub(crate) fn id(&self) -> &str {
        self.0
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a journal is named by its id")
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0.join("closed").exists()
    }

    /// Its segments, oldest first.
    pub(crate) fn segments(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.0).expect("a journal is readable");
        let mut segments: Vec<_> = entries
            .map(|entry| entry.expect("a journal is readable").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "seg"))
            .collect();
        segments.sort();
        segments
    }

    /// The end of its last segment, as the database writes positions.
    pub(crate) fn end(&self) -> i64 {
        let segments = self.segments();
        let last = segments.last().expect("a journal has a segment");
        let number: i64 = last
            .file_stem()
            .and_then(|name| name.to_str()?.parse().ok())
            .expect("a segment is named by its number");
        let length = fs::metadata(last).expect("a segment is readable").len();
        number << 32 | i64::try_from(length.next_multiple_of(8)).expect("segments are small")
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}
