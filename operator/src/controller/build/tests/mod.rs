//! Whole objects, from resources as somebody would write them.

use std::{collections::BTreeSet, fs, path::Path};

use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    batch::v1::Job,
    core::v1::{ConfigMap, Secret, Service, ServiceAccount},
    networking::v1::{Ingress, NetworkPolicy},
    policy::v1::PodDisruptionBudget,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{Object, Plan, build, migration, scaled_object};
use crate::{
    controller::{
        compare,
        observe::{
            Observed,
            secrets::{Given, Secrets, State},
        },
        validate,
    },
    crd::UrlShortener,
    kinds::Kind,
};

mod pods;

const MINIMAL: &str = r#"{"version": "1.4.2"}"#;

const PRODUCTION: &str = r#"{
    "version": "1.4.2",
    "image": {"repository": "registry.example/acme/links", "pullSecrets": [{"name": "registry"}]},
    "scaling": {"type": "Autoscaled", "autoscaled": {
        "minReplicas": 3, "maxReplicas": 12,
        "fallback": {"replicas": 6},
        "prometheus": {"serverAddress": "http://prometheus.monitoring:9090", "authenticationRef": {"name": "prom"}}
    }},
    "hosts": [{"name": "go.example.com", "tls": {"secretName": "go-tls"}}],
    "exposure": {"type": "Ingress", "ingress": {"className": "public"}},
    "app": {
        "resources": {"requests": {"cpu": "500m", "memory": "256Mi"}, "limits": {"memory": "256Mi", "ephemeral-storage": "2Gi"}},
        "rollout": {"maxSurge": 2, "drainSeconds": 60},
        "scheduling": {"tolerations": [{"key": "links", "operator": "Exists"}]}
    },
    "access": {"trustedProxies": ["10.0.0.0/8"]},
    "postgres": {"type": "External", "external": {
        "secretRef": {"name": "pg"}, "sessionSecretRef": {"name": "pg-direct"}, "connectionLimit": 400
    }},
    "monitoring": {
        "serviceMonitor": {"labels": {"release": "prom"}},
        "exporters": {"redis": "Enabled"}
    },
    "networkPolicy": {"mode": "Enabled", "metricsFrom": [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    ]}
}"#;

const VOLUMES: &str = r#"{
    "version": "1.4.2",
    "deletionPolicy": "Delete",
    "hosts": [{"name": "go.example.com"}],
    "exposure": {"type": "Gateway", "gateway": {"parentRefs": [{"name": "public", "namespace": "gateways"}]}},
    "app": {"journal": {"size": "2Gi", "storage": {"type": "PersistentVolumeClaim"}}},
    "postgres": {"type": "CloudNativePG", "cloudNativePG": {"durability": "Synchronous", "storage": {"size": "50Gi"}}},
    "redis": {"type": "Disabled"},
    "access": {"auth": {"type": "Off"}}
}"#;

/// A cluster that knows every kind, in which each database is there.
fn observed() -> Observed {
    let mut observed = Observed {
        known: BTreeSet::from(Kind::ALL),
        secrets: Secrets::of_acme(),
        operator_namespace: "operators".to_owned(),
        ..Observed::default()
    };
    let given = |name: &str, key: &'static str, is_database: bool| Given {
        name: name.to_owned(),
        key,
        state: State::Present {
            digest: "digest".to_owned(),
            identity: "identity".to_owned(),
            uid: "secret".to_owned(),
        },
        is_database,
    };
    observed.secrets.given = vec![
        given("pg", "url", true),
        given("acme-postgres-app", "uri", false),
    ];
    let cluster = json!({"metadata": {"uid": "cluster"}});
    observed
        .live
        .insert((Kind::Cluster, "acme-postgres".to_owned()), cluster);
    observed
}

