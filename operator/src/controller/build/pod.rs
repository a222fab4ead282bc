//! What all pods have in common, and what both the service's and the migration's have: image, database, security.

use serde_json::{Map, Value, json};

use super::Plan;
use crate::crd::app::{Amounts, Resources};

/// The user of the service's image.
pub const USER: i32 = 10001;

/// The spec of a pod with what all have in common. Service links are off: a Service that is called `shortener` would have each pod
/// find a variable `SHORTENER_PORT`, which is a setting of ours in looks alone.
pub fn spec(plan: &Plan, user: i32, containers: &[Value], volumes: &[Value]) -> Value {
    let mut spec = json!({
        "serviceAccountName": plan.name,
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "securityContext": security(user),
        "containers": containers,
        "volumes": volumes,
    });
    if let Some(secrets) = plan.pull_secrets() {
        spec["imagePullSecrets"] = secrets;
    }
    spec
}

/// A pod that the strictest of the Pod Security Standards lets in.
fn security(user: i32) -> Value {
    json!({
        "runAsNonRoot": true,
        "runAsUser": user,
        "runAsGroup": user,
        "fsGroup": user,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    })
}

/// A container without rights, whose image nobody can write to.
pub fn container_security() -> Value {
    json!({
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "capabilities": {"drop": ["ALL"]},
    })
}

/// The folder into which a Secret is mounted, and the volume that does it.
pub struct Mounted {
    pub mount: Value,
    pub volume: Value,
}

fn mounted(volume: &str, secret: &str, key: &str, file: &str) -> Mounted {
    Mounted {
        mount: json!({"name": volume, "mountPath": format!("/secrets/{volume}"), "readOnly": true}),
        volume: json!({
            "name": volume,
            "secret": {
                "secretName": secret,
                "defaultMode": 0o440,
                "items": [{"key": key, "path": file}],
            },
        }),
    }
}

/// The variables by which a program of the service's image finds the database, and the volumes behind them.
pub fn database(plan: &Plan) -> (Vec<Value>, Vec<Mounted>) {
    let (secret, key) = plan.database_secret();
    let mut variables = vec![variable("DATABASE_URL_FILE", "/secrets/database/url")];
    let mut volumes = vec![mounted("database", &secret, key, "url")];
    if let Some(secret) = plan.session_secret() {
        variables.push(variable(
            "DATABASE_SESSION_URL_FILE",
            "/secrets/database-session/url",
        ));
        volumes.push(mounted("database-session", &secret, "url", "url"));
    }
    (variables, volumes)
}

/// The admin's key.
pub fn admin_key(plan: &Plan) -> Mounted {
    let secret = super::labels::admin_key_name(&plan.name);
    mounted("admin-key", &secret, "key", "key")
}

/// The address of the Redis.
pub fn redis_url(secret: &str) -> Mounted {
    mounted("redis", secret, "url", "url")
}

pub fn variable(name: &str, value: impl Into<String>) -> Value {
    json!({"name": name, "value": value.into()})
}

/// Requests and limits as a container takes them.
pub fn resources(resources: &Resources) -> Value {
    let mut all = Map::new();
    for (name, amounts) in [
        ("requests", &resources.requests),
        ("limits", &resources.limits),
    ] {
        if let Some(amounts) = amounts {
            all.insert(name.to_owned(), named(amounts));
        }
    }
    Value::Object(all)
}

fn named(amounts: &Amounts) -> Value {
    let mut all = Map::new();
    let texts = [
        (
            "cpu",
            amounts.cpu.as_ref().map(crate::crd::quantity::Cpu::text),
        ),
        ("memory", amounts.memory.clone()),
        ("ephemeral-storage", amounts.ephemeral_storage.clone()),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            all.insert(name.to_owned(), text.into());
        }
    }
    Value::Object(all)
}
