//! The resources that tests apply.

use serde_json::{Value, json};

/// With what nobody can leave out.
pub(crate) fn minimal(name: &str) -> Value {
    with(name, json!({}))
}

/// With `spec`, and a version if that has none.
pub(crate) fn with(name: &str, mut spec: Value) -> Value {
    if spec["version"].is_null() {
        spec["version"] = "1.0.0".into();
    }
    json!({"metadata": {"name": name}, "spec": spec})
}

/// Without a store of its own, so that little is made: the Secret `name` has the address of its database.
pub(crate) fn lean(name: &str, secret: &str) -> Value {
    with(
        name,
        json!({
            "redis": {"type": "Disabled"},
            "postgres": {"type": "External", "external": {
                "secretRef": {"name": secret}, "connectionLimit": 200}},
        }),
    )
}

/// An address of a database that nobody else uses.
pub(crate) fn database_secret(name: &str, database: &str) -> Value {
    let url = format!("postgres://links:secret@postgres.databases:5432/{database}");
    json!({"metadata": {"name": name}, "type": "Opaque", "stringData": {"url": url}})
}

/// With an object of every kind that does not exclude another, scaled by KEDA.
pub(crate) fn complete(name: &str, prometheus: &str) -> Value {
    with(
        name,
        json!({
            "scaling": {"type": "Autoscaled", "autoscaled": {
                "minReplicas": 2, "maxReplicas": 6,
                "prometheus": {"serverAddress": prometheus},
            }},
            "hosts": [{"name": format!("{name}.example.com")}],
            "exposure": {"type": "Gateway", "gateway": {"parentRefs": [{"name": "public"}]}},
            "networkPolicy": {"mode": "Enabled", "metricsFrom": [{"podSelector": {}}]},
        }),
    )
}

/// Behind an Ingress, with a fixed number of replicas.
pub(crate) fn ingress(name: &str) -> Value {
    with(
        name,
        json!({
            "scaling": {"type": "Fixed", "fixed": {"replicas": 2}},
            "hosts": [{"name": format!("{name}.example.com"), "tls": {"secretName": "certificate"}}],
            "exposure": {"type": "Ingress", "ingress": {"className": "nginx"}},
            "networkPolicy": {"mode": "Enabled"},
        }),
    )
}
