//! Reads a journal from a position on, a living one up to its end or a dead one to its last record.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::error::{Error, while_doing};
use super::frame;
use super::id::JournalId;
use super::position::Position;
use super::scan::{Found, Scan, What};
use super::segment;
use super::tally::Tally;

/// Yields each committed record once, in order. What is damaged is skipped and counted.
pub struct Reader {
    dir: PathBuf,
    id: JournalId,
    until: Until,
    position: Position,
    open: Option<Open>,
    /// The segment before had no seal: its last records are lost if any were appended after it.
    unsealed: bool,
    damaged: u64,
}

/// A record and the position to go on from when it is dealt with.
#[derive(Debug, PartialEq, Eq)]
pub struct Record<'a> {
    pub bytes: &'a [u8],
    pub after: Position,
}

/// Up to where there are records.
pub(super) enum Until {
    /// The journal is being written: all before its end is complete.
    Live(Arc<Tally>),
    /// The end of the last segment, wherever the records before it end.
    Dead(Position),
}

struct Open {
    number: u32,
    len: u32,
    scan: Scan,
}

impl Reader {
    pub(super) fn new(dir: PathBuf, id: JournalId, until: Until, from: Position) -> Self {
        Self {
            dir,
            id,
            until,
            position: from,
            open: None,
            unsealed: false,
            damaged: 0,
        }
    }

    /// The next record; `None` at the end, where a living journal may have more later.
    pub fn read(&mut self) -> Result<Option<Record<'_>>, Error> {
        let found = self.advance()?;
        let after = self.position;
        Ok(found.zip(self.open.as_ref()).map(|(at, open)| Record {
            bytes: open.scan.bytes(at),
            after,
        }))
    }

    /// After the last record read, and after what was skipped since.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Goes on from `position`: back to what the database turned out to hold, say.
    pub fn seek(&mut self, position: Position) {
        self.position = position;
        self.unsealed = false;
    }

    /// Damaged stretches and missing segments skipped so far. A record that a killed process had begun is
    /// one too: nobody was told that it was appended, but nothing here can tell it from a lost one.
    pub fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Moves behind the next record and returns where its bytes are. Each turn moves the position on.
    fn advance(&mut self) -> Result<Option<Range<usize>>, Error> {
        loop {
            let until = self.until();
            let from = self.position;
            if from >= until || !self.open_segment(until)? {
                return Ok(None);
            }
            let Some(open) = self
                .open
                .as_mut()
                .filter(|open| open.number == from.segment)
            else {
                continue;
            };
            let is_last = from.segment == until.segment;
            let limit = if is_last { until.offset } else { open.len };
            let Found { what, damaged } = open.scan.find(from.offset, limit).map_err(|source| {
                while_doing("read", &segment::path(&self.dir, from.segment))(source)
            })?;

            let nothing = what == What::Nothing;
            if self.unsealed && (damaged || !nothing) {
                self.unsealed = false;
                self.count_damage(1);
            }
            // A living journal holds records up to its end, and a seal wherever it went on.
            if damaged || (nothing && matches!(self.until, Until::Live(_))) {
                self.count_damage(1);
            } else if nothing {
                self.unsealed = true;
            }
            match what {
                What::Record { at, after } => {
                    self.position.offset = after;
                    return Ok(Some(at));
                }
                What::Nothing if is_last => self.position = until,
                What::Nothing | What::Seal => self.position = from.next_segment(),
            }
        }
    }

    /// Opens the segment at the position, or moves the position to the next segment there is. False when
    /// there is none.
    fn open_segment(&mut self, until: Position) -> Result<bool, Error> {
        let number = self.position.segment;
        if self.open.as_ref().is_some_and(|open| open.number == number) {
            return Ok(true);
        }
        self.open = None;
        let path = segment::path(&self.dir, number);
        match File::open(&path) {
            Ok(file) => {
                let scan = Scan::new(file, frame::seed(self.id, number));
                let len = scan.len().map_err(while_doing("measure", &path))?;
                self.open = Some(Open { number, len, scan });
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let numbers = segment::numbers(&self.dir)?;
                let next = numbers.into_iter().find(|&next| next > number);
                self.count_damage(u64::from(next.unwrap_or(until.segment + 1) - number));
                self.position = next.map_or(until, |next| Position::new(next, 0));
                Ok(next.is_some())
            }
            Err(error) => Err(while_doing("open", &path)(error)),
        }
    }

    fn until(&self) -> Position {
        match &self.until {
            Until::Live(tally) => tally.end(),
            Until::Dead(position) => *position,
        }
    }

    fn count_damage(&mut self, stretches: u64) {
        self.damaged += stretches;
        if let Until::Live(tally) = &self.until {
            tally.count_damage(stretches);
        }
    }
}
