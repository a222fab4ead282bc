//! Drills: each service is killed, frozen, restarted and made anew under load, and the figures go into a table.
//! `make chaos` runs all and writes docs/chaos.md; the usual run has some of them.

use std::{
    fmt::Write as _,
    fs,
    time::{Duration, Instant},
};

use harness::{eventually, service::try_send, soak::report};
use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::{
    stack::{HEALTHY, INSTANCES, Stack, optional_setting},
    visitors::Visitors,
};

/// Clicks are recorded once the database is back and the recorder has found it.
const RECORDED: Duration = Duration::from_mins(1);

/// How long somebody stands still who is frozen: longer than a lease, shorter than a health check's patience.
const FROZEN: Duration = Duration::from_secs(5);

/// Requests on the way through an instance that ends without a word: one of each visitor, at most.
const IN_FLIGHT: usize = 4;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fault {
    /// SIGKILL from outside.
    Kill,
    /// SIGSTOP, and SIGCONT later.
    Freeze,
    /// `docker compose restart`.
    Restart,
    /// A new container, perhaps with another address.
    Recreate,
    /// The connections by which instances hear of edits end, at Postgres.
    CutListen,
}

const FAULTS: [Fault; 4] = [Fault::Kill, Fault::Freeze, Fault::Restart, Fault::Recreate];

/// Those that a visitor could notice.
const VICTIMS: [&str; 4] = ["app1", "app2", "redis", "postgres"];

/// What the usual run has time for.
const BRIEF: [(&str, Fault); 4] = [
    ("app1", Fault::Kill),
    ("redis", Fault::Freeze),
    ("postgres", Fault::Kill),
    ("postgres", Fault::CutListen),
];

/// Edits during a drill, and how often each is looked at.
const EDITS: u32 = 3;
const LOOKS: u32 = 10;

/// What a drill came to.
struct Row {
    victim: &'static str,
    fault: Fault,
    answered: u64,
    recorded: u64,
    failures: Vec<String>,
    /// Visitors who were led to where a link led before an edit that had been answered.
    stale: usize,
    recovery: Duration,
}

#[tokio::test(flavor = "multi_thread")]
async fn drills_lose_no_click_and_few_requests() {
    let page = optional_setting("CHAOS_REPORT");
    let drills: Vec<_> = if page.is_some() {
        let of = |victim| FAULTS.map(|fault| (victim, fault));
        let cut = ("postgres", Fault::CutListen);
        VICTIMS.into_iter().flat_map(of).chain([cut]).collect()
    } else {
        BRIEF.to_vec()
    };
    let stack = Stack::healthy().await;
    let mut rows = Vec::new();
    for (victim, fault) in drills {
        let row = drill(&stack, victim, fault).await;
        report(&row.line());
        rows.push(row);
    }
    if let Some(page) = page {
        fs::write(&page, text(&rows)).expect("the report can be written");
    }
    for row in rows {
        let line = row.line();
        assert!(row.recorded >= row.answered, "clicks are lost: {line}");
        // An instance that has not found the database again is not waited for, and serves what it knows: README, on what happens
        // when Postgres is away for one replica alone.
        let may_be_cut_off = row.victim == "postgres" && row.fault != Fault::CutListen;
        assert!(
            row.stale == 0 || may_be_cut_off,
            "an answered edit was not obeyed: {line}"
        );
        let most = if row.is_abrupt() { IN_FLIGHT } else { 0 };
        assert!(row.failures.len() <= most, "{line}: {:#?}", row.failures);
    }
}

/// Does one thing to one service while visitors follow a link that is known, and waits until all is as before.
async fn drill(stack: &Stack, victim: &'static str, fault: Fault) -> Row {
    let name = format!("{victim}-{fault:?}").to_lowercase();
    let email = format!("{name}@drills.example.com");
    let url = stack
        .create_url(&email, &format!("https://example.com/{name}"))
        .await;
    let code = url["short_code"].as_str().expect("a code");
    let visitors = Visitors::follow(&stack.url(&format!("/{code}")));
    stack.until_known().await;

    let since = Instant::now();
    // Who is frozen is so while links are edited; the other faults are done by then.
    let ((), (stale, looks)) = tokio::join!(befall(stack, victim, fault), edit(stack, &url));
    // A create needs an instance, the database, and whoever must hear of it.
    eventually::holds("a link can be made again", HEALTHY, async || {
        stack.can_create(&url["user_id"]).await
    })
    .await;
    let recovery = since.elapsed();
    stack.until_healthy(&[victim]).await;
    stack.until_known().await;
    let (answered, failures) = visitors.stop().await;
    let answered = answered + looks;

    let mut recorded = 0;
    let path = format!("/urls/{}/stats", url["id"]);
    _ = eventually::try_some(RECORDED, async || {
        let statistics = stack.get(&path).await.json();
        let of = |kind: &str| statistics[kind].as_u64().unwrap_or_default();
        recorded = of("clicks") + of("bots");
        (recorded >= answered).then_some(())
    })
    .await;
    Row {
        victim,
        fault,
        answered,
        recorded,
        failures,
        stale,
        recovery,
    }
}

