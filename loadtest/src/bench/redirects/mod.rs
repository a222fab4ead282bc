//! Redirects against nginx' `return 302`: the service on one core, wrk on another.

mod contestant;
mod store;

pub(super) use contestant::{Contestant, Form, Taken};

use super::{
    Plan, Section, Stage,
    bout::{Bout, CONNECTIONS, Rules},
    failures,
    links::{self, Links},
    nginx,
    spread::{Spread, quantile},
    traffic::Traffic,
    wrk::RequestFile,
};

/// Visits that wrk goes round.
pub(super) const VISITS: u32 = 131_072;

const TARGET_HELD: f64 = 1.0;
const TARGET_P99_MS: f64 = 1.0;
const TARGET_DRAINING: f64 = 0.75;

/// One of ours, and what it took in each round.
struct Side {
    name: &'static str,
    form: Form,
    rounds: Vec<Taken>,
}

pub(super) async fn measure(plan: &Plan, stage: &Stage) -> anyhow::Result<Section> {
    let links = Links { count: plan.urls };
    println!(
        "\nredirects: {} links, {} s a bout, nginx three times a round",
        links.count, plan.seconds
    );
    let nginx = nginx::start(stage.cores.server, links::TARGET)?;
    let mut contestant = Contestant::prepare(stage, links).await?;
    let traffic = Traffic::new(links.count as usize);
    let visits = RequestFile::write(links::visits(links, &traffic, VISITS, 7))?;
    let rules = Rules::new(plan, stage, &visits);
    let mut sides = [
        ("click appended, recorder held still", Form::Held),
        (
            "recorder draining, Postgres on the service's core",
            Form::Draining(stage.cores.server),
        ),
        (
            "recorder draining, Postgres on wrk's core",
            Form::Draining(stage.cores.client),
        ),
    ]
    .map(|(name, form)| Side {
        name,
        form,
        rounds: Vec::new(),
    });
    let fight_nginx = async |idle: &[u32]| {
        let core = stage.cores.server;
        rules.fight_other("nginx", &nginx, core, idle).await
    };
    let mut rounds = Vec::new();
    for round in 0..plan.rounds as usize {
        let idle = [contestant.service.pid(), stage.postmaster];
        let mut nginxes = vec![fight_nginx(&idle).await?];
        for turn in 0..sides.len() {
            let side = &mut sides[(round + turn) % 3];
            let taken = contestant
                .fight(stage, rules, side.form, &[nginx.process])
                .await?;
            taken.bout.say(side.name);
            side.rounds.push(taken);
            if turn != 1 {
                nginxes.push(fight_nginx(&idle).await?);
            }
        }
        rounds.push(nginxes);
    }
    Ok(section(plan, stage, &rounds, &sides))
}

/// The middle one of a round's figures of nginx.
pub(super) fn middle(bouts: &[Bout], of: impl Fn(&Bout) -> f64) -> f64 {
    let mut figures: Vec<_> = bouts.iter().map(of).collect();
    figures.sort_by(f64::total_cmp);
    quantile(&figures, 0.5)
}

/// A figure in relation to nginx's of the same round.
pub(super) fn against(
    rounds: &[Vec<Bout>],
    taken: &[Taken],
    figure: impl Fn(&Bout) -> f64,
    relate: fn(f64, f64) -> f64,
) -> Spread {
    Spread::of(
        rounds
            .iter()
            .zip(taken)
            .map(|(nginx, taken)| relate(figure(&taken.bout), middle(nginx, &figure))),
    )
}

