//! Redirects to links that the service does not know yet, with Postgres alone behind it and with Redis between.

use std::{fmt, sync::Arc};

use anyhow::ensure;
use harness::{database::Database, service::Service};

use loadtest::chance::Random;

use super::{
    Plan, Section, Stage,
    client::{Client, Outcome, Pace},
    companion::{self, Companion},
    failures,
    links::{self, Links},
    ours::{self, Lookups},
    spread::Spread,
    traffic::Traffic,
};

/// Where throughput is looked at; latency alone is, with one connection.
const CONNECTIONS: u32 = 64;

/// What is behind the service.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Behind {
    Postgres,
    /// Redis that knows none of the links, and Postgres.
    ColdRedis,
    /// Redis that knows all of them.
    WarmRedis,
}

/// A service that has just started.
struct Start {
    one_by_one: Outcome,
    at_once: Outcome,
    /// The part that its own memory answered, if this build tells.
    hits: Option<f64>,
}

pub(super) async fn measure(plan: &Plan, stage: &Stage) -> anyhow::Result<Section> {
    ensure!(
        plan.misses <= plan.urls,
        "there must be as many links as are asked for once"
    );
    let redis = plan
        .redis_bin
        .as_deref()
        .filter(|program| program.is_file());
    println!(
        "\nmisses: {} of {} links asked for once by a fresh service, {}",
        plan.misses,
        plan.urls,
        if redis.is_some() {
            "without and with Redis"
        } else {
            "without Redis"
        }
    );
    let database = stage.migrated_database().await?;
    let links = Links { count: plan.urls };
    links.fill(&mut stage.connect(&database).await).await?;
    stage.cores.move_to(stage.postmaster, stage.cores.server)?;

    let mut kinds = vec![(Behind::Postgres, Vec::new())];
    if redis.is_some() {
        kinds.push((Behind::ColdRedis, Vec::new()));
        kinds.push((Behind::WarmRedis, Vec::new()));
    }
    for _ in 0..plan.rounds {
        // A new one each round; the second service finds in it what the first one left.
        let redis = redis
            .map(|program| companion::redis(stage.cores.server, program))
            .transpose()?;
        for (behind, starts) in &mut kinds {
            let redis = redis.as_ref().filter(|_| *behind != Behind::Postgres);
            let start = ask(plan, stage, &database, links, redis).await?;
            println!(
                "{behind}: p50 {:.2} ms one by one; {:.0} a second at once",
                start.one_by_one.quantile(0.5),
                start.at_once.rate()
            );
            starts.push(start);
        }
    }
    Ok(section(plan, &kinds))
}

/// Starts a service, asks it for links, each once, and ends it.
async fn ask(
    plan: &Plan,
    stage: &Stage,
    database: &Database,
    links: Links,
    redis: Option<&Companion>,
) -> anyhow::Result<Start> {
    let mut builder = Service::builder(database);
    if let Some(redis) = redis {
        builder = builder.env("REDIS_URL", format!("redis://{}", redis.addr));
    }
    let service = ours::start_on(stage.cores.server, builder).await?;
    let traffic = Arc::new(Traffic::new(1));
    let client = |connections, first: u32| {
        let traffic = Arc::clone(&traffic);
        Client {
            core: stage.cores.client,
            addr: service.addr(),
            connections,
            requests: Arc::new(move |number| {
                let mut random = Random::new(number.into());
                let id = links.by_popularity(first + number);
                links::visit(id, &traffic.click(&mut random))
            }),
            status: 302,
        }
    };
    let before = Lookups::now(&service).await;
    let alone = plan.misses / 4;
    let one_by_one = client(1, 0).run(Pace::Count(alone))?;
    ours::drained(&service).await?;
    let at_once = client(CONNECTIONS, alone).run(Pace::Count(plan.misses - alone))?;
    let lookups = before.zip(Lookups::now(&service).await);
    ours::drained(&service).await?;
    service.terminate().await;
    Ok(Start {
        one_by_one,
        at_once,
        hits: lookups.map(|(before, after)| after.hits_since(before)),
    })
}

fn section(plan: &Plan, kinds: &[(Behind, Vec<Start>)]) -> Section {
    let of =
        |starts: &[Start], figure: &dyn Fn(&Start) -> f64| Spread::of(starts.iter().map(figure));
    let rows = kinds.iter().map(|(behind, starts)| {
        vec![
            behind.to_string(),
            format!("{:.2}", of(starts, &|start| start.one_by_one.quantile(0.5))),
            format!(
                "{:.2}",
                of(starts, &|start| start.one_by_one.quantile(0.99))
            ),
            format!("{:.0}", of(starts, &|start| start.at_once.rate())),
            format!("{:.2}", of(starts, &|start| start.at_once.quantile(0.5))),
            format!("{:.2}", of(starts, &|start| start.at_once.quantile(0.99))),
        ]
    });
    let mut verdicts = Vec::new();
    let (_, alone) = &kinds[0];
    for (behind, starts) in &kinds[1..] {
        let ratio = |figure: fn(&Start) -> f64| {
            Spread::of(
                starts
                    .iter()
                    .zip(alone)
                    .map(|(with, without)| figure(with) / figure(without)),
            )
        };
        verdicts.push(format!(
            "{behind} ÷ Postgres alone: median latency {:.2}, requests per second {:.2}.",
            ratio(|start| start.one_by_one.quantile(0.5)),
            ratio(|start| start.at_once.rate())
        ));
    }
    if kinds.len() == 1 {
        verdicts.push("Redis was left out, since `REDIS_BIN` names no program.".to_owned());
    }
    let starts = kinds.iter().flat_map(|(_, starts)| starts);
    let failures =
        failures::told(starts.map(|start| start.one_by_one.failures + start.at_once.failures));
    let hits: Option<Vec<f64>> = kinds
        .iter()
        .flat_map(|(_, starts)| starts)
        .map(|start| start.hits)
        .collect();
    verdicts.push(match hits {
        Some(hits) => format!(
            "Answered from memory after all: {:.2} %.",
            Spread::of(hits.iter().map(|part| part * 100.0))
        ),
        None => "This build has no cache of links.".to_owned(),
    });
    Section {
        title: "Links asked for the first time",
        about: format!(
            "A service that has just started is asked for {} of {} links, each once: a quarter one after another over one\n\
             connection, the rest over {CONNECTIONS} connections at once. Service, Postgres and Redis share one core, the client has\n\
             another. Clicks are recorded meanwhile.",
            plan.misses, plan.urls
        ),
        header: vec![
            "what is behind the service",
            "one by one: p50, ms",
            "p99, ms",
            "at once: requests per second",
            "p50, ms",
            "p99, ms",
        ],
        rows: rows.collect(),
        verdict: verdicts.join(" ") + &failures,
    }
}

impl fmt::Display for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgres => "Postgres alone",
            Self::ColdRedis => "Redis without them, and Postgres",
            Self::WarmRedis => "Redis with all of them",
        })
    }
}
