//! Upgrades under load: of the service, with a migration, and back; of the operator, and its sudden end. Visitors notice none of it, and
//! every click of theirs is recorded.

use std::{collections::BTreeSet, time::Instant};

use harness::{
    eventually,
    kubernetes::{
        api::Api,
        kind::{DEPLOYMENT, POD},
    },
    soak::report,
};
use serde_json::{Value, json};

use crate::{
    cluster::{Cluster, OPERATOR, OPERATOR_NAMESPACE, PATIENCE, is_ready, living_pods, text},
    installation::{APP, Installation, Link, NAME},
    visitors::{Visitors, Visits},
};

/// What the image of `next` has beyond this one is a migration: scripts/cluster/images makes it.
const NOW: &str = "0.1.0";
const NEXT: &str = "0.2.0";

const RATE: u32 = 20;
const LONG_ENOUGH: u64 = 1800;

async fn installed<'a>(cluster: &'a Cluster, namespace: &str) -> (Installation<'a>, Link) {
    let spec = json!({"version": NOW, "scaling": {"type": "Fixed", "fixed": {"replicas": 2}}});
    let installation = Installation::with(cluster, namespace, spec).await;
    let link = installation.make_link("https://example.com/upgrade").await;
    (installation, link)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_goes_to_the_next_version_and_back_unnoticed() {
    let cluster = Cluster::with_operator().await;
    let (installation, link) = installed(&cluster, "e2e-upgrade").await;
    let before = installation.migrations().await;
    let visitors = Visitors::follow(&installation, &link, &[(RATE, LONG_ENOUGH)], None).await;

    let since = Instant::now();
    installation.change(json!({"version": NEXT})).await;
    until_all_run(&installation, NEXT).await;
    report(&format!(
        "upgraded after {:.0} s",
        since.elapsed().as_secs_f64()
    ));
    assert!(
        installation.migrations().await > before,
        "the schema is not the next one's"
    );

    let since = Instant::now();
    installation.change(json!({"version": NOW})).await;
    until_all_run(&installation, NOW).await;
    report(&format!(
        "rolled back after {:.0} s",
        since.elapsed().as_secs_f64()
    ));
    let visits = visitors.stop().await;
    unnoticed(&installation, &link, &visits).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operators_upgrade_and_sudden_end_touch_no_pod() {
    let cluster = Cluster::with_operator().await;
    let (installation, link) = installed(&cluster, "e2e-operator").await;
    let before = uids(&installation.api).await;
    let visitors = Visitors::follow(&installation, &link, &[(RATE, LONG_ENOUGH)], None).await;
    let operators = cluster.api(OPERATOR_NAMESPACE);

    let old = operator_pods(&operators).await;
    cluster.install_operator(&["podLabels.upgraded=yes"]).await;
    cluster.rolled_out(&operators, OPERATOR).await;
    assert!(
        old.is_disjoint(&operator_pods(&operators).await),
        "the operator was not replaced"
    );
    installation.settles().await;

    let old = operator_pods(&operators).await;
    for pod in living_pods(&operators, OPERATOR_LABEL).await {
        let name = text(&pod["metadata"]["name"], "a name");
        cluster
            .kubectl(&[
                "delete",
                "pod",
                "-n",
                OPERATOR_NAMESPACE,
                name,
                "--grace-period=0",
                "--force",
            ])
            .await;
    }
    cluster.rolled_out(&operators, OPERATOR).await;
    assert!(
        old.is_disjoint(&operator_pods(&operators).await),
        "the operator was not replaced"
    );
    // It works again: a change is carried out.
    installation
        .change(json!({"scaling": {"fixed": {"replicas": 3}}}))
        .await;
    eventually::holds("there is a third replica", PATIENCE, async || {
        installation.api.get(DEPLOYMENT, NAME).await["status"]["readyReplicas"] == 3
    })
    .await;

    let after = uids(&installation.api).await;
    assert!(
        before.is_subset(&after),
        "pods were replaced: {before:?}, then {after:?}"
    );
    let visits = visitors.stop().await;
    unnoticed(&installation, &link, &visits).await;
    cluster.install_operator(&[]).await;
}

const OPERATOR_LABEL: &str = "app.kubernetes.io/name=shortener-operator";

async fn operator_pods(api: &Api) -> BTreeSet<String> {
    let pods = living_pods(api, OPERATOR_LABEL).await;
    pods.iter().map(uid).collect()
}

/// Of the pods that serve, and of those that they need.
async fn uids(api: &Api) -> BTreeSet<String> {
    let labels = format!("app.kubernetes.io/instance={NAME}");
    let mut pods = living_pods(api, &labels).await;
    pods.retain(is_ready);
    pods.iter().map(uid).collect()
}

fn uid(pod: &Value) -> String {
    text(&pod["metadata"]["uid"], "a uid").to_owned()
}

/// Waits until every pod that serves is of this version, and those before are gone.
async fn until_all_run(installation: &Installation<'_>, version: &str) {
    let image = format!("urlshortener/shortener:{version}");
    eventually::holds(&format!("every pod runs {version}"), PATIENCE, async || {
        let pods = installation.api.select(POD, APP).await;
        !pods.is_empty()
            && pods
                .iter()
                .all(|pod| is_ready(pod) && pod["spec"]["containers"][0]["image"] == *image)
    })
    .await;
}

/// Nobody failed, and answered ≤ recorded ≤ sent.
async fn unnoticed(installation: &Installation<'_>, link: &Link, visits: &Visits) {
    assert!(
        visits.failed.is_empty(),
        "of {}: {:?}",
        visits.sent,
        visits.failed
    );
    let recorded = installation.every_click_is_recorded(link, visits).await;
    report(&format!(
        "{} sent, {} answered, {recorded} recorded",
        visits.sent, visits.answered
    ));
}
