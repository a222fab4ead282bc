//! Runs of a few hundred requests.

use std::fs;

use harness::{
    database::{Backend, Database},
    service::{Service, ServiceBuilder},
};
use reqwest::Method;
use tempfile::TempDir;

use crate::tool;

/// Three users, a hundred requests of each.
const BRIEF: [&str; 10] = [
    "--users",
    "3",
    "--hundreds",
    "1",
    "--pause",
    "0",
    "--ramp-up",
    "1",
    "--links",
    "20",
];

/// Believes the addresses that the load test names.
fn behind_a_proxy(database: &Database) -> ServiceBuilder<'_> {
    Service::builder(database)
        .env("SHORTENER_AUTH", "off")
        .env("SHORTENER_TRUSTED_PROXIES", "127.0.0.0/8")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_service_is_within_its_bounds() {
    let database = Database::fresh(Backend::Sqlite).await;
    let service = behind_a_proxy(&database).start().await;
    let report = TempDir::new().unwrap();
    let ended = tool::run(
        &service,
        report.path(),
        &[&BRIEF[..], &["--p99", "60000"]].concat(),
    );
    assert_eq!(ended.code, Some(0), "{ended:#?}");

    // Three hundred requests of the mix, each kind with its part.
    let requests = ended.requests();
    let of = |kind: &str| requests.get(kind).copied().unwrap_or_default();
    assert_eq!(
        [
            of("redirect"),
            of("list"),
            of("create"),
            of("health"),
            of("all")
        ],
        [240, 30, 21, 9, 300],
        "{ended:#?}"
    );
    // Every redirect is somebody's click, and they came from several addresses.
    let clicks = r#"shortener_http_requests_total{code="3xx",route="redirect"}"#;
    assert_eq!(service.count(clicks).await, 240);

    let page = fs::read_to_string(report.path().join("report.html")).unwrap();
    assert!(page.contains("<svg") && !page.contains("<script"), "{page}");
    assert!(report.path().join("goose.html").is_file());

    // What was made for the run is gone.
    let left = service.get("/urls").await;
    assert_eq!(left.text(), "[]");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bound_that_is_not_kept_ends_it_with_1() {
    let database = Database::fresh(Backend::Sqlite).await;
    let service = behind_a_proxy(&database).start().await;
    let report = TempDir::new().unwrap();
    let bound = ["--p50", "redirect=0.001"];
    let ended = tool::run(&service, report.path(), &[&BRIEF[..], &bound].concat());
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert!(
        ended.output.contains("FAILED p50 of redirect"),
        "{ended:#?}"
    );
    assert!(
        ended.output.contains("ok     failed requests: 0"),
        "{ended:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn being_limited_is_a_failure() {
    let database = Database::fresh(Backend::Sqlite).await;
    let service = behind_a_proxy(&database)
        .env("SHORTENER_REDIRECT_RATE", "1")
        .env("SHORTENER_REDIRECT_BURST", "2")
        .start()
        .await;
    let report = TempDir::new().unwrap();
    let ended = tool::run(&service, report.path(), &BRIEF);
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert!(
        ended.output.contains("429, over a rate limit"),
        "{ended:#?}"
    );

    // The limits of many addresses are wider.
    let open_loop = [
        "--rate",
        "200",
        "--duration",
        "1",
        "--users",
        "5000",
        "--links",
        "20",
        "--scenario",
        "redirects",
    ];
    let ended = tool::run(&service, report.path(), &open_loop);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_due_do_not_wait_for_others() {
    let database = Database::fresh(Backend::Sqlite).await;
    let service = behind_a_proxy(&database).start().await;
    let report = TempDir::new().unwrap();
    let open_loop = [
        "--rate",
        "300",
        "--duration",
        "1",
        "--links",
        "20",
        "--keep",
    ];
    let ended = tool::run(&service, report.path(), &open_loop);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    // Drawn by chance, with a seed: so many in a second, in about the parts of the mix.
    let requests = ended.requests();
    assert!((240..360).contains(&requests["all"]), "{requests:?}");
    assert!(
        requests["redirect"] * 10 > requests["all"] * 7,
        "{requests:?}"
    );

    // The links were to be left.
    let left = service.request(Method::GET, "/urls?per_page=100");
    let left = service.send(left).await.json();
    assert!(left.as_array().unwrap().len() >= 20, "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_measured_is_said_in_one_sentence() {
    let report = TempDir::new().unwrap();
    let ended = tool::run_at("http://127.0.0.1:9", report.path(), &[]);
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    assert!(
        ended
            .output
            .contains("nothing answers at http://127.0.0.1:9/"),
        "{ended:#?}"
    );

    // With its default settings, a service on loopback answers to this machine alone.
    let database = Database::fresh(Backend::Sqlite).await;
    let service = Service::builder(&database).env("SHORTENER_AUTH", "");
    let service = service.start().await;
    let ended = tool::run(&service, report.path(), &[]);
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    assert!(
        ended.output.contains("SHORTENER_TRUSTED_PROXIES"),
        "{ended:#?}"
    );
    let ended = tool::run(
        &service,
        report.path(),
        &[&BRIEF[..], &["--no-forwarding"]].concat(),
    );
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swarm_is_held_and_its_memory_told() {
    let database = Database::fresh(Backend::Sqlite).await;
    let service = behind_a_proxy(&database).start().await;
    let swarm = [
        "swarm",
        "--users",
        "60",
        "--per-process",
        "20",
        "--duration",
        "2",
        "--every",
        "0.5",
        "--arrivals",
        "200",
        "--links",
        "5",
    ];
    let ended = tool::swarm(&service, &swarm);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(
        ended.output.contains("60 users in 3 processes"),
        "{ended:#?}"
    );
    assert!(
        ended.output.contains("connected at once, at least: 60"),
        "{ended:#?}"
    );
    assert!(
        ended.output.contains("memory of the service, 1 processes"),
        "{ended:#?}"
    );
    let clicks = r#"shortener_http_requests_total{code="3xx",route="redirect"}"#;
    assert!(service.count(clicks).await > 60, "{ended:#?}");
}
