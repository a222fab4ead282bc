//! What is measured of Redis.

use prometheus::{IntCounter, IntGauge, Opts, Registry};

use crate::metrics::registered;

#[derive(Debug)]
pub struct RedisMetrics {
    pub(super) up: IntGauge,
    pub(super) ok: IntCounter,
    pub(super) errors: IntCounter,
    pub(super) timeouts: IntCounter,
    pub(super) skipped: IntCounter,
}

impl RedisMetrics {
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let requests = |outcome| {
            let opts = Opts::new(
                "shortener_redis_requests_total",
                "Requests to Redis by outcome; `skipped` were not sent, since Redis was known to be away.",
            )
            .const_label("outcome", outcome);
            registered(registry, IntCounter::with_opts(opts)?)
        };
        let up = IntGauge::new(
            "shortener_redis_up",
            "1 while Redis answers, else 0; absent where none is used.",
        )?;
        Ok(Self {
            up: registered(registry, up)?,
            ok: requests("ok")?,
            errors: requests("error")?,
            timeouts: requests("timeout")?,
            skipped: requests("skipped")?,
        })
    }
}
