//! The log: what is written, in which form, and by whom.

mod writer;

use std::io::{self, IsTerminal as _};

use anyhow::Context as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt, prelude::*};

use crate::{
    config::{LogConfig, LogFormat},
    trace::statements::{OfTracedRequests, Statements},
};

pub use writer::{Log, dropped_lines};

/// Installs the process-wide subscriber: one JSON object per line, or text for a person at a terminal. Where requests are
/// traced, it listens for their statements, too. What is logged is written until the result is dropped.
pub fn init(config: &LogConfig, is_tracing: bool) -> anyhow::Result<Log> {
    let filter = EnvFilter::try_new(&config.log_filter)
        .with_context(|| format!("{:?} is no log filter", config.log_filter))?;
    let as_text = match config.log_format {
        LogFormat::Auto => io::stdout().is_terminal(),
        LogFormat::Json => false,
        LogFormat::Text => true,
    };
    let log = Log::start(io::stdout()).context("could not start the thread that writes the log")?;
    let waiting = log.waiting();
    let lines = if as_text {
        fmt::layer()
            .with_writer(waiting)
            .with_target(false)
            .with_ansi(io::stdout().is_terminal())
            .boxed()
    } else {
        fmt::layer()
            .with_writer(waiting)
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
