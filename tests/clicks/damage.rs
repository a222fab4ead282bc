//! A dead journal that the disk has spoilt: everything that is still whole is recorded, and the rest is counted.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use harness::{database::Database, eventually, service::Service};

use crate::{
    journals::{data_dir, journals},
    visitors::{path, some_urls},
};

const CLICKS: usize = 20;

const SOON: Duration = Duration::from_secs(30);

const DAMAGED: &str = "shortener_journal_damaged_total";

/// A word of a frame; a frame starts with one.
const WORD: usize = 8;

/// What is done to a segment, given where its frames start and the last one ends.
type Spoil = fn(&Path, &[usize]);

/// Which of the clicks are lost by it, and how many damaged stretches are counted at least.
struct Case {
    name: &'static str,
    spoil: Spoil,
    lost: &'static [usize],
    damaged: f64,
}

const CASES: [Case; 8] = [
    Case {
        name: "nothing",
        spoil: |_, _| {},
        lost: &[],
        damaged: 0.0,
    },
    Case {
        name: "a bit of a payload is flipped",
        spoil: |segment, frames| write(segment, frames[7] + 30, b"\xff"),
        lost: &[7],
        damaged: 1.0,
    },
    Case {
        name: "a length is flipped",
        spoil: |segment, frames| write(segment, frames[7], b"\xff\xff"),
        lost: &[7],
        damaged: 1.0,
    },
    Case {
        name: "two clicks apart are wiped",
        spoil: |segment, frames| {
            write(segment, frames[3], &vec![0; frames[4] - frames[3]]);
            write(segment, frames[9], &vec![0; frames[10] - frames[9]]);
        },
        lost: &[3, 9],
        damaged: 2.0,
    },
    Case {
        name: "the last click is torn",
        spoil: |segment, frames| {
            let (start, end) = (frames[CLICKS - 1], frames[CLICKS]);
            let middle = usize::midpoint(start, end);
            write(segment, middle, &vec![0; end - middle]);
        },
        lost: &[CLICKS - 1],
        damaged: 1.0,
    },
    Case {
        name: "the file is cut within the last click",
        spoil: |segment, frames| {
            truncate(segment, usize::midpoint(frames[CLICKS - 1], frames[CLICKS]));
        },
        lost: &[CLICKS - 1],
        damaged: 1.0,
    },
    Case {
        name: "the file is cut behind the last click",
        spoil: |segment, frames| truncate(segment, frames[CLICKS] + 3),
        lost: &[],
        damaged: 0.0,
    },
    Case {
        name: "there is garbage behind the last click",
        spoil: |segment, frames| write(segment, frames[CLICKS] + 64, &[0xc1; 4096]),
        lost: &[],
        damaged: 1.0,
    },
];

harness::on_each_database! {
    async fn a_spoilt_journal_gives_what_is_left_of_it(database: Database) {
        let mut recorded = 0;
        for case in CASES {
            let segment = leave_a_journal(&database, case.name).await;
            let journal = segment.parent().and_then(Path::file_name).unwrap().to_str().unwrap();
            let frames = frames(&segment);
            assert_eq!(frames.len(), CLICKS + 1, "{}: {frames:?}", case.name);
            (case.spoil)(&segment, &frames);

            let service = Service::start(&database).await;
            let closed = format!("select count(*) from journal where id = '{journal}' and closed_at is not null");
            let adopted = async || database.integer(&closed).await == 1;
            eventually::holds("the journal is adopted", SOON, adopted).await;
            // By those not lost, in order.
            let expected: Vec<_> = (0..CLICKS)
                .filter(|number| !case.lost.contains(number))
                .map(|number| format!("{}-{number}", tag(case.name)))
                .collect();
            let texts = format!("select utm_source from click where utm_source like '{}-%' order by id", tag(case.name));
            assert_eq!(database.texts(&texts).await, expected, "{}", case.name);
            let total = database.integers("select id from click").await.len();
            recorded += expected.len();
            assert_eq!(total, recorded, "{}", case.name);
            let damaged = service.metric(DAMAGED).await.unwrap();
            assert!(damaged >= case.damaged, "{}: {damaged}", case.name);
            assert_eq!(damaged == 0.0, case.damaged == 0.0, "{}: {damaged}", case.name);
            let exit = service.terminate().await;
            assert_eq!(exit.code, Some(0), "{}: {exit:?}", case.name);
        }
    }

    async fn a_journal_without_its_segments_is_no_reason_not_to_start(database: Database) {
        let segment = leave_a_journal(&database, "gone").await;
        for segment in fs::read_dir(segment.parent().unwrap()).unwrap() {
            let path = segment.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "seg") {
                fs::remove_file(path).unwrap();
            }
        }
        let service = Service::start(&database).await;
        let closed = async || {
            database.integer("select count(*) from journal where closed_at is not null").await == 1
        };
        eventually::holds("there is nothing to wait for", SOON, closed).await;
        let urls = some_urls(&service).await;
        assert_eq!(service.get(&path(&urls[0])).await.status, 302);
        assert_eq!(service.get("/stats").await.json()["bots"], 1);
    }
}

/// A journal of some clicks that nobody recorded, and whose process is dead. Returns its one segment with clicks.
async fn leave_a_journal(database: &Database, name: &str) -> PathBuf {
    let service = Service::start(database).await;
    let urls = some_urls(&service).await;
    let live = database
        .texts("select id from journal where closed_at is null")
        .await;
    assert_eq!(live.len(), 1, "{live:?}");
    let held = database.hold_recorders().await;
    for number in 0..CLICKS {
        let link = format!("{}?utm_source={}-{number}", path(&urls[0]), tag(name));
        let request = service.request(reqwest::Method::GET, &link);
        let request = request.header(
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64) Firefox/146.0",
        );
        assert_eq!(service.send(request).await.status, 302);
    }
    service.kill().await;
    held.release().await;
    let journals = journals(&data_dir(database));
    let journal = journals.iter().find(|journal| journal.id() == live[0]);
    let journal = journal.expect("its folder is there");
    journal.segments().remove(0)
}

fn tag(name: &str) -> String {
    name.replace(' ', "_")
}

/// Where the frames start, and where the last one ends: see `shortener/src/clicks/journal/frame.rs`.
fn frames(segment: &Path) -> Vec<usize> {
    let bytes = fs::read(segment).expect("a segment is readable");
    let mut frames = vec![0];
    loop {
        let start = frames[frames.len() - 1];
        let head = bytes[start..start + 4].try_into().expect("four bytes");
        match u32::from_le_bytes(head) {
            0 => return frames,
            head => {
                let length = usize::try_from(head & 0x00ff_ffff).expect("three bytes");
                frames.push(start + WORD + length.next_multiple_of(WORD));
            }
        }
    }
}

fn write(segment: &Path, offset: usize, bytes: &[u8]) {
    let file = OpenOptions::new().write(true).open(segment);
    let file = file.expect("a segment is writable");
    file.write_all_at(bytes, u64::try_from(offset).expect("segments are small"))
        .expect("a segment is writable");
}

fn truncate(segment: &Path, length: usize) {
    let file = OpenOptions::new().write(true).open(segment);
    let file = file.expect("a segment is writable");
    file.set_len(u64::try_from(length).expect("segments are small"))
        .expect("a segment is writable");
}
