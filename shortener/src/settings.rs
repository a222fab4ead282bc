//! `shortener settings`: the reference of all settings, made from the settings themselves.

use std::{fmt::Write as _, io::Write as _};

use anyhow::Context as _;
use clap::CommandFactory as _;

use crate::config::Cli;

/// Prints a Markdown table: one row per setting of `shortener serve`.
pub fn print() -> anyhow::Result<()> {
    std::io::stdout()
        .write_all(table().as_bytes())
        .context("could not print the settings")
}

fn table() -> String {
    let mut text = "# Settings\n\n\
        Made by `make generated` from the code. A flag wins over its environment variable.\n\n\
        | Flag | Environment variable | Default | What it does |\n|---|---|---|---|\n"
        .to_owned();
    for arg in Cli::command().get_arguments() {
        let (Some(flag), Some(env)) = (arg.get_long(), arg.get_env()) else {
            continue;
        };
        let defaults: Vec<_> = arg
            .get_default_values()
            .iter()
            .map(|value| format!("`{}`", value.to_string_lossy()))
            .collect();
        let help = arg
            .get_long_help()
            .or(arg.get_help())
            .map(|help| help.to_string().replace('\n', " "))
            .unwrap_or_default();
        writeln!(
            text,
            "| `--{flag}` | `{}` | {} | {} |",
            env.to_string_lossy(),
            defaults.join(" "),
            help.replace('|', "\\|"),
        )
        .expect("writing to a string cannot fail");
    }
    text
}
