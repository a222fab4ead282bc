//! Scaled by the rate of requests: Prometheus counts them, KEDA asks for the rate, its autoscaler decides, pods come and go. Each link of
//! that chain is looked at, and no visitor may notice.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chrono::DateTime;
use harness::{
    kubernetes::{
        api::Api,
        kind::{DEPLOYMENT, HORIZONTAL_POD_AUTOSCALER},
    },
    soak::report,
    timeline::{Mark, Moment, Timeline, csv},
};
use serde_json::{Value, json};

use crate::{
    cluster::{Cluster, PATIENCE, is_ready, living_pods, pass, text},
    installation::{APP, Installation, NAME},
    reports,
    visitors::{Visitors, Visits},
};

const NAMESPACE: &str = "e2e-scale";

/// Requests a second that a replica is to answer: few, so that a small machine can bring many.
const PER_REPLICA: u32 = 20;
const FEWEST: u32 = 2;
const MOST: u32 = 6;

/// A quarter of the load, the load, and what is left when it has gone.
const CALM: u32 = 25;
const BUSY: u32 = 100;
const QUIET: u32 = 5;
const STEPS: [(u32, u64); 3] = [(CALM, 100), (BUSY, 140), (QUIET, 240)];

/// Of `BUSY`, shared out at `PER_REPLICA`.
const WANTED: f64 = 5.0;

const STABILIZATION: Duration = Duration::from_secs(30);

/// The service's metrics are read every 5 s here, the rate is that of a minute, and the autoscaler looks every 15 s. A pod has to be
/// scheduled, started and probed, beside everything else on this machine.
const CHAIN: Duration = Duration::from_secs(5 + 60 + 2 * 15 + 60);

/// From one look to the next. Every look asks half a dozen things.
const LOOK: Duration = Duration::from_secs(2);

const TITLE: &str = "Load by rate, scaled by KEDA";

