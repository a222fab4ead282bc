//! Another shortener in Rust, chhoto-url, under the same load: SQLite behind it, hits counted.

use std::path::Path;

use anyhow::{Context as _, ensure};
use harness::daemon::free_addr;
use reqwest::Method;

use super::{
    Plan, Section, Stage,
    bout::{Bout, CONNECTIONS, Rules},
    companion::{self, Companion},
    links::{self, Links},
    nginx,
    redirects::{Contestant, Form, Taken, VISITS, against, disturbed, middle},
    spread::Spread,
    traffic::Traffic,
    wrk::RequestFile,
};

const KEY: &str = "a-key-that-is-long-enough-for-a-benchmark-on-loopback-0123456789";

/// Links that are added with one request.
const BATCH: usize = 1_000;

/// It keeps a text index, so that adding links takes it long.
const LINKS: u32 = 20_000;

const TITLE: &str = "Another shortener";

pub(super) async fn measure(plan: &Plan, stage: &Stage) -> anyhow::Result<Section> {
    let Some(program) = plan
        .chhoto_url_bin
        .as_deref()
        .filter(|program| program.is_file())
    else {
        println!("\npeer: left out, since CHHOTO_URL_BIN names no program");
        return Ok(left_out());
    };
    let links = Links {
        count: LINKS.min(plan.urls),
    };
    println!(
        "\npeer: chhoto-url, {} links, {} s a bout",
        links.count, plan.seconds
    );
    let nginx = nginx::start(stage.cores.server, links::TARGET)?;
    let mut contestant = Contestant::prepare(stage, links).await?;
    let peer = start(stage, program)?;
    load(&peer, links).await?;
    let traffic = Traffic::new(links.count as usize);
    let visits = RequestFile::write(links::visits(links, &traffic, VISITS, 7))?;
    let rules = Rules::new(plan, stage, &visits);
    let core = stage.cores.server;
    let (mut nginxes, mut ours, mut peers) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        let all = [contestant.service.pid(), stage.postmaster, peer.process];
        let mut round = vec![rules.fight_other("nginx", &nginx, core, &all).await?];
        let form = Form::Draining(core);
        let taken = contestant
            .fight(stage, rules, form, &[nginx.process, peer.process])
            .await?;
        taken.bout.say("shortener");
        ours.push(taken);
        round.push(rules.fight_other("nginx", &nginx, core, &all).await?);
        let idle = [contestant.service.pid(), stage.postmaster, nginx.process];
        peers.push(rules.fight_other("chhoto-url", &peer, core, &idle).await?);
        round.push(rules.fight_other("nginx", &nginx, core, &all).await?);
        nginxes.push(round);
    }
    Ok(section(links, &nginxes, &ours, &peers))
}

fn left_out() -> Section {
    Section {
        title: TITLE,
        about: "chhoto-url (MIT, Rust, SQLite) was left out: `CHHOTO_URL_BIN` names no program. To take part, it is built from its\n\
            public source by `cargo build --release`."
            .to_owned(),
        header: Vec::new(),
        rows: Vec::new(),
        verdict: String::new(),
    }
}

fn section(links: Links, nginxes: &[Vec<Bout>], ours: &[Taken], peers: &[Bout]) -> Section {
    let ratio = Spread::of(
        peers
            .iter()
            .zip(nginxes)
            .map(|(peer, round)| peer.outcome.rate() / middle(round, |bout| bout.outcome.rate())),
    );
    let rate = |bout: &Bout| bout.outcome.rate();
    let own = against(nginxes, ours, rate, |ours, nginx| ours / nginx);
    let ours: Vec<_> = ours.iter().map(|taken| taken.bout).collect();
    let row = |name: &str, bouts: &[Bout], ratio: &str| {
        let of = |figure: fn(&Bout) -> f64| Spread::of(bouts.iter().map(figure));
        vec![
            name.to_owned(),
            format!("{:.0}", of(|bout| bout.outcome.rate())),
            ratio.to_owned(),
            format!("{:.2}", of(|bout| bout.outcome.median_ms)),
            format!("{:.2}", of(|bout| bout.outcome.p99_ms)),
            format!("{:.1}", of(|bout| bout.cost(|shares| shares.core))),
            format!("{:.1}", of(|bout| bout.cost(|shares| shares.server))),
        ]
    };
    let nginxes: Vec<_> = nginxes.iter().flatten().copied().collect();
    Section {
        title: TITLE,
        about: format!(
            "chhoto-url (MIT, Rust, SQLite), built from its public source, with its write-ahead log switched on and redirects by\n\
             307, on the service's core under the same load: {} links, {CONNECTIONS} connections. The service records its clicks into\n\
             Postgres on the same core meanwhile; chhoto-url adds up hits.",
            links.count
        ),
        header: vec![
            "what",
            "requests per second",
            "÷ nginx",
            "p50, ms",
            "p99, ms",
            "CPU per request, µs: the core's",
            "the server's own",
        ],
        rows: vec![
            row("nginx `return 302`", &nginxes, "–"),
            row("shortener, recorder draining", &ours, &format!("{own:.2}")),
            row("chhoto-url", peers, &format!("{ratio:.2}")),
        ],
        verdict: disturbed(nginxes.iter().chain(&ours).chain(peers)),
    }
}

fn start(stage: &Stage, program: &Path) -> anyhow::Result<Companion> {
    let folder = companion::folder()?;
    let addr = free_addr();
    let program = std::path::absolute(program)?;
    let program = program.to_str().context("its path is no text")?.to_owned();
    let variables = [
        ("CHHOTO_LISTEN_ADDRESS", addr.ip().to_string()),
        ("CHHOTO_LISTEN_PORT", addr.port().to_string()),
        (
            "CHHOTO_DB_URL",
            folder.path().join("urls.sqlite").display().to_string(),
        ),
        ("CHHOTO_API_KEY", KEY.to_owned()),
        ("CHHOTO_REDIRECT_METHOD", "TEMPORARY".to_owned()),
        ("CHHOTO_ALLOW_CAPITAL_LETTERS", "True".to_owned()),
        ("CHHOTO_SQLITE_USE_WAL_MODE", "True".to_owned()),
        ("CHHOTO_DISABLE_FRONTEND", "True".to_owned()),
    ];
    Companion::start(stage.cores.server, folder, addr, &[program], &variables)
}

async fn load(peer: &Companion, links: Links) -> anyhow::Result<()> {
    let http = harness::service::client();
    let ids: Vec<u32> = (1..=links.count).collect();
    for ids in ids.chunks(BATCH) {
        let rows: Vec<_> = ids
            .iter()
            .map(|id| {
                let (code, url) = (links::code(*id), links::original_url(*id));
                format!(r#"{{"shortlink":"{code}","longlink":"{url}"}}"#)
            })
            .collect();
        let request = http
            .request(Method::POST, format!("http://{}/api/new", peer.addr))
            .header("X-API-Key", KEY)
            .body(format!("[{}]", rows.join(",")));
        let answer = harness::service::try_send(request).await?;
        ensure!(
            answer.status == 200 && !answer.text().contains("\"success\":false"),
            "chhoto-url: {answer:?}"
        );
    }
    Ok(())
}
