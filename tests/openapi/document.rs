//! The committed document, on its own: it is valid, and a linter has nothing against it.

use crate::programs::{file, python, redocly, run};

#[test]
fn it_is_valid_by_the_schema_of_openapi_3_1() {
    let mut validator = python();
    validator
        .args(["-m", "openapi_spec_validator", "--schema", "3.1"])
        .arg(file("docs/openapi.json"));
    run(&mut validator);
}

#[test]
fn a_linter_finds_no_error() {
    let mut linter = redocly();
    linter
        .args(["lint", "--extends=recommended", "--format=stylish"])
        .arg(file("docs/openapi.json"))
        .current_dir(file("scripts/openapi"));
    run(&mut linter);
}

#[test]
fn the_linter_does_find_errors() {
    let folder = tempfile::tempdir().expect("a folder");
    let wrong = folder.path().join("openapi.json");
    let document = std::fs::read_to_string(file("docs/openapi.json")).expect("it is committed");
    let broken = document.replacen(
        "#/components/schemas/User\"",
        "#/components/schemas/Nobody\"",
        1,
    );
    assert_ne!(broken, document);
    std::fs::write(&wrong, broken).expect("the folder is the test's");
    let mut linter = redocly();
    linter
        .args(["lint", "--extends=recommended"])
        .arg(&wrong)
        .current_dir(folder.path());
    let verdict = linter.output().expect("it starts");
    assert!(!verdict.status.success(), "a reference to nothing");
}
