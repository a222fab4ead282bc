//! Which segments exist, which may go, and whether there is room for another.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::age::Ages;
use super::error::{Error, while_doing};
use super::mapping::Mapping;
use super::position::Position;
use super::segment::{self, Fresh};

/// The background's half of the journal. The hot path comes here only when a segment is used up.
pub(super) struct Ledger {
    dir: PathBuf,
    segment_bytes: u32,
    most_segments: usize,
    retention: Duration,
    /// Oldest first; the last one is, or was last, the active one.
    kept: VecDeque<Kept>,
    spare: Option<Fresh>,
    /// Unmapping takes longer than a record may, so used-up mappings wait here for `maintain`.
    retired: Vec<Mapping>,
    pub(super) ages: Ages,
}

struct Kept {
    number: u32,
    file: Arc<File>,
    /// When it was first seen that the database holds all of it.
    drained_at: Option<Instant>,
}

/// Why there is no next segment.
#[derive(Debug)]
pub(super) enum NoSegment {
    /// The journal's own limit, and nothing drained to make room of.
    Limit,
    /// The disk is full, or over quota.
    Disk,
    Failed(Error),
}

impl Ledger {
    pub(super) fn new(
        dir: PathBuf,
        segment_bytes: u32,
        most_segments: usize,
        retention: Duration,
    ) -> Self {
        Self {
            dir,
            segment_bytes,
            most_segments,
            retention,
            kept: VecDeque::new(),
            spare: None,
            retired: Vec::new(),
            ages: Ages::default(),
        }
    }

    pub(super) fn segments(&self) -> usize {
        self.kept.len() + usize::from(self.spare.is_some())
    }

    /// The segment after the last one: the spare, or one made now.
    pub(super) fn take_next(&mut self) -> Result<Fresh, NoSegment> {
        self.make_spare()?;
        let fresh = self.spare.take().expect("a spare was made");
        self.kept.push_back(Kept {
            number: fresh.number,
            file: Arc::clone(&fresh.file),
            drained_at: None,
        });
        Ok(fresh)
    }

    /// Makes the next segment ahead of its use, in the place of the oldest drained one if need be.
    pub(super) fn make_spare(&mut self) -> Result<(), NoSegment> {
        if self.spare.is_some() {
            return Ok(());
        }
        while self.kept.len() >= self.most_segments {
            if self
                .kept
                .front()
                .is_none_or(|oldest| oldest.drained_at.is_none())
            {
                return Err(NoSegment::Limit);
            }
            self.delete_oldest().map_err(NoSegment::Failed)?;
        }
        let number = self
            .kept
            .back()
            .map_or(Position::START.segment, |last| last.number + 1);
        self.spare =
            Some(segment::create(&self.dir, number, self.segment_bytes).map_err(no_segment)?);
        Ok(())
    }

    /// True when the segment being written is the last there is, so that a spare is due.
    pub(super) fn wants_spare(&self, end: Position) -> bool {
        self.spare.is_none() && end > Position::START && self.last() == Some(end.segment)
    }

    /// Notes what the database holds. That may be less than before, after a failover.
    pub(super) fn note_drained(&mut self, now: Instant, drained: Position) {
        for kept in &mut self.kept {
            // Strictly below: a stored position never points into a segment that is gone.
            if kept.number < drained.segment {
                kept.drained_at.get_or_insert(now);
            } else {
                kept.drained_at = None;
            }
        }
    }

    /// Deletes the segments that were drained longer ago than the retention.
    pub(super) fn expire(&mut self, now: Instant) -> Result<(), Error> {
        let retention = self.retention;
        let is_over = |at| now.saturating_duration_since(at) >= retention;
        while self
            .kept
            .front()
            .is_some_and(|oldest| oldest.drained_at.is_some_and(is_over))
        {
            self.delete_oldest()?;
        }
        Ok(())
    }

    pub(super) fn retire(&mut self, mapping: Mapping) {
        self.retired.push(mapping);
    }

