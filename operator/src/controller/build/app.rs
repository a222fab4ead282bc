//! The pods that serve: a Deployment, or a StatefulSet where each has a volume for its journal.

use serde_json::{Value, json};

use super::{
    Object, Plan,
    labels::{self, Part, labels, owned, selector},
    pod::{self, Mounted, variable},
};
use crate::{
    crd::{UrlShortenerSpec, access::AuthType, exposure::ExposureType, quantity, redis::RedisType},
    kinds::Kind,
};

/// Load balancers take this long to learn that a pod ends; until then it goes on as before.
const PRE_STOP_SECONDS: i32 = 5;

/// After both drains, the rest is written out: the audit log, traces, the lease.
const ENDING_SECONDS: i32 = 15;

/// The journal's files are rounded up, and other files lie beside it.
const MARGIN_BYTES: i64 = 256 << 20;

/// The largest bulk file, which lies beside the journal while it is loaded: two at once fit into the margin. A journal that fills up
/// meanwhile would have the kubelet evict the pod, clicks included.
const BULK_BYTES: i64 = MARGIN_BYTES / 2;

/// Of the memory that a pod may use, the part for cached links. The rest is for requests and the journal's pages.
const CACHE_SHARE: i64 = 3;

const DEFAULT_CACHE_BYTES: i64 = 256 << 20;

/// Networks that pods and nodes are in: private ones of IPv4 (RFC 1918), those of carriers, which some clouds use for pods (RFC 6598),
/// and unique local ones of IPv6 (RFC 4193).
const PRIVATE_NETWORKS: [&str; 5] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "fc00::/7",
];

/// On pods, a digest of the Secrets that they take.
pub const SECRETS: &str = "urlshortener.dev/secrets";

pub fn build(plan: &Plan) -> Option<Object> {
    let image = plan.app_image.as_ref()?;
    let mut spec = json!({
        "minReadySeconds": super::super::validate::SETTLED_SECONDS,
        "revisionHistoryLimit": 5,
        "selector": {"matchLabels": selector(plan, Part::App)},
        "template": template(plan, image),
    });
    if let Some(replicas) = plan.scale.replicas {
        spec["replicas"] = replicas.into();
    }
    let kind = if plan.has_volumes() {
        spec["serviceName"] = plan.name.clone().into();
        spec["podManagementPolicy"] = "Parallel".into();
        spec["updateStrategy"] = json!({"type": "RollingUpdate"});
        spec["persistentVolumeClaimRetentionPolicy"] =
            json!({"whenDeleted": super::postgres::when_deleted(plan), "whenScaled": "Retain"});
        spec["volumeClaimTemplates"] = json!([claim(plan)]);
        Kind::StatefulSet
    } else {
        spec["progressDeadlineSeconds"] = 600.into();
        let surge = plan.spec.app.rollout.max_surge;
        spec["strategy"] = json!({
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": surge, "maxUnavailable": 0},
        });
        Kind::Deployment
    };
    let metadata = owned(plan, &plan.name, Part::App);
    Some(Object::new(
        kind,
        json!({"metadata": metadata, "spec": spec}),
    ))
}

fn template(plan: &Plan, image: &str) -> Value {
    let app = &plan.spec.app;
    let scheduling = &app.scheduling;
    let (variables, mounted) = settings(plan);
    let mut volumes: Vec<_> = mounted
        .iter()
        .map(|mounted| mounted.volume.clone())
        .collect();
    let mut mounts: Vec<_> = mounted.into_iter().map(|mounted| mounted.mount).collect();
    mounts.push(json!({"name": "data", "mountPath": "/data"}));
    if !plan.has_volumes() {
        let limit = (journal_bytes(plan) + MARGIN_BYTES).to_string();
        volumes.push(json!({"name": "data", "emptyDir": {"sizeLimit": limit}}));
    }
    // Requests are drained for so long, and then the journal into the database for as long again.
    let grace = PRE_STOP_SECONDS + 2 * app.rollout.drain_seconds + ENDING_SECONDS;
    let containers = [container(plan, image, &variables, &mounts)];
    let mut spec = pod::spec(plan, pod::USER, &containers, &volumes);
    spec["terminationGracePeriodSeconds"] = grace.into();
    spec["topologySpreadConstraints"] = spread(plan);
    spec["affinity"] = away_from_each_other(plan);
    spec["tolerations"] = tolerations(plan);
    if !scheduling.node_selector.is_empty() {
        spec["nodeSelector"] = json!(scheduling.node_selector);
    }
    let mut metadata = json!({"labels": labels(plan, Part::App)});
    if let Some(digest) = &plan.secrets_digest {
        metadata["annotations"] = json!({SECRETS: digest});
    }
    json!({"metadata": metadata, "spec": spec})
}

