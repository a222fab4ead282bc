//! The schema goes first: no pod of a version runs before its migration has succeeded, and those before go on serving.

use std::collections::BTreeSet;

use harness::kubernetes::{
    kind::{DEPLOYMENT, JOB, PERSISTENT_VOLUME_CLAIM, POD},
    kubelet::Fate,
};
use serde_json::{Value, json};

use crate::{
    lab::Lab,
    resource::{minimal, with},
};

fn image(deployment: &Value) -> String {
    let image = &deployment["spec"]["template"]["spec"]["containers"][0]["image"];
    image.as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_pods_wait_for_the_schema() {
    let lab = Lab::new().await;
    lab.kubelet.set(Fate::Wait);
    lab.apply(&minimal("links")).await;
    lab.holds("there is a migration", async || {
        !lab.api.list(JOB).await.is_empty()
    })
    .await;
    let job = &lab.api.list(JOB).await[0];
    assert!(
        job["spec"]["activeDeadlineSeconds"].is_i64(),
        "it does not hang for ever"
    );
    lab.reports("links", "Ready", "False", "Migrating").await;
    assert!(lab.api.find(DEPLOYMENT, "links").await.is_none());

    lab.kubelet.set(Fate::Work);
    lab.settles("links").await;
    assert!(lab.api.find(DEPLOYMENT, "links").await.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_fails_leaves_the_old_version_serving_and_reverting_ends_it() {
    let lab = Lab::new().await;
    lab.apply(&minimal("links")).await;
    lab.settles("links").await;
    let first = migrations(&lab).await;
    lab.kubelet.set(Fate::Fail);
    lab.apply(&with("links", json!({"version": "2.0.0"}))).await;
    let second = lab
        .wait("there is a second migration", async || {
            let all = migrations(&lab).await;
            all.difference(&first).next().cloned()
        })
        .await;
    // The real one tries again with growing pauses; one failure is enough to see what follows.
    fail(&lab, &second).await;

    let resource = lab
        .reports("links", "MigrationReady", "False", "MigrationFailed")
        .await;
    let ready = crate::lab::condition(&resource, "Ready").expect("it is reported");
    assert!(
        ready.message.len() > 30,
        "it says what to do: {}",
        ready.message
    );
    let deployment = lab.api.get(DEPLOYMENT, "links").await;
    assert!(
        image(&deployment).ends_with(":1.0.0"),
        "{}",
        image(&deployment)
    );
    assert_eq!(deployment["status"]["readyReplicas"], 2);
    assert_eq!(resource["status"]["version"], "1.0.0");

    lab.kubelet.set(Fate::Work);
    lab.apply(&minimal("links")).await;
    lab.settles("links").await;
}

/// The names of the Jobs there are.
async fn migrations(lab: &Lab) -> BTreeSet<String> {
    let name = |job: &Value| job["metadata"]["name"].as_str().map(str::to_owned);
    let jobs = lab.api.list(JOB).await;
    jobs.iter().filter_map(name).collect()
}

/// Reports a Job as failed for good.
async fn fail(lab: &Lab, name: &str) {
    let no_more = json!({"spec": {"backoffLimit": 0}});
    lab.api.merge(JOB, name, &no_more).await;
    lab.holds("the Job has failed", async || {
        let job = lab.api.find(JOB, name).await.unwrap_or_default();
        let conditions = job["status"]["conditions"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        conditions
            .iter()
            .any(|condition| condition["type"] == "Failed" && condition["status"] == "True")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_ran_out_of_time_is_tried_again() {
    let lab = Lab::new().await;
    lab.kubelet.set(Fate::Wait);
    lab.apply(&minimal("links")).await;
    let job = lab
        .wait("there is a migration", async || {
            lab.api.list(JOB).await.first().cloned()
        })
        .await;
    let name = job["metadata"]["name"].as_str().expect("it has a name");
    // A shorter deadline, which the operator would put right at once.
    lab.apply(&with("links", json!({"management": "Paused"})))
        .await;
    lab.reports("links", "RolledOut", "False", "Paused").await;
    let deadline = json!({"spec": {"activeDeadlineSeconds": 1}});
    lab.api.merge(JOB, name, &deadline).await;
    lab.reports("links", "MigrationReady", "False", "MigrationOverdue")
        .await;
    lab.apply(&minimal("links")).await;
    lab.holds("there is another", async || {
        let found = lab.api.find(JOB, name).await;
        found.is_some_and(|found| found["metadata"]["uid"] != job["metadata"]["uid"])
    })
    .await;
    lab.kubelet.set(Fate::Work);
    lab.settles("links").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_that_was_made_anew_gets_its_schema() {
    let lab = Lab::new().await;
    lab.apply(&minimal("links")).await;
    lab.settles("links").await;
    let first = migrations(&lab).await;
    let claim = "data-links-postgres-0";
    let uid = lab.api.get(PERSISTENT_VOLUME_CLAIM, claim).await["metadata"]["uid"].clone();
    lab.api.delete(PERSISTENT_VOLUME_CLAIM, claim).await;
    // Nobody is there to see that no pod uses it any more.
    let unprotected = json!({"metadata": {"finalizers": null}});
    lab.api
        .merge(PERSISTENT_VOLUME_CLAIM, claim, &unprotected)
        .await;
    lab.api.delete(POD, "links-postgres-0").await;
    lab.holds("there is another volume", async || {
        let found = lab.api.find(PERSISTENT_VOLUME_CLAIM, claim).await;
        found.is_some_and(|found| found["metadata"]["uid"] != uid)
    })
    .await;
    lab.holds("there is another migration", async || {
        let now = migrations(&lab).await;
        !now.is_empty() && now.is_disjoint(&first)
    })
    .await;
    lab.settles("links").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_replaces_pods_only_after_the_schema_is_ready_and_reports_the_old_version_until_then()
 {
    let lab = Lab::new().await;
    lab.apply(&minimal("links")).await;
    lab.settles("links").await;
    lab.kubelet.set(Fate::Wait);
    lab.apply(&with("links", json!({"version": "1.1.0"}))).await;
    let resource = lab
        .reports("links", "MigrationReady", "False", "Migrating")
        .await;
    assert_eq!(resource["status"]["version"], "1.0.0");
    assert!(image(&lab.api.get(DEPLOYMENT, "links").await).ends_with(":1.0.0"));

    lab.kubelet.set(Fate::Work);
    let resource = lab.settles("links").await;
    assert_eq!(resource["status"]["version"], "1.1.0");
    assert!(image(&lab.api.get(DEPLOYMENT, "links").await).ends_with(":1.1.0"));
    let pods = lab.api.list(POD).await;
    assert!(!pods.is_empty());
}
