//! What can go wrong with a journal, each with what was being done.

use std::io;
use std::path::{Path, PathBuf};

/// A failure of the file system, or a journal closed too early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("could not {operation} `{}`", path.display())]
    Io {
        operation: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// Closing would call clicks recorded that are not.
    #[error("the journal still holds {bytes} bytes that were not drained")]
    NotDrained { bytes: u64 },
}

/// Why a record was not appended. The caller counts the loss and goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The journal has reached its limit, or the disk has.
    #[error("the journal is full")]
    Full,
    /// Longer than a record, or than a segment, can be.
    #[error("the record is too long for the journal")]
    TooLong,
    #[error("the journal is closed")]
    Closed,
}

/// Names the operation that failed: `file.sync_data().map_err(while_doing("sync", &path))`.
pub(super) fn while_doing(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Io {
        operation,
        path: path.to_owned(),
        source,
    }
}
