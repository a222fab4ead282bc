//! Logging set-up.

use std::io::{self, IsTerminal as _};

use anyhow::Context as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt, prelude::*};

use crate::{
    config::{LogConfig, LogFormat},
    trace::statements::{OfTracedRequests, Statements},
};

/// Installs the process-wide subscriber: one JSON object per line, or text for a person at a terminal. Where requests are
/// traced, it listens for their statements, too.
pub fn init(config: &LogConfig, is_tracing: bool) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.log_filter)
        .with_context(|| format!("{:?} is no log filter", config.log_filter))?;
    let as_text = match config.log_format {
        LogFormat::Auto => io::stdout().is_terminal(),
        LogFormat::Json => false,
        LogFormat::Text => true,
    };
    let lines = if as_text {
        fmt::layer()
            .with_target(false)
            .with_ansi(io::stdout().is_terminal())
            .boxed()
    } else {
        fmt::layer()
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
    Ok(())
}
