//! Lets go of data that `deletionPolicy: Retain` keeps. It comes before everything else, since whoever deletes a resource looks at its
//! policy, and not at whether the rest of the spec could be carried out, or was paused.
//!
//! Only this direction: that data goes with a resource which cannot be carried out is no loss to anybody, and has time.

use kube::{
    Api,
    api::{DynamicObject, Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{Context, observe::Objects};
use crate::{
    crd::{DeletionPolicy, UrlShortener},
    kinds::Kind,
};

/// Not the one that applies: its next apply names all that it wants to keep, and a part would be taken for all.
const RETENTION_MANAGER: &str = "shortener-operator-retention";

/// Makes the data nobody's, if it is to be kept and is not nobody's yet.
pub async fn carry_out(ctx: &Context, resource: &UrlShortener, live: &Objects) -> kube::Result<()> {
    let namespace = resource.metadata.namespace.as_deref().unwrap_or_default();
    for (kind, name, patch) in patches(resource, live) {
        ctx.may_write()?;
        let api: Api<DynamicObject> =
            Api::namespaced_with(ctx.client.clone(), namespace, &kind.api_resource());
        let params = PatchParams {
            field_manager: Some(RETENTION_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        match api.patch(&name, &params, &Patch::Merge(&patch)).await {
            // Gone is gone.
            Err(kube::Error::Api(status)) if status.is_not_found() => {}
            outcome => drop(outcome?),
        }
        tracing::info!(
            "{} {name} is kept when {namespace}/{} is deleted",
            kind.name(),
            resource.metadata.name.as_deref().unwrap_or_default()
        );
    }
    Ok(())
}

/// What has to change for data to outlive the resource, as merge patches.
fn patches(resource: &UrlShortener, live: &Objects) -> Vec<(Kind, String, Value)> {
    if resource.spec.deletion_policy != DeletionPolicy::Retain {
        return Vec::new();
    }
    let uid = resource.metadata.uid.as_deref().unwrap_or_default();
    let patches = live.iter().filter_map(|((kind, name), object)| {
        let patch = match kind {
            Kind::Secret | Kind::Cluster => disowned(object, uid)?,
            Kind::StatefulSet => kept_volumes(object, uid)?,
            _ => return None,
        };
        Some((*kind, name.clone(), patch))
    });
    patches.collect()
}

/// The owners without the resource. The version that was read is named, so that an owner who comes meanwhile is not lost.
fn disowned(object: &Value, uid: &str) -> Option<Value> {
    let owners = object["metadata"]["ownerReferences"].as_array()?;
    let others: Vec<_> = owners
        .iter()
        .filter(|owner| owner["uid"] != uid)
        .cloned()
        .collect();
    (others.len() < owners.len()).then(|| {
        let version = &object["metadata"]["resourceVersion"];
        json!({"metadata": {"ownerReferences": others, "resourceVersion": version}})
    })
}

/// A StatefulSet goes with the resource, and its volumes do as it says.
fn kept_volumes(object: &Value, uid: &str) -> Option<Value> {
    let owners = object["metadata"]["ownerReferences"].as_array()?;
    let is_owned = owners.iter().any(|owner| owner["uid"] == uid);
    let policy = &object["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"];
    (is_owned && policy == "Delete").then(
        || json!({"spec": {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain"}}}),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(policy: &str) -> UrlShortener {
        serde_json::from_value(json!({
            "apiVersion": "urlshortener.dev/v1alpha1", "kind": "UrlShortener",
            "metadata": {"name": "acme", "namespace": "web", "uid": "7b9c"},
            "spec": {"version": "1", "deletionPolicy": policy},
        }))
        .unwrap()
    }

    fn live() -> Objects {
        let owned = |more: Value| {
            let mut object =
                json!({"metadata": {"resourceVersion": "8", "ownerReferences": [{"uid": "7b9c"}]}});
            object["spec"] = more;
            object
        };
        let deletes = json!({"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}});
        [
            ((Kind::Secret, "acme-postgres"), owned(Value::Null)),
            ((Kind::Cluster, "acme-postgres"), owned(json!({}))),
            ((Kind::StatefulSet, "acme-postgres"), owned(deletes)),
            ((Kind::Deployment, "acme"), owned(json!({}))),
        ]
        .into_iter()
        .map(|((kind, name), object)| ((kind, name.to_owned()), object))
        .collect()
    }

    #[test]
    fn data_that_is_kept_is_let_go_and_nothing_else_is() {
        let patches = patches(&resource("Retain"), &live());
        let kinds: Vec<_> = patches.iter().map(|(kind, ..)| *kind).collect();
        assert_eq!(kinds, [Kind::Secret, Kind::StatefulSet, Kind::Cluster]);
        assert_eq!(
            patches[0].2,
            json!({"metadata": {"ownerReferences": [], "resourceVersion": "8"}})
        );
    }

    #[test]
    fn data_that_goes_with_the_resource_and_data_that_is_nobodys_are_left_as_they_are() {
        assert!(patches(&resource("Delete"), &live()).is_empty());
        let kept = Objects::from([(
            (Kind::Secret, "acme-postgres".to_owned()),
            json!({"metadata": {"labels": {}}}),
        )]);
        assert!(patches(&resource("Retain"), &kept).is_empty());
    }

    #[test]
    fn other_owners_stay() {
        let object = json!({"metadata": {"ownerReferences": [{"uid": "7b9c"}, {"uid": "theirs"}]}});
        let patch = disowned(&object, "7b9c").unwrap();
        assert_eq!(
            patch["metadata"]["ownerReferences"],
            json!([{"uid": "theirs"}])
        );
    }
}
