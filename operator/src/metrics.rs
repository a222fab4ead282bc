//! Every metric, in the shapes that users of controller-runtime know. No label has the name of an object.

use std::time::Duration;

use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
    core::Collector,
};

/// From a look that changes nothing to one that is given up.
const BUCKETS: [f64; 11] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// By result: `success` or `error`.
    reconciled: IntCounterVec,
    errors: IntCounter,
    seconds: Histogram,
    active: IntGauge,
    workers: IntGauge,
    leader: IntGauge,
}

/// Counts one that is worked on, for as long as it is.
pub struct Active(IntGauge);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn registered<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> prometheus::Result<C> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(name, help).const_label("controller", "urlshortener")
}

impl Metrics {
    pub fn register() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let gauge = |name, help| registered(&registry, IntGauge::with_opts(opts(name, help))?);
        let seconds = HistogramOpts::from(opts(
            "shortener_operator_reconcile_time_seconds",
            "Time that a reconciliation took.",
        ));
        let metrics = Self {
            reconciled: registered(
                &registry,
                IntCounterVec::new(
                    opts(
                        "shortener_operator_reconcile_total",
                        "Reconciliations, by their result.",
                    ),
                    &["result"],
                )?,
            )?,
            errors: registered(
                &registry,
                IntCounter::with_opts(opts(
                    "shortener_operator_reconcile_errors_total",
                    "Reconciliations that failed, and are tried again.",
                ))?,
            )?,
            seconds: registered(
                &registry,
                Histogram::with_opts(seconds.buckets(BUCKETS.to_vec()))?,
            )?,
            active: gauge(
                "shortener_operator_active_workers",
                "Reconciliations under way.",
            )?,
            workers: gauge(
                "shortener_operator_max_concurrent_reconciles",
                "Reconciliations that may be under way at once.",
            )?,
            leader: gauge(
                "shortener_operator_leader",
                "1 while this process leads, else 0.",
            )?,
            registry,
        };
        metrics.reconciled.with_label_values(&["success"]);
        metrics.reconciled.with_label_values(&["error"]);
        let process = prometheus::process_collector::ProcessCollector::for_self();
        metrics.registry.register(Box::new(process))?;
        Ok(metrics)
    }

    pub fn set_workers(&self, workers: u16) {
        self.workers.set(workers.into());
    }

    pub fn start(&self) -> Active {
        self.active.inc();
        Active(self.active.clone())
    }

    pub fn finish(&self, took: Duration, has_failed: bool) {
        self.seconds.observe(took.as_secs_f64());
        let result = if has_failed { "error" } else { "success" };
        self.reconciled.with_label_values(&[result]).inc();
        if has_failed {
            self.errors.inc();
        }
    }

    /// What Prometheus reads.
    pub fn text(&self, is_leader: bool) -> prometheus::Result<String> {
        self.leader.set(is_leader.into());
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_have_the_names_that_users_of_controller_runtime_know() {
        let metrics = Metrics::register().unwrap();
        metrics.finish(Duration::from_millis(3), true);
        let text = metrics.text(true).unwrap();
        for line in [
            r#"shortener_operator_reconcile_total{controller="urlshortener",result="error"} 1"#,
            r#"shortener_operator_reconcile_errors_total{controller="urlshortener"} 1"#,
            r#"shortener_operator_leader{controller="urlshortener"} 1"#,
        ] {
            assert!(text.contains(line), "{line} is missing in {text}");
        }
    }
}