fn container(plan: &Plan, image: &str, variables: &[Value], mounts: &[Value]) -> Value {
    let probe =
        |path: &str| json!({"httpGet": {"path": path, "port": "management"}, "timeoutSeconds": 3});
    let mut readiness = probe("/readyz");
    readiness["periodSeconds"] = 3.into();
    readiness["failureThreshold"] = 2.into();
    let mut liveness = probe("/livez");
    liveness["periodSeconds"] = 10.into();
    liveness["failureThreshold"] = 6.into();
    let mut startup = probe("/livez");
    startup["periodSeconds"] = 2.into();
    startup["failureThreshold"] = 60.into();
    json!({
        "name": "shortener",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["serve"],
        "env": variables,
        "ports": [
            {"name": "http", "containerPort": 8080, "protocol": "TCP"},
            {"name": "management", "containerPort": 8081, "protocol": "TCP"},
        ],
        "startupProbe": startup,
        "readinessProbe": readiness,
        "livenessProbe": liveness,
        "lifecycle": {"preStop": {"sleep": {"seconds": PRE_STOP_SECONDS}}},
        "resources": pod::resources(&plan.spec.app.resources),
        "securityContext": pod::container_security(),
        "volumeMounts": mounts,
    })
}

/// The settings of the service that follow from the spec. docs/settings.md says what each does.
fn settings(plan: &Plan) -> (Vec<Value>, Vec<Mounted>) {
    let spec = &plan.spec;
    let (mut variables, mut mounted) = pod::database(plan);
    let number = |name: &str, value: i64| variable(name, value.to_string());
    variables.extend([
        variable("SHORTENER_LISTEN", "0.0.0.0:8080"),
        variable("SHORTENER_MANAGEMENT_LISTEN", "0.0.0.0:8081"),
        variable("SHORTENER_DATA_DIR", "/data"),
        variable("SHORTENER_MIGRATE", "off"),
        variable("SHORTENER_LOG_FORMAT", "json"),
        variable("SHORTENER_PUBLIC_HOSTS", public_hosts(plan)),
        number(
            "SHORTENER_DRAIN_SECONDS",
            spec.app.rollout.drain_seconds.into(),
        ),
        number(
            "SHORTENER_DATABASE_MAX_CONNECTIONS",
            plan.connections.pool.into(),
        ),
        number("SHORTENER_JOURNAL_MAX_BYTES", journal_bytes(plan)),
        number("SHORTENER_MAX_BULK_BYTES", BULK_BYTES),
        number("SHORTENER_CACHE_MAX_BYTES", cache_bytes(plan)),
    ]);
    let proxies = trusted_proxies(spec);
    if !proxies.is_empty() {
        variables.push(variable("SHORTENER_TRUSTED_PROXIES", proxies));
    }
    match spec.access.auth.kind {
        AuthType::ApiKeys => {
            variables.push(variable("SHORTENER_AUTH", "keys"));
            variables.push(variable(
                "SHORTENER_ADMIN_KEY_FILE",
                "/secrets/admin-key/key",
            ));
            mounted.push(pod::admin_key(plan));
        }
        AuthType::Off => variables.push(variable("SHORTENER_AUTH", "off")),
    }
    match (spec.redis.kind, &spec.redis.external) {
        (RedisType::External, Some(external)) => {
            variables.push(variable("REDIS_URL_FILE", "/secrets/redis/url"));
            mounted.push(pod::redis_url(&external.secret_ref.name));
        }
        (RedisType::Managed, _) => {
            variables.push(variable("REDIS_URL_FILE", "/secrets/redis/url"));
            mounted.push(pod::redis_url(&labels::redis_name(&plan.name)));
        }
        (RedisType::External | RedisType::Disabled, _) => {}
    }
    (variables, mounted)
}

