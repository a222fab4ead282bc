//! Segments damaged at random: whatever is intact is read, in order, and damage is counted.
//! `PROPTEST_CASES=20000` looks harder than the 256 cases of every run.

use std::fs;
use std::ops::Range;
use std::path::Path;

use proptest::prelude::*;

use super::{Home, contents, drain};
use crate::clicks::journal::{Position, frame, segment};

const SEGMENT: u32 = 512;

/// Something that happens to a segment; places are taken modulo what there is.
#[derive(Clone, Debug)]
enum Harm {
    Flip {
        segment: usize,
        at: usize,
        bits: u8,
    },
    Zero {
        segment: usize,
        from: usize,
        length: usize,
    },
    Truncate {
        segment: usize,
        to: usize,
    },
    /// Bytes of one place appear at another, as after a lost write.
    Copy {
        segment: usize,
        from: usize,
        to: usize,
        length: usize,
    },
}

fn harm() -> impl Strategy<Value = Harm> {
    let place = || 0..SEGMENT as usize;
    prop_oneof![
        4 => (any::<usize>(), place(), 1..=u8::MAX)
            .prop_map(|(segment, at, bits)| Harm::Flip { segment, at, bits }),
        2 => (any::<usize>(), place(), 1..200usize)
            .prop_map(|(segment, from, length)| Harm::Zero { segment, from, length }),
        1 => (any::<usize>(), place()).prop_map(|(segment, to)| Harm::Truncate { segment, to }),
        1 => (any::<usize>(), place(), place(), 1..100usize)
            .prop_map(|(segment, from, to, length)| Harm::Copy { segment, from, to, length }),
    ]
}

fn inflict(harm: &Harm, segments: &mut [Vec<u8>]) {
    let count = segments.len();
    match *harm {
        Harm::Flip { segment, at, bits } => {
            if let Some(byte) = segments[segment % count].get_mut(at) {
                *byte ^= bits;
            }
        }
        Harm::Zero {
            segment,
            from,
            length,
        } => {
            segments[segment % count]
                .iter_mut()
                .skip(from)
                .take(length)
                .for_each(|byte| *byte = 0);
        }
        Harm::Truncate { segment, to } => segments[segment % count].truncate(to),
        Harm::Copy {
            segment,
            from,
            to,
            length,
        } => {
            let bytes = &mut segments[segment % count];
            let length = length.min(bytes.len().saturating_sub(from.max(to)));
            if length > 0 {
                bytes.copy_within(from..from + length, to);
            }
        }
    }
}

fn read_all(dir: &Path, count: u32) -> Vec<Vec<u8>> {
    (1..=count)
        .map(|number| fs::read(segment::path(dir, number)).unwrap())
        .collect()
}

