//! Drills: parts of a cluster are deleted, starved, stopped and cut off while visitors follow a link, and the figures go into a table.
//! What ends in peace fails nobody. What ends without a word fails those who were on the way to it, until traffic avoids it.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use harness::{
    eventually,
    kubernetes::kind::{DEPLOYMENT, POD, URL_SHORTENER},
    soak::report,
};
use serde_json::{Value, json};

use crate::{
    cluster::{Cluster, PATIENCE, is_ready, living_pods, pass, text},
    fault::{self, KEDA, PROMETHEUS},
    installation::{APP, Installation, Link, NAME},
    reports,
    visitors::{Visitors, Visits},
};

const NAMESPACE: &str = "e2e-drills";

/// Visitors a second, and how many of them a replica is to answer.
const RATE: u32 = 25;
const PER_REPLICA: u32 = 10;
const REPLICAS: u64 = 3;
const LONG_ENOUGH: u64 = 1800;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fault {
    PodDeleted,
    PodOutOfMemory,
    RedisDeleted,
    PostgresDeleted,
    PrometheusAway,
    KedaAway,
    ApiServerAway,
    NodeDrained,
    NodeCutOff,
}

const FAULTS: [Fault; 9] = [
    Fault::PodDeleted,
    Fault::PodOutOfMemory,
    Fault::RedisDeleted,
    Fault::PostgresDeleted,
    Fault::PrometheusAway,
    Fault::KedaAway,
    Fault::ApiServerAway,
    Fault::NodeDrained,
    Fault::NodeCutOff,
];

/// What a drill came to.
struct Row {
    fault: Fault,
    visits: Visits,
    recorded: u64,
    /// The fewest replicas that were wanted meanwhile.
    fewest: u64,
    recovery: Duration,
}

/// `E2E_DRILLS` names some of them, such as `NodeDrained PodDeleted`; all are done without.
#[expect(
    clippy::disallowed_methods,
    reason = "which drills are done belongs to the run, not to a test"
)]
fn is_picked(fault: Fault) -> bool {
    let picked = std::env::var("E2E_DRILLS").unwrap_or_default();
    let mut picked = picked.split_whitespace().peekable();
    picked.peek().is_none() || picked.any(|name| name == format!("{fault:?}"))
}

impl Fault {
    const fn name(self) -> &'static str {
        match self {
            Self::PodDeleted => "a pod of the service deleted",
            Self::PodOutOfMemory => "a pod of the service out of memory",
            Self::RedisDeleted => "Redis deleted",
            Self::PostgresDeleted => "Postgres deleted, its volume stays",
            Self::PrometheusAway => "Prometheus away for 90 s",
            Self::KedaAway => "KEDA away for 60 s",
            Self::ApiServerAway => "API server away for 120 s",
            Self::NodeDrained => "a node drained",
            Self::NodeCutOff => "a node's cable cut for 90 s",
        }
    }

    /// For how long visitors may still be sent to what has ended without a word, in seconds.
    const fn unnoticed(self) -> u32 {
        match self {
            // The kubelet sees that a container has ended, and the proxies hear of it.
            Self::PodOutOfMemory => 5,
            // Nodes are given up after 50 s, by default; and the proxies hear of it.
            Self::NodeCutOff => 60,
            _ => 0,
        }
    }

    /// Whether no client of a cluster can do it.
    const fn is_of_the_machine(self) -> bool {
        matches!(
            self,
            Self::PodOutOfMemory | Self::ApiServerAway | Self::NodeCutOff
        )
    }
}

