//! Who decides about the number of replicas, and how it passes from the operator to KEDA and back without ever jumping. KEDA itself
//! is played: a test makes its `HorizontalPodAutoscaler` and scales as that would.

use harness::kubernetes::kind::{
    CRD, DEPLOYMENT, HORIZONTAL_POD_AUTOSCALER, SCALED_OBJECT, URL_SHORTENER,
};
use harness::kubernetes::{audit::Audit, control_plane::Foreign};
use serde_json::{Value, json};

use crate::{
    lab::Lab,
    prometheus::Prometheus,
    resource::{complete, with},
};

fn fixed(replicas: i32) -> Value {
    with(
        "links",
        json!({"scaling": {"type": "Fixed", "fixed": {"replicas": replicas}}}),
    )
}

async fn replicas(lab: &Lab) -> Value {
    lab.api.get(DEPLOYMENT, "links").await["spec"]["replicas"].clone()
}

/// What KEDA does once it sees the `ScaledObject`.
async fn make_autoscaler(lab: &Lab) {
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "links"});
    let owner = lab.api.get(SCALED_OBJECT, "links").await["metadata"]["uid"].clone();
    let autoscaler = json!({
        "metadata": {"name": "keda-hpa-links", "ownerReferences": [{
            "apiVersion": SCALED_OBJECT.api_version, "kind": SCALED_OBJECT.kind, "name": "links", "uid": owner, "controller": true}]},
        "spec": {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 6},
    });
    lab.api
        .create(HORIZONTAL_POD_AUTOSCALER, &autoscaler)
        .await
        .expect("it can be made");
}

/// What the autoscaler does when there is more to do.
async fn scale(lab: &Lab, replicas: i32) {
    let patch = json!({"spec": {"replicas": replicas}});
    let scaled = lab
        .api
        .merge_part(DEPLOYMENT, "links", "scale", &patch)
        .await;
    scaled.expect("a Deployment can be scaled");
}

/// Whether the operator has let the number of replicas out of an apply without anybody else's holding it: then it would be 1.
async fn never_fell_to_one(lab: &Lab, audit: &Audit) {
    assert!(!lab.writes(audit).is_empty());
    assert_ne!(replicas(lab).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keda_is_given_the_number_as_it_is_and_the_operator_takes_it_back_as_it_is() {
    let lab = Lab::new().await;
    let prometheus = Prometheus::with(7).await;
    lab.apply(&fixed(4)).await;
    lab.settles("links").await;
    assert_eq!(replicas(&lab).await, 4);

    let audit = lab.audit();
    let mut autoscaled = complete("links", &prometheus.url());
    autoscaled["spec"]["scaling"]["autoscaled"]["maxReplicas"] = 6.into();
    lab.apply(&autoscaled).await;
    lab.appears(SCALED_OBJECT, "links").await;
    lab.reports("links", "AutoscalingReady", "True", "Installed")
        .await;
    let scaled = lab.api.get(SCALED_OBJECT, "links").await;
    let fallback = &scaled["spec"]["fallback"];
    assert_eq!(fallback["behavior"], "currentReplicasIfHigher");
    assert_eq!(fallback["replicas"], 2, "never fewer than `minReplicas`");
    assert_eq!(replicas(&lab).await, 4, "handed over as it was");
    never_fell_to_one(&lab, &audit).await;
    make_autoscaler(&lab).await;
    scale(&lab, 5).await;

    // A change elsewhere in the spec is another apply, which leaves the number alone.
    autoscaled["spec"]["app"] = json!({"rollout": {"drainSeconds": 31}});
    lab.apply(&autoscaled).await;
    lab.holds("the change is made", async || {
        let deployment = lab.api.get(DEPLOYMENT, "links").await;
        deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 82
    })
    .await;
    assert_eq!(replicas(&lab).await, 5, "what the autoscaler has decided");

    let audit = lab.audit();
    lab.apply(&fixed(3)).await;
    lab.goes(SCALED_OBJECT, "links").await;
    lab.goes(HORIZONTAL_POD_AUTOSCALER, "keda-hpa-links").await;
    lab.settles("links").await;
    assert_eq!(replicas(&lab).await, 3);
    never_fell_to_one(&lab, &audit).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keda_decides_only_after_prometheus_has_told_a_number() {
    let lab = Lab::new().await;
    let prometheus = Prometheus::empty().await;
    lab.apply(&complete("links", &prometheus.url())).await;
    let resource = lab
        .reports("links", "AutoscalingReady", "False", "WaitingForMetrics")
        .await;
    let flowing = crate::lab::condition(&resource, "MetricsFlowing").expect("it is reported");
    assert_eq!(flowing.reason, "NoSeries");
    assert!(
        flowing.message.contains("serviceMonitorSelector"),
        "{}",
        flowing.message
    );
    assert!(lab.api.find(SCALED_OBJECT, "links").await.is_none());

    prometheus.set(Some(3));
    // It asks again by itself, and at once when somebody touches the resource.
    lab.api
        .merge(
            URL_SHORTENER,
            "links",
            &json!({"metadata": {"annotations": {"look": "again"}}}),
        )
        .await;
    lab.appears(SCALED_OBJECT, "links").await;
    lab.reports("links", "MetricsFlowing", "True", "Flowing")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_uninstalled_keda_is_reported_its_finalizer_left_alone_and_its_number_kept() {
    let lab = Lab::of_cluster(&[Foreign::Keda]).await;
    let prometheus = Prometheus::with(7).await;
    let scaling = complete("links", &prometheus.url())["spec"]["scaling"].clone();
    lab.apply(&with("links", json!({"scaling": scaling}))).await;
    lab.appears(SCALED_OBJECT, "links").await;
    lab.reports("links", "AutoscalingReady", "True", "Installed")
        .await;
    make_autoscaler(&lab).await;
    scale(&lab, 5).await;
    // As KEDA does. Whoever uninstalls it then cannot delete its definition before that is off.
    let finalizer = json!({"metadata": {"finalizers": ["finalizer.keda.sh"]}});
    lab.api.merge(SCALED_OBJECT, "links", &finalizer).await;
    lab.api.delete(CRD, "scaledobjects.keda.sh").await;

    lab.reports("links", "AutoscalingReady", "False", "ScaledObjectBlocked")
        .await;
    let object = lab.api.get(SCALED_OBJECT, "links").await;
    assert_eq!(
        object["metadata"]["finalizers"],
        json!(["finalizer.keda.sh"])
    );
    assert_eq!(replicas(&lab).await, 5);

    lab.api
        .merge(
            SCALED_OBJECT,
            "links",
            &json!({"metadata": {"finalizers": null}}),
        )
        .await;
    lab.goes(CRD, "scaledobjects.keda.sh").await;
    // The garbage collector cannot follow an owner whose kind is gone, so that whoever uninstalls KEDA deletes this too.
    lab.api
        .delete(HORIZONTAL_POD_AUTOSCALER, "keda-hpa-links")
        .await;
    lab.reports("links", "AutoscalingReady", "False", "CRDNotInstalled")
        .await;
    assert_eq!(replicas(&lab).await, 5, "taken over as it was");
}
