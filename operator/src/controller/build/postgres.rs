//! The managed Postgres: one pod with one volume, for small use. It is not highly available, and the status says so.

use serde_json::{Value, json};

use super::{
    Object, Plan,
    labels::{self, Part, labels, owned, selector},
    pod, secrets,
};
use crate::{
    crd::{DeletionPolicy, access::Switch, postgres::PostgresType},
    kinds::Kind,
};

/// The user of the official image.
const USER: i32 = 999;

/// The image of 18 keeps its data in a folder of the version, below this one.
const FIRST_WITH_FOLDERS: i32 = 18;

pub fn build(plan: &Plan) -> Vec<Object> {
    if plan.spec.postgres.kind != PostgresType::Managed {
        return Vec::new();
    }
    vec![stateful_set(plan), service(plan)]
}

/// What becomes of volumes when the StatefulSet goes.
pub fn when_deleted(plan: &Plan) -> &'static str {
    match plan.spec.deletion_policy {
        DeletionPolicy::Retain => "Retain",
        DeletionPolicy::Delete => "Delete",
    }
}

fn stateful_set(plan: &Plan) -> Object {
    let name = labels::postgres_name(&plan.name);
    let mut containers = vec![container(plan)];
    if let Some(exporter) = exporter(plan) {
        containers.push(exporter);
    }
    let memory = |name: &str, size: &str| json!({"name": name, "emptyDir": {"medium": "Memory", "sizeLimit": size}});
    let volumes = [
        memory("run", "16Mi"),
        memory("shared-memory", "256Mi"),
        json!({"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}),
        json!({"name": "credentials", "secret": {"secretName": name, "defaultMode": 0o440}}),
    ];
    let mut pod = pod::spec(plan, USER, &containers, &volumes);
    pod["terminationGracePeriodSeconds"] = 60.into();
    let spec = json!({
        "replicas": 1,
        "serviceName": name,
        "revisionHistoryLimit": 5,
        "updateStrategy": {"type": "RollingUpdate"},
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": when_deleted(plan), "whenScaled": "Retain"},
        "selector": {"matchLabels": selector(plan, Part::Postgres)},
        "template": {
            "metadata": {"labels": labels(plan, Part::Postgres)},
            "spec": pod,
        },
        "volumeClaimTemplates": [claim(plan)],
    });
    let metadata = owned(plan, &name, Part::Postgres);
    Object::new(
        Kind::StatefulSet,
        json!({"metadata": metadata, "spec": spec}),
    )
}

fn container(plan: &Plan) -> Value {
    let managed = plan.spec.postgres.managed();
    let home = if managed.major >= FIRST_WITH_FOLDERS {
        "/var/lib/postgresql"
    } else {
        "/var/lib/postgresql/data"
    };
    let ready = [
        "pg_isready",
        "-h",
        "127.0.0.1",
        "-U",
        secrets::USER,
        "-d",
        secrets::USER,
    ];
    let mut variables = vec![
        pod::variable("POSTGRES_USER", secrets::USER),
        pod::variable("POSTGRES_DB", secrets::USER),
        pod::variable("POSTGRES_PASSWORD_FILE", "/credentials/password"),
    ];
    if managed.major < FIRST_WITH_FOLDERS {
        // A volume may hold a folder of its own at the top, and Postgres wants an empty one.
        variables.push(pod::variable("PGDATA", "/var/lib/postgresql/data/pgdata"));
    }
    json!({
        "name": "postgres",
        "image": plan.defaults.postgres_image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["postgres", "-c", format!("max_connections={}", managed.max_connections)],
        "env": variables,
        "ports": [{"name": "postgres", "containerPort": 5432, "protocol": "TCP"}],
        // A first start, or one after a crash, may take long: it is not cut short.
        "startupProbe": {"exec": {"command": ready}, "periodSeconds": 2, "timeoutSeconds": 5, "failureThreshold": 300},
        "readinessProbe": {"exec": {"command": ready}, "periodSeconds": 5, "timeoutSeconds": 5},
        "livenessProbe": {"tcpSocket": {"port": "postgres"}, "periodSeconds": 10, "failureThreshold": 6},
        // A fast shutdown: SIGTERM would wait for every client to leave by itself.
        "lifecycle": {"preStop": {"exec": {"command": ["pg_ctl", "stop", "-m", "fast", "--no-wait"]}}},
        "resources": {"requests": {"cpu": "250m", "memory": "512Mi"}},
        "securityContext": pod::container_security(),
        "volumeMounts": [
            {"name": "data", "mountPath": home},
            {"name": "run", "mountPath": "/var/run/postgresql"},
            {"name": "shared-memory", "mountPath": "/dev/shm"},
            {"name": "tmp", "mountPath": "/tmp"},
            {"name": "credentials", "mountPath": "/credentials", "readOnly": true},
        ],
    })
}

fn claim(plan: &Plan) -> Value {
    let storage = plan.spec.postgres.managed().storage;
    let mut spec = json!({
        "accessModes": ["ReadWriteOnce"],
        "volumeMode": "Filesystem",
        "resources": {"requests": {"storage": storage.size}},
    });
    if let Some(class) = storage.storage_class_name {
        spec["storageClassName"] = class.into();
    }
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "labels": selector(plan, Part::Postgres)},
        "spec": spec,
    })
}

pub fn exports(plan: &Plan) -> bool {
    plan.spec.postgres.kind == PostgresType::Managed
        && plan.spec.monitoring.exporters.postgres == Switch::Enabled
}

fn exporter(plan: &Plan) -> Option<Value> {
    let source = format!("127.0.0.1:5432/{}?sslmode=disable", secrets::USER);
    exports(plan).then(|| {
        json!({
            "name": "exporter",
            "image": plan.defaults.postgres_exporter_image,
            "imagePullPolicy": "IfNotPresent",
            "env": [
                pod::variable("DATA_SOURCE_URI", source),
                pod::variable("DATA_SOURCE_USER", secrets::USER),
                pod::variable("DATA_SOURCE_PASS_FILE", "/credentials/password"),
            ],
            "ports": [{"name": "metrics", "containerPort": 9187, "protocol": "TCP"}],
            "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}},
            "securityContext": pod::container_security(),
            "volumeMounts": [{"name": "credentials", "mountPath": "/credentials", "readOnly": true}],
        })
    })
}

fn service(plan: &Plan) -> Object {
    let mut ports = vec![
        json!({"name": "postgres", "port": 5432, "targetPort": "postgres", "protocol": "TCP"}),
    ];
    if exports(plan) {
        ports.push(
            json!({"name": "metrics", "port": 9187, "targetPort": "metrics", "protocol": "TCP"}),
        );
    }
    let body = json!({
        "metadata": owned(plan, &labels::postgres_name(&plan.name), Part::Postgres),
        "spec": {"type": "ClusterIP", "selector": selector(plan, Part::Postgres), "ports": ports},
    });
    Object::new(Kind::Service, body)
}
