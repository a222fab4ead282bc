//! The dashboards: every query of every panel returns data from a real Prometheus that scrapes real replicas under traffic.

use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant},
};

use harness::{
    database::{Backend, Database},
    eventually,
    prometheus::Prometheus,
    redis::{Kind, Persistence, Redis},
    service::Service,
};
use serde_json::{Value, json};

use crate::{
    drawing::{self, Drawing, Line},
    programs::{file, files},
};

/// A rate needs some scrapes, a recording rule some evaluations.
const PATIENCE: Duration = Duration::from_mins(1);

/// When it is drawn, there are so many visits for each thing that a program does, for so long.
const VISITS: [usize; 6] = [20, 60, 200, 100, 30, 60];
const WAVE: Duration = Duration::from_secs(drawing::SECONDS as u64 / 6);

/// What Grafana puts in for its variables, fit for scrapes every second.
const VARIABLES: [(&str, &str); 4] = [
    ("$__rate_interval", "15s"),
    ("$__range", "60s"),
    ("$namespace", ".*"),
    ("$service", ".*"),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_panel_shows_data_of_a_service_under_traffic() {
    let database = Database::fresh(Backend::Postgres18).await;
    let redis = Redis::start(Kind::Redis7, Persistence::Snapshot).await;
    let replica = async || {
        let builder = Service::builder(&database).env("REDIS_URL", redis.url());
        builder.start().await
    };
    let replicas = [replica().await, replica().await];
    let targets = replicas.each_ref().map(Service::management_addr);
    let rules = file("deploy/monitoring/rules/*.yml");
    let prometheus = Prometheus::start(&targets, &rules.to_string_lossy()).await;

    let mut missing = queries();
    assert!(missing.len() > 40, "{missing:#?}");
    let shown = eventually::try_some(PATIENCE, async || {
        use_everything(&replicas).await;
        let mut still_missing = Vec::new();
        for query in missing.drain(..) {
            if !shows_data(&prometheus, &query).await {
                still_missing.push(query);
            }
        }
        missing = still_missing;
        missing.is_empty().then_some(())
    })
    .await;
    let missing: Vec<_> = missing
        .iter()
        .map(|query| format!("{}: {}", query.panel, query.expression))
        .collect();
    assert!(shown.is_some(), "no data for {missing:#?}");
    if drawing::is_wanted() {
        draw(&prometheus, &replicas).await;
    }
}

#[test]
fn every_panel_says_what_it_shows() {
    for dashboard in dashboards() {
        let mut ids = BTreeSet::new();
        for panel in panels(&dashboard) {
            assert!(
                ids.insert(panel["id"].as_u64()),
                "an id comes twice: {panel}"
            );
            let says = |member: &str| panel[member].as_str().is_some_and(|text| !text.is_empty());
            let is_said = says("title") && (panel["type"] == "row" || says("description"));
            assert!(is_said, "{panel}");
            for target in panel["targets"].as_array().into_iter().flatten() {
                assert_eq!(target["datasource"]["uid"], "prometheus", "{panel}");
            }
        }
    }
}

/// Draws each dashboard, after more traffic.
async fn draw(prometheus: &Prometheus, replicas: &[Service; 2]) {
    // Visitors outnumber programs, and come in waves.
    let user = replicas[0].create_user().await;
    let url = replicas[0].create_url(user, "https://example.com/").await;
    let path = format!("/{}", url["short_code"].as_str().expect("a text"));
    for visits in VISITS {
        let since = Instant::now();
        while since.elapsed() < WAVE {
            for replica in replicas.iter().cycle().take(visits) {
                assert_eq!(replica.get(&path).await.status, 302);
            }
            use_everything(replicas).await;
        }
    }
    for dashboard in dashboards() {
        let mut drawing = Drawing::of(&dashboard);
        for panel in panels(&dashboard) {
            let mut lines = Vec::new();
            for target in panel["targets"].as_array().into_iter().flatten() {
                let query = expression(target);
                let series = prometheus.query_range(&query, drawing::SECONDS).await;
                let series = series.unwrap_or_else(|error| panic!("{query}: {error}"));
                lines.extend(series.iter().map(|series| Line::of(series, target)));
            }
            drawing.add(panel, &lines);
        }
        let name = dashboard["uid"].as_str().expect("it has a name");
        let path = file(&format!("docs/images/{name}.svg"));
        fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
        fs::write(path, drawing.svg()).expect("it can be written");
    }
}

/// A query as Grafana would send it.
fn expression(target: &Value) -> String {
    let expression = target["expr"].as_str().expect("a query").to_owned();
    VARIABLES
        .iter()
        .fold(expression, |expression, (variable, value)| {
            expression.replace(variable, value)
        })
}

/// One query of a panel.
#[derive(Clone, Debug)]
struct Query {
    panel: String,
    expression: String,
}

fn queries() -> Vec<Query> {
    let mut queries = Vec::new();
    for dashboard in dashboards() {
        for panel in panels(&dashboard) {
            for target in panel["targets"].as_array().into_iter().flatten() {
                queries.push(Query {
                    panel: format!("{}: {}", dashboard["title"], panel["title"]),
                    expression: expression(target),
                });
            }
        }
    }
    queries
}

fn dashboards() -> Vec<Value> {
    let files = files("deploy/monitoring/dashboards", ".json");
    let read = |path| fs::read_to_string(path).expect("it is readable");
    files
        .iter()
        .map(|path| {
            serde_json::from_str(&read(path))
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        })
        .collect()
}

fn panels(dashboard: &Value) -> &Vec<Value> {
    dashboard["panels"]
        .as_array()
        .expect("a dashboard has panels")
}

/// Whether there is a number: what is divided by no traffic at all is none.
async fn shows_data(prometheus: &Prometheus, query: &Query) -> bool {
    let series = prometheus.query(&query.expression).await;
    let series = series.unwrap_or_else(|error| panic!("{query:#?}: {error}"));
    series.iter().any(|series| {
        let value = series["value"][1].as_str().unwrap_or_default();
        value.parse().is_ok_and(f64::is_finite)
    })
}

/// Has each replica do a little of all that is measured.
async fn use_everything(replicas: &[Service; 2]) {
    let [first, second] = replicas;
    let user = first.create_user().await;
    let url = first.create_url(user, "https://example.com/").await;
    let path = format!("/{}", url["short_code"].as_str().expect("a text"));
    for replica in replicas.iter().chain(replicas) {
        assert_eq!(replica.get(&path).await.status, 302);
    }
    let edit = json!({"title": "Another"});
    let edited = second.put(&format!("/urls/{}", url["id"]), edit).await;
    assert_eq!(edited.status, 200, "{edited:?}");
    assert_eq!(first.get(&path).await.status, 302);
    let events = second.get(&format!("/events?url_id={}", url["id"])).await;
    assert_eq!(events.status, 200, "{events:?}");
    assert_eq!(second.get("/nothing-here").await.status, 404);
    assert_eq!(second.get("/health").await.status, 200);
}
