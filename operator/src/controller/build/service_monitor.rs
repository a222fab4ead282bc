//! How a Prometheus of the Prometheus operator finds the metrics.

use serde_json::{Value, json};

use super::{
    Object, Plan,
    labels::{self, Part, owned, selector},
    postgres, redis,
};
use crate::kinds::Kind;

pub fn build(plan: &Plan) -> Vec<Object> {
    if !plan.makes.service_monitor {
        return Vec::new();
    }
    let mut monitors = vec![monitor(plan, &plan.name, Part::App, "management")];
    if redis::exports(plan) {
        monitors.push(monitor(
            plan,
            &labels::redis_name(&plan.name),
            Part::Redis,
            "metrics",
        ));
    }
    if postgres::exports(plan) {
        monitors.push(monitor(
            plan,
            &labels::postgres_name(&plan.name),
            Part::Postgres,
            "metrics",
        ));
    }
    monitors
}

fn monitor(plan: &Plan, name: &str, part: Part, endpoint: &str) -> Object {
    let wanted = &plan.spec.monitoring.service_monitor;
    let mut metadata = owned(plan, name, part);
    add(&mut metadata, &wanted.labels);
    let body = json!({
        "metadata": metadata,
        "spec": {
            // The rules ask for the job `shortener`.
            "jobLabel": "app.kubernetes.io/name",
            "selector": {"matchLabels": selector(plan, part)},
            "endpoints": [{"port": endpoint, "path": "/metrics", "interval": wanted.interval}],
        },
    });
    Object::new(Kind::ServiceMonitor, body)
}

/// Labels that the user asked for. Ours win: by them the object is found again.
pub fn add(metadata: &mut Value, labels: &std::collections::BTreeMap<String, String>) {
    for (name, value) in labels {
        let slot = &mut metadata["labels"][name.as_str()];
        if slot.is_null() {
            *slot = value.clone().into();
        }
    }
}
