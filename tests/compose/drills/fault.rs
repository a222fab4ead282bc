//! What can befall a service, and that it does.

use std::time::{Duration, Instant};

use harness::eventually;
use rustix::process::{Pid, Signal, kill_process};

use super::{
    Prepared,
    alert::{Alert, Firing},
    docker::{of_project, psql},
    editor::Editor,
};
use crate::stack::{Stack, is_brief};

/// How long somebody stands still who is frozen, and a disk is full: longer than a lease, shorter than the patience of
/// a health check.
const A_WHILE: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    /// SIGKILL from outside.
    Kill,
    /// SIGSTOP, and SIGCONT later.
    Freeze,
    /// `docker compose restart`.
    Restart,
    /// A new container, perhaps with another address.
    Recreate,
    /// SIGHUP, by which nginx reads its configuration again.
    Reload,
    /// `docker compose stop`, and `start` once somebody has been told.
    Stop,
    /// The connections by which instances hear of edits end, at Postgres.
    CutListen,
    /// The disk of an instance's journal is full.
    FillDisk,
    /// The primary is killed, and a standby takes over that lags behind.
    FailOver,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drill {
    pub victim: &'static str,
    pub fault: Fault,
}

impl Drill {
    /// As DRILLS names it.
    pub(super) fn name(self) -> String {
        format!("{}-{:?}", self.victim, self.fault).to_lowercase()
    }
}

/// What happened, and when.
pub(super) struct Befallen {
    pub began: Instant,
    /// From then on nothing is done but waiting.
    pub ended: Instant,
    /// Who was told of it, if it lasted long enough for that.
    pub alert: Option<Firing>,
}

/// All of them. The instances are alike, so that one of them has most of it.
pub(super) fn every_drill() -> Vec<Drill> {
    let services = [
        "app1",
        "redis",
        "postgres",
        "nginx",
        "prometheus",
        "alertmanager",
        "grafana",
    ];
    let faults = [Fault::Kill, Fault::Freeze, Fault::Restart, Fault::Recreate];
    let of = |victim| faults.map(|fault| Drill { victim, fault });
    let others = [
        ("app2", Fault::Kill),
        ("nginx", Fault::Reload),
        ("postgres", Fault::CutListen),
        ("app1", Fault::FillDisk),
        ("app2", Fault::Stop),
        ("redis", Fault::Stop),
        ("postgres", Fault::Stop),
        // The last one, since the primary is lost.
        ("postgres", Fault::FailOver),
    ];
    let others = others.map(|(victim, fault)| Drill { victim, fault });
    services.into_iter().flat_map(of).chain(others).collect()
}

/// What the usual run has time for, and the brief one.
pub(super) fn a_few_drills() -> Vec<Drill> {
    let few = [
        ("app1", Fault::Kill),
        ("postgres", Fault::CutListen),
        ("nginx", Fault::Reload),
        ("redis", Fault::Freeze),
        ("postgres", Fault::Kill),
        ("app1", Fault::FillDisk),
        ("postgres", Fault::FailOver),
    ];
    let few = few.map(|(victim, fault)| Drill { victim, fault });
    let time_for = if is_brief() { 2 } else { few.len() };
    few[..time_for].to_vec()
}

/// Those with one of these words in their names.
pub(super) fn drills_of(words: &str) -> Vec<Drill> {
    let mut drills = every_drill();
    drills.retain(|drill| words.split(' ').any(|word| drill.name().contains(word)));
    assert!(!drills.is_empty(), "no drill has a name like {words}");
    drills
}

/// Has it happen, and mends what does not mend itself: a frozen process, a full disk, a service that was stopped.
pub(super) async fn befall(
    stack: &Stack,
    drill: Drill,
    prepared: &Prepared,
    editor: &Editor,
) -> Befallen {
    let Drill { victim, fault } = drill;
    let mut began = Instant::now();
    let mut alert = None;
    match fault {
        Fault::Kill => stack.kill(victim),
        Fault::Freeze => {
            let pids = stack.processes(victim);
            signal(&pids, Signal::STOP);
            a_while().await;
            signal(&pids, Signal::CONT);
        }
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
        Fault::Reload => {
            let pid = stack.inspect(victim, "{{.State.Pid}}");
            signal(&[pid.parse().expect("a number")], Signal::HUP);
        }
        Fault::Stop => {
            stack.compose(&["stop", victim]);
            let firing = Alert::of(victim).until_firing(began).await;
            stack.compose(&["start", victim]);
            alert = Some(firing.mended());
        }
        Fault::CutListen => {
            // What each of them has said last on that connection.
            let cut = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
                 where pid <> pg_backend_pid() and (query ilike 'listen%' or query like '%as answers (channel%')";
            assert_ne!(
                psql(&of_project('-', "postgres-1"), cut),
                "0",
                "nobody listened"
            );
        }
        Fault::FillDisk => {
            let disk = prepared.disk.as_ref().expect("there is a small one");
            disk.fill();
            a_while().await;
            disk.free();
        }
        Fault::FailOver => {
            let standby = prepared.standby.as_ref().expect("there is one");
            // An edit that the standby never got is undone by the fail-over: whoever wants none of that replicates synchronously.
            let nobody_edits = editor.hold().await;
            standby.fall_behind().await;
            began = Instant::now();
            stack.compose(&["kill", victim]);
            standby.take_over();
            drop(nobody_edits);
        }
    }
    Befallen {
        began,
        ended: Instant::now(),
        alert,
    }
}

fn signal(pids: &[i32], signal: Signal) {
    for pid in pids.iter().filter_map(|pid| Pid::from_raw(*pid)) {
        // One that has ended meanwhile needs no signal.
        _ = kill_process(pid, signal);
    }
}

async fn a_while() {
    _ = eventually::try_some::<()>(A_WHILE, async || None).await;
}
