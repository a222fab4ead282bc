//! Who owns a journal: whoever holds the lock on the file `lock` in its folder, for as long as it lives.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join("lock")
}

/// The kernel releases it when the process ends, however it ends.
pub(super) struct Lock(File);

impl Drop for Lock {
    /// Closing is not enough: a child process being started has a copy of the file until it runs its own
    /// program, and would hold the lock for that long.
    fn drop(&mut self) {
        // Closing follows, so a failure here delays the release and no more.
        let _ = self.0.unlock();
    }
}

/// Takes the lock of `dir` without waiting; `None` when another has it, or has just removed the folder.
pub(super) fn acquire(dir: &Path) -> io::Result<Option<Lock>> {
    open(dir, OpenOptions::new().write(true))
}

/// The same for a folder whose lock is missing: makes it first.
pub(super) fn create(dir: &Path) -> io::Result<Option<Lock>> {
    open(
        dir,
        OpenOptions::new().write(true).create(true).truncate(false),
    )
}

fn open(dir: &Path, options: &OpenOptions) -> io::Result<Option<Lock>> {
    let path = path(dir);
    match options.open(&path) {
        Ok(file) => hold(file, &path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Locks a file that was opened at `path`.
fn hold(file: File, path: &Path) -> io::Result<Option<Lock>> {
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    // Between opening and locking, the owner before may have removed the folder: this is then the lock
    // of nothing, or of a folder that is no longer the one at this path.
    let ours = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) if (there.dev(), there.ino()) == (ours.dev(), ours.ino()) => Ok(Some(Lock(file))),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// True while some process, this one included, holds the lock of `dir`.
pub(super) fn is_held(dir: &Path) -> io::Result<bool> {
    match File::open(path(dir)) {
        // Shared, so that two who look at once do not take each other for the owner.
        Ok(file) => match file.try_lock_shared() {
            Ok(()) => file.unlock().map(|()| false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    #[test]
    fn exactly_one_of_many_contenders_gets_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        drop(create(dir.path()).unwrap());
        for _ in 0..50 {
            let (begin, done) = (Barrier::new(8), Barrier::new(8));
            let winners = thread::scope(|scope| {
                let contend = || {
                    begin.wait();
                    let lock = acquire(dir.path()).unwrap();
                    // Nobody lets go before all have tried.
                    done.wait();
                    lock.is_some()
                };
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(contend)).collect();
                threads
                    .into_iter()
                    .map(|thread| thread.join().unwrap())
                    .filter(|&won| won)
                    .count()
            });
            assert_eq!(winners, 1);
            assert!(!is_held(dir.path()).unwrap());
        }
    }

    #[test]
    fn a_lock_file_that_was_removed_or_replaced_before_it_was_locked_is_not_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let path = path(dir.path());
        let opened_early = || {
            File::options()
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)
                .unwrap()
        };

        let removed = opened_early();
        fs::remove_file(&path).unwrap();
        assert!(hold(removed, &path).unwrap().is_none());

        let replaced = opened_early();
        // Renamed over, so that the inode cannot be the freed one.
        let newer = dir.path().join("newer");
        fs::write(&newer, "").unwrap();
        fs::rename(&newer, &path).unwrap();
        assert!(hold(replaced, &path).unwrap().is_none());
    }

    #[test]
    fn a_folder_that_is_gone_cannot_be_locked() {
        let gone = Path::new("/nonexistent/journal");
        assert!(acquire(gone).unwrap().is_none());
        assert!(create(gone).unwrap().is_none());
    }
}
