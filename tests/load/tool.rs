//! The program, run to its end.

use std::{collections::BTreeMap, path::Path, process::Command};

use harness::{binary, service::Service};

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub code: Option<i32>,
    /// Everything that it printed.
    pub output: String,
}

impl Ended {
    /// Requests of each kind, as the table has them.
    pub(crate) fn requests(&self) -> BTreeMap<String, u64> {
        let rows = self.output.lines().filter_map(|line| {
            let mut cells = line.split_whitespace();
            let (name, requests) = (cells.next()?, cells.next()?);
            (cells.count() == 6).then(|| Some((name.to_owned(), requests.parse().ok()?)))?
        });
        rows.collect()
    }
}

/// Runs it against `service`.
pub(crate) fn run(service: &Service, report: &Path, arguments: &[&str]) -> Ended {
    run_at(&service.url("/"), report, arguments)
}

pub(crate) fn run_at(base_url: &str, report: &Path, arguments: &[&str]) -> Ended {
    let mut command = Command::new(binary::load_test());
    command
        .arg("--base-url")
        .arg(base_url)
        .arg("--report")
        .arg(report)
        .args(arguments);
    end(&mut command)
}

/// A subcommand, which has no report.
pub(crate) fn swarm(service: &Service, arguments: &[&str]) -> Ended {
    let mut command = Command::new(binary::load_test());
    end(command
        .args(arguments)
        .arg("--base-url")
        .arg(service.url("/")))
}

fn end(command: &mut Command) -> Ended {
    let output = tokio::task::block_in_place(|| command.output()).expect("the program is there");
    let both =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    Ended {
        code: output.status.code(),
        output: both.concat(),
    }
}
