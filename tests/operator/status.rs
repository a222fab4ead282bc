//! What the status tells whoever is woken at night: what is wrong, and what to do about it.

use harness::kubernetes::{
    api::Api,
    control_plane::ControlPlane,
    kind::{DEPLOYMENT, EVENT, RESOURCE_QUOTA, SECRET, SERVICE, URL_SHORTENER},
    kubelet::Fate,
};
use serde_json::{Value, json};

use crate::{
    lab::{Lab, condition},
    resource::{database_secret, lean, minimal, with},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_condition_is_about_the_spec_of_now_and_kstatus_can_read_it() {
    let lab = Lab::new().await;
    lab.apply(&minimal("links")).await;
    let resource = lab.settles("links").await;
    let generation = &resource["metadata"]["generation"];
    assert_eq!(&resource["status"]["observedGeneration"], generation);
    let conditions = resource["status"]["conditions"]
        .as_array()
        .expect("there are conditions");
    for condition in conditions {
        assert_eq!(&condition["observedGeneration"], generation, "{condition}");
        assert!(condition["lastTransitionTime"].is_string(), "{condition}");
        assert!(
            condition["message"]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{condition}"
        );
    }
    // Abnormal-true: what is well is not reported as being under way, nor as stuck.
    for kind in ["Reconciling", "Stalled", "Degraded"] {
        assert_eq!(
            condition(&resource, kind).expect("it is reported").status,
            "False",
            "{kind}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_database_is_said_not_to_be_highly_available() {
    let lab = Lab::new().await;
    lab.apply(&minimal("links")).await;
    let resource = lab.settles("links").await;
    let available = condition(&resource, "HighlyAvailable").expect("it is reported");
    assert_eq!(available.status, "False", "{}", available.message);
    assert_eq!(
        condition(&resource, "Degraded")
            .expect("it is reported")
            .status,
        "False",
        "it was chosen so"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_that_is_not_to_be_had_is_told_in_the_words_of_the_kubelet() {
    let lab = Lab::new().await;
    lab.apply(&minimal("links")).await;
    lab.settles("links").await;
    lab.kubelet.set(Fate::Fail);
    let mut changed = minimal("links");
    changed["spec"]["app"] = json!({"rollout": {"drainSeconds": 31}});
    lab.apply(&changed).await;

    let resource = lab
        .reports("links", "RolledOut", "False", "ImagePullFailed")
        .await;
    let told = condition(&resource, "RolledOut").expect("it is reported");
    assert!(
        told.message.contains("Back-off pulling image"),
        "{}",
        told.message
    );
    lab.kubelet.set(Fate::Work);
    lab.settles("links").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quota_that_is_used_up_is_told() {
    let lab = Lab::new().await;
    lab.apply(&minimal("links")).await;
    lab.settles("links").await;
    let quota = json!({"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}});
    lab.api
        .create(RESOURCE_QUOTA, &quota)
        .await
        .expect("it can be made");
    // As the quota's controller, which does not run here, would report it.
    let status = json!({"status": {"hard": {"pods": "0"}, "used": {"pods": "9"}}});
    lab.api
        .merge_part(RESOURCE_QUOTA, "none", "status", &status)
        .await
        .expect("it can be reported");
    let mut changed = minimal("links");
    changed["spec"]["app"] = json!({"rollout": {"drainSeconds": 31}});
    lab.apply(&changed).await;

    let resource = lab
        .reports("links", "RolledOut", "False", "ReplicaFailure")
        .await;
    let told = condition(&resource, "RolledOut").expect("it is reported");
    assert!(told.message.contains("quota"), "{}", told.message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_gives_fewer_connections_than_are_asked_for_is_told_with_the_sum() {
    let lab = Lab::new().await;
    let spec = json!({
        "scaling": {"fixed": {"replicas": 10}},
        "postgres": {"type": "Managed", "managed": {"maxConnections": 40}},
    });
    lab.apply(&with("links", spec)).await;
    let resource = lab
        .reports("links", "ConnectionsFit", "False", "LimitExceeded")
        .await;
    let told = condition(&resource, "ConnectionsFit").expect("it is reported");
    assert!(told.message.contains("40"), "{}", told.message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_is_missing_is_named_and_taken_up_when_it_comes() {
    let lab = Lab::new().await;
    lab.apply(&lean("links", "database")).await;
    let resource = lab
        .reports("links", "PostgresReady", "False", "SecretMissing")
        .await;
    let told = condition(&resource, "PostgresReady").expect("it is reported");
    assert!(
        told.message.contains("the Secret database does not exist"),
        "{}",
        told.message
    );
    let secret = database_secret("database", "links");
    lab.api
        .create(SECRET, &secret)
        .await
        .expect("it can be made");
    lab.settles("links").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_changes_causes_one_rollout() {
    let lab = Lab::new().await;
    lab.api
        .create(SECRET, &database_secret("database", "links"))
        .await
        .expect("it can be made");
    lab.apply(&lean("links", "database")).await;
    lab.settles("links").await;
    let annotations = async || {
        let deployment = lab.api.get(DEPLOYMENT, "links").await;
        let digest = deployment["spec"]["template"]["metadata"]["annotations"].clone();
        (
            digest,
            deployment["metadata"]["generation"]
                .as_u64()
                .unwrap_or_default(),
        )
    };
    let (before, generation) = annotations().await;
    let url = "postgres://links:another@postgres.databases:5432/links";
    lab.api
        .merge(SECRET, "database", &json!({"stringData": {"url": url}}))
        .await;
    lab.holds("pods are replaced", async || {
        annotations().await.0 != before
    })
    .await;
    lab.settles("links").await;
    assert_eq!(annotations().await.1, generation + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_resources_on_one_database_the_younger_keeps_its_hands_off() {
    let lab = Lab::new().await;
    for secret in ["database", "same-database"] {
        let secret = database_secret(secret, "links");
        lab.api
            .create(SECRET, &secret)
            .await
            .expect("it can be made");
    }
    lab.apply(&lean("older", "database")).await;
    lab.settles("older").await;
    lab.apply(&lean("younger", "same-database")).await;
    let resource = lab
        .reports("younger", "PostgresReady", "False", "DatabaseInUse")
        .await;
    let told = condition(&resource, "PostgresReady").expect("it is reported");
    assert!(told.message.contains("/older"), "{}", told.message);
    assert!(lab.api.find(DEPLOYMENT, "younger").await.is_none());
    lab.settles("older").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_resources_that_come_together_on_one_database_one_is_carried_out() {
    let lab = Lab::new().await;
    let secret = database_secret("database", "links");
    lab.api
        .create(SECRET, &secret)
        .await
        .expect("it can be made");
    // While nobody looks, so that both are new to whoever does.
    let both = async |api: &Api, _: &ControlPlane| {
        for name in ["one", "two"] {
            api.apply(URL_SHORTENER, &lean(name, "database")).await;
        }
    };
    let (lab, ()) = lab.restarted(both).await;
    let reason = async |name: &str| {
        let ready = lab.condition(name, "Ready").await?;
        Some((ready.status, ready.reason))
    };
    let is = |found: &Option<(String, String)>, status: &str, reason: &str| {
        found
            .as_ref()
            .is_some_and(|found| found.0 == status && found.1 == reason)
    };
    lab.holds("one is served, and the other told", async || {
        let both = [reason("one").await, reason("two").await];
        let served = both.iter().filter(|found| is(found, "True", "Available"));
        let told = both
            .iter()
            .filter(|found| is(found, "False", "DatabaseInUse"));
        served.count() == 1 && told.count() == 1
    })
    .await;
    assert_eq!(lab.api.list(DEPLOYMENT).await.len(), 1);
}

/// The resources that are carried out, of these.
async fn carried_out(lab: &Lab, names: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for name in names {
        if lab.api.find(DEPLOYMENT, name).await.is_some() {
            found.push(name.clone());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_resources_made_in_the_same_moment_only_one_ever_gets_their_database() {
    let lab = Lab::new().await;
    for round in 0..5 {
        let (secret, names) = (
            format!("database-{round}"),
            [format!("one-{round}"), format!("two-{round}")],
        );
        let content = database_secret(&secret, &secret);
        lab.api
            .create(SECRET, &content)
            .await
            .expect("it can be made");
        let (first, second) = (lean(&names[0], &secret), lean(&names[1], &secret));
        tokio::join!(lab.apply(&first), lab.apply(&second));
        lab.holds("one is carried out, and the other told", async || {
            let mut told = 0;
            for name in &names {
                let ready = lab.condition(name, "PostgresReady").await;
                told += usize::from(ready.is_some_and(|ready| ready.reason == "DatabaseInUse"));
            }
            told == 1 && carried_out(&lab, &names).await.len() == 1
        })
        .await;
        let first = carried_out(&lab, &names).await;
        for name in &names {
            lab.nudge(name).await;
        }
        lab.settles(&first[0]).await;
        assert_eq!(carried_out(&lab, &names).await, first);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_somebody_else_has_made_is_left_to_them() {
    let lab = Lab::new().await;
    let theirs = json!({"metadata": {"name": "links-postgres"}, "stringData": {"token": "theirs"}});
    lab.api
        .create(SECRET, &theirs)
        .await
        .expect("it can be made");
    lab.apply(&with("links", json!({"deletionPolicy": "Delete"})))
        .await;
    let resource = lab.reports("links", "Stalled", "True", "NameInUse").await;
    let told = condition(&resource, "Stalled").expect("it is reported");
    assert!(told.message.contains("links-postgres"), "{}", told.message);
    let secret = lab.api.get(SECRET, "links-postgres").await;
    assert!(secret["metadata"]["labels"].is_null(), "{secret:#}");
    assert!(
        secret["metadata"]["ownerReferences"].is_null(),
        "{secret:#}"
    );

    lab.api.delete(SECRET, "links-postgres").await;
    lab.settles("links").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_somebody_else_has_taken_is_left_to_them() {
    let lab = Lab::new().await;
    let theirs = json!({"metadata": {"name": "links"}, "spec": {"ports": [{"port": 80}], "selector": {"app": "theirs"}}});
    lab.api
        .create(SERVICE, &theirs)
        .await
        .expect("it can be made");
    lab.apply(&minimal("links")).await;
    let resource = lab.reports("links", "Stalled", "True", "NameInUse").await;
    assert_eq!(
        condition(&resource, "Degraded")
            .expect("it is reported")
            .status,
        "True"
    );
    assert_eq!(
        lab.api.get(SERVICE, "links").await["spec"]["selector"],
        json!({"app": "theirs"})
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_resource_is_looked_at_and_left_alone() {
    let lab = Lab::new().await;
    lab.apply(&minimal("links")).await;
    lab.settles("links").await;
    lab.apply(&with("links", json!({"management": "Paused"})))
        .await;
    lab.reports("links", "Ready", "False", "Paused").await;
    lab.api.delete(SERVICE, "links").await;
    let audit = lab.audit();
    let looked = lab.reconciles().await;
    let note = json!({"metadata": {"annotations": {"note": "look"}}});
    lab.api.merge(URL_SHORTENER, "links", &note).await;
    lab.holds("it has looked", async || lab.reconciles().await > looked)
        .await;
    assert!(lab.api.find(SERVICE, "links").await.is_none());
    let writes = lab.writes(&audit);
    assert!(
        writes
            .iter()
            .all(|write| write.resource.ends_with("/status")),
        "{writes:#?}"
    );

    lab.apply(&minimal("links")).await;
    lab.appears(SERVICE, "links").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_is_told_by_events_of_the_resource() {
    let lab = Lab::new().await;
    lab.apply(&minimal("links")).await;
    lab.settles("links").await;
    let events = lab
        .wait("there are events", async || {
            let mut events = lab.api.list(EVENT).await;
            events.retain(|event| event["regarding"]["kind"] == URL_SHORTENER.kind);
            (!events.is_empty()).then_some(events)
        })
        .await;
    let is_told = |event: &Value| event["reason"].is_string() && event["note"].is_string();
    assert!(events.iter().all(is_told), "{events:#?}");
}
