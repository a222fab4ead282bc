//! The role of the chart: all that the operator needs, and nothing that it never uses.

use std::collections::BTreeSet;

use harness::kubernetes::{
    control_plane::Foreign,
    helm::Helm,
    kind::{CONFIG_MAP, HORIZONTAL_POD_AUTOSCALER, SCALED_OBJECT, SECRET, SERVICE},
};
use serde_json::{Value, json};

use crate::{
    lab::Lab,
    prometheus::Prometheus,
    resource::{complete, ingress, with},
};

/// Rights that no request here shows: one that some clusters ask owners for, and one for an event that comes again within minutes.
const UNSEEN: [(&str, &str); 2] = [
    ("urlshortener.dev/urlshorteners/finalizers", "update"),
    ("events.k8s.io/events", "patch"),
];

/// A right: what, and what may be done with it.
type Right = (String, String);

/// Those that the chart grants for the whole cluster, and in the operator's own namespace.
async fn granted(lab: &Lab) -> BTreeSet<Right> {
    let mut all = BTreeSet::new();
    let values = ["rbac.aggregate=false", "crds.enabled=false"];
    for object in Helm::of(&lab.plane)
        .template(lab.api.namespace(), &values)
        .await
    {
        for rule in object["rules"].as_array().into_iter().flatten() {
            let texts = |name: &str| -> Vec<String> {
                let list = rule[name].as_array().cloned().unwrap_or_default();
                list.iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect()
            };
            for group in texts("apiGroups") {
                for resource in texts("resources") {
                    let resource = if group.is_empty() {
                        resource
                    } else {
                        format!("{group}/{resource}")
                    };
                    all.extend(
                        texts("verbs")
                            .into_iter()
                            .map(|verb| (resource.clone(), verb)),
                    );
                }
            }
        }
    }
    all
}

fn used(lab: &Lab) -> BTreeSet<Right> {
    let mut all = BTreeSet::new();
    for request in lab.plane.audit().requests_of(&lab.user()) {
        // An apply that makes an object needs the right to create it as well.
        if request.verb == "patch" && request.code == 201 {
            all.insert((request.resource.clone(), "create".to_owned()));
        }
        all.insert((request.resource, request.verb));
    }
    all
}

/// Makes the operator do all that it can do.
async fn everything_happens(lab: &Lab) {
    let prometheus = Prometheus::with(7).await;
    let mut links = complete("links", &prometheus.url());
    links["spec"]["deletionPolicy"] = "Retain".into();
    lab.apply(&links).await;
    let cluster = json!({"type": "CloudNativePG", "cloudNativePG": {"storage": {"size": "1Gi"}}});
    lab.apply(&with(
        "other",
        json!({"postgres": cluster, "networkPolicy": {"mode": "Enabled"}}),
    ))
    .await;
    lab.settles("links").await;

    // Each kind is deleted, and made again; edited, and put right.
    for (kind, object) in lab.made_for("links").await {
        let name = object["metadata"]["name"]
            .as_str()
            .expect("it has a name")
            .to_owned();
        if kind != SECRET {
            let spoilt = json!({"metadata": {"labels": {"app.kubernetes.io/part-of": "other"}}});
            lab.api.merge(kind, &name, &spoilt).await;
            lab.holds(&format!("{} {name} is put right", kind.kind), async || {
                let found = lab.api.find(kind, &name).await.unwrap_or_default();
                found["metadata"]["labels"]["app.kubernetes.io/part-of"] != "other"
            })
            .await;
        }
    }

    // Each is not asked for any more, and pruned.
    let bare = json!({
        "redis": {"type": "Disabled"},
        "access": {"auth": {"type": "Off"}},
        "monitoring": {
            "serviceMonitor": {"mode": "Disabled"}, "rules": {"mode": "Disabled"}, "dashboard": {"mode": "Disabled"}},
    });
    lab.apply(&with("links", bare)).await;
    lab.goes(CONFIG_MAP, "links-dashboards").await;
    lab.goes(SERVICE, "links-redis").await;
    lab.goes(SCALED_OBJECT, "links").await;
    lab.apply(&ingress("links")).await;
    lab.settles("links").await;
    lab.apply(&with("links", json!({}))).await;
    lab.settles("links").await;
    assert!(
        lab.api
            .find(HORIZONTAL_POD_AUTOSCALER, "keda-hpa-links")
            .await
            .is_none()
    );
    // The migration of a version before is pruned.
    lab.apply(&with("links", json!({"version": "1.1.0"}))).await;
    lab.settles("links").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_role_suffices_and_every_verb_of_it_is_used() {
    let lab = Lab::of_cluster(&Foreign::ALL).await;
    everything_happens(&lab).await;

    let requests = lab.plane.audit().requests_of(&lab.user());
    let refused: BTreeSet<_> = requests
        .into_iter()
        .filter(|request| request.code == 403)
        .map(|request| (request.resource, request.verb))
        .collect();
    assert!(refused.is_empty(), "the role lacks {refused:#?}");

    let mut unused: BTreeSet<_> = granted(&lab)
        .await
        .difference(&used(&lab))
        .cloned()
        .collect();
    unused.retain(|(resource, verb)| !UNSEEN.contains(&(resource.as_str(), verb.as_str())));
    assert!(
        unused.is_empty(),
        "the role has more than is used: {unused:#?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_right_is_a_wildcard_and_none_lists_secrets() {
    let lab = Lab::new().await;
    let rights = granted(&lab).await;
    assert!(rights.len() > 30, "{rights:#?}");
    for (resource, verb) in &rights {
        assert!(!resource.contains('*') && verb != "*", "{resource}: {verb}");
        let reads_all =
            resource == "secrets" && ["list", "watch", "deletecollection"].contains(&verb.as_str());
        assert!(!reads_all, "{resource}: {verb}");
    }
}