/// The bytes of a frame, without its padding, as they are now; what was cut off reads as zeros.
fn frame_bytes(segments: &[Vec<u8>], after: Position, length: usize) -> Vec<u8> {
    let segment = &segments[after.segment as usize - 1];
    let start = after.offset as usize - frame::footprint(length);
    let bytes = segment.iter().copied().chain(std::iter::repeat(0));
    bytes.skip(start).take(frame::WORD + length).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_intact_is_read_in_order_and_what_is_not_is_counted(
        records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..90), 1..60),
        harms in prop::collection::vec(harm(), 0..6),
    ) {
        let home = Home::new();
        let journal = home.journal(SEGMENT);
        for record in &records {
            journal.append(record).unwrap();
        }
        let end = journal.end();
        let written = drain(&mut journal.reader(Position::START));
        let dir = home.dir(&journal);
        let before = read_all(&dir, end.segment);
        let mut after = before.clone();
        for harm in &harms {
            inflict(harm, &mut after);
        }
        for (number, bytes) in (1..).zip(&after) {
            fs::write(segment::path(&dir, number), bytes).unwrap();
        }

        let is_intact = |(record, position): &&(Vec<u8>, Position)| {
            frame_bytes(&before, *position, record.len()) == frame_bytes(&after, *position, record.len())
        };
        let intact: Vec<_> = written.iter().filter(is_intact).cloned().collect();

        // The living reader takes the same harm as the heir's.
        let mut live = journal.reader(Position::START);
        prop_assert_eq!(&drain(&mut live), &intact);
        prop_assert_eq!(live.position(), end);
        prop_assert!(live.damaged() > 0 || intact.len() == written.len());

        let id = journal.id();
        drop(journal);
        let dead = home.journals().adopt(id).unwrap().unwrap();
        let mut reader = dead.reader(Position::START);
        prop_assert_eq!(&drain(&mut reader), &intact);

        // The very last records leave no trace when they are wiped to zeros: nothing tells that from a
        // journal that ends before them.
        let last_intact = intact.last().map(|(_, position)| *position);
        let leaves_a_trace = |entry: &(Vec<u8>, Position)| {
            let (record, position) = entry;
            !is_intact(&entry)
                && (Some(*position) < last_intact
                    || frame_bytes(&after, *position, record.len()).iter().any(|&byte| byte != 0))
        };
        if written.iter().any(leaves_a_trace) {
            prop_assert!(reader.damaged() > 0);
        }
        if before == after {
            prop_assert_eq!(reader.damaged(), 0);
        }
    }

    #[test]
    fn no_file_at_all_upsets_the_reader(
        segments in prop::collection::btree_map(1..20u32, prop::collection::vec(any::<u8>(), 0..700), 0..5),
        from in any::<i64>(),
    ) {
        let home = Home::new();
        let journal = home.journal(SEGMENT);
        let (id, dir) = (journal.id(), home.dir(&journal));
        drop(journal);
        for (&number, bytes) in &segments {
            fs::write(segment::path(&dir, number), bytes).unwrap();
        }

        let dead = home.journals().adopt(id).unwrap().unwrap();
        prop_assert!(contents(&mut dead.reader(Position::from_i64(from))).is_empty());
        prop_assert!(contents(&mut dead.reader(Position::START)).is_empty());
    }
}

#[test]
fn a_frame_sent_by_a_visitor_is_not_a_click() {
    let home = Home::new();
    let journal = home.journal(SEGMENT);
    // The bytes of a real frame of this journal, inside another record.
    journal.append(b"a click").unwrap();
    let dir = home.dir(&journal);
    let forged = fs::read(segment::path(&dir, 1)).unwrap()[..16].to_vec();
    journal.append(&forged).unwrap();
    journal.append(b"another").unwrap();

    // The record around it is damaged, so that the search for the next one comes past it.
    let mut bytes = fs::read(segment::path(&dir, 1)).unwrap();
    bytes[16] ^= 1;
    fs::write(segment::path(&dir, 1), bytes).unwrap();

    let mut reader = journal.reader(Position::START);
    assert_eq!(contents(&mut reader), [b"a click", b"another"]);
    assert_eq!(reader.damaged(), 1);
}

/// A dead journal of two segments with three one-byte records each, and `wiped` of the first one zeroed.
fn heir_of_a_wiped_journal(wiped: Range<usize>) -> (Vec<Vec<u8>>, u64) {
    let home = Home::new();
    let journal = home.journal(56);
    for n in 1..=6u8 {
        journal.append(&[n]).unwrap();
    }
    let (id, first) = (journal.id(), segment::path(&home.dir(&journal), 1));
    drop(journal);
    let mut bytes = fs::read(&first).unwrap();
    bytes[wiped].fill(0);
    fs::write(&first, bytes).unwrap();

    let dead = home.journals().adopt(id).unwrap().unwrap();
    let mut reader = dead.reader(Position::START);
    let read = contents(&mut reader);
    (read, reader.damaged())
}

#[test]
fn zeros_between_records_are_damage_and_not_the_end() {
    let intact = [1, 3, 4, 5, 6].map(|n| vec![n]).to_vec();
    assert_eq!(heir_of_a_wiped_journal(16..32), (intact, 1));
}

#[test]
fn zeros_where_a_seal_should_be_are_damage_once_a_later_record_shows_up() {
    let intact = [1, 4, 5, 6].map(|n| vec![n]).to_vec();
    assert_eq!(heir_of_a_wiped_journal(16..56), (intact, 1));
}
