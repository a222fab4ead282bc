//! The benchmarks, one module each, and what they are measured and reported with.

// What is measured.
mod append;
mod edits;
mod footprint;
mod inserts;
mod memory;
mod misses;
mod peer;
mod recording;
mod redirects;
mod scale;
mod statistics;

// What with.
mod bout;
mod client;
mod companion;
mod cores;
mod failures;
mod links;
mod machine;
mod meter;
mod nginx;
mod ours;
mod report;
mod spread;
mod traffic;
mod window;
mod wrk;

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context as _, ensure};
use harness::{
    database::{Backend, Database},
    postgres::{Cluster, Durability},
    service::Service,
};
use sqlx::PgConnection;

use cores::Cores;
use machine::Machine;
use report::{Report, Section};

/// Measures what the shortener promises, on this machine, and writes the figures down.
#[derive(clap::Parser, Clone, Debug)]
#[command(name = "shortener-bench", version)]
pub(crate) struct Plan {
    /// How often each thing is measured; what is compared takes turns.
    #[arg(long, env = "BENCH_ROUNDS", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,

    /// Clicks that are recorded per round.
    #[arg(long, env = "BENCH_CLICKS", default_value_t = 200_000)]
    pub(crate) clicks: u32,

    /// Clicks behind the larger of the two databases whose statistics are asked for; the smaller one has `--clicks`.
    #[arg(long, env = "BENCH_LARGE_CLICKS", default_value_t = 20_000_000)]
    pub(crate) large_clicks: u32,

    /// Requests for statistics per round and database.
    #[arg(long, env = "BENCH_REQUESTS", default_value_t = 1_000)]
    pub(crate) requests: u32,

    /// Size of the users file that is loaded while memory is watched, in MB.
    #[arg(long, env = "BENCH_CSV_MB", default_value_t = 200)]
    pub(crate) csv_mb: u32,

    /// Seconds that a server is under load each time.
    #[arg(long, env = "BENCH_SECONDS", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) seconds: u32,

    /// How often a redirect's measurement is made at most while others are busy on this machine.
    #[arg(long, env = "BENCH_TRIES", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) tries: u32,

    /// Links that redirects go to.
    #[arg(long, env = "BENCH_URLS", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1_000..))]
    pub(crate) urls: u32,

    /// Links that are asked for once each, per round.
    #[arg(long, env = "BENCH_MISSES", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(100..))]
    pub(crate) misses: u32,

    /// Rows of the file of URLs that is loaded against `copy`.
    #[arg(long, env = "BENCH_BULK_URLS", default_value_t = 500_000)]
    pub(crate) bulk_urls: u32,

    /// Links that are cached when memory is looked at.
    #[arg(long, env = "BENCH_CACHED_URLS", default_value_t = 1_000_000)]
    pub(crate) cached_urls: u32,

    /// Links in the larger of the two databases that redirects and lists are asked of; the smaller one has 10,000.
    #[arg(long, env = "BENCH_LARGE_URLS", default_value_t = 10_000_000, value_parser = clap::value_parser!(u32).range(10_000..))]
    pub(crate) large_urls: u32,

    /// Folder that holds `pgbench`.
    #[arg(
        long,
        env = "POSTGRES_15_BIN",
        default_value = "/usr/lib/postgresql/15/bin"
    )]
    pub(crate) postgres_bin: PathBuf,

    /// Program `redis-server`; without it, nothing is measured with Redis.
    #[arg(long, env = "REDIS_BIN")]
    pub(crate) redis_bin: Option<PathBuf>,

    /// Program `chhoto-url`, built from its source; without it, that shortener is left out.
    #[arg(long, env = "CHHOTO_URL_BIN")]
    pub(crate) chhoto_url_bin: Option<PathBuf>,

    /// Measure these alone, and write no file.
    #[arg(long, env = "BENCH_ONLY", value_delimiter = ',', value_enum)]
    pub(crate) only: Vec<Benchmark>,

    /// Where the report goes.
    #[arg(long, env = "BENCH_REPORT", default_value = "docs/benchmarks.md")]
    pub(crate) report: PathBuf,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Benchmark {
    Append,
    Recording,
    Redirects,
    Misses,
    Edits,
    Creates,
    Bulk,
    Statistics,
    Scale,
    Memory,
    Footprint,
    Peer,
}

