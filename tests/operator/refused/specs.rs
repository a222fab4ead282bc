//! Specs that make no sense, each with words of its refusal.

use serde_json::{Value, json};

/// A spec that is refused, and words of the refusal.
pub(super) struct Case(pub(super) Value, pub(super) &'static str);

/// All of them.
pub(super) fn all() -> Vec<Case> {
    [
        wholes(),
        scaling(),
        autoscaling(),
        ways_in(),
        pods(),
        watching(),
        postgres(),
        redis(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn autoscaled(change: &Value) -> Value {
    let mut autoscaled = json!({"minReplicas": 2, "maxReplicas": 4, "prometheus": {"serverAddress": "http://p:9090"}});
    merge(&mut autoscaled, change);
    json!({"scaling": {"type": "Autoscaled", "autoscaled": autoscaled}})
}

pub(super) fn cluster(change: &Value) -> Value {
    let mut cluster = json!({"storage": {"size": "1Gi"}});
    merge(&mut cluster, change);
    json!({"postgres": {"type": "CloudNativePG", "cloudNativePG": cluster}})
}

pub(super) fn external(change: &Value) -> Value {
    let mut external = json!({"secretRef": {"name": "pg"}});
    merge(&mut external, change);
    json!({"postgres": {"type": "External", "external": external}})
}

fn merge(into: &mut Value, change: &Value) {
    for (name, value) in change.as_object().expect("a change has fields") {
        into[name] = value.clone();
    }
}

fn image(change: &Value) -> Value {
    json!({"image": change})
}

fn wholes() -> Vec<Case> {
    vec![
        Case(json!({"version": ""}), "version"),
        Case(
            json!({"version": "a b"}),
            "use a tag of an image, such as 1.4.2",
        ),
        Case(json!({"version": "-1"}), "use a tag of an image"),
        Case(
            json!({"version": "x".repeat(129)}),
            "may not be more than 128",
        ),
        Case(json!({"version": 1}), "must be of type string"),
        Case(json!({"unknown": 1}), "unknown field \"spec.unknown\""),
        Case(json!({"management": "Sometimes"}), "\"Active\", \"Paused\""),
        Case(
            json!({"deletionPolicy": "Orphan"}),
            "\"Retain\", \"Delete\"",
        ),
        Case(
            image(&json!({"repository": "acme/shortener:1"})),
            "the tag is `version`",
        ),
        Case(
            image(&json!({"repository": "https://registry.example/x"})),
            "give registry and name alone",
        ),
        Case(image(&json!({"repository": ""})), "repository"),
        Case(
            image(&json!({"digest": "sha256:abc"})),
            "64 hexadecimal digits",
        ),
        Case(
            image(&json!({"digest": format!("md5:{}", "0".repeat(60))})),
            "give the digest as sha256:",
        ),
        Case(
            image(&json!({"pullSecrets": [{"name": ""}]})),
            "pullSecrets[0].name",
        ),
    ]
}

fn scaling() -> Vec<Case> {
    let scaling = |value: Value| json!({"scaling": value});
    vec![
        Case(
            scaling(json!({"type": "Autoscaled"})),
            "say in `autoscaled`",
        ),
        Case(
            scaling(json!({"type": "Manual"})),
            "\"Fixed\", \"Autoscaled\"",
        ),
        Case(
            scaling(json!({"fixed": {"replicas": 0}})),
            "greater than or equal to 1",
        ),
        Case(
            scaling(json!({"fixed": {"replicas": 201}})),
            "less than or equal to 200",
        ),
        Case(
            scaling(json!({"fixed": {"replicas": 1.5}})),
            "must be of type integer",
        ),
        Case(scaling(json!({"fixed": {}})), "replicas: Required value"),
        Case(
            scaling(
                json!({"type": "Fixed", "autoscaled": {"maxReplicas": 3, "prometheus": {"serverAddress": "http://p"}}}),
            ),
            "set `type: Autoscaled`, or leave `autoscaled` out",
        ),
        Case(
            {
                let mut both = autoscaled(&json!({}));
                both["scaling"]["fixed"] = json!({"replicas": 2});
                both
            },
            "set `type: Fixed`, or leave `fixed` out",
        ),
    ]
}

fn autoscaling() -> Vec<Case> {
    vec![
        Case(
            autoscaled(&json!({"minReplicas": 5})),
            "raise `maxReplicas` to at least `minReplicas`",
        ),
        Case(
            autoscaled(&json!({"minReplicas": 0})),
            "greater than or equal to 1",
        ),
        Case(
            autoscaled(&json!({"maxReplicas": 1000})),
            "less than or equal to 200",
        ),
        Case(
            autoscaled(&json!({"fallback": {"replicas": 9}})),
            "choose `fallback.replicas` between",
        ),
        Case(
            autoscaled(&json!({"fallback": {"replicas": 1}})),
            "choose `fallback.replicas` between",
        ),
        Case(
            autoscaled(&json!({"fallback": {"replicas": 3, "behavior": "Zero"}})),
            "\"CurrentIfHigher\", \"Static\"",
        ),
        Case(
            autoscaled(&json!({"prometheus": {}})),
            "serverAddress: Required value",
        ),
        Case(
            autoscaled(&json!({"prometheus": {"serverAddress": "prometheus:9090"}})),
            "with http:// or https://",
        ),
        Case(
            autoscaled(&json!({"prometheus": {"serverAddress": "ftp://p"}})),
            "with http:// or https://",
        ),
        Case(
            autoscaled(&json!({"target": {"type": "Cpu"}})),
            "\"RequestRate\"",
        ),
        Case(
            autoscaled(&json!({"target": {"requestRate": {"perReplica": 0}}})),
            "greater than or equal to 1",
        ),
        Case(
            autoscaled(&json!({"scaleDown": {"stabilizationSeconds": 3601}})),
            "less than or equal to 3600",
        ),
        Case(
            {
                let mut durable = autoscaled(&json!({}));
                durable["app"] = json!({"journal": {"storage": {"type": "PersistentVolumeClaim"}}});
                durable
            },
            "use `app.journal.storage.type: Ephemeral` with autoscaling",
        ),
    ]
}

fn ways_in() -> Vec<Case> {
    let host = |name: &str| json!([{"name": name}]);
    let gateway = json!({"parentRefs": [{"name": "public"}]});
    vec![
        Case(json!({"hosts": host("Go.Example.com")}), "in lower case"),
        Case(
            json!({"hosts": host("https://go.example.com")}),
            "without scheme, port or path",
        ),
        Case(
            json!({"hosts": host("go.example.com:443")}),
            "without scheme, port or path",
        ),
        Case(
            json!({"hosts": host("go.example.com/x")}),
            "without scheme, port or path",
        ),
        Case(json!({"hosts": host("")}), "hosts[0].name"),
        Case(
            json!({"hosts": [{"name": "a.example"}, {"name": "a.example"}]}),
            "Duplicate value",
        ),
        Case(
            json!({"hosts": [{"name": "a.example", "tls": {}}]}),
            "secretName: Required value",
        ),
        Case(
            json!({"exposure": {"type": "Ingress"}}),
            "name at least one host in `hosts`",
        ),
        Case(
            json!({"exposure": {"type": "LoadBalancer"}}),
            "\"None\", \"Ingress\", \"Gateway\"",
        ),
        Case(
            json!({"hosts": host("a.example"), "exposure": {"type": "Gateway"}}),
            "name the Gateway in `gateway.parentRefs`",
        ),
        Case(
            json!({"hosts": host("a.example"), "exposure": {"type": "Gateway", "gateway": {"parentRefs": []}}}),
            "parentRefs",
        ),
        Case(
            json!({"hosts": host("a.example"), "exposure": {"type": "Ingress", "gateway": gateway}}),
            "set `type: Gateway`, or leave `gateway` out",
        ),
        Case(
            json!({"hosts": host("a.example"), "exposure": {"type": "Gateway", "gateway": gateway, "ingress": {}}}),
            "set `type: Ingress`, or leave `ingress` out",
        ),
        Case(
            json!({"hosts": [{"name": "a.example", "tls": {"secretName": "x"}}], "exposure": {"type": "Gateway", "gateway": gateway}}),
            "leave out `hosts[].tls` with a Gateway",
        ),
        Case(
            json!({"access": {"auth": {"type": "Password"}}}),
            "\"ApiKeys\", \"Off\"",
        ),
        Case(
            json!({"access": {"trustedProxies": ["10.0.0.1"]}}),
            "as address and prefix length",
        ),
        Case(
            json!({"access": {"trustedProxies": ["ingress"]}}),
            "such as 10.0.0.0/8",
        ),
        Case(
            json!({"networkPolicy": {"metricsFrom": [{}]}}),
            "give `namespaceSelector`, `podSelector` or both",
        ),
        Case(
            json!({"networkPolicy": {"mode": "On"}}),
            "\"Enabled\", \"Disabled\"",
        ),
    ]
}

fn pods() -> Vec<Case> {
    let app = |value: Value| json!({"app": value});
    let limits = |requests: Value, limits: Value| {
        app(json!({"resources": {"requests": requests, "limits": limits}}))
    };
    vec![
        Case(
            limits(json!({"cpu": "half"}), json!({})),
            "give processors as a number",
        ),
        Case(
            limits(json!({"memory": "256"}), json!({"memory": "lots"})),
            "give a size in bytes with a unit",
        ),
        Case(
            limits(json!({"memory": "1Gi"}), json!({"memory": "256Mi"})),
            "lower `resources.requests.memory`",
        ),
        Case(
            limits(json!({}), json!({"ephemeral-storage": "1Gi"})),
            "raise `resources.limits.ephemeral-storage`",
        ),
        Case(
            app(json!({"journal": {"size": "1Mi"}})),
            "raise `size` to at least 64Mi",
        ),
        Case(
            app(json!({"journal": {"size": "0"}})),
            "give a size in bytes with a unit",
        ),
        Case(
            app(json!({"journal": {"storage": {"type": "Disk"}}})),
            "\"Ephemeral\", \"PersistentVolumeClaim\"",
        ),
        Case(
            app(json!({"journal": {"storage": {"persistentVolumeClaim": {}}}})),
            "set `type: PersistentVolumeClaim`, or leave `persistentVolumeClaim` out",
        ),
        Case(
            app(json!({"rollout": {"maxSurge": 0}})),
            "greater than or equal to 1",
        ),
        Case(
            app(json!({"rollout": {"drainSeconds": 0}})),
            "greater than or equal to 1",
        ),
        Case(
            app(json!({"scheduling": {"unreachableSeconds": -1}})),
            "greater than or equal to 0",
        ),
        Case(
            app(json!({"scheduling": {"topologySpread": [{"topologyKey": ""}]}})),
            "topologyKey",
        ),
        Case(
            app(
                json!({"scheduling": {"topologySpread": [{"topologyKey": "a", "whenUnsatisfiable": "Never"}]}}),
            ),
            "\"ScheduleAnyway\", \"DoNotSchedule\"",
        ),
    ]
}

fn watching() -> Vec<Case> {
    vec![
        Case(
            json!({"monitoring": {"serviceMonitor": {"interval": "fast"}}}),
            "such as 15s or 1m",
        ),
        Case(
            json!({"monitoring": {"serviceMonitor": {"mode": "Maybe"}}}),
            "\"Auto\", \"Enabled\", \"Disabled\"",
        ),
        Case(
            json!({"monitoring": {"exporters": {"redis": "Auto"}}}),
            "\"Enabled\", \"Disabled\"",
        ),
    ]
}

fn postgres() -> Vec<Case> {
    let postgres = |value: Value| json!({"postgres": value});
    vec![
        Case(
            postgres(json!({"type": "External"})),
            "name in `external.secretRef` the Secret",
        ),
        Case(
            postgres(json!({"type": "CloudNativePG"})),
            "say in `cloudNativePG` how large the volume is to be",
        ),
        Case(
            postgres(json!({"type": "MySQL"})),
            "\"Managed\", \"CloudNativePG\", \"External\"",
        ),
        Case(
            postgres(json!({"external": {"secretRef": {"name": "a"}}})),
            "set `type: External`, or leave `external` out",
        ),
        Case(
            postgres(json!({"managed": {"major": 14}})),
            "greater than or equal to 15",
        ),
        Case(
            postgres(json!({"managed": {"maxConnections": 5}})),
            "greater than or equal to 20",
        ),
        Case(
            postgres(json!({"managed": {"image": "postgres:17.11-bookworm"}})),
            "use an image of the version in `major`",
        ),
        Case(
            postgres(
                json!({"managed": {"major": 17, "image": "registry:5000/postgres:18@sha256:ab"}}),
            ),
            "use an image of the version in `major`",
        ),
        Case(
            cluster(&json!({"image": "ghcr.io/cloudnative-pg/postgresql:17"})),
            "use an image of the version in `major`",
        ),
        Case(
            postgres(json!({"managed": {"storage": {"size": "big"}}})),
            "give a size in bytes with a unit",
        ),
        Case(
            {
                let mut both = external(&json!({}));
                both["postgres"]["managed"] = json!({});
                both
            },
            "set `type: Managed`, or leave `managed` out",
        ),
        Case(
            external(&json!({"connectionLimit": 3})),
            "greater than or equal to 10",
        ),
        Case(
            external(&json!({"secretRef": {"name": ""}})),
            "secretRef.name",
        ),
        Case(external(&json!({"secretRef": {}})), "name: Required value"),
        Case(
            cluster(&json!({"instances": 1, "durability": "Synchronous"})),
            "raise `instances` to at least 2",
        ),
        Case(
            cluster(&json!({"instances": 0})),
            "greater than or equal to 1",
        ),
        Case(cluster(&json!({"storage": {}})), "size: Required value"),
        Case(
            cluster(&json!({"durability": "Maybe"})),
            "\"Asynchronous\", \"Synchronous\"",
        ),
    ]
}

fn redis() -> Vec<Case> {
    let redis = |value: Value| json!({"redis": value});
    vec![
        Case(
            redis(json!({"type": "External"})),
            "name in `external.secretRef` the Secret",
        ),
        Case(
            redis(json!({"type": "Memcached"})),
            "\"Managed\", \"External\", \"Disabled\"",
        ),
        Case(
            redis(json!({"type": "Disabled", "managed": {}})),
            "set `type: Managed`, or leave `managed` out",
        ),
        Case(
            redis(json!({"managed": {"maxMemory": "much"}})),
            "give a size in bytes with a unit",
        ),
    ]
}
