//! Recording against the least that the same rows could cost: a plain `copy` into the same tables.

pub(super) mod store;

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use clap::Parser as _;
use harness::postgres::Cluster;
use loadtest::chance::Random;
use prometheus::Registry;
use shortener::{
    clicks::{
        journal::{JournalDirectory, Options, Position},
        metrics::ClickMetrics,
        recorder::{Origin, Recorder},
        refused::RefusedClicks,
        retention,
        row::Interpreter,
        store as clicks,
        visitor::Salt,
    },
    config::Cli,
    database::{Db, open, timestamp::Timestamp},
};

use super::{
    Plan, Section,
    meter::{self, Meter, Taken},
    spread::Spread,
    traffic::Traffic,
};

const URLS: usize = 100_000;

const DATABASE: &str = "recording";

/// Clicks come this far apart, in microseconds: 5,000 a second.
const INTERVAL: i64 = 200;

const TARGET: f64 = 0.4;

pub(super) async fn measure(plan: &Plan, cluster: &Cluster) -> anyhow::Result<Section> {
    store::create_database(cluster, DATABASE).await;
    let db = open_database(&cluster.url(DATABASE)).await?;
    let records = records(plan.clicks);
    let text = copy_text(&records)?;

    let mut connection = cluster.connect(DATABASE).await;
    let backend = store::backend(&mut connection).await?;
    let postmaster = meter::parent(u32::try_from(backend)?)?;
    let mut recorded = Vec::new();
    let mut copied = Vec::new();
    for round in 0..plan.rounds {
        for turn in 0..2 {
            store::reset(cluster, DATABASE).await;
            if (round + turn).is_multiple_of(2) {
                recorded.push(record(&db, &records, postmaster).await?);
            } else {
                let meter = Meter::start(postmaster)?;
                store::copy(&mut connection, &text).await?;
                copied.push(meter.read()?);
            }
            let clicks = store::count(&mut connection).await?;
            ensure!(
                clicks == i64::from(plan.clicks),
                "{clicks} clicks were written"
            );
        }
    }
    db.close().await;
    Ok(section(plan.clicks, &recorded, &copied))
}

fn section(clicks: u32, recorded: &[Taken], copied: &[Taken]) -> Section {
    let rate = |taken: &Taken| f64::from(clicks) / taken.elapsed.as_secs_f64();
    let cpu = |taken: &Taken| (taken.client + taken.server).as_secs_f64();
    let row = |name: &str, all: &[Taken]| {
        let per_click = |time: fn(&Taken) -> f64| {
            Spread::of(
                all.iter()
                    .map(|taken| time(taken) * 1e6 / f64::from(clicks)),
            )
        };
        vec![
            name.to_owned(),
            format!("{:.0}", Spread::of(all.iter().map(rate))),
            format!("{:.1}", per_click(|taken| taken.client.as_secs_f64())),
            format!("{:.1}", per_click(|taken| taken.server.as_secs_f64())),
            format!(
                "{:.2}",
                Spread::of(
                    all.iter()
                        .map(|taken| taken.others.as_secs_f64() / taken.elapsed.as_secs_f64())
                )
            ),
        ]
    };
    let pairs = || recorded.iter().zip(copied);
    let ratio = Spread::of(pairs().map(|(recorded, copied)| rate(recorded) / rate(copied)));
    let cpu_ratio = Spread::of(pairs().map(|(recorded, copied)| cpu(recorded) / cpu(copied)));
    Section {
        title: "Recording clicks",
        about: format!(
            "A journal of {clicks} clicks on {URLS} URLs (Zipf's law) is drained by the recorder into empty tables, roll-ups included,\n\
             against one plain client `copy` of the same rows, made ready before, into the same partitioned and indexed table."
        ),
        header: vec![
            "what",
            "rows per second",
            "client's CPU, µs per row",
            "Postgres' CPU, µs per row",
            "cores busy with others' work",
        ],
        rows: vec![row("recorder", recorded), row("plain `copy`", copied)],
        verdict: format!(
            "Rows per second, recorder ÷ `copy`: **{ratio:.2}**. Target: at least {TARGET}. CPU per row (both sides), recorder ÷ `copy`: {cpu_ratio:.2}."
        ),
    }
}

async fn open_database(url: &str) -> anyhow::Result<Db> {
    let config = Cli::try_parse_from(["shortener", "--database-url", url])?.serve;
    let db = open::open(&config.database.url()?, &config.database).await?;
    retention::make_partitions(&db, Timestamp::now()).await;
    Ok(db)
}

/// What the journal holds: clicks up to now.
fn records(clicks: u32) -> Vec<Vec<u8>> {
    let traffic = Traffic::new(URLS);
    let mut random = Random::new(42);
    let salt = Salt::new([7; 32]);
    let first = Timestamp::now().micros() - INTERVAL * i64::from(clicks);
    (0..i64::from(clicks))
        .map(|number| {
            let mut record = Vec::new();
            let click = traffic.click(&mut random);
            click.write(first + INTERVAL * number, &salt, &mut record);
            record
        })
        .collect()
}

/// The rows that the recorder makes of `records`.
fn copy_text(records: &[Vec<u8>]) -> anyhow::Result<Vec<u8>> {
    let mut interpreter = Interpreter::new(Vec::new());
    let rows = records
        .iter()
        .map(|record| interpreter.row(record))
        .collect::<Result<Vec<_>, _>>()?;
    let mut text = Vec::new();
    clicks::write_copy(&rows, &mut text);
    Ok(text)
}

/// Drains a journal with `records`.
async fn record(db: &Db, records: &[Vec<u8>], postmaster: u32) -> anyhow::Result<Taken> {
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let journals = JournalDirectory::open(folder.path().join("journal"))?;
    let journal = journals.create(Options::default(), || {})?;
    for record in records {
        journal.append(record)?;
    }
    let origin = Origin {
        journal: journal.id().to_string(),
        replica: "benchmark".to_owned(),
        place: "benchmark".to_owned(),
    };
    let metrics = Arc::new(ClickMetrics::register(&Registry::new())?);
    let refused = Arc::new(RefusedClicks::new(folder.path().join("refused")));
    let reader = journal.reader(Position::START);
    let interpreter = Interpreter::new(Vec::new());
    let mut recorder = Recorder::new(db.clone(), origin, reader, interpreter, metrics, refused);
    let meter = Meter::start(postmaster)?;
    recorder.drain().await?;
    meter.read()
}
