//! Whether the database answers, and how busy the connections to it are, for the metrics.

use std::time::Duration;

use prometheus::{Histogram, HistogramOpts, IntGauge, Opts, Registry};
use sqlx::{Connection as _, Database, Pool};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Db, Either, either};
use crate::metrics::registered;

/// A few times between two scrapes.
const INTERVAL: Duration = Duration::from_secs(5);

/// A database that takes longer to say anything is as good as away.
const PATIENCE: Duration = Duration::from_secs(2);

/// From a connection that lies idle to the time at which requests are given up.
const WAIT_BUCKETS: [f64; 8] = [0.000_1, 0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 2.0];

/// What the pools are for, in the order in which they are measured.
pub const POOLS_OF_POSTGRES: &[&str] = &["requests", "background", "lookups", "lease", "session"];
pub const POOLS_OF_SQLITE: &[&str] = &["writer", "readers"];

#[derive(Debug)]
pub struct DatabaseMetrics {
    up: IntGauge,
    wait: Histogram,
    pools: Vec<PoolMetrics>,
}

/// Of one pool; the label `pool`.
#[derive(Debug)]
struct PoolMetrics {
    idle: IntGauge,
    used: IntGauge,
    max: IntGauge,
}

impl DatabaseMetrics {
    /// For these pools.
    pub fn register(registry: &Registry, pools: &[&str]) -> prometheus::Result<Self> {
        let up = IntGauge::new(
            "shortener_database_up",
            "1 while the database answers, asked every five seconds, else 0.",
        )?;
        let wait = HistogramOpts::new(
            "shortener_database_connection_wait_seconds",
            "Time that a request would have waited for a connection, tried every five seconds.",
        )
        .buckets(WAIT_BUCKETS.to_vec());
        let pools = pools.iter();
        Ok(Self {
            up: registered(registry, up)?,
            wait: registered(registry, Histogram::with_opts(wait)?)?,
            pools: pools
                .map(|pool| PoolMetrics::register(registry, pool))
                .collect::<Result<_, _>>()?,
        })
    }
}

impl PoolMetrics {
    fn register(registry: &Registry, pool: &str) -> prometheus::Result<Self> {
        let connections = |state| {
            let opts = Opts::new(
                "shortener_database_connections",
                "Connections to the database by what they are for and whether somebody uses them.",
            )
            .const_label("pool", pool)
            .const_label("state", state);
            registered(registry, IntGauge::with_opts(opts)?)
        };
        let max = Opts::new(
            "shortener_database_connections_max",
            "Most connections to the database that there may be, by what they are for.",
        )
        .const_label("pool", pool);
        Ok(Self {
            idle: connections("idle")?,
            used: connections("used")?,
            max: registered(registry, IntGauge::with_opts(max)?)?,
        })
    }

    fn take<D: Database>(&self, pool: &Pool<D>) {
        let whole = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let idle = whole(pool.num_idle());
        self.idle.set(idle);
        // Counted one after the other, so that they may not fit.
        self.used.set((i64::from(pool.size()) - idle).max(0));
        self.max.set(pool.options().get_max_connections().into());
    }
}

impl Db {
    /// The names of the pools that there are.
    pub fn pool_names(&self) -> &'static [&'static str] {
        match &self.pools {
            Either::Postgres(_) => POOLS_OF_POSTGRES,
            Either::Sqlite(_) => POOLS_OF_SQLITE,
        }
    }

    /// Measures until `stop`.
    pub async fn watch(
        self,
        metrics: DatabaseMetrics,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        loop {
            let looking = async {
                let answered = tokio::time::timeout(PATIENCE, self.try_out(&metrics.wait)).await;
                metrics.up.set(matches!(answered, Ok(Ok(()))).into());
                self.measure(&metrics.pools);
                tokio::time::sleep(INTERVAL).await;
            };
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = looking => {}
            }
        }
    }

    /// Takes a connection as a request does, and has the database say something.
    async fn try_out(&self, wait: &Histogram) -> sqlx::Result<()> {
        let began = Instant::now();
        either!(self.reader(), pool => {
            let acquired = pool.acquire().await;
            // One that is waited for in vain counts with all its time.
            wait.observe(began.elapsed().as_secs_f64());
            acquired?.ping().await
        })
    }

    fn measure(&self, metrics: &[PoolMetrics]) {
        match &self.pools {
            Either::Postgres(pools) => {
                let all = [
                    &pools.requests,
                    &pools.background,
                    &pools.prompt,
                    &pools.lease,
                    &pools.session,
                ];
                for (metrics, pool) in metrics.iter().zip(all) {
                    metrics.take(pool);
                }
            }
            Either::Sqlite(pools) => {
                for (metrics, pool) in metrics.iter().zip([&pools.writer, &pools.readers]) {
                    metrics.take(pool);
                }
            }
        }
    }
}
