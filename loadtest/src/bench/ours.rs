//! Our service as benchmarks start it: on a core of its own, and asked how far it has got with its clicks.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use harness::service::{self, Service, ServiceBuilder};

use super::cores::Core;

/// How often the recorder is asked while it drains.
const LOOK: Duration = Duration::from_millis(20);

/// What draining may take.
const PATIENCE: Duration = Duration::from_mins(10);

/// Clicks, each counted since the service started.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Clicks {
    pub appended: u64,
    pub recorded: u64,
    /// The journal had no room, or the database did not want it.
    pub missed: u64,
}

/// Starts it, and waits until it can serve.
pub(super) async fn start_on(core: Core, builder: ServiceBuilder<'_>) -> anyhow::Result<Service> {
    let process = core.host(|| builder.spawn())?;
    service::ready(process, service::START)
        .await
        .map_err(|failure| anyhow::anyhow!("the service did not start: {failure:#?}"))
}

pub(super) async fn clicks(service: &Service) -> anyhow::Result<Clicks> {
    let counters = counters(service).await;
    let of = |name: &str| {
        counter(&counters, name).with_context(|| format!("the service has no metric {name}"))
    };
    Ok(Clicks {
        appended: of("shortener_clicks_appended_total")?,
        recorded: of("shortener_clicks_recorded_total")?,
        missed: of("shortener_clicks_lost_total")? + of("shortener_clicks_refused_total")?,
    })
}

/// Waits until every click is recorded.
pub(super) async fn drained(service: &Service) -> anyhow::Result<Clicks> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let clicks = clicks(service).await?;
        if clicks.recorded + clicks.missed >= clicks.appended {
            ensure!(clicks.missed == 0, "clicks were not recorded: {clicks:?}");
            return Ok(clicks);
        }
        ensure!(Instant::now() < deadline, "it does not drain: {clicks:?}");
        tokio::time::sleep(LOOK).await;
    }
}

/// Where redirects found their links, as far as this build tells.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lookups {
    memory: u64,
    elsewhere: u64,
}

impl Lookups {
    pub(super) async fn now(service: &Service) -> Option<Self> {
        let counters = counters(service).await;
        let of = |source: &str| {
            let name = format!("shortener_redirect_lookups_total{{source=\"{source}\"}}");
            counter(&counters, &name)
        };
        let elsewhere = ["redis", "database", "stale"].into_iter().filter_map(of);
        Some(Self {
            memory: of("memory")?,
            elsewhere: elsewhere.sum(),
        })
    }

    /// The part that was found in memory since `before`.
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    pub(super) fn hits_since(self, before: Self) -> f64 {
        let memory = self.memory - before.memory;
        let all = memory + self.elsewhere - before.elsewhere;
        memory as f64 / all.max(1) as f64
    }
}

/// A gauge such as `shortener_cache_links`.
pub(super) async fn gauge(service: &Service, name: &str) -> Option<u64> {
    counter(&counters(service).await, name)
}

async fn counters(service: &Service) -> String {
    service.management("/metrics").await.text()
}

/// The value of one series.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it counts"
)]
fn counter(metrics: &str, series: &str) -> Option<u64> {
    let mut lines = metrics.lines().filter_map(|line| line.rsplit_once(' '));
    let (_, value) = lines.find(|(name, _)| *name == series)?;
    value.parse::<f64>().ok().map(|value| value as u64)
}
