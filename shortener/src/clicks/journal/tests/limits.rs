//! The limit on disk space, retention and the gauges that tell of them.

use std::fs;
use std::time::{Duration, Instant};

use super::{Home, contents, fill};
use crate::clicks::journal::{Error, Journal, Options, Position, Refused};

const RETENTION: Duration = Duration::from_mins(10);

/// Four segments of three one-byte records each.
fn small(home: &Home) -> Journal {
    let options = Options {
        segment_bytes: 56,
        limit_bytes: 4 * 56,
        retention: RETENTION,
    };
    home.journals().create(options, || {}).unwrap()
}

#[test]
fn a_full_journal_refuses_and_takes_again_what_draining_made_room_for() {
    let home = Home::new();
    let journal = small(&home);
    assert_eq!(fill(&journal, b"x"), 12);
    assert_eq!(journal.append(b"x"), Err(Refused::Full));
    assert!(journal.gauges().is_full);

    let mut reader = journal.reader(Position::START);
    for _ in 0..8 {
        reader.read().unwrap().unwrap();
    }
    journal.maintain(Instant::now(), reader.position()).unwrap();
    assert!(!journal.gauges().is_full);
    // Eight records are two segments and a part of one, which has to stay.
    assert_eq!(fill(&journal, b"x"), 6);
    assert_eq!(contents(&mut reader).len(), 4 + 6);
    assert_eq!(reader.damaged(), 0);
}

#[test]
fn an_undrained_record_is_never_given_up_for_a_new_one() {
    let home = Home::new();
    let journal = small(&home);
    fill(&journal, b"x");
    for _ in 0..10_000 {
        assert_eq!(journal.append(b"y"), Err(Refused::Full));
    }
    journal.maintain(Instant::now(), Position::START).unwrap();
    assert_eq!(journal.append(b"y"), Err(Refused::Full));
    assert_eq!(
        contents(&mut journal.reader(Position::START)),
        vec![b"x".to_vec(); 12]
    );
}

#[test]
fn drained_segments_can_be_read_again_until_the_retention_is_over() {
    let home = Home::new();
    let journal = home.journal(56);
    for _ in 0..10 {
        journal.append(b"x").unwrap();
    }
    let start = Instant::now();
    let end = journal.end();
    journal.maintain(start, end).unwrap();
    assert_eq!(contents(&mut journal.reader(Position::START)).len(), 10);

    journal.maintain(start + RETENTION, end).unwrap();
    let mut late = journal.reader(Position::START);
    assert_eq!(contents(&mut late).len(), 1);
    // The database went back further than was promised: three segments are missing, and it shows.
    assert_eq!(late.damaged(), 3);
    assert_eq!(journal.gauges().damaged, 3);
}

#[test]
fn the_gauges_follow_appending_and_draining() {
    let home = Home::new();
    let journal = home.journal(64);
    let start = Instant::now();
    assert_eq!(journal.gauges().depth_bytes, 0);
    assert_eq!(journal.gauges().segments, 1);

    journal.append(b"12345678").unwrap();
    journal.maintain(start, Position::START).unwrap();
    let gauges = journal.gauges();
    assert_eq!(
        (gauges.depth_bytes, gauges.segments, gauges.disk_bytes),
        (16, 2, 128)
    );

    journal
        .maintain(start + Duration::from_secs(30), Position::START)
        .unwrap();
    assert_eq!(journal.gauges().oldest_undrained, Duration::from_secs(30));

    journal
        .maintain(start + Duration::from_secs(31), journal.end())
        .unwrap();
    assert_eq!(journal.gauges().depth_bytes, 0);
    assert_eq!(journal.gauges().oldest_undrained, Duration::ZERO);
}

#[test]
fn a_sync_covers_every_segment_written_since_the_last() {
    let home = Home::new();
    let journal = home.journal(64);
    journal.sync().unwrap();
    for _ in 0..20 {
        journal.append(b"x").unwrap();
        journal.sync().unwrap();
    }
    for _ in 0..20 {
        journal.append(b"x").unwrap();
    }
    journal.sync().unwrap();
    assert_eq!(journal.gauges().sync_errors, 0);
}

#[test]
fn a_journal_closes_when_it_is_drained_and_then_takes_no_more() {
    let home = Home::new();
    let journal = home.journal(64);
    journal.append(b"12345678").unwrap();
    let marker = home.dir(&journal).join("closed");

    let early = journal.close(Position::START);
    assert!(matches!(early, Err(Error::NotDrained { bytes: 16 })));
    assert!(!marker.exists());

    journal.close(journal.end()).unwrap();
    assert!(fs::exists(marker).unwrap());
    assert_eq!(journal.append(b"late"), Err(Refused::Closed));
}
