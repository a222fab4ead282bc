//! Names, labels and selectors: the only place where they are made.

use serde_json::{Value, json};

use super::Plan;

pub const MANAGER: &str = "shortener-operator";
pub const NAME: &str = "app.kubernetes.io/name";
pub const INSTANCE: &str = "app.kubernetes.io/instance";
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
pub const COMPONENT: &str = "app.kubernetes.io/component";

/// What a pod is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    App,
    Migration,
    Redis,
    Postgres,
}

impl Part {
    /// The program, the part of the whole.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::App => ("shortener", "app"),
            Self::Migration => ("shortener", "migration"),
            Self::Redis => ("redis", "cache"),
            Self::Postgres => ("postgres", "database"),
        }
    }

    pub const fn component(self) -> &'static str {
        self.names().1
    }
}

/// All labels of an object. None says anything of a version, of the service or of the operator: they stand in selectors and
/// pod templates, which must not change with either.
pub fn labels(plan: &Plan, part: Part) -> Value {
    let (name, component) = part.names();
    json!({
        NAME: name,
        INSTANCE: plan.name,
        COMPONENT: component,
        "app.kubernetes.io/part-of": "urlshortener",
        MANAGED_BY: MANAGER,
    })
}

/// What selects the pods of a part.
pub fn selector(plan: &Plan, part: Part) -> Value {
    let (name, component) = part.names();
    json!({
        NAME: name,
        INSTANCE: plan.name,
        COMPONENT: component,
    })
}

/// The metadata of an object that goes when the resource goes.
pub fn owned(plan: &Plan, name: &str, part: Part) -> Value {
    let mut metadata = kept(plan, name, part);
    metadata["ownerReferences"] = json!([{
        "apiVersion": "urlshortener.dev/v1alpha1",
        "kind": "UrlShortener",
        "name": plan.name,
        "uid": plan.uid,
        "controller": true,
        "blockOwnerDeletion": true,
    }]);
    metadata
}

/// The metadata of an object that outlives the resource.
pub fn kept(plan: &Plan, name: &str, part: Part) -> Value {
    json!({
        "name": name,
        "namespace": plan.namespace,
        "labels": labels(plan, part),
    })
}

/// The metadata of data, which the resource's policy keeps or deletes.
pub fn data(plan: &Plan, name: &str, part: Part) -> Value {
    match plan.spec.deletion_policy {
        crate::crd::DeletionPolicy::Retain => kept(plan, name, part),
        crate::crd::DeletionPolicy::Delete => owned(plan, name, part),
    }
}

pub fn redis_name(name: &str) -> String {
    format!("{name}-redis")
}

pub fn postgres_name(name: &str) -> String {
    format!("{name}-postgres")
}

pub fn admin_key_name(name: &str) -> String {
    format!("{name}-admin-key")
}

/// The claim that the StatefulSet of the managed Postgres makes for its only pod.
pub fn postgres_claim(name: &str) -> String {
    format!("data-{name}-postgres-0")
}

/// The Secret that CloudNativePG makes for whoever uses the database.
pub fn cluster_secret(name: &str) -> String {
    format!("{name}-postgres-app")
}

/// The HorizontalPodAutoscaler that KEDA makes for a ScaledObject of ours.
pub fn autoscaler_name(name: &str) -> String {
    format!("keda-hpa-{name}")
}
