//! The folder of all journals that share a data directory: making one, listing them, adopting a dead one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::dead::DeadJournal;
use super::error::{Error, while_doing};
use super::id::JournalId;
use super::lock;
use super::segment;
use super::{Journal, Options};

/// Marks a journal of which everything was drained when its owner left.
pub(super) const CLOSED: &str = "closed";

/// `<data>/journal`. Several processes may share it.
#[derive(Debug)]
pub struct JournalDirectory {
    path: PathBuf,
}

/// A journal and what had become of it when it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub id: JournalId,
    pub state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Some process holds its lock.
    Live,
    /// Its owner is gone and may have left clicks behind.
    Dead,
    /// Its owner drained it, and left at this time.
    Closed { at: SystemTime },
}

impl JournalDirectory {
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        fs::create_dir_all(&path).map_err(while_doing("create", &path))?;
        Ok(Self { path })
    }

    /// Makes a journal of this process's own. `wake` is called by the appender that ends a
    /// [`rest`](Journal::rest): it must not block, and has to be remembered if the drainer has not begun to
    /// wait yet (as by tokio's `Notify::notify_one`).
    pub fn create(
        &self,
        options: Options,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Result<Journal, Error> {
        loop {
            let id = JournalId::random();
            let dir = self.dir(id);
            fs::create_dir(&dir).map_err(while_doing("create", &dir))?;
            // An adopter may see the folder before it is locked and take it. It is welcome to: it will
            // find it empty and remove it, and the next one gets another name.
            if let Some(lock) = lock::create(&dir).map_err(while_doing("lock", &dir))? {
                sync_dir(&self.path)?;
                return Journal::new(id, dir, options, Box::new(wake), lock);
            }
        }
    }

    /// All journals, in no particular order. The states may change while they are read. One that cannot be looked at hides
    /// no other: it is dead until somebody tries to adopt it, and is told why not. A file is nobody's journal.
    pub fn journals(&self) -> Result<Vec<Found>, Error> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(while_doing("list", &self.path))? {
            let entry = entry.map_err(while_doing("list", &self.path))?;
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            let name = entry.file_name();
            let id = name.to_str().and_then(|name| name.parse().ok());
            if let Some(id) = id.filter(|_| !is_file) {
                let state = self.state(id).unwrap_or(State::Dead);
                found.push(Found { id, state });
            }
        }
        Ok(found)
    }

    /// Takes over a journal that has no owner. `None` when another has it or it is gone. Someone who just
    /// looks at the state of a journal seems its owner for that instant, so try again at the next round.
    pub fn adopt(&self, id: JournalId) -> Result<Option<DeadJournal>, Error> {
        let dir = self.dir(id);
        let lock = if lock::path(&dir).exists() {
            lock::acquire(&dir)
        } else {
            // Its owner is just making it, or a removal was cut off at its last step: then it is empty, and
            // whoever removes it first is right. A restored backup may lack the lock but not the clicks.
            match fs::remove_dir(&dir) {
                Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                    lock::create(&dir)
                }
                removed => gone(removed).map(|()| None),
            }
        };
        match lock.map_err(while_doing("lock", &dir))? {
            Some(lock) => DeadJournal::new(id, dir, lock).map(Some),
            None => Ok(None),
        }
    }

    fn state(&self, id: JournalId) -> Result<State, Error> {
        let dir = self.dir(id);
        if lock::is_held(&dir).map_err(while_doing("look at the lock of", &dir))? {
            return Ok(State::Live);
        }
        match fs::metadata(dir.join(CLOSED)).and_then(|marker| marker.modified()) {
            Ok(at) => Ok(State::Closed { at }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(State::Dead),
            Err(error) => Err(while_doing("look at", &dir)(error)),
        }
    }

    fn dir(&self, id: JournalId) -> PathBuf {
        self.path.join(id.to_string())
    }
}

/// Makes the names in `dir` survive a power cut.
pub(super) fn sync_dir(dir: &Path) -> Result<(), Error> {
    fs::File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(while_doing("sync", dir))
}

/// Removes a journal's folder. The caller holds its lock to the end, so that nobody adopts what is half
/// gone; oldest segment first, so that a removal cut off leaves no gap behind the database's position.
pub(super) fn remove(dir: &Path) -> Result<(), Error> {
    let segments = segment::numbers(dir)?
        .into_iter()
        .map(|number| segment::path(dir, number));
    for path in segments.chain([dir.join(CLOSED), lock::path(dir)]) {
        gone(fs::remove_file(&path)).map_err(while_doing("delete", &path))?;
    }
    gone(fs::remove_dir(dir)).map_err(while_doing("delete", dir))
}

/// Whoever removed it first, it is gone.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    removed.or_else(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            Ok(())
        } else {
            Err(error)
        }
    })
}