fn spec() -> Value {
    json!({
        "version": "0.1.0",
        "scaling": {"type": "Autoscaled", "autoscaled": {
            "minReplicas": 2, "maxReplicas": 4,
            "target": {"type": "RequestRate", "requestRate": {"perReplica": PER_REPLICA}},
            "fallback": {"replicas": 2, "behavior": "CurrentIfHigher"},
            "scaleDown": {"stabilizationSeconds": 30},
            "prometheus": {"serverAddress": "http://prometheus.monitoring:9090"},
        }},
        "app": {"resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "160Mi"}}},
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_click_is_lost_and_no_peaceful_end_fails_a_visitor() {
    let cluster = Cluster::with_operator().await;
    let installation = Installation::with(&cluster, NAMESPACE, spec()).await;
    installation.ask_from(&home(&installation).await).await;
    let mut rows = Vec::new();
    let mut last: Option<Drill<'_>> = None;
    for fault in FAULTS.into_iter().filter(|fault| is_picked(*fault)) {
        if fault.is_of_the_machine() && !fault::is_possible() {
            report(&format!(
                "left out, since E2E_FAULT names nothing that could do it: {}",
                fault.name()
            ));
            continue;
        }
        // Those of the last one go when these are there: a rate that falls in between would itself take replicas away.
        let home = home(&installation).await;
        let (link, visitors) = come(&installation, fault, &home).await;
        if let Some(drill) = last.take() {
            rows.push(drill.end(&installation).await);
            write(&rows);
        }
        last = Some(Drill::of(&installation, fault, &home, link, visitors).await);
    }
    rows.push(last.expect("there are faults").end(&installation).await);
    write(&rows);
    for row in rows {
        let line = row.line();
        let (answered, sent) = (row.visits.answered, row.visits.sent);
        assert!(row.recorded >= answered, "clicks are lost: {line}");
        assert!(row.recorded <= sent, "clicks are counted twice: {line}");
        let most = u64::from(RATE * row.fault.unnoticed());
        assert!(
            row.visits.failures() <= most,
            "at most {most} may fail: {line}"
        );
        assert!(row.fewest >= REPLICAS, "replicas were taken away: {line}");
    }
}

/// Has visitors come to a link of their own.
async fn come<'a>(
    installation: &'a Installation<'a>,
    fault: Fault,
    home: &str,
) -> (Link, Visitors<'a>) {
    let link = installation
        .make_link(&format!("https://example.com/{fault:?}"))
        .await;
    let visitors = Visitors::follow(installation, &link, &[(RATE, LONG_ENOUGH)], Some(home)).await;
    (link, visitors)
}

/// A drill that has been, and whose visitors still come.
struct Drill<'a> {
    fault: Fault,
    link: Link,
    visitors: Visitors<'a>,
    fewest: u64,
    recovery: Duration,
}

impl<'a> Drill<'a> {
    async fn of(
        installation: &'a Installation<'a>,
        fault: Fault,
        home: &str,
        link: Link,
        visitors: Visitors<'a>,
    ) -> Self {
        ready(installation).await;
        if fault == Fault::NodeCutOff {
            // Who reaches nobody is not counted, and who is cut off not scraped: until the node is given up, the rate is less.
            let patient = json!({"stabilizationSeconds": 2 * Fault::NodeCutOff.unnoticed()});
            let spec = json!({"scaling": {"autoscaled": {"scaleDown": patient}}});
            installation.change(spec).await;
        }
        if matches!(fault, Fault::NodeDrained | Fault::NodeCutOff) {
            let away = installation.cluster.other_node(home).await;
            until_one_is_on(installation, &away).await;
        }
        until_known(installation, &link).await;

        let since = Instant::now();
        let fewest = befall(installation, fault, home).await;
        ready(installation).await;
        // A create needs a replica, the database, and whoever must hear of it.
        eventually::holds("a link can be made again", PATIENCE, async || {
            installation
                .try_make_link("https://example.com/again")
                .await
                .is_some()
        })
        .await;
        let recovery = since.elapsed();
        installation.settles().await;
        Self {
            fault,
            link,
            visitors,
            fewest,
            recovery,
        }
    }

    async fn end(self, installation: &Installation<'_>) -> Row {
        let visits = self.visitors.stop().await;
        let recorded = installation.recorded_at_least(&self.link, visits.answered);
        let row = Row {
            fault: self.fault,
            recorded: recorded.await,
            visits,
            fewest: self.fewest,
            recovery: self.recovery,
        };
        report(&row.line());
        row
    }
}

/// Does it, waits until it has been, and returns the fewest replicas that were wanted meanwhile.
async fn befall(installation: &Installation<'_>, fault: Fault, home: &str) -> u64 {
    let cluster = installation.cluster;
    let away = cluster.other_node(home).await;
    match fault {
        Fault::PodDeleted => delete(installation, &first(installation, APP).await).await,
        Fault::PodOutOfMemory => starve(installation, &first(installation, APP).await).await,
        Fault::RedisDeleted => {
            delete(installation, &first(installation, &part("cache")).await).await;
        }
        Fault::PostgresDeleted => {
            delete(installation, &first(installation, &part("database")).await).await;
        }
        Fault::PrometheusAway => {
            return while_away(installation, &PROMETHEUS, Duration::from_secs(90)).await;
        }
        Fault::KedaAway => return while_away(installation, &KEDA, Duration::from_mins(1)).await,
        Fault::ApiServerAway => {
            fault::run(&["api-server-down"]);
            pass(Duration::from_mins(2)).await;
            fault::run(&["api-server-up"]);
            eventually::holds("the API server answers", PATIENCE, async || {
                installation.api.answers("/readyz").await
            })
            .await;
        }
        Fault::NodeDrained => {
            let drain = [
                "drain",
                &away,
                "--ignore-daemonsets",
                "--delete-emptydir-data",
                "--force",
                "--timeout=180s",
            ];
            cluster.kubectl(&drain).await;
            ready(installation).await;
            cluster.kubectl(&["uncordon", &away]).await;
        }
        Fault::NodeCutOff => {
            fault::run(&["cut", &away]);
            pass(Duration::from_secs(90)).await;
            fault::run(&["mend", &away]);
            cluster
                .kubectl(&[
                    "wait",
                    "--for=condition=Ready",
                    "--timeout=120s",
                    &format!("node/{away}"),
                ])
                .await;
        }
    }
    wanted(installation).await
}

/// Takes Deployments of others away for a while; the fewest replicas of ours that were wanted meanwhile.
async fn while_away(
    installation: &Installation<'_>,
    whom: &fault::Deployments,
    time: Duration,
) -> u64 {
    let mut fewest = u64::MAX;
    whom.scale(installation.cluster, 0).await;
    let since = Instant::now();
    while since.elapsed() < time {
        fewest = fewest.min(wanted(installation).await);
        pass(Duration::from_secs(1)).await;
    }
    whom.scale(installation.cluster, 1).await;
    fewest.min(wanted(installation).await)
}

async fn wanted(installation: &Installation<'_>) -> u64 {
    let deployment = installation.api.get(DEPLOYMENT, NAME).await;
    deployment["spec"]["replicas"].as_u64().unwrap_or_default()
}

fn part(component: &str) -> String {
    format!("app.kubernetes.io/instance={NAME},app.kubernetes.io/component={component}")
}

/// A pod of those with these labels.
async fn first(installation: &Installation<'_>, labels: &str) -> Value {
    let mut pods = living_pods(&installation.api, labels).await;
    assert!(!pods.is_empty(), "no pod is {labels}");
    pods.remove(0)
}

/// The node of the database, on which visitors are, too: another one is broken.
async fn home(installation: &Installation<'_>) -> String {
    let pod = first(installation, &part("database")).await;
    text(&pod["spec"]["nodeName"], "a node").to_owned()
}

/// Deletes a pod, as an eviction does, and waits until it is gone.
async fn delete(installation: &Installation<'_>, pod: &Value) {
    let name = text(&pod["metadata"]["name"], "a name");
    let namespace = installation.api.namespace();
    installation
        .cluster
        .kubectl(&["delete", "pod", "-n", namespace, name, "--wait"])
        .await;
}

/// Has the kernel end the service for want of memory.
async fn starve(installation: &Installation<'_>, pod: &Value) {
    let name = text(&pod["metadata"]["name"], "a name");
    let container = &pod["status"]["containerStatuses"][0]["containerID"];
    let container = text(container, "a container").trim_start_matches("containerd://");
    fault::run(&[
        "starve",
        text(&pod["spec"]["nodeName"], "a node"),
        container,
    ]);
    eventually::holds("the kernel has ended the service", PATIENCE, async || {
        let pod = installation.api.get(POD, name).await;
        let last = &pod["status"]["containerStatuses"][0]["lastState"]["terminated"];
        last["reason"] == "OOMKilled"
    })
    .await;
}

/// Waits until as many replicas are ready as the rate asks for, on pods that are not going.
async fn ready(installation: &Installation<'_>) {
    let patience = 2 * PATIENCE;
    let holds = eventually::try_some(patience, async || {
        let pods = living_pods(&installation.api, APP).await;
        let ready = pods.iter().filter(|pod| is_ready(pod)).count();
        (ready as u64 >= REPLICAS && wanted(installation).await >= REPLICAS).then_some(())
    });
    if holds.await.is_none() {
        let pods = installation
            .cluster
            .kubectl(&["get", "pods,hpa,scaledobject", "-A", "-o", "wide"])
            .await;
        let status = installation.api.get(URL_SHORTENER, NAME).await;
        panic!(
            "{REPLICAS} replicas are not ready within {patience:?}:\n{pods}\n{}",
            status["status"]
        );
    }
}

/// Has a replica on a node that is going to be broken: after earlier drills all may be on the other.
async fn until_one_is_on(installation: &Installation<'_>, node: &str) {
    let what = format!("a replica is on {node}");
    eventually::holds(&what, PATIENCE, async || {
        let pods = living_pods(&installation.api, APP).await;
        let is_there = pods.iter().any(|pod| pod["spec"]["nodeName"] == node);
        if !is_there {
            // The one that comes in its place is put where there is none.
            delete(installation, &pods[0]).await;
            ready(installation).await;
        }
        is_there
    })
    .await;
}

/// Waits until every replica has the link in its cache: each has answered for it often enough.
async fn until_known(installation: &Installation<'_>, link: &Link) {
    eventually::holds("every replica knows the link", PATIENCE, async || {
        let recorded = installation.recorded(link).await;
        recorded >= Some(u64::from(RATE) * 4)
    })
    .await;
}

impl Row {
    fn line(&self) -> String {
        let failed: Vec<_> = self
            .visits
            .failed
            .iter()
            .map(|(how, count)| format!("{count} {how}"))
            .collect();
        let failed = if failed.is_empty() {
            "0".to_owned()
        } else {
            failed.join(", ")
        };
        format!(
            "| {} | {} | {} | {} | {} | {failed} | {} | {:.0} |",
            self.fault.name(),
            self.visits.sent,
            self.visits.again,
            self.visits.answered,
            self.recorded,
            self.fewest,
            self.recovery.as_secs_f64()
        )
    }
}

fn write(rows: &[Row]) {
    let mut text = format!(
        "# Drills in a cluster\n\n\
         Each was done to two nodes while {RATE} visitors a second followed a link that was known, half of them with a connection of their own. \
         *Again* are requests that were sent once more, since a connection that had been kept open was closed, as browsers do (RFC 9112, 9.3.1). \
         *Seconds* are until {REPLICAS} replicas were ready and a link could be made again, the fault itself included. A visitor who is \
         sent to what has ended without a word fails, until the kubelet or the node's silence is noticed.\n\n\
         | What happened | Visits | of them again | answered | recorded | failed | fewest replicas wanted | Seconds |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- |\n"
    );
    for row in rows {
        _ = writeln!(text, "{}", row.line());
    }
    reports::write("drills.md", &text);
}
