//! The journal of clicks: records appended by many threads, kept over the death of the process, read by
//! one drainer. Bytes in, bytes out; it knows neither clicks nor databases.
//!
//! ```text
//! append ──► Writer ──► segment in memory (mapped file) ─ page cache ─ disk
//!               │ full                                        │
//!               ▼                                             ▼
//!            Ledger ◄── maintain, sync                      Reader
//! ```
//! A record is in the page cache when [`Journal::append`] returns: `kill -9`, a panic or the OOM killer
//! lose none. A power cut loses what was appended since the last [`Journal::sync`].
//!
//! Segments are mapped because a write call is too dear: per record of 100 bytes, on ext4 (Linux 6.18, two
//! cores shared with others), an append to a mapping took 0.13 to 0.17 of the CPU time of a `pwrite` behind
//! the same kind of mutex (0.14 to 0.27 µs against 1.1 to 1.8 µs). Two threads that do nothing but append
//! cost at most a fifth more per record than one, so a mutex it is, held for a checksum and a copy: that
//! fifth is all an atomic reservation could win. `cargo bench --bench journal_append` measures anew.
//!
//! Locks are taken in one order: writer, ledger.

mod age;
mod dead;
mod directory;
mod error;
mod frame;
mod id;
mod ledger;
mod lock;
mod mapping;
mod position;
mod reader;
mod scan;
mod segment;
mod tally;
mod writer;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use dead::DeadJournal;
pub use directory::{Found, JournalDirectory, State};
pub use error::{Error, Refused};
pub use frame::MAX_RECORD;
pub use id::{JournalId, NotAnId};
pub use position::Position;
pub use reader::{Reader, Record};
pub use tally::Gauges;

use error::while_doing;
use frame::WORD;
use ledger::{Ledger, NoSegment};
use lock::Lock;
use reader::Until;
use tally::Tally;
use writer::Writer;

/// How much room a journal may take, and for how long drained segments stay.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The size of a segment; rounded up to a multiple of 8, and at most 1 GiB.
    pub segment_bytes: u32,
    /// The most that all segments take together. At least two segments are allowed.
    pub limit_bytes: u64,
    /// For how long a segment can be drained again, after a failover that lost what it held.
    pub retention: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: 16 << 20,
            limit_bytes: 1 << 30,
            retention: Duration::from_mins(10),
        }
    }
}

