//! How one record looks in a segment, and how to tell it from everything else.
//!
//! ```text
//! 0        3    4          8
//! | length |tag | checksum | payload … | zeros to the next multiple of 8
//! '---- commit word -------'
//! ```
//! The commit word (little endian) is stored last, in one piece: while it is zero, there is no record.
//! The checksum starts from the journal's id and the segment and covers offset, length and payload. So a
//! frame is valid in one place only, and a visitor who sends the bytes of a frame as his referrer cannot
//! smuggle in a click that a search for the next record would find.

use super::id::JournalId;

/// The longest record.
pub const MAX_RECORD: usize = 64 * 1024;

/// Frames start at multiples of this, so that a commit word is stored in one piece.
pub(super) const WORD: usize = 8;

/// The tags are the version of the format too: a new format takes new ones.
const RECORD: u32 = 0xC1 << 24;
/// Ends a segment: the records go on in the next one. Without it, zeros may be lost records.
const SEAL: u32 = 0x5E << 24;
const LENGTH: u32 = 0x00FF_FFFF;

/// What stands at some offset of a segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Record {
        length: usize,
    },
    Seal,
    /// A word of zeros: nothing was ever written here, or something wiped it.
    Blank,
    /// Perhaps a record, but the bytes given end before it does.
    Short,
    Damaged,
}

/// Where the checksums of a segment start from.
pub(super) fn seed(id: JournalId, segment: u32) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&id.to_bytes());
    hasher.update(&segment.to_le_bytes());
    hasher.finalize()
}

/// Bytes that a record with `length` bytes of payload takes.
pub(super) const fn footprint(length: usize) -> usize {
    WORD + length.next_multiple_of(WORD)
}

/// The commit word of a record at `offset`. At most [`MAX_RECORD`] bytes.
pub(super) fn record_word(seed: u32, offset: u32, payload: &[u8]) -> u64 {
    let length = u32::try_from(payload.len()).expect("a record fits in 24 bits");
    word(seed, offset, RECORD | length, payload)
}

/// The commit word that ends a segment.
pub(super) fn seal_word(seed: u32, offset: u32) -> u64 {
    word(seed, offset, SEAL, &[])
}

/// Recognises what starts at `offset`. `bytes` start there, `left` are the bytes to the end of the data.
pub(super) fn parse(seed: u32, offset: u32, bytes: &[u8], left: usize) -> Frame {
    let Some((commit, rest)) = bytes.split_first_chunk::<WORD>() else {
        return Frame::Short;
    };
    let commit = u64::from_le_bytes(*commit);
    if commit == 0 {
        return Frame::Blank;
    }
    let head = u32::try_from(commit & u64::from(u32::MAX)).expect("the lower half of 64 bits");
    if head == SEAL && commit == seal_word(seed, offset) {
        return Frame::Seal;
    }
    let length = (head & LENGTH) as usize;
    if head & !LENGTH != RECORD || length > MAX_RECORD || footprint(length) > left {
        return Frame::Damaged;
    }
    let Some(payload) = rest.get(..length) else {
        return Frame::Short;
    };
    if commit == record_word(seed, offset, payload) {
        Frame::Record { length }
    } else {
        Frame::Damaged
    }
}

fn word(seed: u32, offset: u32, head: u32, payload: &[u8]) -> u64 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seed);
    hasher.update(&((u64::from(offset) << 32) | u64::from(head)).to_le_bytes());
    hasher.update(payload);
    (u64::from(hasher.finalize()) << 32) | u64::from(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(seed: u32, offset: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = record_word(seed, offset, payload).to_le_bytes().to_vec();
        bytes.extend_from_slice(payload);
        bytes.resize(footprint(payload.len()), 0);
        bytes
    }

    #[test]
    fn a_record_is_recognised_where_it_was_written_and_nowhere_else() {
        let longest = vec![0xC1; MAX_RECORD];
        for payload in [&b""[..], b"a click", &[0; 100], &longest] {
            let bytes = framed(7, 64, payload);
            let length = payload.len();

            assert_eq!(parse(7, 64, &bytes, bytes.len()), Frame::Record { length });
            assert_eq!(parse(7, 72, &bytes, bytes.len()), Frame::Damaged);
            assert_eq!(parse(8, 64, &bytes, bytes.len()), Frame::Damaged);
        }
    }

    #[test]
    fn any_flipped_bit_is_noticed() {
        let intact = framed(1, 0, b"12345678");
        for bit in 0..intact.len() * 8 {
            let mut bytes = intact.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let frame = parse(1, 0, &bytes, bytes.len());
            assert!(matches!(frame, Frame::Damaged), "bit {bit}: {frame:?}");
        }
    }

    #[test]
    fn a_record_cut_off_is_short_while_more_may_come_and_damaged_at_the_end() {
        let bytes = framed(1, 0, b"a click that is long");
        assert_eq!(parse(1, 0, &bytes[..16], bytes.len()), Frame::Short);
        assert_eq!(parse(1, 0, &bytes[..16], 16), Frame::Damaged);
    }

    #[test]
    fn zeros_are_blank_and_a_seal_is_a_seal() {
        assert_eq!(parse(1, 0, &[0; 16], 16), Frame::Blank);
        let seal = seal_word(1, 8).to_le_bytes();
        assert_eq!(parse(1, 8, &seal, 8), Frame::Seal);
        assert_eq!(parse(1, 16, &seal, 8), Frame::Damaged);
    }
}
