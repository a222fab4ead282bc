//! The `shortener-operator` process: look after resources, or print what they look like.

use std::{io::Write as _, process::ExitCode};

use clap::Parser as _;
use operator::{
    config::{Cli, Command},
    crd::definition,
    process, reference,
};

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("shortener-operator: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        None => process::run(cli.run).await,
        Some(Command::Run(config)) => process::run(config).await,
        Some(Command::Crds) => print(&definition::yaml()?),
        Some(Command::Reference) => print(&reference::markdown()?),
    }
}

fn print(text: &str) -> anyhow::Result<()> {
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}