/// The plan for a resource whose name differs from every constant of ours, in a cluster that knows every kind.
fn plan(spec: &str) -> Plan {
    let resource: UrlShortener = serde_json::from_value(json!({
        "apiVersion": "urlshortener.dev/v1alpha1",
        "kind": "UrlShortener",
        "metadata": {"name": "acme", "namespace": "web", "uid": "7b9c"},
        "spec": serde_json::from_str::<Value>(spec).unwrap(),
    }))
    .unwrap();
    let mut observed = observed();
    let mut draw = || "drawn".to_owned();
    let first = validate::validate(&resource, &observed, &mut draw).unwrap();
    assert_eq!(first.app_image, None, "nothing runs before the migration");
    let job = json!({"status": {"conditions": [{"type": "Complete", "status": "True"}]}});
    observed
        .live
        .insert((Kind::Job, first.migration_job.unwrap()), job);
    validate::validate(&resource, &observed, &mut draw).unwrap()
}

fn objects(spec: &str) -> Vec<Object> {
    build(&plan(spec)).into_objects()
}

fn find(objects: &[Object], kind: Kind, name: &str) -> Value {
    let found = objects
        .iter()
        .find(|object| object.kind == kind && object.name() == name);
    found
        .unwrap_or_else(|| panic!("no {kind:?} {name}"))
        .body
        .clone()
}

/// Reads an object as Kubernetes would, and fails if anything of it is lost on the way: a misspelt field, most of all.
fn survives<K: DeserializeOwned + Serialize>(object: &Object) {
    let typed: K = serde_json::from_value(object.body.clone())
        .unwrap_or_else(|error| panic!("{:?} {}: {error}", object.kind, object.name()));
    let back = serde_json::to_value(typed).unwrap();
    let lost = compare::difference(&object.body, &back);
    assert_eq!(
        lost,
        None,
        "{:?} {} has a field that Kubernetes does not know",
        object.kind,
        object.name()
    );
}

#[test]
fn every_field_of_every_object_is_one_that_kubernetes_knows() {
    for spec in [MINIMAL, PRODUCTION, VOLUMES] {
        for object in objects(spec) {
            match object.kind {
                Kind::ServiceAccount => survives::<ServiceAccount>(&object),
                Kind::Secret => survives::<Secret>(&object),
                Kind::ConfigMap => survives::<ConfigMap>(&object),
                Kind::Service => survives::<Service>(&object),
                Kind::Deployment => survives::<Deployment>(&object),
                Kind::StatefulSet => survives::<StatefulSet>(&object),
                Kind::Job => survives::<Job>(&object),
                Kind::PodDisruptionBudget => survives::<PodDisruptionBudget>(&object),
                Kind::NetworkPolicy => survives::<NetworkPolicy>(&object),
                Kind::Ingress => survives::<Ingress>(&object),
                // Of others: the operator's suite has the API server check them against the real definitions.
                Kind::HttpRoute
                | Kind::ServiceMonitor
                | Kind::PrometheusRule
                | Kind::ScaledObject
                | Kind::Cluster => {}
            }
        }
    }
}

#[test]
fn the_same_spec_makes_the_same_objects() {
    for spec in [MINIMAL, PRODUCTION, VOLUMES] {
        assert_eq!(objects(spec), objects(spec));
    }
}

#[test]
fn no_pod_template_says_which_operator_made_it() {
    for object in objects(PRODUCTION) {
        let template = object.body["spec"]["template"].to_string();
        assert!(
            !template.contains(env!("CARGO_PKG_VERSION")),
            "{:?} {}",
            object.kind,
            object.name()
        );
    }
}

#[test]
fn every_pod_fits_the_restricted_standard() {
    for spec in [MINIMAL, PRODUCTION, VOLUMES] {
        for object in objects(spec) {
            let pod = &object.body["spec"]["template"]["spec"];
            if pod.is_null() {
                continue;
            }
            assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
            assert_eq!(
                pod["securityContext"]["seccompProfile"]["type"],
                "RuntimeDefault"
            );
            assert_eq!(pod["automountServiceAccountToken"], false);
            // Or variables that Kubernetes makes up from the names of Services would be taken for settings.
            assert_eq!(pod["enableServiceLinks"], false);
            // A user by number: the kubelet cannot tell whether a name is root.
            assert!(pod["securityContext"]["runAsUser"].as_i64().unwrap() > 0);
            for container in pod["containers"].as_array().unwrap() {
                let context = &container["securityContext"];
                assert_eq!(context["allowPrivilegeEscalation"], false);
                assert_eq!(context["readOnlyRootFilesystem"], true);
                assert_eq!(context["capabilities"]["drop"], json!(["ALL"]));
            }
        }
    }
}

