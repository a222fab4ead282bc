//! Step 1: read what the decision depends on. Everything is read anew, so that nothing is decided by a cache that went deaf.

pub mod clicks;
pub mod neighbours;
pub mod pods;
pub mod prometheus;
pub mod secrets;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future;
use kube::{
    Api, Client,
    api::{DynamicObject, ListParams, ObjectMeta},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::Value;

use self::{clicks::Clicks, neighbours::Neighbour, pods::Pods, prometheus::Flow, secrets::Secrets};
use super::{Context, build::labels};
use crate::{crd::UrlShortener, kinds::Kind};

/// Objects of one resource, by kind and name.
pub type Objects = BTreeMap<(Kind, String), Value>;

/// What there is, as of this reconciliation.
#[derive(Debug, Default)]
pub struct Observed {
    /// Kinds that the cluster knows.
    pub known: BTreeSet<Kind>,
    /// Objects that carry the labels of this resource.
    pub live: Objects,
    pub secrets: Secrets,
    /// Whether the autoscaler that KEDA makes is there.
    pub has_autoscaler: bool,
    pub pods: Pods,
    pub flow: Option<Flow>,
    pub clicks: Clicks,
    pub neighbours: Vec<Neighbour>,
    /// Where this operator is.
    pub operator_namespace: String,
}

pub async fn observe(ctx: &Context, resource: &UrlShortener) -> kube::Result<Observed> {
    let known = ctx.known_kinds();
    let name = resource.metadata.name.as_deref().unwrap_or_default();
    let namespace = resource.metadata.namespace.as_deref().unwrap_or_default();
    let client = &ctx.client;
    let kinds = known.iter().copied().filter(|kind| kind.is_watched());
    let lists = kinds.map(|kind| list(client, namespace, name, kind));
    let (lists, secrets, has_autoscaler, pods, flow) = future::try_join5(
        future::try_join_all(lists),
        secrets::observe(client, resource),
        has_autoscaler(client, namespace, name, &resource.spec),
        pods::observe(client, namespace, name),
        async { Ok(prometheus::observe(&ctx.http, namespace, name, &resource.spec).await) },
    )
    .await?;
    let neighbours = neighbours::observe(resource, &ctx.resources());
    let clicks = clicks::observe(&ctx.http, &pods.addresses).await;
    let mut live: Objects = lists.into_iter().flatten().collect();
    for (name, secret) in &secrets.generated {
        live.insert((Kind::Secret, name.clone()), secret.body.clone());
    }
    Ok(Observed {
        known,
        live,
        secrets,
        has_autoscaler,
        pods,
        flow,
        clicks,
        neighbours,
        operator_namespace: ctx.own_namespace.clone(),
    })
}

async fn list(
    client: &Client,
    namespace: &str,
    name: &str,
    kind: Kind,
) -> kube::Result<Vec<((Kind, String), Value)>> {
    let api: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), namespace, &kind.api_resource());
    let selector = format!(
        "{}={},{}={name}",
        labels::MANAGED_BY,
        labels::MANAGER,
        labels::INSTANCE
    );
    let found = match api.list(&ListParams::default().labels(&selector)).await {
        // The kind went away between two looks at what the cluster knows.
        Err(kube::Error::Api(status)) if status.code == 404 && kind.is_optional() => {
            return Ok(Vec::new());
        }
        found => found?,
    };
    let objects = found.items.into_iter();
    Ok(objects
        .map(|object| {
            let name = object.metadata.name.clone().unwrap_or_default();
            ((kind, name), json(&object))
        })
        .collect())
}

/// An object as JSON. Everything that came as JSON can be written as JSON.
pub fn json(object: &DynamicObject) -> Value {
    serde_json::to_value(object).expect("what came as JSON can be written as JSON")
}

async fn has_autoscaler(
    client: &Client,
    namespace: &str,
    name: &str,
    spec: &crate::crd::UrlShortenerSpec,
) -> kube::Result<bool> {
    if spec.app.journal.storage.kind == crate::crd::app::JournalStorageType::PersistentVolumeClaim {
        return Ok(false);
    }
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(
        "autoscaling",
        "v2",
        "HorizontalPodAutoscaler",
    ));
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    Ok(api
        .get_metadata_opt(&labels::autoscaler_name(name))
        .await?
        .is_some())
}

/// Whether an object was made for the resource with this name and identity: by its labels, since data has no owner, or by its owner.
pub fn is_ours(metadata: &ObjectMeta, name: &str, uid: &str) -> bool {
    let has = |label: &str, value: &str| {
        let labels = metadata.labels.as_ref();
        labels.is_some_and(|labels| labels.get(label).is_some_and(|found| found == value))
    };
    let mut owners = metadata.owner_references.iter().flatten();
    (has(labels::MANAGED_BY, labels::MANAGER) && has(labels::INSTANCE, name))
        || owners.any(|owner| owner.uid == uid && owner.controller == Some(true))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(metadata: Value, expected: bool) {
        let metadata: ObjectMeta = serde_json::from_value(metadata).unwrap();
        assert_eq!(is_ours(&metadata, "links", "7b9c"), expected);
    }

    #[test]
    fn an_object_is_ours_by_both_labels_or_by_its_owner() {
        let labels = |manager: &str, instance: &str| json!({"labels": {labels::MANAGED_BY: manager, labels::INSTANCE: instance}});
        check(labels(labels::MANAGER, "links"), true);
        check(labels(labels::MANAGER, "other"), false);
        check(labels("Helm", "links"), false);
        let owner = |uid: &str| json!({"ownerReferences": [{"apiVersion": "v1", "kind": "K", "name": "n", "uid": uid, "controller": true}]});
        check(owner("7b9c"), true);
        check(owner("other"), false);
        check(json!({}), false);
    }
}
