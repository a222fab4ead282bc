//! What is measured of tracing.

use prometheus::{IntCounter, Opts, Registry};

use crate::metrics::registered;

#[derive(Debug)]
pub struct TraceMetrics {
    pub(super) exported: IntCounter,
    /// There was no room to wait in.
    pub(super) overrun: IntCounter,
    /// The collector could not be reached, or would not take them.
    pub(super) undelivered: IntCounter,
}

impl TraceMetrics {
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let exported = IntCounter::new(
            "shortener_trace_spans_exported_total",
            "Spans that the collector took; absent where nothing is traced.",
        )?;
        let dropped = |reason| {
            let opts = Opts::new(
                "shortener_trace_spans_dropped_total",
                "Spans that were lost: `queue_full` waited behind too many others, `undelivered` the collector did not take.",
            )
            .const_label("reason", reason);
            registered(registry, IntCounter::with_opts(opts)?)
        };
        Ok(Self {
            exported: registered(registry, exported)?,
            overrun: dropped("queue_full")?,
            undelivered: dropped("undelivered")?,
        })
    }
}
