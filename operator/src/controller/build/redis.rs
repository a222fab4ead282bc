//! The managed Redis: a cache and the counters of rate limits, in memory alone. Nothing here is worth a disk, or a second one. It asks for
//! a password, since whoever could write to it would decide where links lead.

use serde_json::{Value, json};

use super::{
    Object, Plan,
    labels::{self, Part, labels, owned, selector},
    pod,
};
use crate::{
    crd::{access::Switch, quantity, redis::RedisType},
    kinds::Kind,
};

/// The user of the official image.
const USER: i32 = 999;

pub fn build(plan: &Plan) -> Vec<Object> {
    if plan.spec.redis.kind != RedisType::Managed {
        return Vec::new();
    }
    vec![deployment(plan), service(plan)]
}

fn deployment(plan: &Plan) -> Object {
    let mut containers = vec![container(plan)];
    if let Some(exporter) = exporter(plan) {
        containers.push(exporter);
    }
    let name = labels::redis_name(&plan.name);
    let volumes = [
        json!({"name": "data", "emptyDir": {"sizeLimit": "64Mi"}}),
        json!({"name": "credentials", "secret": {"secretName": name, "defaultMode": 0o440}}),
    ];
    let mut metadata = json!({"labels": labels(plan, Part::Redis)});
    // It reads its password at its start.
    if let Some(digest) = &plan.redis_digest {
        metadata["annotations"] = json!({super::app::SECRETS: digest});
    }
    let spec = json!({
        "replicas": 1,
        "revisionHistoryLimit": 5,
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": selector(plan, Part::Redis)},
        "template": {
            "metadata": metadata,
            "spec": pod::spec(plan, USER, &containers, &volumes),
        },
    });
    let metadata = owned(plan, &name, Part::Redis);
    Object::new(
        Kind::Deployment,
        json!({"metadata": metadata, "spec": spec}),
    )
}

fn container(plan: &Plan) -> Value {
    let most = quantity::bytes(&plan.spec.redis.managed().max_memory);
    // Redis counts its data; fragments and the buffers of connections come on top.
    let limit = (most + most / 2 + (32 << 20)).to_string();
    // With `-e` an answer that is an error, such as that the password is wrong, is a failure.
    let probe = json!({"exec": {"command": ["redis-cli", "-e", "ping"]}, "periodSeconds": 5, "timeoutSeconds": 5});
    json!({
        "name": "redis",
        "image": plan.defaults.redis_image,
        "imagePullPolicy": "IfNotPresent",
        // The password is in a file: arguments are for everybody to see.
        "args": [
            "redis-server", "/credentials/redis.conf", "--save", "", "--appendonly", "no",
            "--maxmemory", most.to_string(), "--maxmemory-policy", "allkeys-lru",
        ],
        "env": [password(plan, "REDISCLI_AUTH")],
        "ports": [{"name": "redis", "containerPort": 6379, "protocol": "TCP"}],
        "readinessProbe": probe,
        "livenessProbe": {"tcpSocket": {"port": "redis"}, "periodSeconds": 10, "failureThreshold": 6},
        "resources": {"requests": {"cpu": "50m", "memory": limit}, "limits": {"memory": limit}},
        "securityContext": pod::container_security(),
        "volumeMounts": [
            {"name": "data", "mountPath": "/data"},
            {"name": "credentials", "mountPath": "/credentials", "readOnly": true},
        ],
    })
}

/// A variable with the password, for programs that take it in no other way.
fn password(plan: &Plan, variable: &str) -> Value {
    let secret = labels::redis_name(&plan.name);
    json!({"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": "password"}}})
}

pub fn exports(plan: &Plan) -> bool {
    plan.spec.redis.kind == RedisType::Managed
        && plan.spec.monitoring.exporters.redis == Switch::Enabled
}

fn exporter(plan: &Plan) -> Option<Value> {
    exports(plan).then(|| {
        json!({
            "name": "exporter",
            "image": plan.defaults.redis_exporter_image,
            "imagePullPolicy": "IfNotPresent",
            "env": [pod::variable("REDIS_ADDR", "redis://127.0.0.1:6379"), password(plan, "REDIS_PASSWORD")],
            "ports": [{"name": "metrics", "containerPort": 9121, "protocol": "TCP"}],
            "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}},
            "securityContext": pod::container_security(),
        })
    })
}

fn service(plan: &Plan) -> Object {
    let mut ports =
        vec![json!({"name": "redis", "port": 6379, "targetPort": "redis", "protocol": "TCP"})];
    if exports(plan) {
        ports.push(
            json!({"name": "metrics", "port": 9121, "targetPort": "metrics", "protocol": "TCP"}),
        );
    }
    let body = json!({
        "metadata": owned(plan, &labels::redis_name(&plan.name), Part::Redis),
        "spec": {"type": "ClusterIP", "selector": selector(plan, Part::Redis), "ports": ports},
    });
    Object::new(Kind::Service, body)
}