/// In the order of the report.
const ALL: [Benchmark; 12] = [
    Benchmark::Redirects,
    Benchmark::Misses,
    Benchmark::Peer,
    Benchmark::Edits,
    Benchmark::Creates,
    Benchmark::Bulk,
    Benchmark::Append,
    Benchmark::Recording,
    Benchmark::Statistics,
    Benchmark::Scale,
    Benchmark::Memory,
    Benchmark::Footprint,
];

/// What benchmarks run on.
#[derive(Debug)]
pub(crate) struct Stage {
    cluster: Arc<Cluster>,
    postmaster: u32,
    cores: Cores,
}

impl Stage {
    async fn set() -> anyhow::Result<Self> {
        let cluster = Arc::new(Cluster::start(Backend::Postgres15, Durability::On).await);
        machine::give_memory(&cluster).await?;
        Ok(Self {
            postmaster: machine::postmaster(&cluster).await?,
            cores: Cores::pick()?,
            cluster,
        })
    }

    /// A database that has the schema and nothing else.
    async fn migrated_database(&self) -> anyhow::Result<Database> {
        let database = Database::in_cluster(&self.cluster).await;
        let exit = Service::builder(&database).arg("migrate").run().await;
        ensure!(exit.code == Some(0), "{}", exit.output);
        Ok(database)
    }

    async fn connect(&self, database: &Database) -> PgConnection {
        self.cluster.connect(&name(database)).await
    }
}

/// What a database is called in its cluster.
fn name(database: &Database) -> String {
    let url = database.url();
    url.rsplit('/').next().unwrap_or_default().to_owned()
}

impl Benchmark {
    async fn measure(self, plan: &Plan, stage: &Stage) -> anyhow::Result<Section> {
        match self {
            Self::Append => append::measure(plan),
            Self::Recording => recording::measure(plan, &stage.cluster).await,
            Self::Redirects => redirects::measure(plan, stage).await,
            Self::Misses => misses::measure(plan, stage).await,
            Self::Edits => edits::measure(plan, stage).await,
            Self::Creates => inserts::creates::measure(plan, stage).await,
            Self::Bulk => inserts::bulk::measure(plan, stage).await,
            Self::Statistics => statistics::measure(plan, &stage.cluster).await,
            Self::Scale => scale::measure(plan, stage).await,
            Self::Memory => memory::measure(plan, stage).await,
            Self::Footprint => footprint::measure(plan, &stage.cluster).await,
            Self::Peer => peer::measure(plan, stage).await,
        }
    }
}

pub(crate) async fn run(plan: Plan) -> anyhow::Result<()> {
    let mut report = Report::new(Machine::look()?);
    let stage = Stage::set().await?;
    report.postgres = Some(machine::postgres(&stage.cluster).await?);
    let mut failed = Vec::new();
    for benchmark in ALL {
        if plan.only.is_empty() || plan.only.contains(&benchmark) {
            let section = benchmark.measure(&plan, &stage).await;
            // Some put Postgres on a core of their choice.
            stage.cores.let_go(stage.postmaster)?;
            match section {
                Ok(section) => report.add(section),
                // The others have taken their time, or will.
                Err(error) => {
                    println!("\n{benchmark:?} could not be measured: {error:#}");
                    failed.push(benchmark);
                }
            }
        }
    }
    ensure!(failed.is_empty(), "could not be measured: {failed:?}");
    if plan.only.is_empty() {
        let text = report.text(&plan)?;
        std::fs::write(&plan.report, text)
            .with_context(|| format!("could not write {}", plan.report.display()))?;
        println!("\nwritten to {}", plan.report.display());
    }
    Ok(())
}
