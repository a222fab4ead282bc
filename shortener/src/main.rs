//! The `shortener` process: read the settings, do what the command says, tell in one sentence why if that fails.

use std::process::ExitCode;

use clap::error::ErrorKind;
use shortener::{
    app,
    config::{Cli, Command, Config, MigrateConfig},
    database::open,
    healthcheck, settings, telemetry,
};

/// A redirect is a handful of small allocations, which this one makes faster than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = match Cli::read() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    match run(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("shortener: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        None => serve(cli.serve).await,
        Some(Command::Serve(config)) => serve(*config).await,
        Some(Command::Migrate(config)) => migrate(config).await,
        Some(Command::Healthcheck(config)) => healthcheck::run(config.management_listen).await,
        Some(Command::Settings) => settings::print(),
    }
}

async fn serve(config: Config) -> anyhow::Result<()> {
    telemetry::init(&config.log)?;
    app::run(config).await
}

async fn migrate(mut config: MigrateConfig) -> anyhow::Result<()> {
    telemetry::init(&config.log)?;
    config.database.migrate = shortener::config::Migrate::Auto;
    let url = config.database.url()?;
    open::open(&url, &config.database).await?.close().await;
    tracing::info!("the schema is up to date");
    Ok(())
}

/// A wrong value is one sentence; help, and a wrong command line, are clap's to explain.
fn refuse(error: &clap::Error) -> ExitCode {
    if error.kind() != ErrorKind::ValueValidation && error.kind() != ErrorKind::InvalidValue {
        error.exit();
    }
    let text = error.to_string();
    let sentence = text.lines().next().unwrap_or_default();
    eprintln!("shortener: {}", sentence.trim_start_matches("error: "));
    ExitCode::from(2)
}
