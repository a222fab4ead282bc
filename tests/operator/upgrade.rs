//! A newer operator over what an older one has made: pods stay, leftovers go, and the fields of the older one are let go.

use harness::kubernetes::{
    kind::{CONFIG_MAP, DEPLOYMENT, POD, SECRET, SERVICE, URL_SHORTENER},
    kubelet::Fate,
};
use serde_json::{Value, json};

use crate::{
    lab::Lab,
    resource::{database_secret, lean, minimal},
};

async fn pods(lab: &Lab) -> Vec<Value> {
    let mut names: Vec<_> = lab
        .api
        .list(POD)
        .await
        .iter()
        .map(|pod| pod["metadata"]["uid"].clone())
        .collect();
    names.sort_by_key(ToString::to_string);
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_operator_replaces_no_pod_and_writes_nothing() {
    let lab = Lab::new().await;
    lab.apply(&minimal("links")).await;
    lab.settles("links").await;
    let before = pods(&lab).await;
    let (lab, audit) = lab
        .restarted(async |_, plane| plane.audit().from_now())
        .await;
    lab.holds("it has looked", async || lab.reconciles().await >= 1.0)
        .await;
    let writes = lab.writes(&audit);
    assert!(writes.is_empty(), "{writes:#?}");
    assert_eq!(pods(&lab).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_older_operator_made_and_this_one_does_not_is_pruned_if_it_is_ours() {
    let lab = Lab::new().await;
    lab.apply(&minimal("links")).await;
    lab.settles("links").await;
    let owner = lab.api.get(URL_SHORTENER, "links").await["metadata"].clone();
    let labels = lab.api.get(SERVICE, "links").await["metadata"]["labels"].clone();
    let reference = json!({
        "apiVersion": URL_SHORTENER.api_version, "kind": URL_SHORTENER.kind,
        "name": "links", "uid": owner["uid"], "controller": true});
    let old = json!({"metadata": {"name": "links-old", "labels": labels, "ownerReferences": [reference]}});
    // With the same labels, which anybody may copy, and nobody's.
    let foreign = json!({"metadata": {"name": "links-foreign", "labels": labels}});
    for object in [&old, &foreign] {
        lab.api
            .create(CONFIG_MAP, object)
            .await
            .expect("it can be made");
    }
    lab.goes(CONFIG_MAP, "links-old").await;
    lab.settles("links").await;
    assert!(lab.api.find(CONFIG_MAP, "links-foreign").await.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_field_that_an_older_operator_set_and_this_one_does_not_is_let_go() {
    let lab = Lab::new().await;
    lab.apply(&minimal("links")).await;
    lab.settles("links").await;
    let labels = lab.api.get(CONFIG_MAP, "links-dashboards").await["metadata"]["labels"].clone();
    // The same field manager has written it ever since, so that what it names no more goes.
    let older = json!({"metadata": {"name": "links-dashboards", "labels": labels}, "data": {"older.json": "{}"}});
    lab.api
        .apply_as("shortener-operator", CONFIG_MAP, &older)
        .await;
    lab.holds("the field of the older one is gone", async || {
        let data = lab.api.get(CONFIG_MAP, "links-dashboards").await["data"].clone();
        data["older.json"].is_null() && data["urlshortener-overview.json"].is_string()
    })
    .await;
    for (kind, object) in lab.made_for("links").await {
        let managers = object["metadata"]["managedFields"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let ours: Vec<_> = managers
            .iter()
            .filter(|entry| entry["manager"] == "shortener-operator")
            .collect();
        let is_applied = ours.iter().all(|entry| entry["operation"] == "Apply");
        assert!(is_applied && ours.len() <= 1, "{}: {ours:#?}", kind.kind);
    }
}

const NAMES: [&str; 3] = ["one", "two", "three"];

/// Resources whose pods are as an older operator has made them, and what is said of their rollout.
async fn as_before(lab: &Lab) -> Vec<(&'static str, Option<String>)> {
    let mut old = Vec::new();
    for name in NAMES {
        let deployment = lab.api.get(DEPLOYMENT, name).await;
        if deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 9 {
            let said = lab.condition(name, "RolledOut").await;
            old.push((name, said.map(|said| said.reason)));
        }
    }
    old
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_that_a_newer_operator_makes_otherwise_are_replaced_for_one_resource_after_another() {
    let lab = Lab::new().await;
    for name in NAMES {
        let secret = database_secret(name, name);
        lab.api
            .create(SECRET, &secret)
            .await
            .expect("it can be made");
        lab.apply(&lean(name, name)).await;
    }
    for name in NAMES {
        lab.settles(name).await;
    }
    // No new pod becomes ready, so that a rollout that has begun does not end.
    lab.kubelet.set(Fate::Wait);
    let older = json!({
        "metadata": {"annotations": {
            "urlshortener.dev/applied": "older", "urlshortener.dev/template": "older"}},
        "spec": {"template": {"spec": {"terminationGracePeriodSeconds": 9}}},
    });
    let (lab, ()) = lab
        .restarted(async |api, _| {
            for name in NAMES {
                api.merge(DEPLOYMENT, name, &older).await;
            }
        })
        .await;
    lab.holds("one has its turn, and the others wait", async || {
        let old = as_before(&lab).await;
        let queued = old
            .iter()
            .filter(|(_, said)| said.as_deref() == Some("Queued"));
        old.len() == 2 && queued.count() == 2
    })
    .await;
    // Somebody who changes a spec does not wait for others.
    let (waiting, _) = as_before(&lab).await[1].clone();
    let mut changed = lean(waiting, waiting);
    changed["spec"]["app"] = json!({"rollout": {"drainSeconds": 40}});
    lab.apply(&changed).await;
    lab.holds("what was asked for is carried out", async || {
        let old = as_before(&lab).await;
        old.len() == 1 && old[0].0 != waiting
    })
    .await;

    lab.kubelet.set(Fate::Work);
    lab.holds("all have had their turn", async || {
        as_before(&lab).await.is_empty()
    })
    .await;
    for name in NAMES {
        lab.settles(name).await;
    }
}
