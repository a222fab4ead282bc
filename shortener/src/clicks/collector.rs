//! Reads a journal and makes sense of it, off the threads that serve requests, and ahead of what is being recorded.

use anyhow::Context as _;
use tokio::task::{JoinHandle, spawn_blocking};

use super::{
    journal::{Position, Reader},
    row::Interpreter,
    slices::Slices,
    store,
    write::Clicks,
};

/// How many rows are written out before others may run: a tenth of a millisecond's work.
const ROWS: usize = 64;

/// Clicks to be recorded in one transaction.
pub(super) struct Batch {
    pub clicks: Clicks,
    pub from: Position,
    pub to: Position,
    pub records: usize,
    /// The first record read, to set aside if it is the only one and is refused.
    pub first: Vec<u8>,
    /// Records that this version does not understand.
    pub unreadable: Vec<Vec<u8>>,
}

/// Collects batches. Giving up on a call loses nothing: the next one goes on with what was begun.
pub(super) struct Collector {
    state: State,
    /// Collected, and not asked for yet.
    ahead: Option<Batch>,
    /// Asked for, and not recorded: the database was away.
    returned: Option<Batch>,
    damaged: u64,
}

enum State {
    Idle(Box<Tools>),
    Busy(JoinHandle<(Box<Tools>, anyhow::Result<Batch>)>),
    /// The thread panicked, and the reader with it.
    Lost,
}

struct Tools {
    reader: Reader,
    interpreter: Interpreter,
    for_postgres: bool,
}

impl std::fmt::Debug for Collector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Collector")
    }
}

impl Collector {
    pub(super) fn new(reader: Reader, interpreter: Interpreter, for_postgres: bool) -> Self {
        Self {
            state: State::Idle(Box::new(Tools {
                reader,
                interpreter,
                for_postgres,
            })),
            ahead: None,
            returned: None,
            damaged: 0,
        }
    }

    /// Begins to collect up to `limit` records from `from` on, for a later [`Self::next`].
    pub(super) fn look_ahead(&mut self, from: Position, limit: usize) {
        if self.ahead.as_ref().is_none_or(|batch| batch.from != from) {
            self.start(Batch::new(from), limit);
        }
    }

    /// Takes back what could not be recorded, so that it need not be made sense of again at each try.
    pub(super) fn give_back(&mut self, batch: Batch) {
        self.returned = Some(batch);
    }

    /// What is recorded next: as many records after `from` as there are, but at most `limit`.
    pub(super) async fn next(&mut self, from: Position, limit: usize) -> anyhow::Result<Batch> {
        let fits = |batch: &Batch| batch.from == from && batch.records <= limit;
        let returned = match self.returned.take().filter(fits) {
            Some(full) if full.records == limit => return Ok(full),
            other => other,
        };
        // An error of the look ahead will be met again.
        _ = self.finish().await;
        let begun = returned.or(self.ahead.take());
        // Records may have come in since.
        self.start(
            begun.filter(fits).unwrap_or_else(|| Batch::new(from)),
            limit,
        );
        self.finish().await?;
        self.ahead.take().context("the reader is lost")
    }

    /// Whether there is no way to go on.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self.state, State::Lost)
    }

    /// How many damaged stretches were skipped.
    pub(super) fn damaged(&self) -> u64 {
        self.damaged
    }

    fn start(&mut self, mut batch: Batch, limit: usize) {
        self.state = match std::mem::replace(&mut self.state, State::Lost) {
            State::Idle(mut tools) => State::Busy(spawn_blocking(move || {
                let filled = tools.fill(&mut batch, limit).map(|()| batch);
                (tools, filled)
            })),
            other => other,
        };
    }

    async fn finish(&mut self) -> anyhow::Result<()> {
        let State::Busy(collecting) = &mut self.state else {
            return Ok(());
        };
        let collected = collecting.await;
        self.state = State::Lost;
        let (tools, batch) = collected.context("reading the journal panicked")?;
        self.damaged = tools.reader.damaged();
        self.state = State::Idle(tools);
        self.ahead = Some(batch?);
        Ok(())
    }
}

impl Batch {
    fn new(from: Position) -> Self {
        Self {
            clicks: Clicks::default(),
            from,
            to: from,
            records: 0,
            first: Vec::new(),
            unreadable: Vec::new(),
        }
    }
}

