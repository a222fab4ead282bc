//! How far an operator reaches: the namespaces that it was told of and no other, and never into another operator's.

use harness::{
    eventually,
    kubernetes::{
        api::Patch,
        kind::{DEPLOYMENT, SERVICE_ACCOUNT, URL_SHORTENER},
        operator::Operator,
    },
};

use serde_json::json;

use crate::{
    lab::{Lab, PATIENCE, allow, condition, fresh_name},
    resource::minimal,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_of_one_namespace_has_no_eyes_for_others_and_no_rights_there() {
    let lab = Lab::new().await;
    let elsewhere = lab.plane.make_namespace(&fresh_name()).await;
    let resource = minimal("links");
    elsewhere.apply(URL_SHORTENER, &resource).await;
    lab.apply(&resource).await;
    lab.settles("links").await;

    // By now it would have made something there as well.
    assert!(elsewhere.find(SERVICE_ACCOUNT, "links").await.is_none());
    let requests = lab.plane.audit().requests_of(&lab.user());
    let beyond: Vec<_> = requests
        .iter()
        .filter(|request| !request.namespace.is_empty() && request.namespace != lab.api.namespace())
        .collect();
    assert!(beyond.is_empty(), "{beyond:#?}");
    let refused: Vec<_> = requests
        .iter()
        .filter(|request| request.code == 403)
        .collect();
    assert!(refused.is_empty(), "{refused:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_operator_serves_several_namespaces() {
    let lab = Lab::new().await;
    let second = lab.plane.make_namespace(&fresh_name()).await;
    let watched = vec![
        lab.api.namespace().to_owned(),
        second.namespace().to_owned(),
    ];
    let home = lab.plane.make_namespace(&fresh_name()).await;
    let settings = allow(&lab.plane, &home, &watched, lab.plane.addr()).await;
    let Lab {
        operator: first,
        api,
        kubelet: _kubelet,
        ..
    } = lab;
    drop(first);
    let operator = Operator::start(&settings).await;
    for api in [&api, &second] {
        api.apply(URL_SHORTENER, &minimal("links")).await;
    }
    for api in [&api, &second] {
        let made = async || api.find(SERVICE_ACCOUNT, "links").await;
        eventually::some("it is served", PATIENCE, made).await;
    }
    assert_eq!(operator.status("/livez").await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_operator_keeps_its_hands_off_what_another_looks_after_and_says_so() {
    let lab = Lab::new().await;
    lab.apply(&minimal("links")).await;
    lab.settles("links").await;
    // With the same field manager and rights of its own, from another namespace: an installation that somebody forgot.
    let home = lab.plane.make_namespace(&fresh_name()).await;
    let watched = vec![lab.api.namespace().to_owned()];
    let settings = allow(&lab.plane, &home, &watched, lab.plane.addr()).await;
    let audit = lab.audit();
    let second = Operator::start(&settings).await;
    let user = format!(":{}:shortener-operator", home.namespace());
    lab.holds("it says so", async || {
        second.output().contains("links") || !audit.requests_of(&user).is_empty()
    })
    .await;

    // It sees this change, and leaves it to the first.
    let spoilt = json!({"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 9}}}});
    lab.api
        .try_patch(DEPLOYMENT, "links", Patch::Merge, &spoilt)
        .await
        .expect("it can be changed");
    lab.holds("it is put right", async || {
        let deployment = lab.api.get(DEPLOYMENT, "links").await;
        deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] != 9
    })
    .await;
    let writes = audit.writes_of(&user);
    assert!(writes.is_empty(), "{writes:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_that_was_moved_takes_over_what_somebody_gives_it() {
    let lab = Lab::new().await;
    lab.apply(&minimal("links")).await;
    lab.settles("links").await;
    let Lab {
        operator,
        api,
        plane,
        kubelet: _kubelet,
        ..
    } = lab;
    drop(operator);
    let home = plane.make_namespace(&fresh_name()).await;
    let watched = vec![api.namespace().to_owned()];
    let settings = allow(&plane, &home, &watched, plane.addr()).await;
    let moved = Operator::start(&settings).await;
    let says = async || moved.output().contains("urlshortener.dev/managed-from=");
    eventually::holds("it says what to do", PATIENCE, says).await;

    let decided =
        json!({"metadata": {"annotations": {"urlshortener.dev/managed-from": home.namespace()}}});
    api.merge(URL_SHORTENER, "links", &decided).await;
    eventually::holds("it has taken over", PATIENCE, async || {
        let resource = api.get(URL_SHORTENER, "links").await;
        resource["status"]["managedFrom"] == home.namespace()
    })
    .await;
    api.delete(SERVICE_ACCOUNT, "links").await;
    let made = async || api.find(SERVICE_ACCOUNT, "links").await;
    eventually::some("it is looked after", PATIENCE, made).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_of_the_whole_cluster_serves_a_namespace_that_is_made_later() {
    let lab = Lab::of_cluster(&[]).await;
    let later = lab.plane.make_namespace(&fresh_name()).await;
    later.apply(URL_SHORTENER, &minimal("links")).await;
    let made = async || later.find(SERVICE_ACCOUNT, "links").await;
    eventually::some("it is served", PATIENCE, made).await;

    // Kinds that nobody has installed are no fault of a resource that does not ask for them.
    lab.apply(&minimal("links")).await;
    let resource = lab.settles("links").await;
    let degraded = condition(&resource, "Degraded").expect("it is reported");
    assert_eq!(degraded.status, "False", "{}", degraded.message);
}