/// A journal being written by this process, which holds its lock until this value is dropped.
pub struct Journal {
    id: JournalId,
    dir: PathBuf,
    segment_bytes: u32,
    writer: Mutex<Writer>,
    ledger: Mutex<Ledger>,
    /// The end as of the last sync that worked.
    synced: Mutex<Position>,
    tally: Arc<Tally>,
    wake: Box<dyn Fn() + Send + Sync>,
    _lock: Lock,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Journal {
    fn new(
        id: JournalId,
        dir: PathBuf,
        options: Options,
        wake: Box<dyn Fn() + Send + Sync>,
        lock: Lock,
    ) -> Result<Self, Error> {
        let word = u32::try_from(WORD).expect("a word is 8 bytes");
        let segment_bytes = options
            .segment_bytes
            .clamp(2 * word, 1 << 30)
            .next_multiple_of(word);
        let most_segments = (options.limit_bytes / u64::from(segment_bytes)).max(2);
        let most_segments = usize::try_from(most_segments).unwrap_or(usize::MAX);
        let journal = Self {
            id,
            dir: dir.clone(),
            segment_bytes,
            writer: Mutex::new(Writer::new()),
            ledger: Mutex::new(Ledger::new(
                dir,
                segment_bytes,
                most_segments,
                options.retention,
            )),
            synced: Mutex::new(Position::START),
            tally: Arc::new(Tally::new()),
            wake,
            _lock: lock,
        };
        // A folder that cannot hold a segment at all shows now. A full disk does not stop the start.
        journal.prepare(&mut lock_of(&journal.ledger))?;
        Ok(journal)
    }

    pub fn id(&self) -> JournalId {
        self.id
    }

    /// Appends `record`. Once this returns, only a power cut can lose it.
    pub fn append(&self, record: &[u8]) -> Result<(), Refused> {
        let needed = frame::footprint(record.len()) + WORD;
        if record.len() > MAX_RECORD || needed > self.segment_bytes as usize {
            return Err(Refused::TooLong);
        }
        let mut writer = lock_of(&self.writer);
        if writer.closed {
            return Err(Refused::Closed);
        }
        if !writer.put(record) {
            if !self.next_segment(&mut writer) {
                return Err(Refused::Full);
            }
            let put = writer.put(record);
            assert!(put, "what is not too long fits an empty segment");
        }
        self.tally.set_end(writer.end());
        let was_resting = std::mem::take(&mut writer.resting);
        drop(writer);

        if was_resting {
            (self.wake)();
        }
        Ok(())
    }

    /// The position after all records whose `append` has returned by now.
    pub fn end(&self) -> Position {
        self.tally.end()
    }

    /// Lets the one drainer that has read up to `position` sleep until `wake` is called. False when there is
    /// more to read. Decided under the appenders' lock: a record is either seen here or wakes.
    pub fn rest(&self, position: Position) -> bool {
        let mut writer = lock_of(&self.writer);
        writer.resting = writer.end() <= position;
        writer.resting
    }

    /// Reads from `from`. A second reader does no harm, but damage is then counted twice.
    pub fn reader(&self, from: Position) -> Reader {
        Reader::new(
            self.dir.clone(),
            self.id,
            Until::Live(Arc::clone(&self.tally)),
            from,
        )
    }

    /// To be called about once a second with what the database holds: deletes what was drained long
    /// enough ago, and makes the next segment before an appender has to.
    pub fn maintain(&self, now: Instant, drained: Position) -> Result<(), Error> {
        // Held for the system calls: an appender that needs the next segment now would have to make them.
        let mut ledger = lock_of(&self.ledger);
        ledger.note_drained(now, drained);
        let expired = ledger.expire(now);
        let end = self.tally.end();
        self.tally
            .set_drained(drained, ledger.ages.note(now, end, drained));

        let wants_spare = self.tally.is_full() || ledger.wants_spare(end);
        let prepared = if wants_spare {
            self.prepare(&mut ledger)
        } else {
            Ok(())
        };
        self.tally.set_segments(ledger.segments());
        let retired = ledger.take_retired();
        drop(ledger);
        drop(retired);
        expired.and(prepared)
    }

    /// How much was appended since the last sync that worked: what a power cut would take.
    pub fn unsynced_bytes(&self) -> u64 {
        let synced = *lock_of(&self.synced);
        self.tally.end().bytes_since(synced, self.segment_bytes)
    }

    /// Brings to disk what was appended since the last time. Appenders do not wait for it.
    pub fn sync(&self) -> Result<(), Error> {
        let mut synced = lock_of(&self.synced);
        let end = self.tally.end();
        if end == *synced {
            return Ok(());
        }
        let segments = lock_of(&self.ledger).written_since(*synced);
        let data = segments.iter().try_for_each(|(number, file)| {
            file.sync_data()
                .map_err(while_doing("sync", &segment::path(&self.dir, *number)))
        });
        let is_new_file = end.segment > synced.segment || *synced == Position::START;
        let all = data.and_then(|()| {
            if is_new_file {
                directory::sync_dir(&self.dir)
            } else {
                Ok(())
            }
        });
        match all {
            Ok(()) => *synced = end,
            Err(_) => self.tally.count_sync_error(),
        }
        all
    }

    pub fn gauges(&self) -> Gauges {
        self.tally.gauges(self.segment_bytes)
    }

    /// Marks the journal as drained to its end and takes no more records. `drained` is what the database
    /// holds; if that is not all, the journal stays open.
    pub fn close(&self, drained: Position) -> Result<(), Error> {
        let mut writer = lock_of(&self.writer);
        let bytes = writer.end().bytes_since(drained, self.segment_bytes);
        if bytes > 0 {
            return Err(Error::NotDrained { bytes });
        }
        writer.closed = true;
        drop(writer);

        directory::mark_closed(&self.dir)
    }

    /// Goes on to the next segment, if there is room for one.
    #[cold]
    fn next_segment(&self, writer: &mut Writer) -> bool {
        let sealed = writer.seal();
        if sealed.is_none() && self.tally.is_full() && !writer.retries_now() {
            return false;
        }
        let mut ledger = lock_of(&self.ledger);
        if let Some(mapping) = sealed {
            ledger.retire(mapping);
        }
        // Why there is none is for `maintain` to say, which tries as well; here, the record is refused.
        let fresh = ledger.take_next().ok();
        self.tally.set_full(fresh.is_none());
        self.tally.set_segments(ledger.segments());
        let has_room = fresh.is_some();
        if let Some(fresh) = fresh {
            let seed = frame::seed(self.id, fresh.number);
            writer.start(fresh, seed);
        }
        has_room
    }

    /// Makes the spare segment. That there is no room for it is a gauge, not an error.
    fn prepare(&self, ledger: &mut Ledger) -> Result<(), Error> {
        let made = ledger.make_spare();
        self.tally.set_segments(ledger.segments());
        match made {
            Ok(()) => self.tally.set_full(false),
            // Not full yet while the active segment has room.
            Err(NoSegment::Limit | NoSegment::Disk) => {}
            Err(NoSegment::Failed(error)) => return Err(error),
        }
        Ok(())
    }
}

/// A panic elsewhere leaves a journal as usable as before: nothing is changed in two steps.
fn lock_of<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
