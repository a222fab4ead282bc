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

/// The median of what a histogram has seen since the service started, between the two bounds that it lies between.
pub(super) async fn median(service: &Service, histogram: &str) -> anyhow::Result<Option<f64>> {
    let metrics = counters(service).await;
    let name = format!("{histogram}_bucket{{le=\"");
    let mut buckets = Vec::new();
    for line in metrics.lines() {
        if let Some((bound, count)) = line
            .strip_prefix(&name)
            .and_then(|rest| rest.split_once("\"} "))
            && bound != "+Inf"
        {
            buckets.push((bound.parse()?, count.parse()?));
        }
    }
    let all = counter(&metrics, &format!("{histogram}_count")).unwrap_or(0);
    Ok(middle_of(&buckets, all))
}

/// The median of `all` values, of which so many are at most so large; none if it is larger than every bound.
#[expect(clippy::cast_precision_loss, reason = "counts of thousands")]
fn middle_of(buckets: &[(f64, f64)], all: u64) -> Option<f64> {
    let half = all as f64 / 2.0;
    let (mut least, mut below) = (0.0, 0.0);
    for (bound, count) in buckets {
        if all > 0 && *count >= half {
            return Some(least + (bound - least) * (half - below) / (count - below));
        }
        (least, below) = (*bound, *count);
    }
    None
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

#[cfg(test)]
mod tests {
    use super::middle_of;

    #[test]
    fn a_median_lies_within_its_bucket() {
        let buckets = [(0.001, 2.0), (0.005, 10.0), (0.01, 12.0)];
        let median = middle_of(&buckets, 12).expect("there are values");
        assert!((median - 0.003).abs() < 1e-9, "{median}");
        assert_eq!(middle_of(&buckets, 0), None);
        assert_eq!(middle_of(&buckets, 100), None, "beyond all bounds");
    }
}
