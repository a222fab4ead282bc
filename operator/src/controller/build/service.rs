//! The Service of the pods that serve.

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
            "type": "ClusterIP",
            "selector": selector(plan, Part::App),
            "ports": [
                {"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"},
                {"name": "management", "port": 8081, "targetPort": "management", "protocol": "TCP"},
            ],
        },
    });
    Object::new(Kind::Service, body)
}
