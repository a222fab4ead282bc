//! The Ingress, if that is how the service is reached.

use serde_json::{Value, json};

use super::{
    Object, Plan,
    labels::{Part, owned},
};
use crate::kinds::Kind;

pub fn build(plan: &Plan) -> Option<Object> {
    if !plan.makes.ingress {
        return None;
    }
    let wanted = plan.spec.exposure.ingress.clone().unwrap_or_default();
    let backend = json!({"service": {"name": plan.name, "port": {"name": "http"}}});
    let rules: Vec<_> = plan
        .spec
        .hosts
        .iter()
        .map(|host| {
            let paths = json!([{"path": "/", "pathType": "Prefix", "backend": backend}]);
            json!({"host": host.name, "http": {"paths": paths}})
        })
        .collect();
    let mut spec = json!({"rules": rules});
    if let Some(class) = wanted.class_name {
        spec["ingressClassName"] = class.into();
    }
    let certificates = certificates(plan);
    if !certificates.is_empty() {
        spec["tls"] = certificates.into();
    }
    let mut metadata = owned(plan, &plan.name, Part::App);
    if !wanted.annotations.is_empty() {
        metadata["annotations"] = json!(wanted.annotations);
    }
    Some(Object::new(
        Kind::Ingress,
        json!({"metadata": metadata, "spec": spec}),
    ))
}

fn certificates(plan: &Plan) -> Vec<Value> {
    let hosts = plan.spec.hosts.iter();
    hosts
        .filter_map(|host| {
            let secret = host.tls_secret()?;
            Some(json!({"hosts": [host.name], "secretName": secret.name}))
        })
        .collect()
}