/// The hosts of the spec, or the Service, which is where the service is if it has none.
fn public_hosts(plan: &Plan) -> String {
    if plan.spec.hosts.is_empty() {
        return format!("{}.{}.svc", plan.name, plan.namespace);
    }
    let names: Vec<_> = plan
        .spec
        .hosts
        .iter()
        .map(|host| host.name.as_str())
        .collect();
    names.join(",")
}

/// Whose forwarding headers are believed. Behind an Ingress or a Gateway every request comes from a pod of it, so that without any all
/// visitors would share one limit and be one visitor.
fn trusted_proxies(spec: &UrlShortenerSpec) -> String {
    let given = &spec.access.trusted_proxies;
    if given.is_empty() && spec.exposure.kind != ExposureType::None {
        return PRIVATE_NETWORKS.join(",");
    }
    given.join(",")
}

fn journal_bytes(plan: &Plan) -> i64 {
    quantity::bytes(&plan.spec.app.journal.size)
}

fn cache_bytes(plan: &Plan) -> i64 {
    let limits = plan.spec.app.resources.limits.as_ref();
    let memory = limits.and_then(|limits| limits.memory.as_deref());
    memory.map_or(DEFAULT_CACHE_BYTES, |memory| {
        (quantity::bytes(memory) / CACHE_SHARE).min(DEFAULT_CACHE_BYTES)
    })
}

fn claim(plan: &Plan) -> Value {
    let storage = &plan.spec.app.journal.storage;
    let size = (journal_bytes(plan) + MARGIN_BYTES).to_string();
    let mut spec = json!({
        "accessModes": ["ReadWriteOnce"],
        "volumeMode": "Filesystem",
        "resources": {"requests": {"storage": size}},
    });
    let class = storage.persistent_volume_claim.as_ref();
    if let Some(class) = class.and_then(|claim| claim.storage_class_name.as_ref()) {
        spec["storageClassName"] = class.clone().into();
    }
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "labels": selector(plan, Part::App)},
        "spec": spec,
    })
}

fn spread(plan: &Plan) -> Value {
    let over = plan.spec.app.scheduling.topology_spread.iter();
    over.map(|spread| {
        json!({
            "maxSkew": 1,
            "topologyKey": spread.topology_key,
            "whenUnsatisfiable": spread.when_unsatisfiable,
            "labelSelector": {"matchLabels": selector(plan, Part::App)},
        })
    })
    .collect()
}

/// Other zones are preferred to those that have a pod. This is no constraint of its own beside the one on nodes: the scheduler
/// ignores nodes that lack the label of any constraint, and would put all pods onto one where nobody has named zones.
fn away_from_each_other(plan: &Plan) -> Value {
    let term = json!({
        "topologyKey": "topology.kubernetes.io/zone",
        "labelSelector": {"matchLabels": selector(plan, Part::App)},
    });
    json!({"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]}})
}

/// Those asked for, and how long a pod stays on a node that is gone.
fn tolerations(plan: &Plan) -> Value {
    let scheduling = &plan.spec.app.scheduling;
    let mut all: Vec<_> = scheduling
        .tolerations
        .iter()
        .map(|toleration| json!(toleration))
        .collect();
    for key in [
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    ] {
        all.push(json!({
            "key": key,
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": scheduling.unreachable_seconds,
        }));
    }
    all.into()
}
