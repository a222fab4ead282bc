//! What somebody deletes or edits is made good, but credentials: those are never written twice.

use harness::kubernetes::{
    api::Patch,
    kind::{DEPLOYMENT, JOB, Kind, SECRET, SERVICE_ACCOUNT},
};
use serde_json::{Value, json};

use crate::{
    lab::{Lab, PATIENCE},
    prometheus::Prometheus,
    resource::{complete, ingress, minimal},
};

/// Every kind that is not a credential. A Job that is done has nothing left to restore.
async fn owned(lab: &Lab) -> Vec<(Kind, Value)> {
    let mut all = lab.made_for("links").await;
    all.retain(|(kind, _)| ![SECRET, JOB].contains(kind));
    all
}

async fn is_restored_after_deletion(lab: &Lab) {
    for (kind, object) in owned(lab).await {
        let name = object["metadata"]["name"]
            .as_str()
            .expect("it has a name")
            .to_owned();
        let uid = object["metadata"]["uid"].clone();
        lab.api.delete(kind, &name).await;
        let what = format!("{} {name} is made again", kind.kind);
        lab.wait(&what, async || {
            let found = lab.api.find(kind, &name).await?;
            let is_new =
                found["metadata"]["uid"] != uid && found["metadata"]["deletionTimestamp"].is_null();
            is_new.then_some(())
        })
        .await;
    }
}

async fn is_restored_after_an_edit(lab: &Lab) {
    for (kind, object) in owned(lab).await {
        let name = object["metadata"]["name"]
            .as_str()
            .expect("it has a name")
            .to_owned();
        let path = |object: &Value| field(kind, object);
        let (edit, before) = edited(kind, &object);
        lab.api.merge(kind, &name, &edit).await;
        let what = format!("{} {name} is as it was: {edit}", kind.kind);
        lab.holds(&what, async || {
            path(&lab.api.get(kind, &name).await) == before
        })
        .await;
    }
}

/// A patch that spoils a field of ours, and what the field was.
fn edited(kind: Kind, object: &Value) -> (Value, Value) {
    let before = field(kind, object);
    let edit = match kind.kind {
        "ConfigMap" => json!({"data": {"urlshortener-overview.json": "{}"}}),
        "StatefulSet" => json!({"spec": {"replicas": 0}}),
        "PodDisruptionBudget" => json!({"spec": {"maxUnavailable": 0}}),
        "Service" => json!({"spec": {"selector": {"app.kubernetes.io/instance": "somebody-else"}}}),
        "NetworkPolicy" => {
            json!({"spec": {"podSelector": {"matchLabels": {"app.kubernetes.io/instance": "other"}}}})
        }
        "Ingress" => json!({"spec": {"ingressClassName": "other"}}),
        "HTTPRoute" => json!({"spec": {"hostnames": ["other.example.com"]}}),
        "ServiceMonitor" => json!({"spec": {"endpoints": [{"port": "other"}]}}),
        "PrometheusRule" => json!({"spec": {"groups": []}}),
        "ScaledObject" => json!({"spec": {"maxReplicaCount": 1}}),
        _ => json!({"metadata": {"labels": {"app.kubernetes.io/part-of": "other"}}}),
    };
    (edit, before)
}

/// The field that [`edited`] spoils.
fn field(kind: Kind, object: &Value) -> Value {
    let spec = &object["spec"];
    let field = match kind.kind {
        "ConfigMap" => &object["data"]["urlshortener-overview.json"],
        "StatefulSet" => &spec["replicas"],
        "PodDisruptionBudget" => &spec["maxUnavailable"],
        "Service" => &spec["selector"],
        "NetworkPolicy" => &spec["podSelector"],
        "Ingress" => &spec["ingressClassName"],
        "HTTPRoute" => &spec["hostnames"],
        "ServiceMonitor" => &spec["endpoints"][0]["port"],
        "PrometheusRule" => &spec["groups"],
        "ScaledObject" => &spec["maxReplicaCount"],
        _ => &object["metadata"]["labels"]["app.kubernetes.io/part-of"],
    };
    field.clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_deleted_object_is_made_again() {
    let lab = Lab::new().await;
    let prometheus = Prometheus::with(7).await;
    lab.apply(&complete("links", &prometheus.url())).await;
    lab.settles("links").await;
    is_restored_after_deletion(&lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_edited_object_is_put_right() {
    let lab = Lab::new().await;
    let prometheus = Prometheus::with(7).await;
    lab.apply(&complete("links", &prometheus.url())).await;
    lab.settles("links").await;
    is_restored_after_an_edit(&lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ingress_is_looked_after_as_a_route_is() {
    let lab = Lab::new().await;
    lab.apply(&ingress("links")).await;
    lab.settles("links").await;
    is_restored_after_an_edit(&lab).await;
    is_restored_after_deletion(&lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_that_somebody_has_changed_stay_as_they_are() {
    let lab = Lab::new().await;
    lab.apply(&ingress("links")).await;
    lab.settles("links").await;
    let ours = json!({"stringData": {"key": "a key of our own, which nobody may overwrite"}});
    lab.api.merge(SECRET, "links-admin-key", &ours).await;
    let before = lab.api.get(SECRET, "links-admin-key").await;

    // Whatever the operator would do about it, it would do it in the course of this.
    lab.api.delete(SERVICE_ACCOUNT, "links").await;
    lab.appears(SERVICE_ACCOUNT, "links").await;
    lab.settles("links").await;
    assert_eq!(
        lab.api.get(SECRET, "links-admin-key").await["data"],
        before["data"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_of_redis_that_is_gone_is_drawn_again_and_both_sides_start_anew_with_it() {
    let lab = Lab::new().await;
    lab.apply(&minimal("links")).await;
    lab.settles("links").await;
    let digest = async |name: &str| {
        let deployment = lab.api.get(DEPLOYMENT, name).await;
        let annotations = &deployment["spec"]["template"]["metadata"]["annotations"];
        annotations["urlshortener.dev/secrets"].clone()
    };
    let before = (digest("links").await, digest("links-redis").await);
    assert!(before.0.is_string() && before.1.is_string(), "{before:?}");
    let password = lab.api.get(SECRET, "links-redis").await["data"]["password"].clone();

    lab.api.delete(SECRET, "links-redis").await;
    lab.nudge("links").await;
    let made = lab.appears(SECRET, "links-redis").await;
    assert_ne!(made["data"]["password"], password);
    lab.holds("both know of it", async || {
        digest("links").await != before.0 && digest("links-redis").await != before.1
    })
    .await;
    lab.settles("links").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_add_stays() {
    let lab = Lab::new().await;
    lab.apply(&ingress("links")).await;
    lab.settles("links").await;
    let theirs =
        json!({"metadata": {"annotations": {"theirs": "kept"}, "labels": {"theirs": "kept"}}});
    for (kind, object) in owned(&lab).await {
        let name = object["metadata"]["name"].as_str().expect("it has a name");
        lab.api
            .try_patch(kind, name, Patch::Merge, &theirs)
            .await
            .expect("it can be changed");
    }
    is_restored_after_an_edit(&lab).await;
    for (kind, object) in owned(&lab).await {
        let kept = &object["metadata"]["annotations"]["theirs"];
        assert_eq!(kept, "kept", "{} within {PATIENCE:?}", kind.kind);
    }
}
