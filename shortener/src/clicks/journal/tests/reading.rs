//! Appending and reading: what goes in comes out, in order, each once, and the drainer is woken for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::{Home, contents, drain};
use crate::clicks::journal::{MAX_RECORD, Options, Position, Refused};

#[test]
fn records_come_back_in_order_over_many_segments() {
    let home = Home::new();
    let journal = home.journal(128);
    let records: Vec<Vec<u8>> = (0..100u8).map(|n| vec![n; usize::from(n) % 50]).collect();
    for record in &records {
        journal.append(record).unwrap();
    }

    let mut reader = journal.reader(Position::START);
    assert_eq!(contents(&mut reader), records);
    assert_eq!(reader.position(), journal.end());
    assert_eq!(reader.damaged(), 0);
}

#[test]
fn reading_goes_on_from_any_position_given_out() {
    let home = Home::new();
    let journal = home.journal(64);
    for n in 0..40u8 {
        journal.append(&[n]).unwrap();
    }

    let all = drain(&mut journal.reader(Position::START));
    assert!(all.is_sorted_by_key(|(_, after)| after.to_i64()));
    for (n, (_, after)) in all.iter().enumerate() {
        let stored = Position::from_i64(after.to_i64());
        assert_eq!(drain(&mut journal.reader(stored)), all[n + 1..]);
    }

    let mut reader = journal.reader(journal.end());
    assert!(reader.read().unwrap().is_none());
    reader.seek(all[9].1);
    assert_eq!(drain(&mut reader), all[10..]);
}

#[test]
fn a_reader_at_the_end_sees_what_is_appended_later() {
    let home = Home::new();
    let journal = home.journal(64);
    let mut reader = journal.reader(Position::START);
    assert!(reader.read().unwrap().is_none());
    for n in 0..50u8 {
        journal.append(&[n]).unwrap();
        assert_eq!(contents(&mut reader), [vec![n]]);
    }
    assert_eq!(reader.damaged(), 0);
}

#[test]
fn the_longest_record_fits_and_a_longer_one_is_refused() {
    let home = Home::new();
    let journal = home.journal(1 << 20);
    let longest = vec![7; MAX_RECORD];
    // Fifteen fill a segment, and the reader's chunk ends inside several of them.
    for _ in 0..40 {
        journal.append(&longest).unwrap();
    }
    assert_eq!(
        journal.append(&vec![7; MAX_RECORD + 1]),
        Err(Refused::TooLong)
    );
    assert_eq!(
        contents(&mut journal.reader(Position::START)),
        vec![longest; 40]
    );

    let small = home.journal(64);
    assert_eq!(small.append(&[0; 49]), Err(Refused::TooLong));
    assert_eq!(small.append(&[0; 48]), Ok(()));
}

#[test]
fn threads_append_side_by_side_and_each_keeps_its_order() {
    let home = Home::new();
    let journal = home.journal(4096);
    let mut reader = journal.reader(Position::START);
    let mut seen: HashMap<u32, u32> = HashMap::new();
    let mut see = |record: &[u8]| {
        let (thread, n) = record.split_first_chunk::<4>().unwrap();
        let n = u32::from_le_bytes(n.try_into().unwrap());
        let next = seen.entry(u32::from_le_bytes(*thread)).or_default();
        assert_eq!(n, *next);
        *next += 1;
    };

    thread::scope(|scope| {
        for thread in 0..4u32 {
            let journal = &journal;
            scope.spawn(move || {
                for n in 0..5_000u32 {
                    journal
                        .append(&[thread.to_le_bytes(), n.to_le_bytes()].concat())
                        .unwrap();
                }
            });
        }
        // Reading meanwhile, so that the end is chased, not only met.
        for _ in 0..20_000 {
            if let Some(record) = reader.read().unwrap() {
                see(record.bytes);
            }
        }
    });
    while let Some(record) = reader.read().unwrap() {
        see(record.bytes);
    }
    assert_eq!(seen, (0..4).map(|thread| (thread, 5_000)).collect());
    assert_eq!(reader.damaged(), 0);
}

#[test]
fn only_the_append_that_ends_a_rest_wakes() {
    let home = Home::new();
    let woken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&woken);
    let wake = move || {
        count.fetch_add(1, Ordering::Relaxed);
    };
    let journal = home.journals().create(Options::default(), wake).unwrap();

    journal.append(b"1").unwrap();
    assert!(!journal.rest(Position::START), "there is something to read");
    journal.append(b"2").unwrap();
    assert_eq!(woken.load(Ordering::Relaxed), 0);

    assert!(journal.rest(journal.end()));
    journal.append(b"3").unwrap();
    journal.append(b"4").unwrap();
    assert_eq!(woken.load(Ordering::Relaxed), 1);
}

#[test]
fn a_drainer_that_rests_misses_no_record() {
    const RECORDS: usize = 20_000;
    let home = Home::new();
    let (wake, woken) = mpsc::channel();
    let wake = move || wake.send(()).unwrap();
    let journal = home.journals().create(Options::default(), wake).unwrap();

    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..RECORDS {
                journal.append(b"click").unwrap();
            }
        });
        let mut reader = journal.reader(Position::START);
        let mut read = 0;
        while read < RECORDS {
            while reader.read().unwrap().is_some() {
                read += 1;
            }
            if read < RECORDS && journal.rest(reader.position()) {
                woken
                    .recv_timeout(Duration::from_secs(10))
                    .expect("a wake-up was lost");
            }
        }
    });
}