fn spec() -> Value {
    json!({
        "version": "0.1.0",
        "scaling": {"type": "Autoscaled", "autoscaled": {
            "minReplicas": FEWEST, "maxReplicas": MOST,
            "target": {"type": "RequestRate", "requestRate": {"perReplica": PER_REPLICA}},
            "fallback": {"replicas": 3, "behavior": "CurrentIfHigher"},
            "scaleDown": {"stabilizationSeconds": STABILIZATION.as_secs()},
            "prometheus": {"serverAddress": "http://prometheus.monitoring:9090"},
        }},
        "app": {"resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "192Mi"}}},
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_follow_the_rate_and_no_visitor_notices() {
    let cluster = Cluster::with_operator().await;
    let installation = Installation::with(&cluster, NAMESPACE, spec()).await;
    let link = installation.make_link("https://example.com/scale").await;
    let visitors = Visitors::follow(&installation, &link, &STEPS, None).await;
    let mut watch = Watch::new(&installation).await;

    begins_calm(&mut watch).await;
    let calm = now();
    scales_out(&mut watch, &visitors).await;
    scales_in(&mut watch, &visitors).await;

    let visits = visitors.stop().await;
    let limit = connection_limit(&installation).await;
    let (moments, marks) = watch.with(&visits);
    let about = format!(
        "A replica is to answer {PER_REPLICA} requests a second. {} requests, {} failed. The database takes {limit} connections.",
        visits.sent,
        visits.failures()
    );
    let picture = reports::timeline(
        "scaling",
        &Timeline {
            title: TITLE,
            about: &about,
            moments: &moments,
            marks: &marks,
        },
    );
    report(&format!("the timeline is {}", picture.display()));
    reports::write("scaling.csv", &csv(&moments, calm));
    assert!(
        visits.failed.is_empty(),
        "failed redirects: {:?}",
        visits.failed
    );
    let most = moments
        .iter()
        .filter_map(|at| at.connections)
        .fold(0.0, f64::max);
    assert!(
        most > 0.0 && most < limit,
        "{most} connections of at most {limit}"
    );
    installation.every_click_is_recorded(&link, &visits).await;
}

/// Each link of the chain works, and wants nothing yet.
async fn begins_calm(watch: &mut Watch<'_>) {
    watch
        .until("Prometheus reads each replica", PATIENCE, |now| {
            now.scraped.is_some() && now.scraped == now.ready
        })
        .await;
    watch
        .until("Prometheus counts who comes", PATIENCE, |now| {
            is_about(now.counted, CALM)
        })
        .await;
    watch
        .until(
            "the autoscaler is KEDA's, and wants the fewest",
            PATIENCE,
            |now| now.wanted == Some(f64::from(FEWEST)) && now.ready == now.wanted,
        )
        .await;
}

/// Each link of the chain follows the step, which comes when the visitors' first is done; their log says when.
async fn scales_out(watch: &mut Watch<'_>, visitors: &Visitors<'_>) {
    let step = until_rate(watch, visitors, BUSY).await;
    watch.mark(step, format!("load ×{}", BUSY / CALM));
    watch
        .until("Prometheus counts more", CHAIN, |now| {
            now.counted > Some(f64::from(3 * CALM))
        })
        .await;
    watch
        .until("the autoscaler wants more", CHAIN, |now| {
            now.wanted >= Some(WANTED)
        })
        .await;
    watch
        .until("as many are ready", CHAIN, |now| now.ready >= Some(WANTED))
        .await;
    let out = now() - step;
    watch.mark(now(), format!("{WANTED} replicas ready, {out:.0} s later"));
    let start = slowest_start(&watch.installation.api, step).await;
    report(&format!(
        "load ×{}: scaled out after {out:.0} s; the slowest pod was ready {start:.0} s after its creation",
        BUSY / CALM
    ));
    assert!(out <= CHAIN.as_secs_f64(), "scaled out after {out:.0} s");
    watch
        .until("Prometheus reads them all", PATIENCE, |now| {
            now.scraped >= Some(WANTED)
        })
        .await;
}

/// Of the pods that have come since a second: how many seconds one took at most from its creation until it was ready.
async fn slowest_start(api: &Api, since: f64) -> f64 {
    let second = |time: &Value| {
        let time = DateTime::parse_from_rfc3339(text(time, "a time")).expect("it is a time");
        Duration::from_secs(time.timestamp().try_into().expect("it is after 1970")).as_secs_f64()
    };
    let pods = living_pods(api, APP).await;
    let pods = pods.iter().filter(|pod| is_ready(pod)).map(|pod| {
        let conditions = pod["status"]["conditions"].as_array().expect("it has some");
        let ready = conditions
            .iter()
            .find(|condition| condition["type"] == "Ready");
        let ready = &ready.expect("it is ready")["lastTransitionTime"];
        (second(&pod["metadata"]["creationTimestamp"]), second(ready))
    });
    let came = pods.filter(|(created, _)| *created >= since);
    came.map(|(created, ready)| ready - created)
        .fold(0.0, f64::max)
}

/// The load goes, and so do the replicas, once fewer have been enough for long.
async fn scales_in(watch: &mut Watch<'_>, visitors: &Visitors<'_>) {
    let gone = until_rate(watch, visitors, QUIET).await;
    watch.mark(gone, format!("load ÷{}", BUSY / QUIET));
    let patience = CHAIN + STABILIZATION;
    watch
        .until("the fewest are left", patience, |now| {
            now.ready == Some(f64::from(FEWEST))
        })
        .await;
    let back = now() - gone;
    watch.mark(now(), format!("{FEWEST} replicas, {back:.0} s later"));
    report(&format!(
        "load ÷{}: back in after {back:.0} s",
        BUSY / QUIET
    ));
}

/// Waits until visitors come at this rate, and returns the second since which they do.
async fn until_rate(watch: &mut Watch<'_>, visitors: &Visitors<'_>, rate: u32) -> f64 {
    let what = format!("{rate} visitors a second come");
    let deadline = Instant::now() + Duration::from_mins(5);
    loop {
        watch.look().await;
        let visits = visitors.so_far().await;
        let since = visits.iter().flat_map(|visits| &visits.seconds);
        let mut since = since.filter(|second| (second.rate - f64::from(rate)).abs() < 0.5);
        if let Some(first) = since.next() {
            return first.at;
        }
        assert!(Instant::now() < deadline, "not in time: {what}");
        pass(LOOK).await;
    }
}

fn is_about(value: Option<f64>, wanted: u32) -> bool {
    value.is_some_and(|value| (value / f64::from(wanted) - 1.0).abs() < 0.15)
}

fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

/// Who looks at every link of the chain, again and again.
struct Watch<'a> {
    installation: &'a Installation<'a>,
    moments: Vec<Moment>,
    marks: Vec<Mark>,
}

impl<'a> Watch<'a> {
    async fn new(installation: &'a Installation<'a>) -> Self {
        let mut watch = Self {
            installation,
            moments: Vec::new(),
            marks: Vec::new(),
        };
        watch.look().await;
        watch
    }

    async fn look(&mut self) -> &Moment {
        let (api, cluster) = (&self.installation.api, self.installation.cluster);
        let counted = format!(
            r#"sum(rate(shortener_http_requests_total{{namespace="{NAMESPACE}",service="{NAME}"}}[60s]))"#
        );
        let scraped = format!(r#"count(up{{job="shortener",namespace="{NAMESPACE}"}} == 1)"#);
        let autoscaler = format!("keda-hpa-{NAME}");
        let autoscaler = api.find(HORIZONTAL_POD_AUTOSCALER, &autoscaler).await;
        let deployment = api.get(DEPLOYMENT, NAME).await;
        self.moments.push(Moment {
            at: now(),
            counted: cluster.prometheus(&counted).await,
            // None before it has looked for the first time.
            wanted: autoscaler
                .and_then(|found| found["status"]["desiredReplicas"].as_f64())
                .filter(|wanted| *wanted > 0.0),
            ready: Some(
                deployment["status"]["readyReplicas"]
                    .as_f64()
                    .unwrap_or_default(),
            ),
            scraped: cluster.prometheus(&scraped).await,
            connections: connections(self.installation).await,
            ..Moment::default()
        });
        self.moments.last().expect("one was pushed")
    }

    /// Remembers that something happened at a second.
    fn mark(&mut self, at: f64, what: String) {
        self.marks.push(Mark { at, what });
    }

    /// Looks until it is so.
    async fn until(&mut self, what: &str, patience: Duration, is_so: impl Fn(&Moment) -> bool) {
        let since = Instant::now();
        while !is_so(self.look().await) {
            if since.elapsed() >= patience {
                let timeline = Timeline {
                    title: TITLE,
                    about: &format!("It did not go on: {what}."),
                    moments: &self.moments,
                    marks: &self.marks,
                };
                reports::timeline("scaling", &timeline);
                let last = self.moments.last();
                panic!("not within {patience:?}: {what}; last seen: {last:?}");
            }
            pass(LOOK).await;
        }
        report(&format!("{what}: {:.0} s", since.elapsed().as_secs_f64()));
    }

    /// All moments, with what the visitors met in them, and all marks.
    fn with(self, visits: &Visits) -> (Vec<Moment>, Vec<Mark>) {
        let mut moments = self.moments;
        let mut seconds = visits.seconds.iter().peekable();
        let mut rate = None;
        for moment in &mut moments {
            while let Some(second) = seconds.next_if(|second| second.at <= moment.at) {
                rate = Some(second.rate);
                moment.p99 = Some(moment.p99.unwrap_or_default().max(second.p99));
                #[expect(clippy::cast_precision_loss, reason = "requests of a second are few")]
                let failed = second.failed as f64;
                moment.failed += failed;
            }
            moment.came = rate;
        }
        (moments, self.marks)
    }
}

async fn connections(installation: &Installation<'_>) -> Option<f64> {
    let of_clients = "select count(*) from pg_stat_activity where backend_type = 'client backend'";
    installation.sql(of_clients).await
}

async fn connection_limit(installation: &Installation<'_>) -> f64 {
    let limit = installation.sql("select setting from pg_settings where name = 'max_connections'");
    limit.await.expect("the database tells its limit")
}
