//! A journal whose owner is gone, adopted by this process: to be read to its end and removed.

use std::fs::File;
use std::path::PathBuf;

use super::directory;
use super::error::{Error, while_doing};
use super::frame::WORD;
use super::id::JournalId;
use super::lock::Lock;
use super::position::Position;
use super::reader::{Reader, Until};
use super::segment;

/// Nobody else can adopt it while this value lives.
pub struct DeadJournal {
    id: JournalId,
    dir: PathBuf,
    end: Position,
    _lock: Lock,
}

impl DeadJournal {
    pub(super) fn new(id: JournalId, dir: PathBuf, lock: Lock) -> Result<Self, Error> {
        let end = match segment::numbers(&dir)?.last() {
            Some(&last) => {
                let path = segment::path(&dir, last);
                let file = File::open(&path).map_err(while_doing("open", &path))?;
                let len = file
                    .metadata()
                    .map_err(while_doing("measure", &path))?
                    .len();
                let len = len.next_multiple_of(WORD as u64);
                Position::new(last, u32::try_from(len).unwrap_or(u32::MAX - 7))
            }
            None => Position::START,
        };
        Ok(Self {
            id,
            dir,
            end,
            _lock: lock,
        })
    }

    pub fn id(&self) -> JournalId {
        self.id
    }

    /// Reads from `from`, the position that the database holds, or [`Position::START`].
    pub fn reader(&self, from: Position) -> Reader {
        Reader::new(self.dir.clone(), self.id, Until::Dead(self.end), from)
    }

    /// Marks the journal as recorded to its end.
    pub fn close(&self) -> Result<(), Error> {
        directory::mark_closed(&self.dir)
    }

    /// Removes the journal from the disk. What was not read is lost.
    pub fn remove(self) -> Result<(), Error> {
        directory::remove(&self.dir)
    }
}
