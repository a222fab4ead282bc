//! Schemathesis calls every operation with what the document allows and what it forbids, follows its links, and compares what
//! is answered with what is described.

use std::{fs, path::PathBuf};

use harness::{
    csv,
    database::{Backend, Database},
    service::Service,
    soak,
};
use reqwest::{
    Method,
    multipart::{Form, Part},
};

use crate::programs::{ADMIN, file, python, run, start};

/// As many of each operation as find something within a minute; a soak looks for some ten thousand requests longer.
const EXAMPLES: usize = 20;
const EXAMPLES_OF_A_SOAK: usize = 400;

/// What is there from the start, so that something is found.
const USERS: usize = 200;
const URLS: usize = 400;
const ADDRESSES: usize = 2_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_is_as_described_on_sqlite() {
    explore(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_is_as_described_on_postgres() {
    explore(Backend::Postgres18).await;
}

/// Loads users and URLs.
async fn fill(service: &Service) {
    let users = csv::users(USERS);
    for (path, rows) in [
        ("/users/bulk", users),
        ("/urls/bulk", csv::urls(URLS, USERS)),
    ] {
        let part = Part::bytes(rows.into_bytes()).file_name("rows.csv");
        let form = Form::new().part("file", part);
        let request = service.request(Method::POST, path).bearer_auth(ADMIN);
        let answer = service.send(request.multipart(form)).await;
        assert_eq!(answer.status, 201, "{answer:?}");
    }
}

/// The settings of Schemathesis, beside a file that they name.
fn settings(database: &Database) -> PathBuf {
    let addresses: Vec<_> = (0..ADDRESSES)
        .map(|number| format!("\"explorer{number}@example.com\""))
        .collect();
    fs::write(database.dir().join("addresses.txt"), addresses.join("\n"))
        .expect("the folder is the test's");
    let settings = database.dir().join("schemathesis.toml");
    fs::copy(file("scripts/openapi/schemathesis.toml"), &settings).expect("it is there");
    settings
}

async fn explore(backend: Backend) {
    let database = Database::fresh(backend).await;
    let service = start(&database).await;
    fill(&service).await;
    let examples = if soak::is_long() {
        EXAMPLES_OF_A_SOAK
    } else {
        EXAMPLES
    };

    let mut schemathesis = python();
    schemathesis
        .args(["-m", "schemathesis.cli"])
        .arg(format!("--config-file={}", settings(&database).display()))
        .arg("run")
        .arg(service.url("/api/v1/openapi.json"))
        .arg(format!("--header=Authorization: Bearer {ADMIN}"))
        .arg(format!("--max-examples={examples}"))
        // Policy refuses values that a schema cannot tell from others, such as the service's own host.
        .args(["--checks=all", "--exclude-checks=positive_data_acceptance"])
        .args(["--workers=1", "--no-color"])
        .current_dir(database.dir());
    // The same requests each time: what is found does not come and go. A soak looks elsewhere each time.
    schemathesis.arg(if soak::is_long() {
        "--generation-database=none"
    } else {
        "--generation-deterministic"
    });
    let report = tokio::task::spawn_blocking(move || run(&mut schemathesis))
        .await
        .expect("it ends");

    // What it did not do cannot have found anything.
    for phase in ["Examples", "Coverage", "Fuzzing", "Stateful"] {
        let passed = format!("✅ {phase}\n");
        assert!(report.contains(&passed), "no {phase}:\n{report}");
    }
    let health = service.get("/health").await;
    assert_eq!(health.status, 200, "{health:?}");
}