/// What is built once KEDA has the replicas.
fn of_keda(spec: &str) -> Vec<Object> {
    let mut plan = plan(spec);
    plan.scale = validate::replicas::Scale {
        replicas: None,
        hand_over: None,
        scaled_object: true,
    };
    build(&plan).into_objects()
}

#[test]
fn a_fallback_that_nobody_names_keeps_the_replicas_that_there_are() {
    let unnamed = r#"{"version": "1.4.2", "scaling": {"type": "Autoscaled", "autoscaled": {
        "minReplicas": 3, "maxReplicas": 12, "prometheus": {"serverAddress": "http://prometheus.monitoring:9090"}}}}"#;
    let objects = of_keda(unnamed);
    let scaled = find(&objects, Kind::ScaledObject, "acme");
    assert_eq!(
        scaled["spec"]["fallback"],
        json!({"failureThreshold": 3, "replicas": 3, "behavior": "currentReplicasIfHigher"})
    );
    let named = unnamed.replace(
        r#""minReplicas": 3,"#,
        r#""minReplicas": 3, "fallback": {"replicas": 6, "behavior": "Static"},"#,
    );
    let objects = of_keda(&named);
    let scaled = find(&objects, Kind::ScaledObject, "acme");
    assert_eq!(
        scaled["spec"]["fallback"],
        json!({"failureThreshold": 3, "replicas": 6, "behavior": "static"})
    );
}

#[test]
fn replicas_are_left_out_once_they_are_kedas() {
    let objects = of_keda(PRODUCTION);
    let deployment = find(&objects, Kind::Deployment, "acme");
    assert!(deployment["spec"].get("replicas").is_none());
    let scaled = find(&objects, Kind::ScaledObject, "acme");
    assert_eq!(
        scaled["spec"]["fallback"]["behavior"],
        "currentReplicasIfHigher"
    );
    let trigger = &scaled["spec"]["triggers"][0]["metadata"];
    assert_eq!(trigger["ignoreNullValues"], "false");
    assert!(!trigger["query"].as_str().unwrap().contains("vector(0)"));
}

#[test]
fn a_pod_has_time_to_leave_the_load_balancer_to_drain_and_to_record() {
    let deployment = find(&objects(PRODUCTION), Kind::Deployment, "acme");
    let pod = &deployment["spec"]["template"]["spec"];
    let sleep = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        .as_i64()
        .unwrap();
    let grace = pod["terminationGracePeriodSeconds"].as_i64().unwrap();
    assert!(grace >= sleep + 60 + 60 + 15, "{grace}");
}

/// What a container of the service is told.
fn setting(objects: &[Object], name: &str) -> String {
    let deployment = find(objects, Kind::Deployment, "acme");
    let pod = &deployment["spec"]["template"]["spec"];
    let variables = pod["containers"][0]["env"].as_array().unwrap();
    let found = variables.iter().find(|variable| variable["name"] == name);
    found.unwrap()["value"].as_str().unwrap().to_owned()
}

