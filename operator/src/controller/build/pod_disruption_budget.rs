//! How many of the service's pods may be taken away at once, such as by draining a node. One always may: a budget that forbids
//! every disruption blocks upgrades of the cluster for ever.

use serde_json::json;

use super::{
    Object, Plan,
    labels::{Part, owned, selector},
};
use crate::kinds::Kind;

pub fn build(plan: &Plan) -> Object {
    let body = json!({
        "metadata": owned(plan, &plan.name, Part::App),
        "spec": {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": selector(plan, Part::App)},
        },
    });
    Object::new(Kind::PodDisruptionBudget, body)
}
