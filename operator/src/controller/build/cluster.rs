//! The Cluster of CloudNativePG. It owns its volumes and the Secret of its users, so that with `Retain` it must not be owned itself.

use serde_json::{Value, json};

use super::{
    Object, Plan,
    labels::{self, Part, data},
    secrets,
};
use crate::{
    crd::postgres::{CloudNativePg, Durability, PostgresType},
    kinds::Kind,
};

/// Where CloudNativePG publishes its images.
const IMAGES: &str = "ghcr.io/cloudnative-pg/postgresql";

pub fn build(plan: &Plan) -> Option<Object> {
    let cluster = plan.spec.postgres.cloud_native_pg.as_ref()?;
    if plan.spec.postgres.kind != PostgresType::CloudNativePg || !plan.makes.cluster {
        return None;
    }
    let name = labels::postgres_name(&plan.name);
    let image = cluster.image.clone();
    let mut spec = json!({
        "instances": cluster.instances,
        "imageName": image.unwrap_or_else(|| format!("{IMAGES}:{}", cluster.major)),
        "bootstrap": {"initdb": {"database": secrets::USER, "owner": secrets::USER}},
        "storage": storage(cluster),
        "postgresql": {"parameters": {"max_connections": cluster.max_connections.to_string()}},
        "inheritedMetadata": {"labels": {labels::INSTANCE: plan.name}},
    });
    if cluster.durability == Durability::Synchronous {
        spec["postgresql"]["synchronous"] =
            json!({"method": "any", "number": 1, "dataDurability": "required"});
    }
    let mut metadata = data(plan, &name, Part::Postgres);
    metadata["annotations"] = json!({secrets::MAJOR: cluster.major.to_string()});
    let body = json!({"metadata": metadata, "spec": spec});
    Some(Object::new(Kind::Cluster, body))
}

fn storage(cluster: &CloudNativePg) -> Value {
    let mut storage = json!({"size": cluster.storage.size});
    if let Some(class) = &cluster.storage.storage_class_name {
        storage["storageClass"] = class.clone().into();
    }
    storage
}
