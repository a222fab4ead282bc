//! The benchmarks, one module each, and what they are measured and reported with.

// What is measured.
mod append;
mod footprint;
mod recording;
mod statistics;

// What with.
mod machine;
mod meter;
mod report;
mod spread;
mod traffic;

use std::{path::PathBuf, sync::Arc};

use anyhow::Context as _;
use harness::{
    database::Backend,
    postgres::{Cluster, Durability},
};

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
    Statistics,
    Footprint,
}

impl Plan {
    fn wants(&self, benchmark: Benchmark) -> bool {
        self.only.is_empty() || self.only.contains(&benchmark)
    }
}

pub(crate) async fn run(plan: Plan) -> anyhow::Result<()> {
    let mut report = Report::new(Machine::look()?);
    if plan.wants(Benchmark::Append) {
        report.add(append::measure(&plan)?);
    }
    if plan.only != [Benchmark::Append] {
        let cluster = Arc::new(Cluster::start(Backend::Postgres15, Durability::On).await);
        report.postgres = Some(machine::postgres(&cluster).await?);
        if plan.wants(Benchmark::Recording) {
            report.add(recording::measure(&plan, &cluster).await?);
        }
        if plan.wants(Benchmark::Statistics) {
            report.add(statistics::measure(&plan, &cluster).await?);
        }
        if plan.wants(Benchmark::Footprint) {
            report.add(footprint::measure(&plan, &cluster).await?);
        }
    }
    if plan.only.is_empty() {
        let text = report.text(&plan)?;
        std::fs::write(&plan.report, text)
            .with_context(|| format!("could not write {}", plan.report.display()))?;
        println!("\nwritten to {}", plan.report.display());
    }
    Ok(())
}
