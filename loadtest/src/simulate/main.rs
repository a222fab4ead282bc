//! `shortener-simulate`: what autoscaling makes of a load, second by second, without a cluster.
//!
//! [docs/autoscaling.md](../../../docs/autoscaling.md) says how it is used and what it shows.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "its answer belongs on standard output, and why there is none on standard error"
)]

mod arguments;

// What is simulated.
mod scenario;
mod settings;
mod trace;

// The chain, link by link.
mod hpa;
mod keda;
mod pods;
mod prometheus;
mod rate;
mod run;

// What came of it.
mod cluster;
mod draw;
mod grid;
mod measured;
mod table;
mod timeline;
mod users;

// Where it is written.
mod documents;
mod report;

#[cfg(test)]
mod tests;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Parser as _;

use arguments::{Arguments, Command};
use measured::Measured;
use run::{Fault, simulate};
use scenario::Short;
use settings::Settings;
use trace::Trace;

/// What was measured and what is simulated are apart.
const APART: u8 = 1;

/// There is nothing to simulate.
const NOT_SIMULATED: u8 = 2;

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(APART),
        Err(error) => {
            eprintln!("shortener-simulate: {error:#}");
            ExitCode::from(NOT_SIMULATED)
        }
    }
}

/// Whether what was asked about holds.
fn run(arguments: Arguments) -> anyhow::Result<bool> {
    let settings = arguments.chain.settings();
    match arguments.command {
        Command::Tables => {
            for block in documents::blocks(&settings) {
                println!("{}", block.text);
            }
        }
        Command::Write { root } => {
            for document in documents::all(&root, &settings)? {
                write(&root.join(document.path), &document.text)?;
                println!("{}", document.path);
            }
        }
        Command::Run {
            scenario,
            trace,
            prometheus_away,
            keda_away,
            svg,
            seed,
        } => {
            let faults = [prometheus_away, keda_away].concat();
            run_one(&settings, scenario, trace, faults, svg, seed)?;
        }
        Command::Compare {
            measured,
            prometheus_away,
            keda_away,
            tolerated,
        } => {
            let measured = Measured::parse(&read(&measured)?)?;
            let faults = [prometheus_away, keda_away].concat();
            let deviation = measured.compare(&settings, &faults);
            println!("{}", deviation.text());
            return Ok(100.0 * deviation.outside <= tolerated);
        }
    }
    Ok(true)
}

fn run_one(
    settings: &Settings,
    scenario: Option<Short>,
    trace: Option<PathBuf>,
    mut faults: Vec<Fault>,
    svg: Option<PathBuf>,
    seed: u32,
) -> anyhow::Result<()> {
    let (name, trace) = match (
        scenario.map(|short| short.scenario(settings.pods.capacity)),
        trace,
    ) {
        (Some(scenario), _) => {
            faults.extend(scenario.faults);
            (scenario.name.to_owned(), scenario.trace)
        }
        (None, Some(path)) => (path.display().to_string(), Trace::parse(&read(&path)?)?),
        (None, None) => anyhow::bail!("give --scenario or --trace"),
    };
    let timeline = simulate(settings, &trace, &faults, seed);
    println!("{}", report::one(&name, &timeline));
    if let Some(path) = svg {
        write(&path, &draw::draw(&name, &timeline))?;
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}
