//! The chart, with the real Helm: what it renders is taken by a strict server, it upgrades and uninstalls without touching data,
//! and wrong values are refused.

use std::{collections::BTreeSet, fmt::Write as _, path::Path, process::Command, sync::Arc};

use harness::kubernetes::{
    control_plane::{ControlPlane, Foreign},
    helm::{Helm, chart},
    kind::{CRD, DEPLOYMENT, SERVICE_ACCOUNT, URL_SHORTENER},
    kubectl::{Kubectl, documents},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{lab::fresh_name, resource::minimal};

const DEFINITION: &str = "urlshorteners.urlshortener.dev";

/// The fields of the spec in the definition.
const SPEC_FIELDS: &str = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";

/// Values that show each thing that the chart can do.
const VARIANTS: [&[&str]; 5] = [
    &[],
    &["namespaces=[\"default\",\"kube-public\"]"],
    &[
        "serviceMonitor={\"enabled\":true,\"labels\":{\"release\":\"prom\"}}",
        "replicas=1",
    ],
    &[
        "crds.enabled=false",
        "rbac.create=false",
        "serviceAccount={\"create\":false,\"name\":\"mine\"}",
    ],
    &[
        "image.digest=\"sha256:0000000000000000000000000000000000000000000000000000000000000000\"",
        "env=[{\"name\":\"A\",\"value\":\"b\"}]",
        "tolerations=[{\"operator\":\"Exists\"}]",
        "podLabels={\"team\":\"links\"}",
    ],
];

fn helm_arguments<'a>(command: &[&'a str], values: &[&'a str]) -> Vec<&'a str> {
    let values = values.iter().flat_map(|value| ["--set-json", value]);
    command.iter().copied().chain(values).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_chart_passes_helm_lint_in_every_variant() {
    let helm = Helm::of(&*ControlPlane::shared().await);
    let chart = chart();
    for values in VARIANTS {
        let output = helm
            .run(&helm_arguments(&["lint", "--strict", &chart], values))
            .await;
        let text = output.expect("helm lint is content");
        assert!(!text.contains("[WARNING]"), "{values:?}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_chart_renders_is_taken_by_a_strict_server_in_every_variant() {
    let plane = ControlPlane::shared().await;
    let api = plane.make_namespace(&fresh_name()).await;
    let (helm, kubectl) = (Helm::of(&plane), Kubectl::of(&plane));
    let folder = TempDir::with_prefix("chart-").expect("a temporary directory can be made");
    for values in VARIANTS {
        let objects = helm.template(api.namespace(), values).await;
        let file = folder.path().join("rendered.json");
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        std::fs::write(&file, list.to_string()).expect("the directory is ours");
        let file = file.display().to_string();
        let apply = [
            "apply",
            "--dry-run=server",
            "--validate=strict",
            "--filename",
            &file,
        ];
        let output = kubectl.run(&apply).await;
        // The definition is there already, and not by this way.
        let warnings: Vec<_> = output
            .stderr
            .lines()
            .filter(|line| !line.contains("last-applied-configuration"))
            .collect();
        assert!(warnings.is_empty(), "{values:?}: {warnings:#?}");
        output.expect("the objects are taken");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_that_the_chart_does_not_know_are_refused() {
    let helm = Helm::of(&*ControlPlane::shared().await);
    let chart = chart();
    for value in [
        "replicas=-1",
        "replicas=\"two\"",
        "replica=2",
        "image={\"repository\":\"\"}",
        "image.digest=\"latest\"",
        "namespaces=[\"Not A Name\"]",
        "serviceMonitor.interval=\"often\"",
        "env=[{\"name\":\"OPERATOR_NAMESPACES\",\"value\":\"all\"}]",
        "crds.keep=false",
    ] {
        let output = helm
            .run(&["template", "operator", &chart, "--set-json", value])
            .await;
        assert!(!output.succeeded, "{value} was taken");
        assert!(
            output
                .stderr
                .contains("values don't meet the specifications"),
            "{value}: {}",
            output.stderr
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_of_the_operator_keep_to_the_restricted_standard() {
    let plane = ControlPlane::shared().await;
    let api = plane.make_namespace(&fresh_name()).await;
    let objects = Helm::of(&plane)
        .template(api.namespace(), &["crds.enabled=false"])
        .await;
    let deployment = objects
        .iter()
        .find(|object| object["kind"] == DEPLOYMENT.kind)
        .expect("there is one");
    let template = &deployment["spec"]["template"];
    let mut pod = json!({"metadata": {"name": "operator", "labels": template["metadata"]["labels"]}, "spec": template["spec"]});
    pod["spec"]["serviceAccountName"] = "default".into();
    // The account is made a moment after the namespace.
    let account = async || api.find(SERVICE_ACCOUNT, "default").await;
    harness::eventually::some("there is an account", crate::lab::PATIENCE, account).await;
    api.try_out(harness::kubernetes::kind::POD, &pod)
        .await
        .expect("the namespace enforces the standard");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_releases_of_one_name_that_look_after_one_namespace_share_no_right_there() {
    let helm = Helm::of(&*ControlPlane::shared().await);
    let values = ["namespaces=[\"default\"]", "crds.enabled=false"];
    let names = async |namespace: &str| -> BTreeSet<String> {
        let objects = helm.template(namespace, &values).await;
        let there = objects
            .iter()
            .filter(|object| object["metadata"]["namespace"] == "default");
        there
            .map(|object| format!("{} {}", object["kind"], object["metadata"]["name"]))
            .collect()
    };
    let (first, second) = (names("kube-public").await, names("kube-system").await);
    assert_eq!(first.len(), 2, "{first:?}");
    assert!(first.is_disjoint(&second), "{first:?}, {second:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_policies_of_services_find_the_operator_by_its_labels() {
    let helm = Helm::of(&*ControlPlane::shared().await);
    let objects = helm.template("default", &["crds.enabled=false"]).await;
    let deployment = objects
        .iter()
        .find(|object| object["kind"] == DEPLOYMENT.kind)
        .expect("there is one");
    let labels = &deployment["spec"]["template"]["metadata"]["labels"];
    assert_eq!(labels["app.kubernetes.io/name"], "shortener-operator");
}

/// The chart of the commit before. A clone may be shallow, and a folder may be no clone at all.
fn of_the_commit_before(folder: &Path) -> Option<String> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let script = "set -e; git archive --output \"$1/chart.tar\" HEAD~1 charts/shortener-operator; tar --extract --file \"$1/chart.tar\" --directory \"$1\"";
    let output = Command::new("sh")
        .args(["-c", script, "previous"])
        .arg(folder)
        .current_dir(repository)
        .output()
        .expect("`sh` runs");
    let chart = folder.join("charts/shortener-operator");
    output.status.success().then(|| chart.display().to_string())
}

/// Today's chart, as an older one was: its definition lacks a field.
fn older(folder: &Path) -> String {
    let copied = Command::new("cp")
        .args(["--recursive", &chart()])
        .arg(folder)
        .status();
    assert!(copied.expect("`cp` runs").success());
    let older = folder.join("shortener-operator");
    let path = older.join("files/crds/urlshorteners.yaml");
    let text = std::fs::read_to_string(&path).expect("the chart has the definition");
    let mut definition = documents(&text).remove(0);
    let fields = definition
        .pointer_mut(SPEC_FIELDS)
        .and_then(Value::as_object_mut);
    let field = fields.expect("the spec has fields").remove("networkPolicy");
    assert!(field.is_some());
    // Helm puts its own metadata in the place of this line. JSON is YAML.
    let name = definition["metadata"]["name"].clone();
    let mut text = String::from("---\n");
    for (key, value) in definition.as_object().expect("it is an object") {
        if key == "metadata" {
            _ = writeln!(text, "metadata:\n  name: {name}");
        } else {
            _ = writeln!(text, "{key}: {value}");
        }
    }
    std::fs::write(&path, text).expect("the folder is ours");
    older.display().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_from_an_older_chart_brings_the_definition_along_and_an_uninstall_leaves_it_and_the_resources()
 {
    let plane = Arc::new(ControlPlane::start(&[Foreign::Prometheus]).await);
    let folder = TempDir::with_prefix("chart-").expect("a temporary directory can be made");
    let mut before = vec![older(folder.path())];
    before.extend(of_the_commit_before(folder.path()));
    for before in before {
        is_upgraded(&plane, &before).await;
    }
}

async fn is_upgraded(plane: &ControlPlane, before: &str) {
    let (helm, api) = (Helm::of(plane), plane.make_namespace(&fresh_name()).await);
    // As in a cluster that has never seen any of it.
    if api.find(CRD, DEFINITION).await.is_some() {
        api.delete(CRD, DEFINITION).await;
    }
    harness::eventually::holds("the definition is gone", crate::lab::PATIENCE, async || {
        api.find(CRD, DEFINITION).await.is_none()
    })
    .await;
    let release = ["shortener-operator", "--namespace", api.namespace()];
    let run = async |command: &str, chart: &str| {
        let arguments = [&[command, release[0], chart][..], &release[1..]].concat();
        helm.run(&arguments).await.expect(command);
    };
    run("install", before).await;
    harness::eventually::holds("resources can be made", crate::lab::PATIENCE, async || {
        api.create(URL_SHORTENER, &minimal("links")).await.is_ok()
    })
    .await;
    run("upgrade", &chart()).await;
    let definition = api.get(CRD, DEFINITION).await;
    assert!(
        definition
            .pointer(SPEC_FIELDS)
            .expect("the spec has fields")["networkPolicy"]
            .is_object(),
        "{before}"
    );
    assert_eq!(
        definition["metadata"]["annotations"]["helm.sh/resource-policy"],
        "keep"
    );

    let uninstall = [&["uninstall", release[0]][..], &release[1..]].concat();
    helm.run(&uninstall).await.expect("uninstall");
    assert!(api.find(DEPLOYMENT, "shortener-operator").await.is_none());
    assert!(api.find(URL_SHORTENER, "links").await.is_some());
    assert!(api.get(CRD, DEFINITION).await["metadata"]["deletionTimestamp"].is_null());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_release_in_one_namespace_is_refused_since_it_would_never_act() {
    let plane = ControlPlane::shared().await;
    let (helm, api) = (Helm::of(&plane), plane.make_namespace(&fresh_name()).await);
    let chart = chart();
    let install = async |release: &str, watched: &str| {
        let values = [
            &*format!("namespaces=[\"{watched}\"]"),
            "crds.enabled=false",
            "rbac.aggregate=false",
        ];
        let command = ["install", release, &chart, "--namespace", api.namespace()];
        helm.run(&helm_arguments(&command, &values)).await
    };
    install("first", "default").await.expect("it is the first");
    let second = install("second", "kube-public").await;
    assert!(!second.succeeded);
    assert!(
        second.stderr.contains("shortener-operator-lease"),
        "{}",
        second.stderr
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_chart_carries_the_very_definition_that_the_operator_prints() {
    let plane = ControlPlane::shared().await;
    let objects = Helm::of(&plane).template("default", &[]).await;
    let rendered = objects
        .iter()
        .find(|object| object["kind"] == CRD.kind)
        .expect("there is one");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = root.join("crds");
    let file = std::fs::read_dir(folder)
        .expect("definitions are generated")
        .next();
    let path = file.expect("there is one").expect("it is readable").path();
    let text = std::fs::read_to_string(path).expect("it is readable");
    let documents = documents(&text);
    let printed: &Value = documents.first().expect("there is one");
    assert_eq!(rendered["spec"], printed["spec"]);
}
