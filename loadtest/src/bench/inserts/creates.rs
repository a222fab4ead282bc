//! `POST /urls` against pgbench's plain insert into a table of the same columns and indexes.

use anyhow::ensure;
use harness::{database::Database, service::Service};

use super::{pgbench, store};
use crate::bench::{
    Plan, Section, Stage, failures, name,
    spread::Spread,
    window::{Cast, Shares, Window},
    wrk::{self, RequestFile},
};

/// Connections that create, and clients of pgbench.
const CLIENTS: u32 = 16;

/// Different requests, sent over and over: the same URL may be shortened twice.
const REQUESTS: u32 = 65_536;

const TARGET: f64 = 0.5;

/// One side in each round: rows per second, and who used the machine.
#[derive(Debug, Default)]
struct Side {
    rates: Vec<f64>,
    rows: Vec<u32>,
    shares: Vec<Shares>,
}

pub(in crate::bench) async fn measure(plan: &Plan, stage: &Stage) -> anyhow::Result<Section> {
    println!(
        "\ncreates: {CLIENTS} connections, {} s each, `POST /urls` and pgbench in turn",
        plan.seconds
    );
    let database = Database::in_cluster(&stage.cluster).await;
    let service = Service::start(&database).await;
    let owner = service.create_user().await;
    let mut connection = stage.connect(&database).await;
    store::make_plain(&mut connection).await?;
    let requests = RequestFile::write((0..REQUESTS).map(|number| create(owner, number)))?;
    let cast = Cast {
        server: service.pid(),
        postgres: Some(stage.postmaster),
        idle: Vec::new(),
        core: stage.cores.server,
    };
    let (mut creates, mut inserts) = (Side::default(), Side::default());
    let (mut outcomes, mut means) = (Vec::new(), Vec::new());
    for round in 0..plan.rounds {
        for turn in 0..2 {
            store::reset(&mut connection).await?;
            let window = Window::open(&cast)?;
            if (round + turn).is_multiple_of(2) {
                let outcome = wrk::run(None, service.addr(), CLIENTS, plan.seconds, &requests)?;
                creates.note(outcome.rate(), outcome.requests, window.close()?);
                outcomes.push(outcome);
                let (rows, _) = store::count(&mut connection).await?;
                let rows = u32::try_from(rows)?;
                // Those under way when wrk ended may have been made, too.
                ensure!(
                    (outcome.requests..=outcome.requests + CLIENTS).contains(&rows),
                    "{} creates were answered, and {rows} rows are there",
                    outcome.requests
                );
            } else {
                let outcome = pgbench::run(
                    &plan.postgres_bin,
                    stage.cluster.addr(),
                    &name(&database),
                    store::PLAIN_INSERT,
                    CLIENTS,
                    plan.seconds,
                )?;
                inserts.note(outcome.per_second, outcome.transactions, window.close()?);
                means.push(outcome.mean_ms);
                let (_, rows) = store::count(&mut connection).await?;
                ensure!(
                    rows == i64::from(outcome.transactions),
                    "pgbench tells {} inserts, and {rows} rows are there",
                    outcome.transactions
                );
            }
        }
    }
    Ok(section(plan, &creates, &inserts, &outcomes, &means))
}

impl Side {
    fn note(&mut self, rate: f64, rows: u32, shares: Shares) {
        self.rates.push(rate);
        self.rows.push(rows);
        self.shares.push(shares);
    }

    fn row(&self, name: &str, latency: String) -> Vec<String> {
        let cost = |of: fn(&Shares) -> std::time::Duration| {
            let pairs = self.shares.iter().zip(&self.rows);
            Spread::of(
                pairs.map(|(shares, rows)| of(shares).as_secs_f64() * 1e6 / f64::from(*rows)),
            )
        };
        vec![
            name.to_owned(),
            format!("{:.0}", Spread::of(self.rates.iter().copied())),
            latency,
            format!("{:.0}", cost(|shares| shares.server)),
            format!("{:.0}", cost(|shares| shares.postgres)),
            format!(
                "{:.2}",
                Spread::of(self.shares.iter().map(Shares::disturbance))
            ),
        ]
    }
}

fn section(
    plan: &Plan,
    creates: &Side,
    inserts: &Side,
    outcomes: &[wrk::Outcome],
    means: &[f64],
) -> Section {
    let pairs = creates.rates.iter().zip(&inserts.rates);
    let ratio = Spread::of(pairs.map(|(creates, inserts)| creates / inserts));
    let latency = format!(
        "median {:.1}, 99th percentile {:.1}",
        Spread::of(outcomes.iter().map(|outcome| outcome.median_ms)),
        Spread::of(outcomes.iter().map(|outcome| outcome.p99_ms))
    );
    let mean = format!("mean {:.1}", Spread::of(means.iter().copied()));
    Section {
        title: "Creating links",
        about: format!(
            "{CLIENTS} connections send `POST /urls` for {} s, against as many clients of `pgbench -M prepared` that insert single\n\
             rows into a table of the same columns and indexes, without foreign keys and without the row that a create\n\
             adds to the log. Both commit each row to the disk; everything runs on any core.",
            plan.seconds
        ),
        header: vec![
            "what",
            "rows per second",
            "latency, ms",
            "service's CPU, µs per row",
            "Postgres' CPU, µs per row",
            "cores busy with others' work",
        ],
        rows: vec![
            creates.row("`POST /urls`", latency),
            inserts.row("pgbench, plain insert", mean),
        ],
        verdict: format!(
            "Rows per second, creates ÷ plain inserts: **{ratio:.2}**. Target: at least {TARGET}.{}",
            failures::told(outcomes.iter().map(|outcome| outcome.failures))
        ),
    }
}

fn create(owner: i64, number: u32) -> Vec<u8> {
    let body = format!(
        r#"{{"user_id":{owner},"original_url":"https://www.example.com/articles/2026/11/{number}/a-typical-path","title":"An article"}}"#
    );
    format!(
        "POST /urls HTTP/1.1\r\nHost: sho.rt\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
