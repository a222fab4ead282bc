//! What becomes of data: kept with `Retain`, and found again; gone with `Delete`.

use harness::kubernetes::kind::{
    CLOUD_NATIVE_PG, DEPLOYMENT, JOB, PERSISTENT_VOLUME_CLAIM, SECRET, STATEFUL_SET, URL_SHORTENER,
};
use serde_json::{Value, json};

use crate::{
    lab::Lab,
    resource::{minimal, with},
};

const CLAIM: &str = "data-links-postgres-0";

async fn uid(lab: &Lab, kind: harness::kubernetes::kind::Kind, name: &str) -> Value {
    lab.api.get(kind, name).await["metadata"]["uid"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_retain_volumes_and_credentials_outlive_the_resource_and_are_found_again() {
    let lab = Lab::new().await;
    lab.apply(&minimal("links")).await;
    lab.settles("links").await;
    let claim = uid(&lab, PERSISTENT_VOLUME_CLAIM, CLAIM).await;
    let password = lab.api.get(SECRET, "links-postgres").await["data"].clone();
    let key = lab.api.get(SECRET, "links-admin-key").await["data"].clone();

    lab.api.delete(URL_SHORTENER, "links").await;
    lab.goes(STATEFUL_SET, "links-postgres").await;
    lab.holds("its Jobs are gone", async || {
        lab.api.list(JOB).await.is_empty()
    })
    .await;
    lab.apply(&minimal("links")).await;
    lab.settles("links").await;

    assert_eq!(uid(&lab, PERSISTENT_VOLUME_CLAIM, CLAIM).await, claim);
    assert_eq!(
        lab.api.get(SECRET, "links-postgres").await["data"],
        password
    );
    assert_eq!(lab.api.get(SECRET, "links-admin-key").await["data"], key);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_delete_nothing_is_left() {
    let lab = Lab::new().await;
    lab.apply(&with("links", json!({"deletionPolicy": "Delete"})))
        .await;
    lab.settles("links").await;
    lab.appears(PERSISTENT_VOLUME_CLAIM, CLAIM).await;

    lab.api.delete(URL_SHORTENER, "links").await;
    lab.holds("nothing of it is left", async || {
        lab.made_for("links").await.is_empty()
    })
    .await;
    // Nobody mounts it, so that nothing protects it.
    lab.holds("the volume is given up", async || {
        lab.api
            .find(PERSISTENT_VOLUME_CLAIM, CLAIM)
            .await
            .is_none_or(|claim| claim["metadata"]["deletionTimestamp"].is_string())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_is_changed_applies_to_what_was_made_before() {
    let lab = Lab::new().await;
    lab.apply(&with("links", json!({"deletionPolicy": "Delete"})))
        .await;
    lab.settles("links").await;
    lab.apply(&with("links", json!({"deletionPolicy": "Retain"})))
        .await;
    lab.holds("the credentials are nobody's", async || {
        is_nobodys(&lab.api.get(SECRET, "links-postgres").await)
    })
    .await;

    lab.api.delete(URL_SHORTENER, "links").await;
    lab.goes(STATEFUL_SET, "links-postgres").await;
    assert!(lab.api.find(SECRET, "links-postgres").await.is_some());
    assert!(lab.api.find(PERSISTENT_VOLUME_CLAIM, CLAIM).await.is_some());
}

fn is_nobodys(object: &Value) -> bool {
    object["metadata"]["ownerReferences"]
        .as_array()
        .is_none_or(Vec::is_empty)
}

/// Waits until deleting the resource would take neither this Secret nor the volume along.
async fn is_let_go(lab: &Lab, secret: &str) {
    lab.holds("the credentials are nobody's", async || {
        is_nobodys(&lab.api.get(SECRET, secret).await)
    })
    .await;
    lab.holds("the volume is kept", async || {
        let set = lab.api.get(STATEFUL_SET, "links-postgres").await;
        set["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] == "Retain"
    })
    .await;
    lab.holds("the volume is nobody's", async || {
        is_nobodys(&lab.api.get(PERSISTENT_VOLUME_CLAIM, CLAIM).await)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_was_kept_is_not_upgraded_by_a_resource_that_asks_for_another_version() {
    let lab = Lab::new().await;
    let of = |major: i32| {
        let cluster = json!({"major": major, "instances": 1, "storage": {"size": "1Gi"}});
        with(
            "links",
            json!({"postgres": {"type": "CloudNativePG", "cloudNativePG": cluster}}),
        )
    };
    lab.apply(&of(17)).await;
    let cluster = lab.appears(CLOUD_NATIVE_PG, "links-postgres").await;
    lab.reports("links", "PostgresReady", "False", "Starting")
        .await;
    lab.api.delete(URL_SHORTENER, "links").await;
    lab.goes(DEPLOYMENT, "links-redis").await;
    lab.apply(&of(18)).await;
    lab.reports("links", "PostgresReady", "False", "MajorMismatch")
        .await;
    let kept = lab.api.get(CLOUD_NATIVE_PG, "links-postgres").await;
    assert_eq!(kept["metadata"]["uid"], cluster["metadata"]["uid"]);
    assert_eq!(kept["spec"], cluster["spec"]);

    // As the message says.
    lab.api.delete(URL_SHORTENER, "links").await;
    lab.apply(&of(17)).await;
    lab.reports("links", "PostgresReady", "False", "Starting")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retain_holds_for_a_resource_that_cannot_be_carried_out() {
    let lab = Lab::new().await;
    lab.apply(&with("links", json!({"deletionPolicy": "Delete"})))
        .await;
    lab.settles("links").await;
    lab.appears(PERSISTENT_VOLUME_CLAIM, CLAIM).await;
    // Without its password, nothing of the spec is carried out any more.
    lab.api.delete(SECRET, "links-postgres").await;
    lab.nudge("links").await;
    lab.reports("links", "PostgresReady", "False", "CredentialsMissing")
        .await;
    lab.apply(&with("links", json!({"deletionPolicy": "Retain"})))
        .await;
    is_let_go(&lab, "links-admin-key").await;

    lab.api.delete(URL_SHORTENER, "links").await;
    lab.goes(STATEFUL_SET, "links-postgres").await;
    assert!(lab.api.find(SECRET, "links-admin-key").await.is_some());
    let claim = lab.api.get(PERSISTENT_VOLUME_CLAIM, CLAIM).await;
    assert!(
        claim["metadata"]["deletionTimestamp"].is_null(),
        "{claim:#}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retain_holds_for_a_resource_that_is_paused() {
    let lab = Lab::new().await;
    lab.apply(&with("links", json!({"deletionPolicy": "Delete"})))
        .await;
    lab.settles("links").await;
    lab.appears(PERSISTENT_VOLUME_CLAIM, CLAIM).await;
    let paused = json!({"deletionPolicy": "Retain", "management": "Paused"});
    lab.apply(&with("links", paused)).await;
    is_let_go(&lab, "links-postgres").await;
    // And what let it go is in nobody's way later.
    lab.apply(&with("links", json!({"deletionPolicy": "Delete"})))
        .await;
    lab.holds("the credentials are the resource's again", async || {
        let secret = lab.api.get(SECRET, "links-postgres").await;
        secret["metadata"]["ownerReferences"].is_array()
    })
    .await;
    lab.holds("the volume is, too", async || {
        let set = lab.api.get(STATEFUL_SET, "links-postgres").await;
        set["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] == "Delete"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_never_drawn_again_over_a_volume_that_has_another() {
    let lab = Lab::new().await;
    lab.apply(&minimal("links")).await;
    lab.settles("links").await;
    lab.appears(PERSISTENT_VOLUME_CLAIM, CLAIM).await;
    let secret = lab.api.get(SECRET, "links-postgres").await;
    lab.api.delete(SECRET, "links-postgres").await;
    lab.nudge("links").await;

    let resource = lab
        .reports("links", "PostgresReady", "False", "CredentialsMissing")
        .await;
    let stalled = crate::lab::condition(&resource, "Stalled").expect("somebody has to act");
    assert_eq!(stalled.status, "True");
    assert!(
        stalled.message.contains("links-postgres"),
        "{}",
        stalled.message
    );
    assert!(lab.api.find(SECRET, "links-postgres").await.is_none());

    // Whoever has a copy puts it back, and all is well.
    let restored = json!({"metadata": {"name": "links-postgres", "labels": secret["metadata"]["labels"]}, "data": secret["data"]});
    lab.api
        .create(SECRET, &restored)
        .await
        .expect("it can be made");
    lab.nudge("links").await;
    lab.settles("links").await;
}
