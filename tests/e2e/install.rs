//! From a cluster that knows nothing of us to a link that is followed: the chart, one resource, one redirect.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use harness::{
    eventually,
    kubernetes::kind::{DEPLOYMENT, URL_SHORTENER},
    soak::report,
};

use crate::{
    cluster::{Cluster, OPERATOR, OPERATOR_NAMESPACE, living_pods, text},
    contract,
    installation::{APP, Installation, NAME},
};

/// From `kubectl apply` to the first redirect, with the images on the nodes.
const FIRST_REDIRECT: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_is_followed_within_a_minute_of_kubectl_apply() {
    let cluster = Cluster::connect().await;
    cluster.clear().await;
    let since = Instant::now();
    cluster.install_operator(&[]).await;
    report(&format!(
        "the operator is ready after {:.1} s",
        since.elapsed().as_secs_f64()
    ));
    cluster
        .rolled_out(&cluster.api(OPERATOR_NAMESPACE), OPERATOR)
        .await;

    let installation = Installation::empty(&cluster, "e2e-install").await;
    let namespace = installation.api.namespace();
    let sample = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../manifests/samples/minimal.yaml"
    );
    let since = Instant::now();
    cluster
        .kubectl(&["apply", "-n", namespace, "-f", sample])
        .await;
    let link = eventually::some("a link can be made", FIRST_REDIRECT, async || {
        installation
            .try_make_link("https://example.com/first")
            .await
    })
    .await;
    let redirect = installation
        .ask("GET", &format!("/{}", link.code), None, 302)
        .await;
    let took = since.elapsed();
    assert_eq!(redirect.location.as_deref(), Some(&*link.target));
    report(&format!(
        "the first redirect came {:.1} s after kubectl apply",
        took.as_secs_f64()
    ));
    assert!(took <= FIRST_REDIRECT, "the first redirect took {took:?}");

    installation.settles().await;
    cluster.rolled_out(&installation.api, NAME).await;
    let nodes: BTreeSet<_> = living_pods(&installation.api, APP)
        .await
        .iter()
        .map(|pod| text(&pod["spec"]["nodeName"], "a node").to_owned())
        .collect();
    assert_eq!(
        nodes.len(),
        2,
        "one node takes every replica with it: {nodes:?}"
    );
    contract::holds(&installation).await;
    let deployment = installation.api.get(DEPLOYMENT, NAME).await;
    assert_eq!(deployment["status"]["readyReplicas"], 2);
    let resource = installation.api.get(URL_SHORTENER, NAME).await;
    assert_eq!(
        resource["status"]["observedGeneration"],
        resource["metadata"]["generation"]
    );
}
