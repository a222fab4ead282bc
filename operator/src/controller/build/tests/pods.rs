//! What no played kubelet would notice: whether pods could start, and what their containers are told.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::{Value, json};

use super::{MINIMAL, PRODUCTION, VOLUMES, find, objects, plan, setting};
use crate::{
    controller::build::{build, secrets},
    kinds::Kind,
};

/// Every pod that is made for a spec, with the name of what makes it.
fn pods(spec: &str) -> Vec<(String, Value)> {
    let objects = objects(spec).into_iter();
    let pods = objects.map(|object| {
        let pod = object.body["spec"]["template"]["spec"].clone();
        (object.name().to_owned(), pod)
    });
    pods.filter(|(_, pod)| pod.is_object()).collect()
}

#[test]
fn every_pod_can_pull_from_the_registry_that_the_spec_knows_how_to_ask() {
    let spec = r#"{"version": "1", "image": {"pullSecrets": [{"name": "registry"}]}}"#;
    for (name, pod) in pods(spec) {
        assert_eq!(
            pod["imagePullSecrets"],
            json!([{"name": "registry"}]),
            "{name}"
        );
    }
}

#[test]
fn the_migration_runs_where_the_replicas_may() {
    let spec = r#"{"version": "1", "app": {"scheduling": {
        "nodeSelector": {"pool": "web"}, "tolerations": [{"key": "web", "operator": "Exists"}]}}}"#;
    let pods = pods(spec);
    let ours: Vec<_> = pods
        .iter()
        .filter(|(name, _)| name == "acme" || name.contains("migrate"))
        .collect();
    assert_eq!(ours.len(), 2);
    for (name, pod) in ours {
        assert_eq!(pod["nodeSelector"], json!({"pool": "web"}), "{name}");
        assert_eq!(pod["tolerations"][0]["key"], "web", "{name}");
    }
}

/// The names of settings that docs/settings.md has for a command of the service.
fn documented() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/settings.md");
    let text = fs::read_to_string(path).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `--"));
    rows.filter_map(|row| Some(row.split('|').nth(2)?.trim().trim_matches('`').to_owned()))
        .collect()
}

#[test]
fn the_service_is_told_nothing_but_settings_that_it_has() {
    let known = documented();
    assert!(known.contains("SHORTENER_LISTEN"), "{known:?}");
    for spec in [MINIMAL, PRODUCTION, VOLUMES] {
        for (name, pod) in pods(spec) {
            let container = &pod["containers"][0];
            if !["shortener", "migrate"].contains(&container["name"].as_str().unwrap()) {
                continue;
            }
            for variable in container["env"].as_array().unwrap() {
                let variable = variable["name"].as_str().unwrap();
                assert!(known.contains(variable), "{name}: {variable}");
            }
        }
    }
}

#[test]
fn whatever_a_container_mounts_is_a_volume_of_its_pod() {
    for spec in [MINIMAL, PRODUCTION, VOLUMES] {
        for object in objects(spec) {
            let pod = &object.body["spec"]["template"]["spec"];
            let claims = &object.body["spec"]["volumeClaimTemplates"];
            let names = |list: &Value, path: &str| -> BTreeSet<String> {
                let list = list.as_array().into_iter().flatten();
                list.map(|item| item.pointer(path).unwrap().as_str().unwrap().to_owned())
                    .collect()
            };
            let mut volumes = names(&pod["volumes"], "/name");
            volumes.extend(names(claims, "/metadata/name"));
            for container in pod["containers"].as_array().into_iter().flatten() {
                let mounts = names(&container["volumeMounts"], "/name");
                assert!(
                    mounts.is_subset(&volumes),
                    "{}: {mounts:?}, {volumes:?}",
                    object.name()
                );
            }
        }
    }
}

#[test]
fn proxies_of_private_networks_are_believed_where_nobody_says_which_there_are() {
    let exposed = |trusted: &str| {
        format!(
            r#"{{"version": "1", "hosts": [{{"name": "go.example.com"}}], "exposure": {{"type": "Ingress"}}, "access": {{"trustedProxies": {trusted}}}}}"#
        )
    };
    let told = |spec: &str| setting(&objects(spec), "SHORTENER_TRUSTED_PROXIES");
    assert_eq!(
        told(&exposed("[]")),
        "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,fc00::/7"
    );
    assert_eq!(told(&exposed(r#"["192.0.2.7/32"]"#)), "192.0.2.7/32");
    let deployment = find(&objects(MINIMAL), Kind::Deployment, "acme");
    assert!(
        !deployment.to_string().contains("TRUSTED_PROXIES"),
        "nothing is in front"
    );
}

#[test]
fn the_password_of_redis_is_where_both_sides_look_for_it_and_in_no_argument() {
    let mut plan = plan(MINIMAL);
    plan.new_secrets.redis_password = Some("drawn".to_owned());
    let secrets = secrets::new(&plan);
    let secret = find(&secrets, Kind::Secret, "acme-redis");
    let content = &secret["stringData"];
    assert_eq!(content["redis.conf"], "requirepass drawn\n");
    assert_eq!(content["url"], "redis://:drawn@acme-redis:6379");
    let objects = build(&plan).into_objects();
    let deployment = find(&objects, Kind::Deployment, "acme-redis");
    assert!(!deployment.to_string().contains("drawn"));
    let arguments = &deployment["spec"]["template"]["spec"]["containers"][0]["args"];
    assert_eq!(arguments[1], "/credentials/redis.conf");
    assert_eq!(setting(&objects, "REDIS_URL_FILE"), "/secrets/redis/url");
}
