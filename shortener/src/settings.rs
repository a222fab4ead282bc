//! `shortener settings`: the reference of all settings, made from the settings themselves.

use std::{fmt::Write as _, io::Write as _};

use anyhow::Context as _;
use clap::{Arg, Command, CommandFactory as _};

use crate::config::Cli;

const INTRODUCTION: &str = "\
# Settings

<!-- Written by `make generated` from `shortener/src/config.rs`: change it there. -->

Each setting is a flag of `shortener serve` and an environment variable; the flag wins. `shortener --help` says the same.
";

const OF_CLIENT: &str = "\
## Of the client

`shortener urls` asks a running service, wherever it is:
";

/// Prints the reference as Markdown.
pub fn print() -> anyhow::Result<()> {
    std::io::stdout()
        .write_all(reference(&Cli::command()).as_bytes())
        .context("could not print the settings")
}

/// A table with a row per setting of the service, one for those that only other commands have, and which of them each
/// command takes.
fn reference(cli: &Command) -> String {
    let of_service: Vec<_> = cli.get_arguments().filter_map(Setting::of).collect();
    let commands: Vec<_> = cli
        .get_subcommands()
        .filter(|command| !command.is_hide_set() && command.get_name() != "serve")
        .map(|command| (command.get_name(), taken_by(command)))
        .filter(|(_, settings)| !settings.is_empty())
        .collect();
    let others = commands.iter().flat_map(|(_, settings)| settings);
    let of_commands: Vec<_> = others
        .filter(|setting| {
            let is_same = |of_service: &Setting| of_service.variable == setting.variable;
            !of_service.iter().any(is_same)
        })
        .cloned()
        .collect();

    let mut text = format!("{INTRODUCTION}\n{}", table(&of_service));
    for (name, settings) in &commands {
        let flags: Vec<_> = settings
            .iter()
            .map(|setting| format!("`--{}`", setting.flag))
            .collect();
        writeln!(text, "\n`shortener {name}` takes {}.", flags.join(", "))
            .expect("writing to a string cannot fail");
    }
    write!(text, "\n{OF_CLIENT}\n{}", table(&of_commands))
        .expect("writing to a string cannot fail");
    text
}

fn table(settings: &[Setting]) -> String {
    let mut text = String::from(
        "| Flag | Environment variable | Default | What it does |\n| --- | --- | --- | --- |\n",
    );
    for setting in settings {
        let Setting {
            flag,
            variable,
            default,
            purpose,
        } = setting;
        writeln!(
            text,
            "| `--{flag}` | `{variable}` | {default} | {purpose} |"
        )
        .expect("writing to a string cannot fail");
    }
    text
}

/// The settings that a command, or any command below it, takes.
fn taken_by(command: &Command) -> Vec<Setting> {
    let mut settings: Vec<_> = command.get_arguments().filter_map(Setting::of).collect();
    for setting in command.get_subcommands().flat_map(taken_by) {
        if !settings
            .iter()
            .any(|known| known.variable == setting.variable)
        {
            settings.push(setting);
        }
    }
    settings
}

/// The cells of a row.
#[derive(Clone)]
struct Setting {
    flag: String,
    variable: String,
    default: String,
    purpose: String,
}

impl Setting {
    /// What `arg` says of itself, unless it is none of ours, such as `--help`.
    fn of(arg: &Arg) -> Option<Self> {
        let flag = arg.get_long()?.to_owned();
        let variable = arg.get_env()?.to_string_lossy().into_owned();
        let help = arg.get_long_help().or(arg.get_help())?.to_string();
        // A default that is worked out at the start is told as clap tells those that it knows.
        let (help, worked_out) = match help.split_once("[default: ") {
            Some((help, default)) => (help, Some(default.trim_end_matches(']'))),
            None => (&*help, None),
        };
        let mut purpose = sentence(help);
        let values = arg.get_possible_values();
        if !values.is_empty() {
            let names: Vec<_> = values
                .iter()
                .map(|value| format!("`{}`", value.get_name()))
                .collect();
            write!(purpose, " One of {}.", names.join(", "))
                .expect("writing to a string cannot fail");
        }
        Some(Self {
            default: worked_out.map_or_else(|| fixed_default(arg, &flag), str::to_owned),
            purpose: purpose.replace('|', "\\|"),
            flag,
            variable,
        })
    }
}

