//! Ways in: hosts, proxies, certificates, and who of two gets a host.

use harness::kubernetes::{
    kind::{DEPLOYMENT, HTTP_ROUTE, INGRESS},
    kubelet::Fate,
};
use serde_json::{Value, json};

use crate::{
    lab::{Lab, condition},
    resource::{ingress, with},
};

fn variable(deployment: &Value, name: &str) -> Value {
    let variables = &deployment["spec"]["template"]["spec"]["containers"][0]["env"];
    let variables = variables.as_array().cloned().unwrap_or_default();
    let found = variables
        .into_iter()
        .find(|variable| variable["name"] == name);
    found
        .map(|variable| variable["value"].clone())
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_are_told_their_hosts_and_their_proxies() {
    let lab = Lab::new().await;
    let spec = json!({
        "hosts": [{"name": "go.example.com"}, {"name": "go.example.org"}],
        "access": {"trustedProxies": ["10.0.0.0/8", "fd00::/8"]},
    });
    lab.apply(&with("links", spec)).await;
    lab.settles("links").await;
    let deployment = lab.api.get(DEPLOYMENT, "links").await;
    assert_eq!(
        variable(&deployment, "SHORTENER_PUBLIC_HOSTS"),
        "go.example.com,go.example.org"
    );
    assert_eq!(
        variable(&deployment, "SHORTENER_TRUSTED_PROXIES"),
        "10.0.0.0/8,fd00::/8"
    );
    // Behind an Ingress whose networks nobody has named, those of pods are believed.
    lab.apply(&ingress("behind")).await;
    lab.settles("behind").await;
    let behind = lab.api.get(DEPLOYMENT, "behind").await;
    let proxies = variable(&behind, "SHORTENER_TRUSTED_PROXIES");
    assert!(
        proxies
            .as_str()
            .is_some_and(|proxies| proxies.starts_with("10.0.0.0/8,")),
        "{proxies}"
    );
    // Two replicas, one more for a rollout and two that may still end, of 100 less what others need.
    let pool = variable(&deployment, "SHORTENER_DATABASE_MAX_CONNECTIONS");
    assert!(
        pool.as_str()
            .is_some_and(|pool| pool.parse().is_ok_and(|pool: i32| (8..=20).contains(&pool))),
        "{pool}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ingress_has_the_certificate_of_each_host_and_gives_way_to_a_route() {
    let lab = Lab::new().await;
    lab.apply(&ingress("links")).await;
    lab.settles("links").await;
    let made = lab.api.get(INGRESS, "links").await;
    assert_eq!(
        made["spec"]["tls"][0]["secretName"], "certificate",
        "{made:#}"
    );
    assert_eq!(
        made["spec"]["rules"][0]["host"], "links.example.com",
        "{made:#}"
    );

    let mut routed = ingress("links");
    routed["spec"]["hosts"] = json!([{"name": "links.example.com"}]);
    routed["spec"]["exposure"] =
        json!({"type": "Gateway", "gateway": {"parentRefs": [{"name": "public"}]}});
    lab.apply(&routed).await;
    lab.appears(HTTP_ROUTE, "links").await;
    lab.goes(INGRESS, "links").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_resources_with_one_host_the_older_has_it() {
    let lab = Lab::new().await;
    lab.apply(&ingress("older")).await;
    lab.settles("older").await;
    let mut younger = ingress("younger");
    younger["spec"]["hosts"] = json!([{"name": "older.example.com"}]);
    lab.apply(&younger).await;
    let resource = lab
        .reports("younger", "ExposureReady", "False", "HostInUse")
        .await;
    let told = condition(&resource, "ExposureReady").expect("it is reported");
    assert!(told.message.contains("/older"), "{}", told.message);
    assert!(lab.api.find(INGRESS, "younger").await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_that_no_gateway_takes_is_not_said_to_be_ready() {
    let lab = Lab::new().await;
    lab.apply(&with("links", json!({}))).await;
    lab.settles("links").await;
    lab.kubelet.set(Fate::Wait);
    let spec = json!({
        "hosts": [{"name": "go.example.com"}],
        "exposure": {"type": "Gateway", "gateway": {"parentRefs": [{"name": "public"}]}},
    });
    lab.apply(&with("links", spec)).await;
    lab.reports("links", "ExposureReady", "False", "NotAccepted")
        .await;
    lab.kubelet.set(Fate::Work);
    lab.settles("links").await;
}
