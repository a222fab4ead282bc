//! A newer operator over what an older one has made: pods stay, leftovers go, and the fields of the older one are let go.

use harness::kubernetes::kind::{CONFIG_MAP, POD, SERVICE, URL_SHORTENER};
use serde_json::{Value, json};

use crate::{lab::Lab, resource::minimal};

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
