//! The steady state: the operator looks, and writes nothing. The API server's own record is the proof.

use harness::{eventually, kubernetes::kind::CONFIG_MAP};
use serde_json::json;

use crate::{
    lab::{Lab, PATIENCE},
    prometheus::Prometheus,
    resource::{complete, ingress},
};

const LOOKS: f64 = 100.0;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_looks_at_what_is_as_it_should_be_write_nothing() {
    let lab = Lab::new().await;
    let prometheus = Prometheus::with(7).await;
    lab.apply(&complete("links", &prometheus.url())).await;
    lab.apply(&ingress("other")).await;
    lab.settles("links").await;
    lab.settles("other").await;

    let audit = lab.audit();
    let before = lab.reconciles().await;
    let mut count = 0;
    let looked = async || {
        count += 1;
        // Somebody else's note on an owned object is a reason to look, and none to write.
        let note = json!({"metadata": {"annotations": {"note": count.to_string()}}});
        lab.api.merge(CONFIG_MAP, "links-dashboards", &note).await;
        lab.api.merge(CONFIG_MAP, "other-dashboards", &note).await;
        lab.reconciles().await >= before + LOOKS
    };
    // A busy machine takes its time for so many.
    eventually::holds("it has looked a hundred times", 5 * PATIENCE, looked).await;
    let writes = lab.writes(&audit);
    assert!(writes.is_empty(), "{writes:#?}");
}
