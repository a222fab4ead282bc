//! The HTTPRoute of the Gateway API, if that is how the service is reached.

use serde_json::json;

use super::{
    Object, Plan,
    labels::{Part, owned},
};
use crate::kinds::Kind;

pub fn build(plan: &Plan) -> Option<Object> {
    let gateway = plan.spec.exposure.gateway.as_ref()?;
    if !plan.makes.http_route {
        return None;
    }
    let hostnames: Vec<_> = plan
        .spec
        .hosts
        .iter()
        .map(|host| host.name.as_str())
        .collect();
    let parents: Vec<_> = gateway
        .parent_refs
        .iter()
        .map(|parent| {
            let mut reference = json!(parent);
            reference["group"] = "gateway.networking.k8s.io".into();
            reference["kind"] = "Gateway".into();
            reference
        })
        .collect();
    let body = json!({
        "metadata": owned(plan, &plan.name, Part::App),
        "spec": {
            "parentRefs": parents,
            "hostnames": hostnames,
            "rules": [{
                "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                "backendRefs": [{"group": "", "kind": "Service", "name": plan.name, "port": 80, "weight": 1}],
            }],
        },
    });
    Some(Object::new(Kind::HttpRoute, body))
}
