//! Edits while two replicas redirect: what it costs that each is obeyed everywhere when it is answered.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use harness::{database::Database, service::Service};

use loadtest::chance::Random;

use super::{
    Plan, Section, Stage,
    client::{Client, Outcome, Pace},
    companion::{self, Companion},
    failures,
    links::{self, Links},
    ours,
    spread::Spread,
    traffic::Traffic,
};

/// Links that are edited and followed.
const LINKS: u32 = 10_000;

/// Each replica is told so many.
const EDITS: u32 = 1_000;

/// Visits a second, over both replicas.
const VISITS: f64 = 2_000.0;

/// How many edit at once.
const EDITORS: [u32; 2] = [1, 16];

const BARRIER: &str = "shortener_edit_barrier_seconds";

const TARGET_MS: f64 = 5.0;

/// What edits of one kind took.
struct Taken {
    edits: Vec<Outcome>,
    /// Median of the time from an edit's commit until all obeyed, on each replica.
    barriers_ms: Vec<f64>,
    visits: Outcome,
}

struct Kind {
    editors: u32,
    has_redis: bool,
    rounds: Vec<Taken>,
}

pub(super) async fn measure(plan: &Plan, stage: &Stage) -> anyhow::Result<Section> {
    let redis = plan
        .redis_bin
        .as_deref()
        .filter(|program| program.is_file());
    println!("\nedits: {EDITS} on each of two replicas, {VISITS} visits a second meanwhile");
    let mut kinds = Vec::new();
    for has_redis in [false, true] {
        if has_redis && redis.is_none() {
            continue;
        }
        kinds.extend(EDITORS.map(|editors| Kind {
            editors,
            has_redis,
            rounds: Vec::new(),
        }));
    }
    for _ in 0..plan.rounds {
        for kind in &mut kinds {
            let redis = redis.filter(|_| kind.has_redis);
            let taken = edit(stage, redis, kind.editors).await?;
            println!(
                "{} editors{}: median {:.2} ms, of that the barrier {:.2} ms",
                kind.editors,
                if kind.has_redis { ", Redis" } else { "" },
                taken.edits[0].quantile(0.5),
                taken.barriers_ms[0]
            );
            kind.rounds.push(taken);
        }
    }
    Ok(section(&kinds))
}

/// Starts two replicas on a database of their own, and edits.
async fn edit(stage: &Stage, redis: Option<&Path>, editors: u32) -> anyhow::Result<Taken> {
    let database = stage.migrated_database().await?;
    let links = Links { count: LINKS };
    links.fill(&mut stage.connect(&database).await).await?;
    let redis = redis
        .map(|program| companion::redis(stage.cores.server, program))
        .transpose()?;
    let mut replicas = Vec::new();
    for _ in 0..2 {
        replicas.push(start(stage, &database, redis.as_ref()).await?);
    }
    let visitors = visitors(stage, &replicas[0]);
    let visiting = tokio::task::spawn_blocking(move || {
        visitors.run(Pace::Arrivals {
            per_second: VISITS,
            length: Duration::from_secs(2),
            seed: 5,
        })
    });
    let mut edits = Vec::new();
    for (number, replica) in replicas.iter().enumerate() {
        let first = u32::try_from(number)? * EDITS;
        let editing = Client {
            core: stage.cores.client,
            addr: replica.addr(),
            connections: editors,
            requests: Arc::new(move |edit| put(first + edit)),
            status: 200,
        };
        edits.push(editing.run(Pace::Count(EDITS))?);
    }
    let visits = visiting.await??;
    let mut barriers_ms = Vec::new();
    for replica in &replicas {
        let median = ours::median(replica, BARRIER).await?;
        barriers_ms.push(median.context("no edit was timed")? * 1e3);
    }
    for replica in replicas {
        replica.terminate().await;
    }
    Ok(Taken {
        edits,
        barriers_ms,
        visits,
    })
}

async fn start(
    stage: &Stage,
    database: &Database,
    redis: Option<&Companion>,
) -> anyhow::Result<Service> {
    let mut builder = Service::builder(database);
    if let Some(redis) = redis {
        builder = builder.env("REDIS_URL", format!("redis://{}", redis.addr));
    }
    ours::start_on(stage.cores.server, builder).await
}

fn visitors(stage: &Stage, replica: &Service) -> Client {
    let traffic = Traffic::new(1);
    Client {
        core: stage.cores.client,
        addr: replica.addr(),
        connections: 16,
        requests: Arc::new(move |number| {
            let mut random = Random::new(number.into());
            links::visit(1 + number % LINKS, &traffic.click(&mut random))
        }),
        status: 302,
    }
}

fn put(edit: u32) -> Vec<u8> {
    let body = format!(r#"{{"title":"Edited {edit}"}}"#);
    format!(
        "PUT /urls/{} HTTP/1.1\r\nHost: sho.rt\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        1 + edit % LINKS,
        body.len()
    )
    .into_bytes()
}

fn section(kinds: &[Kind]) -> Section {
    let rows = kinds.iter().map(|kind| {
        let edits = || kind.rounds.iter().flat_map(|taken| &taken.edits);
        let visits = kind.rounds.iter().map(|taken| taken.visits.quantile(0.99));
        vec![
            format!("{}", kind.editors),
            if kind.has_redis { "yes" } else { "no" }.to_owned(),
            format!(
                "{:.2}",
                Spread::of(edits().map(|edits| edits.quantile(0.5)))
            ),
            format!(
                "{:.2}",
                Spread::of(edits().map(|edits| edits.quantile(0.99)))
            ),
            format!("{:.2}", barrier(kind)),
            format!("{:.0}", Spread::of(edits().map(Outcome::rate))),
            format!("{:.2}", Spread::of(visits)),
        ]
    });
    let failures = kinds
        .iter()
        .flat_map(|kind| &kind.rounds)
        .flat_map(|taken| {
            let edits = taken.edits.iter().map(|edits| edits.failures);
            edits.chain([taken.visits.failures])
        });
    let alone: Vec<_> = kinds.iter().filter(|kind| kind.editors == 1).collect();
    let medians: Vec<_> = alone
        .iter()
        .map(|kind| {
            let redis = if kind.has_redis { "with" } else { "without" };
            format!("**{:.2}** ms {redis} Redis", barrier(kind))
        })
        .collect();
    Section {
        title: "Edits on two replicas",
        about: format!(
            "Two replicas and Postgres (and Redis) on one core, clients on another. {VISITS} visits a second go to the first\n\
             replica, while {EDITS} `PUT /urls/{{id}}` go to each of the two, one replica after the other. The barrier is\n\
             the time from an edit's commit until every replica obeys it, read off the service's own histogram."
        ),
        header: vec![
            "editors at once",
            "Redis",
            "edit: p50, ms",
            "p99, ms",
            "the barrier in it: p50, ms",
            "edits per second",
            "visits meanwhile: p99, ms",
        ],
        rows: rows.collect(),
        verdict: format!(
            "Median cost of an edit's barrier: {}. Target: at most {TARGET_MS} ms.{}",
            medians.join(", "),
            failures::told(failures)
        ),
    }
}

fn barrier(kind: &Kind) -> Spread {
    Spread::of(
        kind.rounds
            .iter()
            .flat_map(|taken| taken.barriers_ms.iter().copied()),
    )
}
