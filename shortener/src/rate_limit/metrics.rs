//! What is measured of limits.

use prometheus::{IntCounter, Opts, Registry};

use crate::metrics::registered;

#[derive(Debug)]
pub struct RateLimitMetrics {
    pub(super) redirects: IntCounter,
    pub(super) api: IntCounter,
    pub(super) fallbacks: IntCounter,
}

impl RateLimitMetrics {
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let limited = |scope| {
            let opts = Opts::new(
                "shortener_rate_limited_total",
                "Requests refused since their client asked for too much, by what they were for.",
            )
            .const_label("scope", scope);
            registered(registry, IntCounter::with_opts(opts)?)
        };
        let fallbacks = IntCounter::new(
            "shortener_rate_limit_fallbacks_total",
            "API requests that were judged by this replica's own share of the limit, since Redis was away.",
        )?;
        Ok(Self {
            redirects: limited("redirect")?,
            api: limited("api")?,
            fallbacks: registered(registry, fallbacks)?,
        })
    }
}
