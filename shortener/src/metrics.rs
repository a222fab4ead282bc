//! Every metric the service exports, by Prometheus' conventions. Label values come from enums only.

use std::{sync::Arc, time::Duration};

use axum::{extract::MatchedPath, http::StatusCode};
use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntGauge, Opts, Registry, TextEncoder, core::Collector,
    process_collector::ProcessCollector, proto::MetricFamily,
};

use crate::{
    audit::log::AuditMetrics, clicks::metrics::ClickMetrics, database::watch::DatabaseMetrics,
    http::connections::ConnectionMetrics, links::metrics::LinkMetrics,
    rate_limit::RateLimitMetrics, redis_client::RedisMetrics, trace::TraceMetrics,
    urls::list::indexer::IndexMetrics,
};

/// From a tenth of a millisecond, where cached redirects are, to the time at which requests are given up.
const DURATION_BUCKETS: [f64; 14] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 10.0,
];

/// What a request is for; the label `route`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RouteClass {
    Redirect,
    Api,
    Bulk,
    Page,
    Health,
    /// No route at all.
    Unknown,
}

impl RouteClass {
    const ALL: [Self; 6] = [
        Self::Redirect,
        Self::Api,
        Self::Bulk,
        Self::Page,
        Self::Health,
        Self::Unknown,
    ];

    pub fn of(path: Option<&MatchedPath>) -> Self {
        match path.map(MatchedPath::as_str) {
            None => Self::Unknown,
            Some("/" | "/docs") => Self::Page,
            Some("/{short_code}") => Self::Redirect,
            Some(path) if path.starts_with("/assets/") => Self::Page,
            Some(path) if path.ends_with("/redirect") => Self::Redirect,
            Some(path) if path.ends_with("/bulk") => Self::Bulk,
            Some(path) if path.ends_with("/health") => Self::Health,
            Some(path) if path.ends_with("/openapi.json") => Self::Page,
            Some(_) => Self::Api,
        }
    }

    /// How long a request may take before whoever asked is told to come back later. A file takes as long as it takes.
    pub fn patience(self) -> Duration {
        match self {
            Self::Redirect => Duration::from_secs(2),
            Self::Bulk => Duration::MAX,
            Self::Api | Self::Page | Self::Health | Self::Unknown => Duration::from_secs(15),
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Redirect => "redirect",
            Self::Api => "api",
            Self::Bulk => "bulk",
            Self::Page => "page",
            Self::Health => "health",
            Self::Unknown => "unknown",
        }
    }
}

/// Classes of statuses; the label `code`. One by one they would multiply every series by twenty.
const STATUS_CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Requests by what they were for and how they were answered.
#[derive(Debug)]
pub struct HttpMetrics {
    requests: Vec<[IntCounter; STATUS_CLASSES.len()]>,
    durations: Vec<Histogram>,
}

impl HttpMetrics {
    fn register(registry: &Registry) -> prometheus::Result<Self> {
        let mut requests = Vec::new();
        let mut durations = Vec::new();
        for class in RouteClass::ALL {
            let counters = STATUS_CLASSES.map(|code| {
                let opts = Opts::new(
                    "shortener_http_requests_total",
                    "Requests answered, by route class and status class.",
                )
                .const_label("route", class.label())
                .const_label("code", code);
                IntCounter::with_opts(opts).expect("the name and the labels are valid")
            });
            for counter in &counters {
                registry.register(Box::new(counter.clone()))?;
            }
            requests.push(counters);
            let opts = HistogramOpts::new(
                "shortener_http_request_duration_seconds",
                "Time from a request's head to its answer's head, by route class.",
            )
            .const_label("route", class.label())
            .buckets(DURATION_BUCKETS.to_vec());
            durations.push(registered(registry, Histogram::with_opts(opts)?)?);
        }
        Ok(Self {
            requests,
            durations,
        })
    }

    /// Counts one answered request.
    pub fn observe(&self, class: RouteClass, status: StatusCode, duration: Duration) {
        let status_class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        self.requests[class as usize][status_class].inc();
        self.durations[class as usize].observe(duration.as_secs_f64());
    }
}

/// All metrics, and the registry that prints them.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    pub http: Arc<HttpMetrics>,
    pub connections: Arc<ConnectionMetrics>,
    pub clicks: Arc<ClickMetrics>,
    pub links: Arc<LinkMetrics>,
    pub rate_limits: Arc<RateLimitMetrics>,
    pub audit: Arc<AuditMetrics>,
    pub index: Arc<IndexMetrics>,
    /// 1 once the service can serve.
    pub ready: IntGauge,
}

impl Metrics {
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        registry.register(Box::new(ProcessCollector::for_self()))?;
        let build = IntGauge::with_opts(
            Opts::new(
                "shortener_build_info",
                "Always 1; the labels say what runs.",
            )
            .const_label("version", env!("CARGO_PKG_VERSION")),
        )?;
        registered(&registry, build)?.set(1);
        let http = HttpMetrics::register(&registry)?.into();
        let connections = ConnectionMetrics::register(&registry)?.into();
        let clicks = ClickMetrics::register(&registry)?.into();
        let links = LinkMetrics::register(&registry)?.into();
        let rate_limits = RateLimitMetrics::register(&registry)?.into();
        let audit = AuditMetrics::register(&registry)?.into();
        let index = IndexMetrics::register(&registry)?.into();
        let ready = IntGauge::new("shortener_ready", "1 once this process can serve, else 0.")?;
        let ready = registered(&registry, ready)?;
        Ok(Self {
            registry,
            http,
            connections,
            clicks,
            links,
            rate_limits,
            audit,
            index,
            ready,
        })
    }

    /// Metrics of Redis, to be called once, if there is one.
    pub fn of_redis(&self) -> prometheus::Result<Arc<RedisMetrics>> {
        RedisMetrics::register(&self.registry).map(Arc::new)
    }

    /// Metrics of tracing, to be called once, if something is traced.
    pub fn of_traces(&self) -> prometheus::Result<TraceMetrics> {
        TraceMetrics::register(&self.registry)
    }

    /// Metrics of the database's connections, to be called once.
    pub fn of_database(&self, pools: &[&str]) -> prometheus::Result<DatabaseMetrics> {
        DatabaseMetrics::register(&self.registry, pools)
    }

    /// The metric of the process's log, to be called once.
    pub fn of_log(&self, dropped: &IntCounter) -> prometheus::Result<()> {
        self.registry.register(Box::new(dropped.clone()))
    }

    /// All of them, as they are now.
    pub fn families(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }

    /// The text that Prometheus scrapes.
    pub fn text(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.families())
    }
}

pub fn registered<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> prometheus::Result<C> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}
