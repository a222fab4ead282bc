//! Specs that make no sense are refused by the API server itself, before anything is stored, with a sentence that says what to do.

mod specs;

use harness::kubernetes::{
    api::{Api, Patch, Refused},
    control_plane::ControlPlane,
    kind::URL_SHORTENER,
};
use serde_json::{Value, json};

use self::specs::{Case, all, cluster, external};
use crate::{lab::fresh_name, resource::with};

/// Changes of what exists: before, after, and words of the refusal.
fn changes() -> Vec<(Value, Value, &'static str)> {
    let managed = |value: Value| json!({"postgres": {"type": "Managed", "managed": value}});
    let journal = |kind: &str| json!({"app": {"journal": {"storage": {"type": kind}}}});
    vec![
        (
            json!({}),
            external(&json!({})),
            "the kind of database cannot be changed",
        ),
        (
            managed(json!({"major": 17})),
            managed(json!({"major": 18})),
            "leave `major` as it was",
        ),
        (
            managed(json!({"storage": {"size": "10Gi"}})),
            managed(json!({"storage": {"size": "20Gi"}})),
            "the operator does not grow volumes yet",
        ),
        (
            managed(json!({"storage": {"size": "10Gi", "storageClassName": "fast"}})),
            managed(json!({"storage": {"size": "10Gi"}})),
            "leave `storageClassName` as it was",
        ),
        (
            managed(json!({"major": 17})),
            json!({"postgres": {"type": "Managed"}}),
            "leave `managed.storage` and `managed.major`",
        ),
        (
            journal("Ephemeral"),
            journal("PersistentVolumeClaim"),
            "cannot be changed while clicks may lie on it",
        ),
        (
            cluster(&json!({"storage": {"size": "2Gi"}})),
            cluster(&json!({"storage": {"size": "1Gi"}})),
            "a volume cannot shrink",
        ),
        (
            cluster(&json!({"major": 17})),
            cluster(&json!({"major": 18})),
            "does not upgrade Postgres yet",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_spec_that_makes_no_sense_is_refused_with_a_sentence() {
    let api = somewhere().await;
    let cases = all();
    assert!(cases.len() >= 60, "{}", cases.len());
    let mut wrong = Vec::new();
    for Case(spec, words) in cases {
        match api
            .try_out(URL_SHORTENER, &with("links", spec.clone()))
            .await
        {
            Ok(_) => wrong.push(format!("{spec} was taken")),
            Err(Refused { message, .. }) if !message.contains(words) => {
                wrong.push(format!("{spec} was refused without “{words}”: {message}"));
            }
            Err(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resource_without_a_version_or_with_a_name_that_cannot_be_used_is_refused() {
    let api = somewhere().await;
    let nameless = json!({"metadata": {"name": "links"}, "spec": {}});
    let refused = api
        .try_out(URL_SHORTENER, &nameless)
        .await
        .expect_err("it has no version");
    assert!(
        refused.message.contains("version: Required value"),
        "{refused}"
    );
    for (name, words) in [
        ("a".repeat(41), "use a name of at most 40 characters"),
        ("1links".to_owned(), "use a name that starts with a letter"),
        (
            "links.example".to_owned(),
            "use a name that starts with a letter",
        ),
    ] {
        let refused = api.try_out(URL_SHORTENER, &with(&name, json!({}))).await;
        let refused = refused.expect_err("the name cannot be used");
        assert!(refused.message.contains(words), "{name}: {refused}");
    }
    let longest = with(&"a".repeat(40), json!({}));
    api.try_out(URL_SHORTENER, &longest)
        .await
        .expect("40 characters fit");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_would_cost_data_is_refused_with_a_sentence() {
    let api = somewhere().await;
    let mut wrong = Vec::new();
    for (number, (before, after, words)) in changes().into_iter().enumerate() {
        let name = format!("links-{number}");
        api.create(URL_SHORTENER, &with(&name, before))
            .await
            .expect("it was fine before");
        let mut after = with(&name, after);
        let stored = api.get(URL_SHORTENER, &name).await;
        after["metadata"]["resourceVersion"] = stored["metadata"]["resourceVersion"].clone();
        match replace(&api, &name, &after).await {
            Ok(_) => wrong.push(format!("{after} was taken")),
            Err(Refused { message, .. }) if !message.contains(words) => {
                wrong.push(format!("{after} was refused without “{words}”: {message}"));
            }
            Err(_) => {}
        }
        // Nobody looks after it here, and nothing may change in it but what is refused.
        let same = json!({"metadata": {"annotations": {"note": "kept"}}});
        api.try_patch(URL_SHORTENER, &name, Patch::Merge, &same)
            .await
            .expect("it can be annotated");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A namespace that no operator looks at.
async fn somewhere() -> Api {
    ControlPlane::shared()
        .await
        .make_namespace(&fresh_name())
        .await
}

/// As `kubectl replace` does: what is not named is gone.
async fn replace(api: &Api, name: &str, object: &Value) -> Result<Value, Refused> {
    let path = format!("{}/{name}", URL_SHORTENER.collection(Some(api.namespace())));
    let mut object = object.clone();
    object["apiVersion"] = URL_SHORTENER.api_version.into();
    object["kind"] = URL_SHORTENER.kind.into();
    api.ask("PUT", &path, Some(&object), "application/json")
        .await
}
