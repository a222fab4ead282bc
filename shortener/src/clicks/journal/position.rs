//! Where something stands in a journal: a segment and an offset, ordered as the records were appended.

/// A place between two records. The database stores it as one `i64`, which grows as the journal does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    pub(super) segment: u32,
    pub(super) offset: u32,
}

impl Position {
    /// Before the first record.
    pub const START: Self = Self::new(1, 0);

    pub(super) const fn new(segment: u32, offset: u32) -> Self {
        Self { segment, offset }
    }

    /// The position that was stored; whatever lies before the first record (0, say) is [`Self::START`].
    pub fn from_i64(stored: i64) -> Self {
        let stored = stored.max(Self::START.to_i64()).cast_unsigned();
        let low = stored & u64::from(u32::MAX);
        Self::new(
            u32::try_from(stored >> 32).expect("the upper half of 64 bits"),
            u32::try_from(low).expect("the lower half of 64 bits"),
        )
    }

    /// Segment numbers stay below 2^31 (32 PiB of clicks), so the sign bit is free.
    pub const fn to_i64(self) -> i64 {
        (((self.segment as u64) << 32) | self.offset as u64).cast_signed()
    }

    pub(super) const fn next_segment(self) -> Self {
        Self::new(self.segment.saturating_add(1), 0)
    }

    /// Bytes from `earlier` to here; the unused ends of the segments between are counted as used.
    pub(super) fn bytes_since(self, earlier: Self, segment_bytes: u32) -> u64 {
        let absolute = |position: Self| {
            u64::from(position.segment) * u64::from(segment_bytes) + u64::from(position.offset)
        };
        absolute(self).saturating_sub(absolute(earlier))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_survive_the_database_and_keep_their_order() {
        let ascending = [
            Position::START,
            Position::new(1, 8),
            Position::new(2, 0),
            Position::new(2, u32::MAX),
            Position::new(0x7fff_ffff, 16),
        ];

        for position in ascending {
            assert_eq!(Position::from_i64(position.to_i64()), position);
        }
        assert!(ascending.map(Position::to_i64).is_sorted());
    }

    #[test]
    fn a_position_before_the_first_record_is_the_start() {
        for stored in [i64::MIN, -1, 0, 7] {
            assert_eq!(Position::from_i64(stored), Position::START);
        }
    }
}
