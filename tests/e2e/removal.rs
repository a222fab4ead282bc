//! Nothing is left but what was promised to be: with `Retain` the volume and the generated Secrets, which a resource of the same name finds
//! again; with `Delete` nothing.

use std::collections::BTreeSet;

use harness::{
    eventually,
    kubernetes::{
        api::Api,
        kind::{
            CLUSTER_ROLE, CLUSTER_ROLE_BINDING, CRD, Kind, OWNED, PERSISTENT_VOLUME_CLAIM, POD,
            URL_SHORTENER,
        },
    },
};
use serde_json::json;

use crate::{
    cluster::{Cluster, OPERATOR, OPERATOR_NAMESPACE, PATIENCE, text},
    installation::{Installation, NAME},
};

/// What the cluster itself puts into every namespace.
const OF_THE_CLUSTER: [&str; 2] = ["ConfigMap kube-root-ca.crt", "ServiceAccount default"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_but_what_retain_promises() {
    let cluster = Cluster::with_operator().await;
    let for_nobody = json!({"version": "0.1.0", "deletionPolicy": "Delete"});
    let (kept, of_nobody) = tokio::join!(
        Installation::with(&cluster, "e2e-retain", json!({"version": "0.1.0"})),
        Installation::with(&cluster, "e2e-delete", for_nobody),
    );
    let link = kept.make_link("https://example.com/kept").await;

    for installation in [&kept, &of_nobody] {
        installation.api.delete(URL_SHORTENER, NAME).await;
    }
    until_left(&of_nobody.api, &[]).await;
    let promised = [
        "PersistentVolumeClaim data-links-postgres-0",
        "Secret links-admin-key",
        "Secret links-postgres",
        "Secret links-redis",
    ];
    until_left(&kept.api, &promised).await;

    // A resource of the same name finds the link again.
    let again = json!({"metadata": {"name": NAME}, "spec": {"version": "0.1.0"}});
    kept.api.apply(URL_SHORTENER, &again).await;
    kept.settles().await;
    let redirect = kept.ask("GET", &format!("/{}", link.code), None, 302).await;
    assert_eq!(redirect.location.as_deref(), Some(&*link.target));

    // Without the operator, all goes on; and its own things are gone, but for the definition.
    cluster.uninstall_operator().await;
    kept.ask("GET", &format!("/{}", link.code), None, 302).await;
    let operators = cluster.api(OPERATOR_NAMESPACE);
    until_left(&operators, &[]).await;
    for kind in [CLUSTER_ROLE, CLUSTER_ROLE_BINDING] {
        let left = operators.list_everywhere(kind).await;
        let ours: Vec<_> = left
            .iter()
            .map(|object| text(&object["metadata"]["name"], "a name"))
            .filter(|name| name.starts_with(OPERATOR))
            .collect();
        assert!(ours.is_empty(), "{}: {ours:?}", kind.kind);
    }
    assert!(
        operators
            .find(CRD, "urlshorteners.urlshortener.dev")
            .await
            .is_some()
    );
    cluster.clear().await;
}

/// Waits until a namespace holds these and no other, beside what tests and the cluster put there.
async fn until_left(api: &Api, promised: &[&str]) {
    let promised: BTreeSet<_> = promised.iter().map(ToString::to_string).collect();
    let mut left = BTreeSet::new();
    let done = eventually::try_some(PATIENCE, async || {
        left = everything(api).await;
        (left == promised).then_some(())
    })
    .await;
    assert!(
        done.is_some(),
        "{}: {left:?} are left, not {promised:?}",
        api.namespace()
    );
}

async fn everything(api: &Api) -> BTreeSet<String> {
    let mut left = BTreeSet::new();
    let kinds: Vec<Kind> = OWNED
        .into_iter()
        .chain([PERSISTENT_VOLUME_CLAIM, POD])
        .collect();
    for kind in kinds {
        for object in api.list(kind).await {
            let name = text(&object["metadata"]["name"], "a name");
            left.insert(format!("{} {name}", kind.kind));
        }
    }
    left.retain(|name| !OF_THE_CLUSTER.contains(&name.as_str()) && name != "Pod asker");
    left
}
