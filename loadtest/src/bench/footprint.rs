//! What the service takes of a machine: memory at rest and at work, and time to start.

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use harness::{
    csv,
    daemon::free_addr,
    database::{Backend, Database},
    postgres::Cluster,
    service::{Service, try_send},
};
use reqwest::{
    Method,
    multipart::{Form, Part},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{Plan, Section, spread::Spread};

/// Time after which a service that is ready has nothing left to do.
const REST: Duration = Duration::from_secs(3);

/// What a load may take before it is given up.
const PATIENCE: Duration = Duration::from_mins(30);

const TARGET_START_MS: f64 = 100.0;
const TARGET_IDLE_MB: f64 = 25.0;
const TARGET_LOAD_MB: f64 = 150.0;

pub(super) async fn measure(plan: &Plan, cluster: &Arc<Cluster>) -> anyhow::Result<Section> {
    let mut starts = Vec::new();
    for _ in 0..=2 * plan.rounds {
        let database = Database::fresh(Backend::Sqlite).await;
        starts.push(start(&database).await?);
    }
    let mut rows = vec![vec![
        "start to the first answer, empty folder, ms".to_owned(),
        "SQLite".to_owned(),
        format!("{:.0}", Spread::of(starts)),
        format!("< {TARGET_START_MS:.0}"),
    ]];
    let file = users(plan.csv_mb);
    for (name, database) in [
        ("SQLite", Database::fresh(Backend::Sqlite).await),
        ("Postgres", Database::in_cluster(cluster).await),
    ] {
        let service = Service::start(&database).await;
        let idle = idle(&service).await?;
        let (loaded, taken) = load(&service, file.clone()).await?;
        let mut row = |what: String, figure: f64, target: f64| {
            let target = format!("< {target:.0}");
            rows.push(vec![what, name.to_owned(), format!("{figure:.1}"), target]);
        };
        row(
            "resident memory at rest, MB".to_owned(),
            idle,
            TARGET_IDLE_MB,
        );
        let what = format!(
            "greatest resident memory while {} MB of users load ({:.0} s), MB",
            plan.csv_mb,
            taken.as_secs_f64()
        );
        row(what, loaded, TARGET_LOAD_MB);
    }
    Ok(Section {
        title: "Footprint",
        about: "One process, release build, default settings. Memory is what `/proc/<pid>/status` calls VmRSS and VmHWM.".to_owned(),
        header: vec!["what", "database", "figure", "target"],
        rows,
        verdict: "The start includes making the database and its schema.".to_owned(),
    })
}

/// Milliseconds from the start of the program to its first answer.
async fn start(database: &Database) -> anyhow::Result<f64> {
    let addr = free_addr();
    let service = Service::builder(database).env("SHORTENER_LISTEN", addr.to_string());
    let started = Instant::now();
    let process = service.spawn();
    let mut answer = Vec::new();
    while answer.is_empty() {
        ensure!(
            started.elapsed() < PATIENCE,
            "no answer: {}",
            process.output()
        );
        // It listens before it can serve, so that the first connection waits for the first answer.
        match TcpStream::connect(addr).await {
            Ok(mut stream) => {
                stream
                    .write_all(
                        b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
                    )
                    .await?;
                stream.read_to_end(&mut answer).await?;
            }
            Err(_) => tokio::time::sleep(Duration::from_micros(500)).await,
        }
    }
    let taken = started.elapsed();
    let status = answer
        .split(|byte| *byte == b'\r')
        .next()
        .unwrap_or_default();
    ensure!(
        status == b"HTTP/1.1 200 OK",
        "the first answer was {}",
        String::from_utf8_lossy(status)
    );
    Ok(taken.as_secs_f64() * 1e3)
}

async fn idle(service: &Service) -> anyhow::Result<f64> {
    tokio::time::sleep(REST).await;
    memory(service.pid(), "VmRSS")
}

/// The greatest memory while `file` was loaded, and how long that took.
async fn load(service: &Service, file: String) -> anyhow::Result<(f64, Duration)> {
    let part = Part::bytes(file.into_bytes())
        .file_name("users.csv")
        .mime_str("text/csv")?;
    let request = service
        .request(Method::POST, "/users/bulk")
        .timeout(PATIENCE)
        .multipart(Form::new().part("file", part));
    let started = Instant::now();
    let answer = try_send(request).await?;
    let taken = started.elapsed();
    ensure!(answer.status < 300, "{answer:?}");
    Ok((memory(service.pid(), "VmHWM")?, taken))
}

/// MB, as `/proc/<pid>/status` says.
pub(super) fn memory(process: u32, field: &str) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find(|line| line.starts_with(field));
    let kilobytes = line
        .and_then(|line| line.split_whitespace().nth(1))
        .context("the process has no such field")?;
    Ok(kilobytes.parse::<f64>()? / 1024.0)
}

/// A file of about so many megabytes.
fn users(megabytes: u32) -> String {
    const SAMPLE: usize = 10_000;

    // Rows grow with their numbers: asked again with a better guess.
    let wanted = megabytes as usize * 1_000_000;
    let mut rows = SAMPLE;
    loop {
        let file = csv::users(rows);
        if file.len() * 100 >= wanted * 97 {
            return file;
        }
        rows = rows * wanted / file.len() + 1;
    }
}
