//! Writes the log on a thread of its own, so that whoever does not read it stops nobody but that thread.
//!
//! Lines wait in memory meanwhile. When they take too much of it, further ones are dropped, and counted.

use std::{
    io::{self, Write},
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use prometheus::IntCounter;
use tracing_subscriber::fmt::MakeWriter;

/// How many bytes of lines may wait; as many may be on their way out.
const ROOM: usize = 1 << 20;

/// How long the end waits for the lines that were not written yet.
const LAST_LINES: Duration = Duration::from_secs(2);

/// The log of the process. When it is dropped, what still waits is written, if somebody reads it.
#[derive(Debug)]
pub struct Log(Arc<Queue>);

/// Takes lines.
#[derive(Clone, Debug)]
pub(super) struct Waiting(Arc<Queue>);

#[derive(Debug)]
struct Queue {
    lines: Mutex<Lines>,
    dropped: IntCounter,
    /// Told when there is something for the thread to do.
    more: Condvar,
    /// Told when it has done all that there was.
    done: Condvar,
}

#[derive(Debug, Default)]
struct Lines {
    waiting: Vec<u8>,
    is_writing: bool,
}

impl Queue {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_to(&self, mut output: impl Write) {
        let mut batch = Vec::new();
        loop {
            batch.clear();
            let mut lines = self
                .more
                .wait_while(self.lines(), |lines| lines.waiting.is_empty())
                .unwrap_or_else(PoisonError::into_inner);
            mem::swap(&mut lines.waiting, &mut batch);
            lines.is_writing = true;
            drop(lines);
            let lost = write(&mut output, &batch);
            self.dropped.inc_by(u64::try_from(lost).unwrap_or(u64::MAX));
            self.lines().is_writing = false;
            self.done.notify_all();
        }
    }
}

/// Writes lines, and returns how many of them could not be written to their end.
fn write(output: &mut impl Write, lines: &[u8]) -> usize {
    let mut rest = lines;
    while !rest.is_empty() {
        match output.write(rest) {
            Ok(0) => break,
            Ok(written) => rest = &rest[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    // Whole lines leave nothing in a buffer.
    _ = output.flush();
    rest.split_inclusive(|byte| *byte == b'\n').count()
}

impl Log {
    /// Starts the thread that writes to `output`.
    pub(super) fn start(output: impl Write + Send + 'static) -> io::Result<Self> {
        let queue = Arc::new(Queue {
            lines: Mutex::default(),
            dropped: dropped_lines(),
            more: Condvar::new(),
            done: Condvar::new(),
        });
        let of_thread = Arc::clone(&queue);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || of_thread.write_to(output))?;
        Ok(Self(queue))
    }

    pub(super) fn waiting(&self) -> Waiting {
        Waiting(Arc::clone(&self.0))
    }

    /// Counts the lines that were dropped.
    pub fn dropped(&self) -> &IntCounter {
        &self.0.dropped
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let lines = self.0.lines();
        let unwritten = |lines: &mut Lines| lines.is_writing || !lines.waiting.is_empty();
        _ = self.0.done.wait_timeout_while(lines, LAST_LINES, unwritten);
    }
}

impl Write for Waiting {
    /// Takes one line, or drops it.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut lines = self.0.lines();
        if lines.waiting.len() + line.len() > ROOM {
            self.0.dropped.inc();
        } else {
            lines.waiting.extend_from_slice(line);
            self.0.more.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Waiting {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// The metric of lines that were dropped, at 0.
pub fn dropped_lines() -> IntCounter {
    let name = "shortener_log_lines_dropped_total";
    let help = "Lines of the log that could not be written, or had no room while nobody read those before them.";
    IntCounter::new(name, help).expect("the name is valid")
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Says that a batch has come, and takes it when it is told to. It fails when there is nobody to tell it.
    struct Slow {
        came: mpsc::Sender<()>,
        turns: mpsc::Receiver<()>,
        taken: mpsc::Sender<Vec<u8>>,
    }

    /// The ends of a [`Slow`] that are not its own.
    struct Reader {
        came: mpsc::Receiver<()>,
        turns: mpsc::Sender<()>,
        taken: mpsc::Receiver<Vec<u8>>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            _ = self.came.send(());
            self.turns.recv().map_err(io::Error::other)?;
            _ = self.taken.send(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn slow() -> (Log, Reader) {
        let (came, is_there) = mpsc::channel();
        let (tell, turns) = mpsc::channel();
        let (taken, batches) = mpsc::channel();
        let log = Log::start(Slow { came, turns, taken }).unwrap();
        let reader = Reader {
            came: is_there,
            turns: tell,
            taken: batches,
        };
        (log, reader)
    }

    fn say(log: &Log, line: &[u8]) {
        log.waiting().write_all(line).unwrap();
    }

    #[test]
    fn lines_come_out_whole_and_in_their_order_also_at_the_end() {
        let (log, reader) = slow();
        let mut expected = Vec::new();
        for number in 0..1_000 {
            let line = format!("line {number}\n");
            expected.extend_from_slice(line.as_bytes());
            say(&log, line.as_bytes());
        }
        // What was there when the thread looked, and what came meanwhile.
        for _ in 0..2 {
            reader.turns.send(()).unwrap();
        }
        drop(log);
        let taken: Vec<u8> = reader.taken.try_iter().flatten().collect();
        assert_eq!(taken, expected);
    }

    #[test]
    fn what_has_no_room_is_dropped_and_counted() {
        let (log, reader) = slow();
        let dropped = || log.dropped().get();
        say(&log, b"on its way\n");
        reader.came.recv().unwrap();
        let quarter = vec![b'x'; ROOM / 4];
        for _ in 0..6 {
            say(&log, &quarter);
        }
        assert_eq!(dropped(), 2);

        reader.turns.send(()).unwrap();
        reader.came.recv().unwrap();
        say(&log, b"there is room again\n");
        assert_eq!(dropped(), 2);
    }

    #[test]
    fn what_could_be_written_before_a_failure_is_not_counted() {
        let mut room = [0; 5];
        let lost = write(&mut room.as_mut_slice(), b"one\ntwo\nthree\n");
        assert_eq!((lost, &room), (2, b"one\nt"));
    }

    #[test]
    fn what_cannot_be_written_is_counted() {
        let (log, reader) = slow();
        let counted = log.dropped().clone();
        say(&log, b"one\ntwo\n");
        drop(reader);
        drop(log);
        assert_eq!(counted.get(), 2);
    }
}