fn section(plan: &Plan, stage: &Stage, rounds: &[Vec<Bout>], sides: &[Side]) -> Section {
    let row = |name: &str, bouts: &[Bout], others: [String; 3]| {
        let of = |figure: fn(&Bout) -> f64| Spread::of(bouts.iter().map(figure));
        let [ratio, slower, recorded] = others;
        vec![
            name.to_owned(),
            format!("{:.0}", of(|bout| bout.outcome.rate())),
            ratio,
            format!("{:.2}", of(|bout| bout.outcome.median_ms)),
            format!("{:.2}", of(|bout| bout.outcome.p99_ms)),
            slower,
            format!("{:.1}", of(|bout| bout.cost(|shares| shares.core))),
            format!("{:.1}", of(|bout| bout.cost(|shares| shares.server))),
            format!("{:.1}", of(|bout| bout.cost(|shares| shares.postgres))),
            recorded,
        ]
    };
    let nothing = || "–".to_owned();
    let nginxes: Vec<_> = rounds.iter().flatten().copied().collect();
    let others = [nothing(), nothing(), nothing()];
    let mut rows = vec![row("nginx `return 302`", &nginxes, others)];
    for side in sides {
        let bouts: Vec<_> = side.rounds.iter().map(|taken| taken.bout).collect();
        let recorded = Spread::of(side.rounds.iter().map(|taken| taken.recorded * 100.0));
        let others = [
            format!("{:.2}", ratio(rounds, side)),
            format!("{:.2}", slower(rounds, side)),
            format!("{recorded:.0} %"),
        ];
        rows.push(row(side.name, &bouts, others));
    }
    Section {
        title: "Redirects",
        about: format!(
            "The service on one core (of the kernel's number {}), wrk with {CONNECTIONS} connections on another, {} s after a warm-up.\n\
             {} links, loaded by `POST /urls/bulk` and asked for once before; visits drawn by Zipf's law, with the headers of\n\
             browsers. Ratios and differences are to the middle one of nginx's three bouts of the same round. The core's time is\n\
             all that ran there, Postgres included where it is on that core; \"recorded meanwhile\" is what the recorder\n\
             wrote within the window, as a part of the requests in it.",
            stage.cores.server.0, plan.seconds, plan.urls
        ),
        header: vec![
            "what",
            "requests per second",
            "÷ nginx",
            "p50, ms",
            "p99, ms",
            "p99 − nginx's, ms",
            "CPU per request, µs: the core's",
            "the server's own",
            "Postgres'",
            "recorded meanwhile",
        ],
        rows,
        verdict: verdict(rounds, sides),
    }
}

fn ratio(rounds: &[Vec<Bout>], side: &Side) -> Spread {
    let rate = |bout: &Bout| bout.outcome.rate();
    against(rounds, &side.rounds, rate, |ours, nginx| ours / nginx)
}

fn slower(rounds: &[Vec<Bout>], side: &Side) -> Spread {
    let p99 = |bout: &Bout| bout.outcome.p99_ms;
    against(rounds, &side.rounds, p99, |ours, nginx| ours - nginx)
}

fn verdict(rounds: &[Vec<Bout>], sides: &[Side]) -> String {
    let [held, beside, apart] = sides else {
        unreachable!("there are three sides");
    };
    let cost = |bout: &Bout| bout.cost(|shares| shares.core);
    let all_in = |side: &Side| {
        let nginx = |nginx: &Vec<Bout>| middle(nginx, |bout| bout.outcome.rate());
        let pairs = side.rounds.iter().zip(rounds);
        Spread::of(pairs.map(|(taken, round)| taken.all_in / nginx(round)))
    };
    let clicks: u64 = sides
        .iter()
        .flat_map(|side| &side.rounds)
        .map(|taken| taken.bout.answered())
        .sum();
    let taken: Vec<_> = sides.iter().flat_map(|side| &side.rounds).collect();
    format!(
        "Requests per second ÷ nginx, click appended: **{:.2}**. Target: at least {TARGET_HELD}. 99th percentile later than \
         nginx's by **{:.2}** ms. Target: at most {TARGET_P99_MS}. CPU of the core per request ÷ nginx: {:.2}.\n\n\
         With the recorder draining on the same core: **{:.2}**; aim: at least {TARGET_DRAINING}. With Postgres on wrk's \
         core: {:.2}. All included, as requests per second until the last of their clicks was recorded ÷ nginx: {:.2} and \
         {:.2}.\n\n\
         {} {clicks} redirects were answered, and each click of theirs, but for those cut off with wrk, was found recorded \
         once. {}",
        ratio(rounds, held),
        slower(rounds, held),
        against(rounds, &held.rounds, cost, |ours, nginx| ours / nginx),
        ratio(rounds, beside),
        ratio(rounds, apart),
        all_in(beside),
        all_in(apart),
        hits(&taken),
        disturbed(
            rounds
                .iter()
                .flatten()
                .chain(taken.iter().map(|taken| &taken.bout))
        ),
    )
}

fn hits(taken: &[&Taken]) -> String {
    let hits: Option<Vec<f64>> = taken.iter().map(|taken| taken.hits).collect();
    match hits {
        Some(hits) => format!(
            "Look-ups that memory answered: {:.1} %.",
            Spread::of(hits.iter().map(|part| part * 100.0))
        ),
        None => "This build has no cache of links: each redirect asked Postgres.".to_owned(),
    }
}

/// How often others got in the way.
pub(super) fn disturbed<'a>(bouts: impl Iterator<Item = &'a Bout>) -> String {
    let (mut all, mut disturbed, mut failed) = (0, 0, 0);
    for bout in bouts {
        all += 1;
        disturbed += u32::from(bout.shares.is_disturbed());
        failed += bout.outcome.failures;
    }
    format!(
        "Bouts in which others had more than 5 % of a core, although such bouts are repeated: {disturbed} of {all}.{}",
        failures::told([failed])
    )
}
