//! The tables of docs/autoscaling.md.

use super::{
    grid::{self, Candidate, Cost, Flaw},
    hpa::{Change, Policy},
    keda::Behavior,
    scenario::{SEEDS, Scenario, Short, Worst, day},
    settings::{Second, Settings},
    table::Table,
    timeline::Timeline,
};

/// What each scenario comes to with these settings.
pub(crate) fn scenarios(settings: &Settings) -> String {
    let mut table = Table::new([
        "scenario",
        "load",
        "somebody waits, s",
        "carried after, s",
        "gave up, %",
        "ready replicas",
        "replica-hours",
        "changes",
        "taken back",
    ]);
    let short = Short::ALL.map(|short| short.scenario(settings.pods.capacity));
    for scenario in short.iter().chain([&day(settings.pods.capacity)]) {
        let worst = scenario.worst(settings, seeds_of(scenario));
        let outcome = worst.outcome;
        table.row(&[
            format!("`{}`", scenario.name),
            scenario.about.to_owned(),
            outcome.overloaded.to_string(),
            worst.relieved.to_string(),
            percent(outcome.failed),
            format!("{} … {}", outcome.fewest, outcome.most),
            format!("{:.1}", outcome.replica_hours),
            outcome.changes.to_string(),
            outcome.reversals.to_string(),
        ]);
    }
    table.text()
}

/// A day is long enough to stand for others.
fn seeds_of(scenario: &Scenario) -> std::ops::Range<u32> {
    if scenario.name == "day" { 0..1 } else { SEEDS }
}

/// One setting, varied, by what it changes.
struct Variation {
    label: String,
    settings: Settings,
}

fn worst(variation: &Variation, short: Short) -> Worst {
    let settings = &variation.settings;
    short
        .scenario(settings.pods.capacity)
        .worst(settings, SEEDS)
}

fn of_day(variation: &Variation) -> Worst {
    let settings = &variation.settings;
    day(settings.pods.capacity).worst(settings, 0..1)
}

/// How long a step takes, what that costs visitors, and what a day costs.
fn speed(name: &str, variations: impl IntoIterator<Item = Variation>) -> String {
    let mut table = Table::new([
        name,
        "step carried after, s",
        "gave up in it, %",
        "somebody waits in the ramp, s",
        "in the spike, s",
        "replica-hours of the day",
    ]);
    for variation in variations {
        let step = worst(&variation, Short::Step);
        table.row(&[
            variation.label.clone(),
            step.relieved.to_string(),
            percent(step.outcome.failed),
            worst(&variation, Short::Ramp)
                .outcome
                .overloaded
                .to_string(),
            worst(&variation, Short::Spike)
                .outcome
                .overloaded
                .to_string(),
            format!("{:.0}", of_day(&variation).outcome.replica_hours),
        ]);
    }
    table.text()
}

/// Requests per replica, in percent of what one can do.
pub(crate) fn targets(base: &Settings) -> String {
    speed(
        "aim, % of what a replica can do",
        Candidate::SHARES.map(|share| Variation {
            label: format!("{share} %"),
            settings: base
                .clone()
                .with_target(base.pods.capacity * f64::from(share) / 100.0),
        }),
    )
}

/// How often instances are scraped, and over how long the rate is taken.
pub(crate) fn windows(base: &Settings) -> String {
    speed(
        "scraped every / rate over",
        Candidate::SCRAPES.map(|(interval, window)| {
            let mut settings = base.clone().with_window(window);
            settings.scraping.interval = interval;
            Variation {
                label: format!("{interval} s / {window} s"),
                settings,
            }
        }),
    )
}

/// How long a pod takes until it gets requests.
pub(crate) fn starts(base: &Settings) -> String {
    speed(
        "a pod starts in",
        [5, 15, 30, 60, 120].map(|start| {
            let mut settings = base.clone();
            settings.pods.start = start;
            Variation {
                label: format!("{start} s"),
                settings,
            }
        }),
    )
}

/// How fast replicas may be added.
pub(crate) fn policies(base: &Settings) -> String {
    let with = |label: &str, policies: Vec<Policy>| {
        let mut settings = base.clone();
        settings.autoscaler.up.policies = policies;
        Variation {
            label: label.to_owned(),
            settings,
        }
    };
    speed(
        "replicas are added",
        [
            with(
                "4 or as many as there are, each 15 s (Kubernetes' own)",
                base.autoscaler.up.policies.clone(),
            ),
            with(
                "ten times as many as there are, each 15 s",
                vec![Policy::new(Change::Percent(900), 15)],
            ),
            with("2 a minute", vec![Policy::new(Change::Pods(2), 60)]),
        ],
    )
}

