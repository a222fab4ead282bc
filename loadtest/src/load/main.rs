//! `shortener-loadtest`: puts a running service under the load of many users, and says whether it kept its promises.
//!
//! [docs/load.md](../../../docs/load.md) says how it is used.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "its answer belongs on standard output, and its progress on standard error"
)]

// What is asked, of whom, and what is expected.
mod arguments;
mod links;
mod mix;
mod target;

// The two ways to ask.
mod arrivals;
mod users;

// Many who hardly ask.
mod swarm;

// What came of it.
mod bounds;
mod plot;
mod progress;
mod record;
mod report;

use std::{process::ExitCode, sync::Arc};

use anyhow::Context as _;
use clap::Parser as _;

use arguments::{Arguments, Command, Plan};
use links::Links;
use progress::Progress;
use record::Record;
use target::Target;

/// The service was asked, and did not keep a bound.
const OUT_OF_BOUNDS: u8 = 1;

/// The service could not be asked.
const NOT_MEASURED: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match &arguments.command {
        None => run(&arguments.load).await,
        Some(Command::Swarm(plan)) => swarm::run(plan).await,
        Some(Command::SwarmPart(part)) => swarm::part::run(part).await.map(|()| true),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(OUT_OF_BOUNDS),
        Err(error) => {
            eprintln!("shortener-loadtest: {error:#}");
            ExitCode::from(NOT_MEASURED)
        }
    }
}

/// Whether the service stayed within the bounds.
async fn run(plan: &Plan) -> anyhow::Result<bool> {
    let target = Arc::new(Target::reach(&plan.service).await?);
    let links = Arc::new(Links::create(&target, plan.links).await?);
    let record = Arc::new(Record::start());
    let progress = Progress::tell(&record);
    let asked = match plan.rate {
        Some(per_second) => arrivals::ask(plan, per_second, &target, &links, &record).await,
        None => users::ask(plan, &target, &links, &record).await,
    };
    progress.end().await;
    if !plan.keep {
        links.delete(&target).await;
    }
    asked?;
    let seen = record.take();
    let verdicts = bounds::judge(plan, &seen);
    println!("{}", report::text(plan, &seen, &verdicts));
    let file = report::write(plan, &seen, &verdicts)
        .with_context(|| format!("could not write the report to {}", plan.report.display()))?;
    println!("report: {}", file.display());
    Ok(verdicts.iter().all(|verdict| verdict.is_kept))
}
