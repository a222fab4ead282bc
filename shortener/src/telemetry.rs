//! Logging set-up.

use std::io::{self, IsTerminal as _};

use anyhow::Context as _;
use tracing_subscriber::{EnvFilter, fmt, prelude::*};

use crate::config::{LogConfig, LogFormat};

/// Installs the process-wide subscriber: one JSON object per line, or text for a person at a terminal.
pub fn init(config: &LogConfig) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.log_filter)
        .with_context(|| format!("{:?} is no log filter", config.log_filter))?;
    let as_text = match config.log_format {
        LogFormat::Auto => io::stdout().is_terminal(),
        LogFormat::Json => false,
        LogFormat::Text => true,
    };
    let registry = tracing_subscriber::registry().with(filter);
    if as_text {
        registry
            .with(
                fmt::layer()
                    .with_target(false)
                    .with_ansi(io::stdout().is_terminal()),
            )
            .init();
    } else {
        registry
            .with(
                fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_span_list(false),
            )
            .init();
    }
    Ok(())
}
