//! A client that a public generator makes of the document works against the service.

use harness::database::{Backend, Database};

use crate::programs::{ADMIN, file, python, run, start};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_generated_client_works() {
    let database = Database::fresh(Backend::Sqlite).await;
    let service = start(&database).await;
    let folder = tempfile::tempdir().expect("a folder");
    let package = folder.path().join("shortener_client");

    let mut generator = python();
    generator
        .args([
            "-m",
            "openapi_python_client",
            "generate",
            "--meta=none",
            "--fail-on-warning",
        ])
        .arg("--path")
        .arg(file("docs/openapi.json"))
        .arg("--output-path")
        .arg(&package)
        .current_dir(folder.path());
    run(&mut generator);

    let mut program = python();
    program
        .arg(file("tests/openapi/use_client.py"))
        .arg(folder.path())
        .arg(service.url("/api/v1"))
        .arg(ADMIN);
    let said = tokio::task::spawn_blocking(move || run(&mut program))
        .await
        .expect("it ends");
    assert!(said.ends_with("all of it worked\n"), "{said}");
}
