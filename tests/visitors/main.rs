//! Visitors of links in a cluster: a program that its tests start in a pod, since nobody outside reaches its Services.
//!
//! `follow` follows one link at a rate, whether or not the requests before have been answered, and prints a line of JSON each second
//! and one at the end. `ask` sends one request and prints the answer.

mod ask;
mod follow;
mod tally;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Parser;

#[derive(Debug, Parser)]
#[command(about)]
enum Command {
    Follow(follow::Arguments),
    Ask(ask::Arguments),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Follow(arguments) => follow::run(arguments).await,
        Command::Ask(arguments) => ask::run(arguments).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints a line; one that nobody reads is no matter.
fn say(line: &serde_json::Value) {
    _ = writeln!(io::stdout(), "{line}");
}
