//! The samples of manifests/samples: what people copy must be accepted as it stands, and mean what it says.

use std::{fs, path::Path};

use harness::kubernetes::{
    control_plane::ControlPlane,
    kind::URL_SHORTENER,
    kubectl::{Kubectl, documents},
};

use crate::lab::fresh_name;

fn samples() -> Vec<std::path::PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/samples");
    let entries = fs::read_dir(folder).expect("there are samples");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("the folder is readable").path())
        .collect();
    paths.sort();
    paths
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_sample_is_accepted_by_a_strict_server() {
    let plane = ControlPlane::shared().await;
    let api = plane.make_namespace(&fresh_name()).await;
    let kubectl = Kubectl::of(&plane);
    let paths = samples();
    assert!(paths.len() >= 8, "{paths:?}");
    for path in paths {
        let file = path.display().to_string();
        let apply = [
            "apply",
            "--dry-run=server",
            "--validate=strict",
            "--namespace",
            api.namespace(),
            "--filename",
            &file,
        ];
        let output = kubectl.run(&apply).await;
        assert!(output.stderr.is_empty(), "{file}: {}", output.stderr);
        assert!(output.expect(&file).contains("server dry run"), "{file}");
    }
}

#[test]
fn every_sample_says_what_it_is_for() {
    for path in samples() {
        let text = fs::read_to_string(&path).expect("it is readable");
        assert!(
            text.starts_with("# "),
            "{}: begin with a comment",
            path.display()
        );
        let is_ours = |document: &serde_json::Value| document["kind"] == URL_SHORTENER.kind;
        assert!(documents(&text).iter().any(is_ours), "{}", path.display());
    }
}