/// How long fewer replicas must have been enough.
pub(crate) fn stabilizations(base: &Settings) -> String {
    let mut table = Table::new([
        "fewer were enough for",
        "somebody waits after the dip, s",
        "gave up, %",
        "replica-hours of the day",
        "changes in the day",
        "taken back",
    ]);
    for seconds in Candidate::STABILIZATIONS {
        let variation = Variation {
            label: format!("{seconds} s"),
            settings: base.clone().with_stabilization(seconds),
        };
        let dip = worst(&variation, Short::Dip);
        let day = of_day(&variation).outcome;
        table.row(&[
            variation.label,
            dip.outcome.overloaded.to_string(),
            percent(dip.outcome.failed),
            format!("{:.0}", day.replica_hours),
            day.changes.to_string(),
            day.reversals.to_string(),
        ]);
    }
    table.text()
}

/// What becomes of replicas while Prometheus is away.
pub(crate) fn fallbacks(base: &Settings) -> String {
    let mut table = Table::new([
        "fallback",
        "steady load: ready replicas",
        "somebody waits, s",
        "gave up, %",
        "load grows by half meanwhile: ready replicas",
        "somebody waits, s",
        "gave up, %",
    ]);
    let min = base.autoscaler.min;
    let with = |behavior, replicas| base.clone().with_fallback(behavior, replicas);
    for (label, settings) in [
        ("none".to_owned(), base.clone().without_fallback()),
        (
            format!("`CurrentIfHigher`, {min}"),
            with(Behavior::CurrentIfHigher, min),
        ),
        (
            "`CurrentIfHigher`, 15".to_owned(),
            with(Behavior::CurrentIfHigher, 15),
        ),
        ("`Static`, 6".to_owned(), with(Behavior::Static, 6)),
        ("`Static`, 15".to_owned(), with(Behavior::Static, 15)),
    ] {
        let variation = Variation { label, settings };
        let mut cells = vec![variation.label.clone()];
        for short in [Short::Blind, Short::BlindRise] {
            let outcome = worst(&variation, short).outcome;
            cells.push(format!("{} … {}", outcome.fewest, outcome.most));
            cells.push(outcome.overloaded.to_string());
            cells.push(percent(outcome.failed));
        }
        table.row(&cells);
    }
    table.text()
}

/// What the grid says: the cheapest, what is not faulted about the operator's, and what is.
pub(crate) fn choice(capacity: f64) -> String {
    let accepted = grid::accepted(capacity);
    let operator = Candidate::of_operator(capacity);
    let mut table = Table::new([
        "",
        "aim",
        "scraped every / rate over",
        "fewer were enough for",
        "step carried after, s",
        "replica-hours of the day",
    ]);
    for (place, (candidate, cost)) in accepted.iter().take(5).enumerate() {
        table.row(&cells(&format!("{}.", place + 1), *candidate, Ok(*cost)));
    }
    table.row(&cells("the operator's", operator, operator.judge(capacity)));
    let all = Candidate::all().count();
    format!(
        "{}\nOf {all} settings {} keep everything.\n",
        table.text(),
        accepted.len()
    )
}

fn cells(name: &str, candidate: Candidate, judged: Result<Cost, Flaw>) -> [String; 6] {
    let (carried, hours) = match judged {
        Ok(cost) => (
            cost.carried.to_string(),
            format!("{:.0}", cost.replica_hours),
        ),
        Err(Flaw::Blinks) => (String::new(), "too few scrapes in the window".to_owned()),
        Err(Flaw::NoSpare) => (String::new(), "none may be away".to_owned()),
        Err(Flaw::Slow(carried)) => (carried.to_string(), "too slow".to_owned()),
        Err(Flaw::Waits(scenario, seconds)) => (
            String::new(),
            format!("`{scenario}`: somebody waits for {seconds} s"),
        ),
        Err(Flaw::Flaps(times)) => (String::new(), format!("{times} changes taken back")),
    };
    [
        name.to_owned(),
        format!("{} %", candidate.share),
        scraped(candidate.interval, candidate.window),
        format!("{} s", candidate.stabilization),
        carried,
        hours,
    ]
}

fn scraped(interval: Second, window: Second) -> String {
    format!("{interval} s / {window} s")
}

fn percent(part: f64) -> String {
    format!("{:.2}", 100.0 * part)
}

/// What one run comes to.
pub(crate) fn one(name: &str, timeline: &Timeline) -> String {
    let outcome = timeline.outcome();
    let mut table = Table::new([
        "load",
        "somebody waits, s",
        "gave up, %",
        "ready replicas",
        "replica-hours",
        "changes",
        "taken back",
    ]);
    table.row(&[
        name.to_owned(),
        outcome.overloaded.to_string(),
        percent(outcome.failed),
        format!("{} … {}", outcome.fewest, outcome.most),
        format!("{:.2}", outcome.replica_hours),
        outcome.changes.to_string(),
        outcome.reversals.to_string(),
    ]);
    table.text()
}
