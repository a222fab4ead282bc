//! Kinds that others bring: reported while they are missing, adopted when they come, without a restart.

use harness::kubernetes::{
    control_plane::Foreign,
    kind::{CLOUD_NATIVE_PG, HTTP_ROUTE, PROMETHEUS_RULE, SCALED_OBJECT, SERVICE_MONITOR},
};
use serde_json::json;

use crate::{
    lab::Lab,
    prometheus::Prometheus,
    resource::{complete, with},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_installed_is_said_and_what_comes_later_is_adopted_without_a_restart() {
    let lab = Lab::of_cluster(&[]).await;
    let prometheus = Prometheus::with(7).await;
    let mut links = complete("links", &prometheus.url());
    links["spec"]["monitoring"] =
        json!({"serviceMonitor": {"mode": "Enabled"}, "rules": {"mode": "Enabled"}});
    lab.apply(&links).await;
    let cluster = json!({"type": "CloudNativePG", "cloudNativePG": {"storage": {"size": "1Gi"}}});
    lab.apply(&with("other", json!({"postgres": cluster})))
        .await;

    for (name, part) in [
        ("links", "ExposureReady"),
        ("links", "AutoscalingReady"),
        ("links", "MonitoringReady"),
        ("other", "PostgresReady"),
    ] {
        let resource = lab.reports(name, part, "False", "CRDNotInstalled").await;
        let told = crate::lab::condition(&resource, part).expect("it is reported");
        assert!(
            told.message.contains("nstall"),
            "it says what to install: {}",
            told.message
        );
    }

    let process = lab.operator.output().len();
    for foreign in Foreign::ALL {
        lab.plane.define(foreign).await;
    }
    for kind in [HTTP_ROUTE, SERVICE_MONITOR, PROMETHEUS_RULE, SCALED_OBJECT] {
        lab.appears(kind, "links").await;
    }
    lab.appears(CLOUD_NATIVE_PG, "other-postgres").await;
    assert!(lab.operator.output().len() >= process);
    lab.reports("links", "MonitoringReady", "True", "Installed")
        .await;

    // Adopted means watched as well.
    lab.api.delete(HTTP_ROUTE, "links").await;
    lab.appears(HTTP_ROUTE, "links").await;
    assert_eq!(lab.operator.status("/livez").await, 200);
}
