//! Appending, draining, deleting and syncing at once: what was accepted is read once, in order.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::Home;
use crate::clicks::journal::{Journal, Options, Position, Refused};

const THREADS: usize = 3;
const RECORDS: u32 = 30_000;

#[test]
fn nothing_accepted_is_lost_while_segments_come_and_go() {
    let home = Home::new();
    // So small that it is full again and again, and without retention, so that segments go at once.
    let options = Options {
        segment_bytes: 256,
        limit_bytes: 8 * 256,
        retention: Duration::ZERO,
    };
    let journal = home.journals().create(options, || {}).unwrap();
    let finished = AtomicBool::new(false);

    let (accepted, read) = thread::scope(|scope| {
        let appenders: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn({
                    let journal = &journal;
                    move || append_all(journal, thread)
                })
            })
            .collect();
        scope.spawn(|| {
            while !finished.load(Ordering::Relaxed) {
                journal.sync().unwrap();
            }
        });
        let drainer = scope.spawn(|| drain_until(&journal, &finished));
        let accepted: Vec<_> = appenders
            .into_iter()
            .map(|appender| appender.join().unwrap())
            .collect();
        finished.store(true, Ordering::Relaxed);
        (accepted, drainer.join().unwrap())
    });

    assert_eq!(read, accepted);
    assert!(accepted.iter().any(|numbers| !numbers.is_empty()));
    journal.close(journal.end()).unwrap();
    let gauges = journal.gauges();
    assert_eq!(
        (gauges.damaged, gauges.sync_errors, gauges.depth_bytes),
        (0, 0, 0)
    );
}

/// Appends numbered records, and tells which were not refused.
fn append_all(journal: &Journal, thread: usize) -> Vec<u32> {
    let append = |number: &u32| {
        let tag = u8::try_from(thread).unwrap();
        let appended = journal.append(&[&[tag][..], &number.to_le_bytes()].concat());
        assert!(matches!(appended, Ok(()) | Err(Refused::Full)));
        appended.is_ok()
    };
    (0..RECORDS).filter(append).collect()
}

/// What the owner does, without a pause: reads, and has drained segments deleted.
fn drain_until(journal: &Journal, finished: &AtomicBool) -> Vec<Vec<u32>> {
    let mut read = vec![Vec::new(); THREADS];
    let mut reader = journal.reader(Position::START);
    loop {
        let is_last = finished.load(Ordering::Relaxed);
        while let Some(record) = reader.read().unwrap() {
            let (&thread, number) = record.bytes.split_first().unwrap();
            read[usize::from(thread)].push(u32::from_le_bytes(number.try_into().unwrap()));
        }
        journal.maintain(Instant::now(), reader.position()).unwrap();
        if is_last {
            return read;
        }
    }
}
