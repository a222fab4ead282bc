//! What KEDA scales by: the rate of requests that a Prometheus has counted.

use serde_json::{Value, json};

use super::{
    Object, Plan,
    labels::{Part, owned},
};
use crate::{
    crd::{
        UrlShortenerSpec,
        scaling::{Autoscaled, FallbackBehavior},
    },
    kinds::Kind,
};

/// How many evaluations in a row must fail before the fallback holds.
const FAILURES: i32 = 3;

pub fn build(plan: &Plan) -> Option<Object> {
    let autoscaled = plan.spec.scaling.autoscaled.as_ref()?;
    if !plan.scale.scaled_object {
        return None;
    }
    let spec = json!({
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": plan.name},
        "minReplicaCount": autoscaled.min_replicas,
        "maxReplicaCount": autoscaled.max_replicas,
        "advanced": {
            "restoreToOriginalReplicaCount": false,
            "horizontalPodAutoscalerConfig": {"behavior": {"scaleDown": {
                "stabilizationWindowSeconds": autoscaled.scale_down.stabilization_seconds,
            }}},
        },
        "fallback": fallback(autoscaled),
        "triggers": [trigger(plan, autoscaled)],
    });
    let metadata = owned(plan, &plan.name, Part::App);
    Some(Object::new(
        Kind::ScaledObject,
        json!({"metadata": metadata, "spec": spec}),
    ))
}

/// What KEDA tells while the Prometheus does not answer. There is always something: an autoscaler that was told nothing but errors
/// believes the first rate that it hears, and that of a Prometheus that was down for longer than the window of stabilization is a part
/// of the whole, so that most replicas would go (docs/autoscaling.md).
fn fallback(autoscaled: &Autoscaled) -> Value {
    let named = autoscaled.fallback.as_ref();
    let behavior = match named.map(|fallback| fallback.behavior) {
        None | Some(FallbackBehavior::CurrentIfHigher) => "currentReplicasIfHigher",
        Some(FallbackBehavior::Static) => "static",
    };
    json!({
        "failureThreshold": FAILURES,
        "replicas": named.map_or(autoscaled.min_replicas, |fallback| fallback.replicas),
        "behavior": behavior,
    })
}

/// Over how long the rate is taken, in seconds. In less than four readings, one that fails leaves no rate; and less than a minute
/// would scale by noise.
fn window(spec: &UrlShortenerSpec) -> i64 {
    const SHORTEST: i64 = 60;
    (4 * spec.monitoring.service_monitor.interval_seconds()).max(SHORTEST)
}

/// The rate of requests to all replicas. Without data there is no number, and so no decision: a number made up for that case
/// would take replicas away whenever Prometheus has lost sight of them.
pub fn query(namespace: &str, name: &str, spec: &UrlShortenerSpec) -> String {
    let window = window(spec);
    format!(
        r#"sum(rate(shortener_http_requests_total{{namespace="{namespace}",service="{name}"}}[{window}s]))"#
    )
}

fn trigger(plan: &Plan, autoscaled: &Autoscaled) -> Value {
    let mut trigger = json!({
        "type": "prometheus",
        "metricType": "AverageValue",
        // KEDA takes texts here.
        "metadata": {
            "serverAddress": autoscaled.prometheus.server_address,
            "query": query(&plan.namespace, &plan.name, &plan.spec),
            "threshold": autoscaled.target.request_rate.per_replica.to_string(),
            "ignoreNullValues": "false",
        },
    });
    if let Some(reference) = &autoscaled.prometheus.authentication_ref {
        trigger["authenticationRef"] = json!({"name": reference.name});
    }
    trigger
}
