//! How long statistics take to answer, with few clicks behind them and with many.

mod fill;
mod store;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::ensure;
use harness::{database::Database, postgres::Cluster, service::Service};

use loadtest::chance::Random;

use super::{
    Plan, Section, meter,
    spread::{Spread, quantile},
    traffic::Traffic,
};

const URLS: u32 = 10_000;

/// Over which the clicks are spread, up to today.
const DAYS: i64 = 90;

const TARGET: f64 = 1.3;

/// Picks the times of one kind of request.
type Rounds = fn(&Side) -> &[Vec<f64>];

/// A service with so many clicks behind it.
struct Side {
    clicks: u32,
    service: Service,
    _database: Database,
    bytes: i64,
    /// Of one URL, and of all together: milliseconds of each round.
    of_url: Vec<Vec<f64>>,
    of_all: Vec<Vec<f64>>,
    /// Processor time of the service per request: milliseconds of each round.
    cpu: Vec<f64>,
}

pub(super) async fn measure(plan: &Plan, cluster: &Arc<Cluster>) -> anyhow::Result<Section> {
    let traffic = Traffic::new(URLS as usize);
    let mut sides = Vec::new();
    for clicks in [plan.clicks, plan.large_clicks] {
        sides.push(Side::prepare(cluster, &traffic, clicks).await?);
    }
    let mut random = Random::new(3);
    // The first requests open connections and fill caches; they are not counted.
    for round in 0..=plan.rounds {
        for side in &mut sides {
            side.of_url.push(Vec::new());
            side.of_all.push(Vec::new());
        }
        let before = cpu(&sides)?;
        for number in 0..plan.requests {
            let path = format!("/urls/{}/stats", traffic.url(&mut random));
            for turn in 0..2 {
                let side = &mut sides[(number as usize + turn) % 2];
                let milliseconds = side.ask(&path).await?;
                side.of_url[round as usize].push(milliseconds);
                let milliseconds = side.ask("/stats").await?;
                side.of_all[round as usize].push(milliseconds);
            }
        }
        let after = cpu(&sides)?;
        for ((side, before), after) in sides.iter_mut().zip(before).zip(after) {
            let requests = side.of_url[round as usize].len() + side.of_all[round as usize].len();
            let requests = u32::try_from(requests)?;
            side.cpu
                .push(after.saturating_sub(before).as_secs_f64() * 1e3 / f64::from(requests));
        }
    }
    Ok(section(&sides))
}

impl Side {
    async fn prepare(
        cluster: &Arc<Cluster>,
        traffic: &Traffic,
        clicks: u32,
    ) -> anyhow::Result<Self> {
        let database = Database::in_cluster(cluster).await;
        let service = Service::start(&database).await;
        let bytes = fill::fill(&database.url(), traffic, clicks, URLS, DAYS).await?;
        Ok(Self {
            clicks,
            service,
            _database: database,
            bytes,
            of_url: Vec::new(),
            of_all: Vec::new(),
            cpu: Vec::new(),
        })
    }

    async fn ask(&self, path: &str) -> anyhow::Result<f64> {
        let started = Instant::now();
        let answer = self.service.get(path).await;
        let taken = started.elapsed();
        ensure!(
            answer.status == 200,
            "{path} was answered by {}",
            answer.status
        );
        Ok(taken.as_secs_f64() * 1e3)
    }
}

fn cpu(sides: &[Side]) -> anyhow::Result<Vec<Duration>> {
    let services = sides.iter().map(|side| side.service.pid());
    services.map(meter::of_process).collect()
}

fn section(sides: &[Side]) -> Section {
    let part_of = |rounds: &[Vec<f64>], part: f64| -> Vec<f64> {
        let quantile_of = |round: &Vec<f64>| {
            let mut sorted = round.clone();
            sorted.sort_by(f64::total_cmp);
            quantile(&sorted, part)
        };
        rounds.iter().skip(1).map(quantile_of).collect()
    };
    let mut rows = Vec::new();
    let mut verdicts = Vec::new();
    let kinds: [(&str, Rounds); 2] = [
        ("`GET /urls/{id}/stats`", |side| &side.of_url),
        ("`GET /stats`", |side| &side.of_all),
    ];
    for (name, of) in kinds {
        for side in sides {
            rows.push(vec![
                name.to_owned(),
                side.clicks.to_string(),
                format!("{:.2}", Spread::of(part_of(of(side), 0.5))),
                format!("{:.2}", Spread::of(part_of(of(side), 0.99))),
            ]);
        }
        let ratio = |part| {
            let few = part_of(of(&sides[0]), part);
            let many = part_of(of(&sides[1]), part);
            Spread::of(many.iter().zip(few).map(|(many, few)| many / few))
        };
        verdicts.push(format!(
            "{name}, many ÷ few: median {:.2}, 99th percentile **{:.2}**.",
            ratio(0.5),
            ratio(0.99)
        ));
    }
    let cpu = |side: &Side| Spread::of(side.cpu.iter().skip(1).copied());
    verdicts.push(format!(
        "Processor time of the service per request: {:.2} ms with few clicks, {:.2} ms with many.",
        cpu(&sides[0]),
        cpu(&sides[1])
    ));
    let megabytes = |side: &Side| side.bytes >> 20;
    Section {
        title: "Statistics",
        about: format!(
            "Two services, each on a Postgres database of its own, with {} and {} clicks on {URLS} URLs (Zipf's law) over {DAYS} days\n\
             behind them: roll-ups of {} MB and {} MB. One client asks both in turn for the last 30 days, of URLs drawn as they are clicked.",
            sides[0].clicks,
            sides[1].clicks,
            megabytes(&sides[0]),
            megabytes(&sides[1]),
        ),
        header: vec!["request", "clicks", "median, ms", "99th percentile, ms"],
        rows,
        verdict: format!("{} Target: at most {TARGET}.", verdicts.join(" ")),
    }
}
