//! From an applied resource to everything that it asks for.

use std::{collections::BTreeSet, time::Duration};

use harness::{
    kubernetes::{
        kind::{DEPLOYMENT, JOB, Kind, POD, SECRET, STATEFUL_SET, URL_SHORTENER},
        kubelet::Fate,
    },
    soak::report,
};
use serde_json::{Value, json};

use crate::{
    lab::{Lab, median, timed},
    prometheus::Prometheus,
    resource::{complete, ingress, minimal, with},
};

/// Those that do not wait for the migration, of `resource::complete`.
const AT_ONCE: [(&str, &str); 19] = [
    ("ConfigMap", "links-dashboards"),
    ("Deployment", "links-redis"),
    ("HTTPRoute", "links"),
    ("NetworkPolicy", "links"),
    ("NetworkPolicy", "links-postgres"),
    ("NetworkPolicy", "links-redis"),
    ("PodDisruptionBudget", "links"),
    ("PrometheusRule", "links"),
    ("Secret", "links-admin-key"),
    ("Secret", "links-postgres"),
    ("Secret", "links-redis"),
    ("Service", "links"),
    ("Service", "links-postgres"),
    ("Service", "links-redis"),
    ("ServiceAccount", "links"),
    ("ServiceMonitor", "links"),
    ("StatefulSet", "links-postgres"),
    ("Job", "links-migrate"),
    ("UrlShortener", "links"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_is_asked_for_is_made_and_the_resource_becomes_ready() {
    let lab = Lab::new().await;
    let prometheus = Prometheus::with(7).await;
    lab.apply(&complete("links", &prometheus.url())).await;
    let resource = lab.settles("links").await;

    let mut expected: BTreeSet<_> = names(AT_ONCE.iter().copied());
    expected.extend(names([("Deployment", "links"), ("ScaledObject", "links")]));
    assert_eq!(made(&lab).await, expected);
    let status = &resource["status"];
    assert_eq!(status["url"], "https://links.example.com", "{status:#}");
    assert_eq!(status["version"], "1.0.0", "{status:#}");
    assert_eq!(status["replicas"], 2, "{status:#}");
    assert_eq!(status["readyReplicas"], 2, "{status:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_smallest_resource_becomes_a_service_with_keys_and_stores_of_its_own() {
    let lab = Lab::new().await;
    lab.apply(&minimal("links")).await;
    let resource = lab.settles("links").await;

    assert_eq!(resource["status"]["replicas"], 2);
    let key = lab.api.get(SECRET, "links-admin-key").await;
    assert!(
        key["data"]["key"]
            .as_str()
            .is_some_and(|key| key.len() > 20)
    );
    let replicas = &lab.api.get(DEPLOYMENT, "links").await["status"]["readyReplicas"];
    assert_eq!(replicas, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_owned_object_goes_with_the_resource_and_none_blocks_it() {
    let lab = Lab::new().await;
    let mut resource = ingress("links");
    resource["spec"]["deletionPolicy"] = "Delete".into();
    lab.apply(&resource).await;
    lab.settles("links").await;
    for (kind, object) in lab.made_for("links").await {
        let owner = &object["metadata"]["ownerReferences"][0];
        assert_eq!(
            owner["kind"], URL_SHORTENER.kind,
            "{} is owned by {owner}",
            kind.kind
        );
    }
    let stored = lab.api.get(URL_SHORTENER, "links").await;
    assert!(
        stored["metadata"]["finalizers"].is_null(),
        "a finalizer would block an uninstall"
    );

    lab.api.delete(URL_SHORTENER, "links").await;
    lab.goes(URL_SHORTENER, "links").await;
    lab.holds("nothing of it is left", async || {
        lab.made_for("links").await.is_empty()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_pod_keeps_to_the_restricted_standard_and_trusts_nobody_with_a_token() {
    let lab = Lab::new().await;
    let mut resource = minimal("links");
    resource["spec"]["monitoring"] =
        json!({"exporters": {"postgres": "Enabled", "redis": "Enabled"}});
    // The namespace enforces the standard: pods that it refuses would never be.
    lab.apply(&resource).await;
    lab.settles("links").await;

    let pods = lab.api.list(POD).await;
    assert!(
        pods.len() >= 5,
        "two replicas, two stores and a migration: {}",
        pods.len()
    );
    for pod in pods {
        let name = &pod["metadata"]["name"];
        let spec = &pod["spec"];
        assert_eq!(spec["automountServiceAccountToken"], false, "{name}");
        for container in spec["containers"].as_array().expect("a pod has containers") {
            assert_eq!(
                container["securityContext"]["readOnlyRootFilesystem"], true,
                "{name}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_on_volumes_makes_a_stateful_set_instead_of_a_deployment() {
    let lab = Lab::new().await;
    let journal = json!({"size": "1Gi", "storage": {"type": "PersistentVolumeClaim"}});
    let spec = json!({"app": {"journal": journal}, "scaling": {"fixed": {"replicas": 2}}});
    lab.apply(&with("links", spec)).await;
    lab.settles("links").await;

    let set = lab.api.get(STATEFUL_SET, "links").await;
    let claim = &set["spec"]["volumeClaimTemplates"][0];
    assert_eq!(
        claim["spec"]["resources"]["requests"]["storage"], "1342177280",
        "{claim:#}"
    );
    assert!(lab.api.find(DEPLOYMENT, "links").await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_wait_for_the_migration_is_there_in_a_moment_and_so_is_a_change() {
    const ROUNDS: usize = 5;
    let lab = Lab::new().await;
    lab.kubelet.set(Fate::Wait);
    let prometheus = Prometheus::empty().await;
    let expected = names(AT_ONCE.iter().copied());
    let (mut made_in, mut changed_in) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let resource = complete("links", &prometheus.url());
        let making = timed(async || {
            lab.apply(&resource).await;
            lab.holds("all is made", async || made(&lab).await == expected)
                .await;
        });
        made_in.push(making.await);

        let mut changed = resource;
        changed["spec"]["redis"] = json!({"type": "Managed", "managed": {"maxMemory": "300Mi"}});
        let before = lab.api.get(DEPLOYMENT, "links-redis").await["metadata"]["generation"].clone();
        let changing = timed(async || {
            lab.apply(&changed).await;
            let is_changed = async || {
                lab.api.get(DEPLOYMENT, "links-redis").await["metadata"]["generation"] != before
            };
            lab.holds("the change is made", is_changed).await;
        });
        changed_in.push(changing.await);

        lab.api.delete(URL_SHORTENER, "links").await;
        lab.holds("it is gone", async || left(&lab).await == 0)
            .await;
    }
    let [made_in, changed_in] = [made_in, changed_in].map(median).map(milliseconds);
    report(&format!(
        "from apply to all {} objects {made_in} ms (wanted: 1000), a change {changed_in} ms (wanted: 500), medians of {ROUNDS}",
        expected.len() - 1
    ));
}

fn milliseconds(time: Duration) -> u128 {
    time.as_millis()
}

/// What goes with a resource: not the credentials, which stay by its policy.
async fn left(lab: &Lab) -> usize {
    let all = lab.made_for("links").await;
    all.iter().filter(|(kind, _)| *kind != SECRET).count()
}

fn names<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> BTreeSet<(String, String)> {
    let own = |(kind, name): (&str, &str)| (kind.to_owned(), name.to_owned());
    pairs.into_iter().map(own).collect()
}

/// Kind and name of all that there is for the resource, itself included. Jobs have a digest at the end of their names.
async fn made(lab: &Lab) -> BTreeSet<(String, String)> {
    let mut all = names([(URL_SHORTENER.kind, "links")]);
    for (kind, object) in lab.made_for("links").await {
        all.insert((kind.kind.to_owned(), stem(kind, &object)));
    }
    all
}

fn stem(kind: Kind, object: &Value) -> String {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let stem = name
        .rsplit_once('-')
        .filter(|_| kind == JOB)
        .map_or(name, |(stem, _)| stem);
    stem.to_owned()
}
