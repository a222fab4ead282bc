//! A process that appends is killed with SIGKILL at a random moment; what it had acknowledged is there.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::thread;

use super::{Home, drain};
use crate::clicks::journal::{JournalDirectory, Options, Position};

const ROUNDS: u64 = 50;
const THREADS: u32 = 2;
/// Set in the child only, to its data directory.
const CHILD: &str = "JOURNAL_CRASH_TEST_DIR";
const CHILD_TEST: &str = "clicks::journal::tests::crash::the_process_that_is_killed";

#[test]
fn every_acknowledged_record_survives_a_kill_in_order_and_once() {
    let mut acknowledged_in_all = 0;
    for _ in 0..ROUNDS {
        let home = Home::new();
        let mut child = start_child(&home);
        // The moment is chosen by a number of records, some right at the start, some after many segments.
        let patience = rand::random_range(1..=3_000);
        let acknowledged = kill_after(&mut child, patience);
        acknowledged_in_all += acknowledged.iter().sum::<u32>();

        let journals = home.journals();
        let [found] = journals.journals().unwrap()[..] else {
            panic!("one process, one journal");
        };
        let dead = journals.adopt(found.id).unwrap().unwrap();
        let mut reader = dead.reader(Position::START);
        let mut next = [0; THREADS as usize];
        for (record, _) in drain(&mut reader) {
            let (thread, n) = parse(&record);
            assert_eq!(n, next[thread], "thread {thread} lost or repeated a record");
            assert_eq!(record, numbered(u32::try_from(thread).unwrap(), n));
            next[thread] += 1;
        }
        for (read, acknowledged) in next.into_iter().zip(acknowledged) {
            // At most the one record that was appended and not yet reported.
            assert!(
                read == acknowledged || read == acknowledged + 1,
                "{read} of {acknowledged}"
            );
        }
        assert!(
            reader.damaged() <= 1,
            "at most the record that was being copied"
        );
    }
    assert!(acknowledged_in_all > 10_000);
}

/// Not a test of its own: the child of the test above, which runs this binary again with [`CHILD`] set.
#[test]
fn the_process_that_is_killed() {
    #[expect(
        clippy::disallowed_methods,
        reason = "how the parent reaches its child, not a setting"
    )]
    let Some(dir) = std::env::var_os(CHILD) else {
        return;
    };
    let options = Options {
        segment_bytes: 64 * 1024,
        ..Options::default()
    };
    let journal = JournalDirectory::open(dir)
        .unwrap()
        .create(options, || {})
        .unwrap();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let journal = &journal;
            scope.spawn(move || {
                for n in 0.. {
                    journal.append(&numbered(thread, n)).unwrap();
                    // The leading line break ends whatever the test runner has begun to print.
                    io::stdout()
                        .write_all(format!("\nack {thread} {n}\n").as_bytes())
                        .unwrap();
                }
            });
        }
    });
}

fn start_child(home: &Home) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", CHILD_TEST, "--nocapture"])
        .env(CHILD, home.temp.path().join("journal"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Kills `child` when it has reported `patience` records. Tells how many each thread reported in all.
fn kill_after(child: &mut Child, patience: u32) -> [u32; THREADS as usize] {
    let mut acknowledged = [0; THREADS as usize];
    let mut left = patience;
    let mut reports = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    // A line without its end was being written: not reported.
    while reports.read_line(&mut line).unwrap() > 0 && line.ends_with('\n') {
        if let Some(report) = line.trim_end().strip_prefix("ack ") {
            let (thread, n) = report.split_once(' ').unwrap();
            acknowledged[thread.parse::<usize>().unwrap()] = n.parse::<u32>().unwrap() + 1;
            left = left.saturating_sub(1);
            if left == 0 {
                child.kill().unwrap();
            }
        }
        line.clear();
    }
    assert_eq!(left, 0, "the child died by itself");
    child.wait().unwrap();
    acknowledged
}

/// Of differing lengths, so that a kill finds the copy at differing places.
fn numbered(thread: u32, n: u32) -> Vec<u8> {
    format!("{thread} {n} {}", "x".repeat(n as usize % 200)).into_bytes()
}

fn parse(record: &[u8]) -> (usize, u32) {
    let mut words = str::from_utf8(record).unwrap().split(' ');
    let mut number = || words.next().unwrap().parse().unwrap();
    (number() as usize, number())
}
