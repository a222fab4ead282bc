//! Whoever does not read the log stops nobody.

use std::{fs, time::Duration};

use harness::{
    database::{Backend, Database},
    eventually,
    service::{STOP, Service},
};
use rustix::process::Signal;

/// For some thousand requests on a machine that is busy with other tests.
const SOON: Duration = Duration::from_mins(1);

const DROPPED: &str = "shortener_log_lines_dropped_total";

async fn talkative(database: &Database) -> Service {
    let builder = Service::builder(database);
    builder.env("SHORTENER_LOG", "trace").start().await
}

/// Asks for what is told in many lines, until some are dropped since nobody reads those before them.
async fn overflow(service: &Service) {
    eventually::holds("lines are dropped", SOON, async || {
        for _ in 0..100 {
            assert_eq!(service.get("/urls?q=statements").await.status, 200);
        }
        service.metric(DROPPED).await >= Some(1.0)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_does_not_read_the_log_stops_nobody() {
    let database = Database::fresh(Backend::Sqlite).await;
    let service = talkative(&database).await;
    assert_eq!(service.metric(DROPPED).await, Some(0.0));

    let unheard = service.unheard();
    overflow(&service).await;
    drop(unheard);

    eventually::holds("what is said from then on is heard", SOON, async || {
        assert_eq!(service.get("/urls/987654321").await.status, 404);
        service.output().contains("/urls/987654321")
    })
    .await;
    service.signal(Signal::TERM);
    let exit = service.exit(STOP).await;
    let last = r#""message":"stopped""#;
    assert!(exit.output.contains(last), "its last words are heard, too");
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_does_not_read_the_log_does_not_hold_up_the_end() {
    let database = Database::fresh(Backend::Sqlite).await;
    let service = talkative(&database).await;
    let _unheard = service.unheard();
    overflow(&service).await;
    service.signal(Signal::TERM);
    // Not waited for: that would read what it said.
    let state = format!("/proc/{}/stat", service.pid());
    eventually::holds("it ends", STOP, async || {
        fs::read_to_string(&state).is_ok_and(|state| state.contains(") Z "))
    })
    .await;
}
