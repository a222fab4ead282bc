//! `shortener-bench`: measures what the service promises, for `make bench`. Load scenarios have their place beside `bench`.
#![expect(
    clippy::print_stdout,
    reason = "a benchmark prints its figures where people look"
)]

mod bench;

use clap::Parser as _;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    bench::run(bench::Plan::parse()).await
}
