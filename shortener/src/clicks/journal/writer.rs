//! The hot path's half of the journal: the segment being written and where the next record goes.

use super::frame::{self, WORD};
use super::mapping::Mapping;
use super::position::Position;
use super::segment::Fresh;

/// How many refusals one more attempt to get room may cost, if nobody calls `maintain` (which tries each
/// time): a failing allocation takes tens of microseconds, so this keeps it at nanoseconds a record.
const REFUSALS_PER_ATTEMPT: u32 = 4096;

/// What the mutex on the hot path guards.
pub(super) struct Writer {
    active: Option<Active>,
    /// After the last record.
    end: Position,
    refusals: u32,
    /// The drainer has read everything and waits to be woken.
    pub(super) resting: bool,
    pub(super) closed: bool,
}

struct Active {
    number: u32,
    seed: u32,
    mapping: Mapping,
    offset: usize,
}

impl Writer {
    pub(super) fn new() -> Self {
        Self {
            active: None,
            end: Position::START,
            refusals: 0,
            resting: false,
            closed: false,
        }
    }

    pub(super) fn end(&self) -> Position {
        self.end
    }

    /// Puts `record` into the active segment, if there is one with room for it.
    pub(super) fn put(&mut self, record: &[u8]) -> bool {
        let Some(active) = &mut self.active else {
            return false;
        };
        let next = active.offset + frame::footprint(record.len());
        // The last word of a segment is its seal's.
        if next + WORD > active.mapping.len() {
            return false;
        }
        let commit = frame::record_word(active.seed, offset32(active.offset), record);
        active.mapping.put(active.offset, commit, record);
        active.offset = next;
        self.end = Position::new(active.number, offset32(next));
        true
    }

    /// Ends the active segment and hands its mapping out, to be unmapped where nobody waits for it.
    pub(super) fn seal(&mut self) -> Option<Mapping> {
        let Active {
            seed,
            mut mapping,
            offset,
            ..
        } = self.active.take()?;
        mapping.put(offset, frame::seal_word(seed, offset32(offset)), &[]);
        Some(mapping)
    }

    pub(super) fn start(&mut self, fresh: Fresh, seed: u32) {
        self.active = Some(Active {
            number: fresh.number,
            seed,
            mapping: fresh.mapping,
            offset: 0,
        });
        self.refusals = 0;
    }

    /// Counts a refusal while the journal is full; true when it is time to try for room again.
    pub(super) fn retries_now(&mut self) -> bool {
        self.refusals = self.refusals.wrapping_add(1);
        self.refusals.is_multiple_of(REFUSALS_PER_ATTEMPT)
    }
}

fn offset32(offset: usize) -> u32 {
    u32::try_from(offset).expect("a segment's size is a u32")
}
