//! The manifests for those who use no Helm: two files, of which deleting one leaves all data.

use std::{fs, path::Path};

use harness::kubernetes::{
    control_plane::ControlPlane,
    kind::CRD,
    kubectl::{Kubectl, documents},
};
use serde_json::Value;

/// Of an annotation, which is where a client-side apply keeps a copy. The limit is 262,144 bytes.
const ROOM: usize = 200_000;

fn manifest(name: &str) -> (String, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../manifests")
        .join(name);
    let text =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    (path.display().to_string(), text)
}

#[test]
fn definitions_and_the_operator_stand_in_files_of_their_own() {
    let kinds = |name: &str| -> Vec<Value> {
        let all = documents(&manifest(name).1);
        all.into_iter()
            .map(|document| document["kind"].clone())
            .collect()
    };
    assert!(kinds("crds.yaml").iter().all(|kind| kind == CRD.kind));
    let install = kinds("install.yaml");
    assert!(
        install.iter().any(|kind| kind == "Deployment"),
        "{install:?}"
    );
    assert!(install.iter().all(|kind| kind != CRD.kind), "{install:?}");
}

#[test]
fn each_definition_is_small_enough_for_kubectl_apply() {
    for definition in documents(&manifest("crds.yaml").1) {
        let size = definition.to_string().len();
        assert!(
            size < ROOM,
            "{}: {size} bytes",
            definition["metadata"]["name"]
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_manifests_are_accepted_by_a_strict_server_and_deleting_the_operator_leaves_the_resources()
 {
    let plane = ControlPlane::shared().await;
    let kubectl = Kubectl::of(&plane);
    let (crds, _) = manifest("crds.yaml");
    let (install, _) = manifest("install.yaml");
    // A client-side apply, which is what most people type.
    let apply = async |file: &str| {
        kubectl
            .run(&["apply", "--validate=strict", "--filename", file])
            .await
    };
    apply(&crds).await.expect("the definitions are taken");
    let output = apply(&install).await;
    assert!(output.stderr.is_empty(), "{}", output.stderr);

    let delete = ["delete", "--wait=false", "--filename", &install];
    kubectl.run(&delete).await.expect("the operator is deleted");
    let api = plane.api("default").await;
    let ours = api.get(CRD, "urlshorteners.urlshortener.dev").await;
    assert!(ours["metadata"]["deletionTimestamp"].is_null());
}
