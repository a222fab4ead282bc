//! Redirects, lists and searches with ten million links, against the same with ten thousand.

mod side;

use std::time::Duration;

use super::{Plan, Section, Stage, failures, links::Links, spread::Spread};
use side::{Answers, Filled, Question, Side};

const SMALL: u32 = 10_000;

/// The part of the capacity that is asked for.
const LOAD: f64 = 0.7;

const TARGET: f64 = 1.3;

/// About what a cached link takes. A cache in proportion has room for a tenth of the links.
const BYTES_PER_LINK: u64 = 350;

/// What is asked, of caches of which size.
struct Case {
    name: &'static str,
    question: Question,
    cache: Cache,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Cache {
    /// As the settings' default has it: everything fits if there is little.
    Default,
    /// For a tenth of the links: few links are missed as often as many.
    InProportion,
}

const CASES: [Case; 4] = [
    Case {
        name: "redirects, caches for a tenth of the links",
        question: Question::Redirect,
        cache: Cache::InProportion,
    },
    Case {
        name: "redirects, caches of the default size",
        question: Question::Redirect,
        cache: Cache::Default,
    },
    Case {
        name: "`GET /urls`",
        question: Question::List,
        cache: Cache::Default,
    },
    Case {
        name: "`GET /urls?q=`",
        question: Question::Search,
        cache: Cache::Default,
    },
];

/// What a case came to: first with few links, then with many.
struct Found {
    capacities: [f64; 2],
    per_second: f64,
    rounds: [Vec<Answers>; 2],
}

pub(super) async fn measure(plan: &Plan, stage: &Stage) -> anyhow::Result<Section> {
    println!(
        "\nscale: filling databases with {SMALL} and {} links",
        plan.large_urls
    );
    let few = Filled::prepare(stage, Links { count: SMALL }).await?;
    let large = Links {
        count: plan.large_urls,
    };
    let many = Filled::prepare(stage, large).await?;
    stage.cores.move_to(stage.postmaster, stage.cores.server)?;
    let mut found = Vec::new();
    for case in &CASES {
        let cache = |filled: &Filled| match case.cache {
            Cache::Default => None,
            Cache::InProportion => Some(u64::from(filled.links.count) / 10 * BYTES_PER_LINK),
        };
        let sides = [
            few.serve(stage, cache(&few), plan.urls).await?,
            many.serve(stage, cache(&many), plan.urls).await?,
        ];
        found.push(examine(plan, stage, case, &sides).await?);
    }
    Ok(section(plan, &found))
}

async fn examine(
    plan: &Plan,
    stage: &Stage,
    case: &Case,
    sides: &[Side<'_>; 2],
) -> anyhow::Result<Found> {
    let length = Duration::from_secs(plan.seconds.into());
    let [few, many] = sides;
    let capacities = [
        few.capacity(stage, case.question, length).await?,
        many.capacity(stage, case.question, length).await?,
    ];
    let per_second = LOAD * capacities[0].min(capacities[1]);
    let mut rounds = [Vec::new(), Vec::new()];
    for round in 0..plan.rounds as usize {
        for turn in 0..2 {
            let at = (round + turn) % 2;
            // Both sides of a round hear the same rhythm.
            let seed = 100 + round as u64;
            let answers = sides[at]
                .ask(stage, case.question, per_second, length, seed)
                .await?;
            println!(
                "{}, {} links: {per_second:.0} a second, p50 {:.2} ms, p99 {:.2} ms",
                case.name,
                sides[at].links().count,
                answers.outcome.quantile(0.5),
                answers.outcome.quantile(0.99)
            );
            rounds[at].push(answers);
        }
    }
    Ok(Found {
        capacities,
        per_second,
        rounds,
    })
}

fn section(plan: &Plan, found: &[Found]) -> Section {
    let mut rows = Vec::new();
    let mut verdicts = Vec::new();
    for (case, found) in CASES.iter().zip(found) {
        for (at, links) in [SMALL, plan.large_urls].into_iter().enumerate() {
            let rounds = &found.rounds[at];
            let of = |part| Spread::of(rounds.iter().map(|answers| answers.outcome.quantile(part)));
            let hits: Option<Vec<f64>> = rounds.iter().map(|answers| answers.hits).collect();
            let hits = hits.filter(|_| case.question == Question::Redirect);
            rows.push(vec![
                case.name.to_owned(),
                links.to_string(),
                format!("{:.0}", found.capacities[at]),
                format!("{:.0}", found.per_second),
                format!("{:.2}", of(0.5)),
                format!("{:.2}", of(0.99)),
                hits.map_or("–".to_owned(), |hits| {
                    format!("{:.0} %", Spread::of(hits.iter().map(|part| part * 100.0)))
                }),
            ]);
        }
        let [few, many] = &found.rounds;
        let ratio = |part| {
            let pairs = many.iter().zip(few);
            Spread::of(
                pairs.map(|(many, few)| many.outcome.quantile(part) / few.outcome.quantile(part)),
            )
        };
        verdicts.push(format!(
            "{}, many ÷ few: median {:.2}, 99th percentile **{:.2}**.",
            case.name,
            ratio(0.5),
            ratio(0.99)
        ));
    }
    let answers = found.iter().flat_map(|found| found.rounds.iter().flatten());
    Section {
        title: "Ten million links",
        about: format!(
            "Two databases, with {SMALL} and {} links, a user for each hundred of them, a service on each. Requests come at random\n\
             times, at {:.0} % of what the slower side answers when asked without a pause; latency counts from the time at which\n\
             a request was to be sent. Redirects are drawn by Zipf's law from all links, after the {} most popular ones\n\
             were asked for once; lists are mostly the first page of one user; searches are for words that one link has, a\n\
             hundredth of them, half of them, and for two such words. Service and Postgres share one core, the\n\
             client has another. Where the cache is large enough for all of few links, a slow redirect with few is one from\n\
             memory, and one with many is one from Postgres: caches in proportion compare like with like.",
            plan.large_urls,
            LOAD * 100.0,
            plan.urls
        ),
        header: vec![
            "request",
            "links",
            "capacity, per second",
            "asked for, per second",
            "p50, ms",
            "p99, ms",
            "from memory",
        ],
        rows,
        verdict: format!(
            "{} Target: at most {TARGET}.{}",
            verdicts.join(" "),
            failures::told(answers.map(|answers| answers.outcome.failures))
        ),
    }
}
