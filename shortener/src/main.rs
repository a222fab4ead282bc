//! The `shortener` process: read the settings, do what the command says, tell in one sentence why if that fails.

use std::process::ExitCode;

use clap::{CommandFactory as _, error::ErrorKind};
use shortener::{
    app,
    client::{self, Failure},
    config::{Cli, Command, Config, MigrateConfig},
    database::open,
    healthcheck, keys, metrics_reference, openapi, router, settings, telemetry,
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
            let failure = error.downcast_ref::<Failure>();
            failure.map_or(ExitCode::FAILURE, Failure::exit_code)
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        None => serve(cli.serve).await,
        Some(Command::Serve(config)) => serve(*config).await,
        Some(Command::Migrate(config)) => migrate(config).await,
        Some(Command::Healthcheck(config)) => healthcheck::run(config.management_listen).await,
        Some(Command::Keys(command)) => keys::command::run(*command).await,
        Some(Command::Urls(command)) => client::urls::run(*command).await,
        Some(Command::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "shortener", &mut script);
            client::print::write(&String::from_utf8_lossy(&script))
        }
        Some(Command::Settings) => settings::print(),
        Some(Command::Metrics) => metrics_reference::print(),
        Some(Command::Routes) => routes(),
        Some(Command::Openapi) => openapi::print(),
    }
}

/// A line for each route: its method, its path, and the scope that it asks for.
fn routes() -> anyhow::Result<()> {
    for route in router::table() {
        let scope = route.scope.map_or("public", keys::Scope::name);
        client::print::line(&format!("{} {} {scope}", route.method, route.path))?;
    }
    Ok(())
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let log = telemetry::init(&config.log, config.trace.is_on())?;
    app::run(config, &log).await
}

async fn migrate(mut config: MigrateConfig) -> anyhow::Result<()> {
    let _log = telemetry::init(&config.log, false)?;
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