fn fixed_default(arg: &Arg, flag: &str) -> String {
    let [default] = arg.get_default_values() else {
        return "none".to_owned();
    };
    let default = default.to_string_lossy();
    match default.parse() {
        Ok(bytes) if flag.ends_with("-bytes") => format!("`{default}` ({})", size(bytes)),
        _ => format!("`{default}`"),
    }
}

/// A number of bytes in the largest unit that leaves it whole.
fn size(bytes: u64) -> String {
    let mut size = bytes;
    for unit in ["bytes", "KiB", "MiB"] {
        if size == 0 || !size.is_multiple_of(1_024) {
            return format!("{size} {unit}");
        }
        size /= 1_024;
    }
    format!("{size} GiB")
}

/// `help` on one line; clap takes the full stop away from a doc comment of one paragraph.
fn sentence(help: &str) -> String {
    let mut text = help.split_whitespace().collect::<Vec<_>>().join(" ");
    if !text.ends_with('.') {
        text.push('.');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(flag: &str, cells: &str) {
        let reference = reference(&Cli::command());
        let row = reference
            .lines()
            .find(|line| line.starts_with(&format!("| `--{flag}` ")))
            .unwrap_or_else(|| panic!("{flag} is missing from {reference}"));
        let expected = format!("| `--{flag}` | {cells}");
        assert!(row.starts_with(&expected), "{row}");
    }

    #[test]
    fn a_row_tells_variable_and_default() {
        check("listen", "`SHORTENER_LISTEN` | `127.0.0.1:8080` | Address");
        check("drain-seconds", "`SHORTENER_DRAIN_SECONDS` | `30` | ");
    }

    #[test]
    fn a_default_in_bytes_is_told_in_a_unit_too() {
        check(
            "max-json-bytes",
            "`SHORTENER_MAX_JSON_BYTES` | `1048576` (1 MiB) | ",
        );
        check(
            "max-bulk-bytes",
            "`SHORTENER_MAX_BULK_BYTES` | `2147483648` (2 GiB) | ",
        );
        assert_eq!(size(0), "0 bytes");
        assert_eq!(size(1_500), "1500 bytes");
    }

    #[test]
    fn a_default_that_is_worked_out_stands_in_its_column_only() {
        check(
            "database-url",
            "`DATABASE_URL` | `sqlite:shortener.db` in the data folder | ",
        );
        assert!(!reference(&Cli::command()).contains("[default"));
    }

    #[test]
    fn what_has_no_default_says_so() {
        for (flag, variable) in [
            ("public-hosts", "SHORTENER_PUBLIC_HOSTS"),
            ("trusted-proxies", "SHORTENER_TRUSTED_PROXIES"),
            ("database-url-file", "DATABASE_URL_FILE"),
        ] {
            check(flag, &format!("`{variable}` | none | "));
        }
    }

    #[test]
    fn the_values_of_a_choice_are_listed() {
        check("auth", "`SHORTENER_AUTH` | `auto` | ");
        assert!(reference(&Cli::command()).contains("One of `auto`, `json`, `text`. |"));
    }

    #[test]
    fn every_row_has_its_four_cells() {
        let reference = reference(&Cli::command());
        for row in reference.lines().filter(|line| line.starts_with('|')) {
            assert_eq!(row.replace("\\|", "").matches('|').count(), 5, "{row}");
        }
    }

    #[test]
    fn what_only_the_client_takes_stands_by_itself() {
        let reference = reference(&Cli::command());
        let (of_service, of_client) = reference.split_once(OF_CLIENT).unwrap();
        assert!(!of_service.contains("| `--service-url`"));
        assert!(
            of_client.contains("| `--service-url` | `SHORTENER_URL` | `http://127.0.0.1:8080` | ")
        );
        assert!(!of_client.contains("`DATABASE_URL`"));
    }

    #[test]
    fn other_commands_tell_which_settings_they_take() {
        let reference = reference(&Cli::command());
        assert!(reference.contains("\n`shortener healthcheck` takes `--management-listen`.\n"));
        assert!(reference.contains("\n`shortener migrate` takes `--data-dir`, "));
        assert!(reference.contains("\n`shortener keys` takes `--data-dir`, "));
        assert!(!reference.contains("`shortener settings`"));
        assert!(!reference.contains("`shortener completions`"));
    }
}
