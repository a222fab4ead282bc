//! `/metrics`, as Prometheus would have it.

use std::process::Command;

use harness::{database::Backend, service::Service};

use crate::programs::run;

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_follow_the_conventions_of_prometheus() {
    let service = Service::fresh(Backend::Sqlite).await;
    let user = service.create_user().await;
    let url = service.create_url(user, "https://example.com/").await;
    let path = format!("/{}", url["short_code"].as_str().unwrap());
    assert_eq!(service.get(&path).await.status, 302);

    let metrics = service.management("/metrics").await.text();
    let mut promtool = Command::new("promtool");
    run(promtool.args(["check", "metrics"]), &metrics).assert_content();
}
