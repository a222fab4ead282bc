//! Tells on standard error how a run is going: in one line that changes, on a terminal; else in a line now and then.

use std::{
    io::{self, IsTerminal as _, Write as _},
    sync::Arc,
    time::Duration,
};

use tokio::{sync::Notify, task::JoinSet, time::interval};

use crate::record::{Record, Second};

const EVERY: Duration = Duration::from_secs(1);

/// Seconds between two lines where nobody watches.
const SELDOM: u64 = 10;

/// Somebody who tells.
pub(crate) struct Progress {
    teller: JoinSet<()>,
    is_over: Arc<Notify>,
}

impl Progress {
    pub(crate) fn tell(record: &Arc<Record>) -> Self {
        let record = Arc::clone(record);
        let is_over = Arc::new(Notify::new());
        let end = Arc::clone(&is_over);
        let mut teller = JoinSet::new();
        teller.spawn(async move { tell(&record, &end).await });
        Self { teller, is_over }
    }

    pub(crate) async fn end(mut self) {
        self.is_over.notify_one();
        while self.teller.join_next().await.is_some() {}
    }
}

async fn tell(record: &Record, end: &Notify) {
    let is_watched = io::stderr().is_terminal();
    let mut ticks = interval(EVERY);
    ticks.tick().await;
    for second in 1_u64.. {
        tokio::select! {
            _ = ticks.tick() => {}
            () = end.notified() => break,
        }
        if is_watched || second % SELDOM == 0 {
            show(&line(record), is_watched);
        }
    }
    if is_watched {
        eprintln!();
    }
}

/// How the last whole second was, and everything so far.
fn line(record: &Record) -> String {
    let elapsed = record.elapsed();
    let seen = record.look();
    let last = usize::try_from(elapsed.as_secs()).unwrap_or_default();
    let last = last.checked_sub(1).and_then(|last| seen.seconds.get(last));
    let (rate, p50, p99) = last.map_or((0, 0.0, 0.0), |second: &Second| {
        (second.requests, second.quantile(0.5), second.quantile(0.99))
    });
    format!(
        "{:4} s {:9} requests {:6} failed; last second {rate:6} requests, p50 {p50:.1} ms, p99 {p99:.1} ms",
        elapsed.as_secs(),
        seen.all.requests(),
        seen.all.failed(),
    )
}

fn show(line: &str, is_watched: bool) {
    if is_watched {
        eprint!("\r\x1b[K{line}");
        _ = io::stderr().flush();
    } else {
        eprintln!("{line}");
    }
}