#[test]
fn a_full_journal_and_two_uploads_fit_on_the_volume() {
    let objects = objects(PRODUCTION);
    let number = |name: &str| setting(&objects, name).parse::<i64>().unwrap();
    let deployment = find(&objects, Kind::Deployment, "acme");
    let volumes = &deployment["spec"]["template"]["spec"]["volumes"];
    let data = volumes.as_array().unwrap().iter();
    let data = data.into_iter().find(|volume| volume["name"] == "data");
    let size: i64 = data.unwrap()["emptyDir"]["sizeLimit"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let journal = number("SHORTENER_JOURNAL_MAX_BYTES");
    assert!(journal + 2 * number("SHORTENER_MAX_BULK_BYTES") <= size);
}

#[test]
fn the_rate_is_taken_over_four_readings_and_a_minute_at_least() {
    let query = |interval: &str| {
        let mut plan = plan(PRODUCTION);
        plan.spec.monitoring.service_monitor.interval = interval.to_owned();
        scaled_object::query("web", "acme", &plan.spec)
    };
    assert!(query("5s").contains("[60s]"), "{}", query("5s"));
    assert!(query("30s").contains("[120s]"), "{}", query("30s"));
    assert!(query("2m").contains("[480s]"), "{}", query("2m"));
}

#[test]
fn a_policy_lets_the_operator_read_the_metrics_and_nobody_else_who_was_not_named() {
    let peers = |metrics_from: &str| {
        let spec = format!(
            r#"{{"version": "1", "networkPolicy": {{"mode": "Enabled", "metricsFrom": {metrics_from}}}}}"#
        );
        let policy = find(&objects(&spec), Kind::NetworkPolicy, "acme");
        let rules = policy["spec"]["ingress"].as_array().unwrap().clone();
        let metrics = rules.iter().find(|rule| rule["ports"][0]["port"] == 8081);
        metrics.unwrap()["from"].as_array().unwrap().clone()
    };
    let operator = json!({
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "operators"}},
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "shortener-operator"}},
    });
    assert_eq!(peers("[]"), std::slice::from_ref(&operator));
    let named = json!({"podSelector": {"matchLabels": {"app": "prometheus"}}});
    let both = peers(&json!([named]).to_string());
    assert_eq!(both, [named, operator]);
}

#[test]
fn a_migration_asks_for_nothing_that_a_pooler_could_refuse() {
    for spec in [MINIMAL, PRODUCTION, VOLUMES] {
        let job = migration::build(&plan(spec)).unwrap();
        assert!(!job.body.to_string().contains("PGOPTIONS"));
    }
}

#[test]
fn data_that_is_retained_has_no_owner_and_data_that_is_deleted_has_one() {
    let owner = |body: &Value| body["metadata"]["ownerReferences"].is_array();
    let retained = objects(MINIMAL);
    assert!(!owner(&find(&retained, Kind::Secret, "acme-postgres")));
    let set = find(&retained, Kind::StatefulSet, "acme-postgres");
    assert!(owner(&set));
    assert_eq!(
        set["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"],
        "Retain"
    );
    let deleted = objects(VOLUMES);
    assert!(owner(&find(&deleted, Kind::Cluster, "acme-postgres")));
    let set = find(&deleted, Kind::StatefulSet, "acme");
    assert_eq!(
        set["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"],
        "Delete"
    );
}

#[test]
fn each_version_has_a_migration_of_its_own() {
    let plan = plan(MINIMAL);
    let mut next = plan.clone();
    next.image = "urlshortener/shortener:1.5.0".to_owned();
    next.migration_job = Some(migration::name("acme", &next.image, "volume"));
    assert_ne!(plan.migration_job, next.migration_job);
    let job = migration::build(&next).unwrap();
    assert_eq!(
        job.body["spec"]["template"]["spec"]["containers"][0]["image"],
        next.image
    );
}

/// All objects, as one file for each spec. Whoever changes what is built sees here what that does to a cluster.
#[test]
fn objects_are_as_they_were_seen_last() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/controller/build/golden");
    for (name, spec) in [
        ("minimal", MINIMAL),
        ("production", PRODUCTION),
        ("volumes", VOLUMES),
    ] {
        let mut text = String::new();
        for object in objects(spec) {
            let mut body = object.body;
            // Files of others, and long.
            for path in ["/data", "/spec/groups"] {
                if let Some(value) = body.pointer_mut(path) {
                    *value = "(from deploy/monitoring)".into();
                }
            }
            text.push_str("---\n");
            text.push_str(serde_saphyr::to_string(&body).unwrap().trim_end());
            text.push('\n');
        }
        let path = folder.join(format!("{name}.yaml"));
        if fs::read_to_string(&path).unwrap_or_default() != text {
            let new = path.with_extension("new.yaml");
            fs::write(&new, text).unwrap();
            panic!(
                "look at `diff {} {}`, and move the second over the first if that is meant",
                path.display(),
                new.display()
            );
        }
    }
}
