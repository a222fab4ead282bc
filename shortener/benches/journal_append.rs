//! CPU time of one append: the journal's mapped segments against `pwrite` behind the same kind of mutex.
//!
//! `cargo bench --bench journal_append`. The files lie in the temporary directory (`TMPDIR`): put it on the
//! file system in question, a tmpfs flatters `pwrite`. Rounds are interleaved, since machines drift.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use rustix::fs::FallocateFlags;
use rustix::time::{ClockId, clock_gettime};
use shortener::clicks::journal::{JournalDirectory, Options};

const ROUNDS: usize = 7;
const RECORDS: u32 = 500_000;
const RECORD: [u8; 100] = [7; 100];
const SEGMENT: u64 = 16 << 20;

fn main() {
    println!(
        "{RECORDS} records of {} bytes per thread, median of {ROUNDS} rounds",
        RECORD.len()
    );
    for threads in [1, 2] {
        let mut mapped = Vec::new();
        let mut pwrite = Vec::new();
        for _ in 0..ROUNDS {
            mapped.push(cost_of_journal(threads));
            pwrite.push(cost_of_pwrite(threads));
        }
        let (mapped, pwrite) = (median(mapped), median(pwrite));
        println!(
            "{threads} thread(s): journal {} ns CPU ({} ns elapsed), pwrite {} ns CPU ({} ns elapsed) per record, ratio {:.2}",
            mapped.cpu,
            mapped.elapsed,
            pwrite.cpu,
            pwrite.elapsed,
            f64::from(mapped.cpu) / f64::from(pwrite.cpu),
        );
    }
}

/// Nanoseconds per record.
#[derive(Clone, Copy)]
struct Cost {
    cpu: u32,
    elapsed: u32,
}

fn cost_of_journal(threads: u32) -> Cost {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let journals = JournalDirectory::open(dir.path()).expect("the folder of journals");
    let journal = journals
        .create(Options::default(), || {})
        .expect("a journal");
    cost(threads, || {
        journal.append(&RECORD).expect("room in the journal");
    })
}

fn cost_of_pwrite(threads: u32) -> Cost {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let files = Mutex::new(Files::new(dir.path()));
    cost(threads, || files.lock().expect("no panic").append(&RECORD))
}

fn cost(threads: u32, append: impl Fn() + Sync) -> Cost {
    let (started, cpu_before) = (Instant::now(), cpu_ns());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| (0..RECORDS).for_each(|_| append()));
        }
    });
    let per_record =
        |ns: u128| u32::try_from(ns / u128::from(RECORDS * threads)).expect("below 4 s a record");
    Cost {
        cpu: per_record(cpu_ns() - cpu_before),
        elapsed: per_record(started.elapsed().as_nanos()),
    }
}

fn cpu_ns() -> u128 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    u128::try_from(i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec))
        .expect("time is positive")
}

fn median(mut costs: Vec<Cost>) -> Cost {
    costs.sort_by_key(|cost| cost.cpu);
    costs[costs.len() / 2]
}

/// The road not taken: the same frame, written by a call.
struct Files {
    dir: PathBuf,
    file: File,
    number: u32,
    offset: u64,
    frame: Vec<u8>,
}

impl Files {
    fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            file: segment(dir, 1),
            number: 1,
            offset: 0,
            frame: Vec::new(),
        }
    }

    fn append(&mut self, record: &[u8]) {
        let length = u32::try_from(record.len())
            .expect("a short record")
            .to_le_bytes();
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&length);
        checksum.update(record);
        self.frame.clear();
        self.frame.extend_from_slice(&length);
        self.frame
            .extend_from_slice(&checksum.finalize().to_le_bytes());
        self.frame.extend_from_slice(record);
        self.frame.resize(self.frame.len().next_multiple_of(8), 0);

        if self.offset + self.frame.len() as u64 > SEGMENT {
            self.number += 1;
            self.file = segment(&self.dir, self.number);
            self.offset = 0;
        }
        self.file
            .write_all_at(&self.frame, self.offset)
            .expect("an allocated segment");
        self.offset += self.frame.len() as u64;
    }
}

fn segment(dir: &Path, number: u32) -> File {
    let path = dir.join(number.to_string());
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .expect("a new segment");
    rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, SEGMENT).expect("room on the disk");
    file
}