    pub(super) fn take_retired(&mut self) -> Vec<Mapping> {
        std::mem::take(&mut self.retired)
    }

    /// The segments written since the journal ended at `position`.
    pub(super) fn written_since(&self, position: Position) -> Vec<(u32, Arc<File>)> {
        let written = self
            .kept
            .iter()
            .filter(|kept| kept.number >= position.segment);
        written
            .map(|kept| (kept.number, Arc::clone(&kept.file)))
            .collect()
    }

    fn last(&self) -> Option<u32> {
        self.kept.back().map(|last| last.number)
    }

    fn delete_oldest(&mut self) -> Result<(), Error> {
        if let Some(oldest) = self.kept.front() {
            let path = segment::path(&self.dir, oldest.number);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(while_doing("delete", &path)(error));
                }
                _ => self.kept.pop_front(),
            };
        }
        Ok(())
    }
}

fn no_segment(error: Error) -> NoSegment {
    match error {
        Error::Io { source, .. }
            if matches!(
                source.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            ) =>
        {
            NoSegment::Disk
        }
        other => NoSegment::Failed(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn ledger(dir: &tempfile::TempDir, segments: u32) -> Ledger {
        let mut ledger = Ledger::new(dir.path().to_owned(), 64, 4, 10 * MINUTE);
        for _ in 0..segments {
            ledger.take_next().unwrap();
        }
        ledger
    }

    #[test]
    fn a_drained_segment_stays_for_the_retention_and_no_longer() {
        let dir = tempfile::tempdir().unwrap();
        let mut ledger = ledger(&dir, 3);
        let start = Instant::now();

        ledger.note_drained(start, Position::new(3, 8));
        ledger.expire(start + 9 * MINUTE).unwrap();
        assert_eq!(segment::numbers(dir.path()).unwrap(), [1, 2, 3]);

        ledger.note_drained(start + 10 * MINUTE, Position::new(3, 8));
        ledger.expire(start + 10 * MINUTE).unwrap();
        assert_eq!(segment::numbers(dir.path()).unwrap(), [3]);
    }

    #[test]
    fn a_failover_that_took_clicks_back_restarts_the_retention() {
        let dir = tempfile::tempdir().unwrap();
        let mut ledger = ledger(&dir, 3);
        let start = Instant::now();

        ledger.note_drained(start, Position::new(3, 8));
        ledger.note_drained(start + 9 * MINUTE, Position::new(2, 8));
        ledger.note_drained(start + 11 * MINUTE, Position::new(3, 8));
        ledger.expire(start + 11 * MINUTE).unwrap();
        assert_eq!(segment::numbers(dir.path()).unwrap(), [2, 3]);
    }

    #[test]
    fn room_is_made_of_the_oldest_drained_segment_and_never_of_an_undrained_one() {
        let dir = tempfile::tempdir().unwrap();
        let mut ledger = ledger(&dir, 4);
        assert!(matches!(ledger.take_next(), Err(NoSegment::Limit)));

        ledger.note_drained(Instant::now(), Position::new(3, 0));
        ledger.take_next().unwrap();
        assert_eq!(segment::numbers(dir.path()).unwrap(), [2, 3, 4, 5]);

        ledger.take_next().unwrap();
        assert!(matches!(ledger.take_next(), Err(NoSegment::Limit)));
        assert_eq!(segment::numbers(dir.path()).unwrap(), [3, 4, 5, 6]);
    }

    #[test]
    fn the_spare_is_wanted_once_the_last_segment_is_in_use_and_counts_as_a_segment() {
        let dir = tempfile::tempdir().unwrap();
        let mut ledger = ledger(&dir, 1);
        assert!(!ledger.wants_spare(Position::START));
        assert!(ledger.wants_spare(Position::new(1, 8)));

        ledger.make_spare().unwrap();
        assert!(!ledger.wants_spare(Position::new(1, 8)));
        assert_eq!(ledger.segments(), 2);
        assert_eq!(ledger.take_next().unwrap().number, 2);
        assert_eq!(ledger.segments(), 2);
    }
}