impl Tools {
    fn fill(&mut self, batch: &mut Batch, limit: usize) -> anyhow::Result<()> {
        if self.reader.position() != batch.to {
            self.reader.seek(batch.to);
        }
        let first_new = batch.clicks.rows.len();
        let mut slices = Slices::begin();
        while batch.records < limit {
            let record = match self.reader.read() {
                Ok(record) => record,
                // What was read before is recorded first.
                Err(_) if batch.records > 0 => break,
                Err(error) => return Err(error).context("could not read the journal"),
            };
            let Some(record) = record else {
                // What was skipped as damaged is behind us as well.
                batch.to = self.reader.position();
                break;
            };
            batch.records += 1;
            batch.to = record.after;
            match self.interpreter.row(record.bytes) {
                Ok(row) => batch.clicks.rows.push(row),
                Err(_) => batch.unreadable.push(record.bytes.to_vec()),
            }
            if batch.records == 1 {
                batch.first = record.bytes.to_vec();
            }
            slices.give_way();
        }
        let clicks = &mut batch.clicks;
        clicks.sort_from(first_new);
        if self.for_postgres {
            for rows in clicks.rows[first_new..].chunks(ROWS) {
                store::write_copy(rows, &mut clicks.text);
                slices.give_way();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, task::Poll};

    use super::*;
    use crate::clicks::{
        journal::{Journal, JournalDirectory, Options},
        visit::{Purpose, Visit},
    };

    /// A new journal, and its folder, which goes with it.
    fn journal() -> (tempfile::TempDir, Journal) {
        let folder = tempfile::tempdir().unwrap();
        let journals = JournalDirectory::open(folder.path()).unwrap();
        let journal = journals.create(Options::default(), || {}).unwrap();
        (folder, journal)
    }

    fn append(journal: &Journal, url_ids: std::ops::Range<i64>) {
        for url_id in url_ids {
            let mut record = Vec::new();
            Visit {
                at_micros: 0,
                url_id,
                user_id: 1,
                visitor: 1,
                country: [0; 2],
                purpose: Purpose::Visit,
                user_agent: b"",
                referrer: b"",
                query: b"",
            }
            .write(&mut record);
            journal.append(&record).unwrap();
        }
    }

    fn check(batch: &Batch, url_ids: std::ops::Range<i64>) {
        let found: Vec<_> = batch.clicks.rows.iter().map(|row| row.url_id).collect();
        assert_eq!(found, url_ids.collect::<Vec<_>>());
        let all: Vec<_> = (0..batch.clicks.rows.len()).collect();
        let of_all_urls = batch.clicks.days.get(&(store::ALL, 0)).cloned();
        assert_eq!(of_all_urls.unwrap_or_default(), all);
        let lines = batch.clicks.text.split(|byte| *byte == b'\n').count() - 1;
        assert_eq!((batch.records, lines), (found.len(), found.len()));
    }

    #[tokio::test]
    async fn what_was_collected_ahead_is_filled_up_or_begun_anew() {
        let (_folder, journal) = journal();
        let reader = journal.reader(Position::START);
        let mut collector = Collector::new(reader, Interpreter::new(Vec::new()), true);

        append(&journal, 1..6);
        let first = collector.next(Position::START, 3).await.unwrap();
        check(&first, 1..4);
        collector.look_ahead(first.to, 3);
        collector.finish().await.unwrap();
        append(&journal, 6..9);
        // Filled up with what came in since.
        let second = collector.next(first.to, 3).await.unwrap();
        check(&second, 4..7);

        // Asked for less than was collected, or for something else: what the database holds counts.
        collector.look_ahead(second.to, 3);
        check(&collector.next(second.to, 1).await.unwrap(), 7..8);
        collector.look_ahead(second.to, 3);
        check(&collector.next(first.to, 10).await.unwrap(), 4..9);

        let end = collector.next(journal.end(), 10).await.unwrap();
        check(&end, 0..0);
        assert_eq!(end.to, journal.end());
    }

    #[tokio::test]
    async fn what_could_not_be_recorded_is_the_next_again_and_what_follows_it_after_that() {
        let (_folder, journal) = journal();
        append(&journal, 1..9);
        let reader = journal.reader(Position::START);
        let mut collector = Collector::new(reader, Interpreter::new(Vec::new()), true);

        let mut batch = collector.next(Position::START, 3).await.unwrap();
        for _ in 0..2 {
            collector.look_ahead(batch.to, 3);
            let (to, first_row) = (batch.to, batch.clicks.rows.as_ptr());
            collector.give_back(batch);
            batch = collector.next(Position::START, 3).await.unwrap();
            check(&batch, 1..4);
            assert_eq!((batch.to, batch.clicks.rows.as_ptr()), (to, first_row));
        }
        let next = collector.next(batch.to, 3).await.unwrap();
        check(&next, 4..7);

        // It was not full, or too much was tried at once.
        let rest = collector.next(next.to, 3).await.unwrap();
        check(&rest, 7..9);
        append(&journal, 9..10);
        collector.give_back(rest);
        let rest = collector.next(next.to, 3).await.unwrap();
        check(&rest, 7..10);
        collector.give_back(rest);
        check(&collector.next(next.to, 1).await.unwrap(), 7..8);
        collector.give_back(next);
        check(&collector.next(Position::START, 10).await.unwrap(), 1..10);
    }

    #[tokio::test]
    async fn giving_up_on_a_call_loses_nothing() {
        let (_folder, journal) = journal();
        append(&journal, 1..4);
        let reader = journal.reader(Position::START);
        let mut collector = Collector::new(reader, Interpreter::new(Vec::new()), true);
        let mut call = Box::pin(collector.next(Position::START, 10));
        poll_fn(|context| Poll::Ready(call.as_mut().poll(context).is_ready())).await;
        drop(call);
        assert!(!collector.is_lost());
        check(&collector.next(Position::START, 10).await.unwrap(), 1..4);
    }
}
