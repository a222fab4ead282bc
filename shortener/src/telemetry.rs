//! The log: what is written, and by whom.
//!
//! A thread of its own writes the lines, so that whoever does not read them stops nobody but that thread. Then lines wait,
//! and when there are too many of them, further ones are dropped and counted.

use std::{
    io::{self, IsTerminal as _},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::Context as _;
use prometheus::{
    IntCounter,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{EnvFilter, Layer as _, fmt, prelude::*};

use crate::{
    config::{LogConfig, LogFormat},
    trace::statements::{OfTracedRequests, Statements},
};

/// How many lines may wait to be written: about two megabytes.
const WAITING_LINES: usize = 4_096;

/// How long the end waits for the lines that were not written yet.
const LAST_LINES: Duration = Duration::from_secs(2);

/// The process's log, kept until its end: what still waits is written when this is dropped.
#[must_use]
#[derive(Debug)]
pub struct Log {
    writer: Option<WorkerGuard>,
    dropped: ErrorCounter,
}

impl Log {
    /// How many lines were dropped, as a metric.
    pub fn dropped_lines(&self) -> DroppedLines {
        let counter = self.dropped.clone();
        let total = move || counter.dropped_lines().try_into().unwrap_or(u64::MAX);
        DroppedLines::of(total)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let Some(writer) = self.writer.take() else {
            return;
        };
        // The writer complains on the output that nobody reads, so that it is left behind if it gets stuck there.
        let (written, done) = mpsc::channel();
        thread::spawn(move || {
            drop(writer);
            _ = written.send(());
        });
        _ = done.recv_timeout(LAST_LINES);
    }
}

/// The metric of lines that were dropped.
pub struct DroppedLines {
    total: Box<dyn Fn() -> u64 + Send + Sync>,
    /// Tells what it is, and stays at 0.
    description: IntCounter,
}

impl DroppedLines {
    pub fn of(total: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self {
            total: Box::new(total),
            description: Self::counter(),
        }
    }

    fn counter() -> IntCounter {
        let name = "shortener_log_lines_dropped_total";
        let help = "Lines of the log that were dropped because nobody read those before them.";
        IntCounter::new(name, help).expect("the name is valid")
    }
}

impl Collector for DroppedLines {
    fn desc(&self) -> Vec<&Desc> {
        self.description.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let now = Self::counter();
        now.inc_by((self.total)());
        now.collect()
    }
}

/// Installs the process-wide subscriber: one JSON object per line, or text for a person at a terminal. Where requests are
/// traced, it listens for their statements, too.
pub fn init(config: &LogConfig, is_tracing: bool) -> anyhow::Result<Log> {
    let filter = EnvFilter::try_new(&config.log_filter)
        .with_context(|| format!("{:?} is no log filter", config.log_filter))?;
    let as_text = match config.log_format {
        LogFormat::Auto => io::stdout().is_terminal(),
        LogFormat::Json => false,
        LogFormat::Text => true,
    };
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(WAITING_LINES)
        .thread_name("log")
        .finish(io::stdout());
    let log = Log {
        writer: Some(guard),
        dropped: writer.error_counter(),
    };
    let lines = if as_text {
        fmt::layer()
            .with_writer(writer)
            .with_target(false)
            .with_ansi(io::stdout().is_terminal())
            .boxed()
    } else {
        fmt::layer()
            .with_writer(writer)
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .boxed()
    };
    if is_tracing {
        tracing_subscriber::registry()
            .with(lines.with_filter(filter))
            .with(Statements.with_filter(OfTracedRequests))
            .init();
    } else {
        // For all layers at once: what nobody listens to costs nothing.
        tracing_subscriber::registry()
            .with(lines)
            .with(filter)
            .init();
    }
    Ok(log)
}