async fn befall(stack: &Stack, victim: &str, fault: Fault) {
    match fault {
        Fault::Kill => stack.kill(victim),
        Fault::Freeze => freeze(stack, victim).await,
        Fault::Restart => _ = stack.compose(&["restart", victim]),
        Fault::Recreate => {
            let anew = [
                "up",
                "--detach",
                "--no-build",
                "--no-deps",
                "--force-recreate",
            ];
            _ = stack.compose(&[&anew[..], &[victim]].concat());
        }
        Fault::CutListen => {
            // What each of them has said last on that connection.
            let cut = "select pg_terminate_backend(pid) from pg_stat_activity \
                 where pid <> pg_backend_pid() and (query ilike 'listen%' or query like '%as answers (channel%')";
            let psql = [
                "exec",
                "--no-TTY",
                "postgres",
                "psql",
                "-U",
                "shortener",
                "-c",
                cut,
            ];
            let ended = stack.compose(&psql);
            assert!(ended.contains(" t"), "nobody listened: {ended}");
        }
    }
}

/// Has the link lead elsewhere, again and again. How many visitors were led to where it led before, after the answer to
/// the edit, and how many redirects that were.
async fn edit(stack: &Stack, url: &Value) -> (usize, u64) {
    let of_code = format!("/{}", url["short_code"].as_str().expect("a code"));
    let of_id = format!("/urls/{}", url["id"]);
    let (mut stale, mut redirects) = (0, 0);
    for round in 0..EDITS {
        let target = format!("https://example.com/round/{round}");
        eventually::holds("an edit is answered", HEALTHY, async || {
            let edit = json!({"original_url": target});
            let edit = stack.request(Method::PUT, &of_id).json(&edit);
            try_send(edit)
                .await
                .is_ok_and(|answer| answer.status == 200)
        })
        .await;
        for _ in 0..LOOKS {
            let look = stack.request(Method::GET, &of_code);
            let Ok(answer) = try_send(look).await else {
                continue;
            };
            if answer.status == 302 {
                redirects += 1;
                stale += usize::from(answer.header("location") != Some(&target));
            }
        }
    }
    (stale, redirects)
}

/// Stops every process of a service for a while.
async fn freeze(stack: &Stack, victim: &str) {
    let pids = stack.processes(victim);
    let signal = |signal| {
        for pid in pids.iter().filter_map(|pid| Pid::from_raw(*pid)) {
            // One that has ended meanwhile needs no signal.
            _ = kill_process(pid, signal);
        }
    };
    signal(Signal::STOP);
    _ = eventually::try_some::<()>(FROZEN, async || None).await;
    signal(Signal::CONT);
}

impl Row {
    /// Whether requests that were on the way are lost with whoever had them.
    fn is_abrupt(&self) -> bool {
        matches!(self.fault, Fault::Kill | Fault::Freeze) && INSTANCES.contains(&self.victim)
    }

    fn line(&self) -> String {
        let of = |part: &str| {
            self.failures
                .iter()
                .filter(|text| text.contains(part))
                .count()
        };
        let refused = self.failures.len() - of("status:");
        format!(
            "| {} | {:?} | {} | {} | {} | {} | {} | {:.1} |",
            self.victim,
            self.fault,
            self.answered,
            self.recorded,
            of("status:"),
            refused,
            self.stale,
            self.recovery.as_secs_f64()
        )
    }
}

fn text(rows: &[Row]) -> String {
    let mut text = String::from(
        "# Drills\n\n\
         Generated by `make chaos`, which does each of these to the running Compose stack while visitors follow a link that is known: SIGKILL, \
         SIGSTOP for five seconds, `docker compose restart`, a new container, and the end of the connections that listen for edits. Meanwhile the \
         link is edited three times, and looked at ten times after each answer; *stale* is what still led to the old place: an instance that has not found Postgres again goes on with what it knows, and is not waited for.\n\n\
         *Recorded* can be above *answered*: a request that nginx tried twice counts twice. *Seconds* are until a link could be made again, \
         the fault itself included.\n\n\
         | Service | Fault | Clicks answered | recorded | Requests failed by status | by connection | Stale | Seconds |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for row in rows {
        _ = writeln!(text, "{}", row.line());
    }
    text
}
