//! Something else that keeps undoing a field: the operator does not fight for ever, and says with whom.

use harness::kubernetes::kind::DEPLOYMENT;
use serde_json::json;

use crate::{
    lab::{Lab, condition},
    resource::minimal,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_three_reverts_the_operator_stops_and_names_the_field_and_its_manager() {
    let lab = Lab::new().await;
    lab.apply(&minimal("links")).await;
    lab.settles("links").await;
    let mut undone = 0;
    lab.wait("the operator gives in", async || {
        let deployment = lab.api.get(DEPLOYMENT, "links").await;
        let grace = &deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"];
        if *grace != 9 {
            undone += 1;
            assert!(undone < 20, "it fights for ever\n{}", lab.tail());
            let theirs =
                json!({"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 9}}}});
            lab.api.merge(DEPLOYMENT, "links", &theirs).await;
        }
        let told = lab.condition("links", "Degraded").await?;
        (told.reason == "DriftContested").then_some(())
    })
    .await;
    let resource = lab
        .api
        .get(harness::kubernetes::kind::URL_SHORTENER, "links")
        .await;
    let told = condition(&resource, "Degraded").expect("it is reported");
    assert!(
        told.message.contains("terminationGracePeriodSeconds"),
        "{}",
        told.message
    );
    assert!(
        told.message.contains("test"),
        "the tests' field manager: {}",
        told.message
    );

    // Another spec is another decision.
    let mut changed = minimal("links");
    changed["spec"]["app"] = json!({"rollout": {"drainSeconds": 40}});
    lab.apply(&changed).await;
    lab.holds("the new spec is carried out", async || {
        let deployment = lab.api.get(DEPLOYMENT, "links").await;
        deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 100
    })
    .await;
}
