//! The database.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{SecretName, app::size};

/// The database.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "self.type == oldSelf.type",
     "message": "the kind of database cannot be changed: data does not move by itself. Make a second resource, and load the data there"},
    {"rule": "self.type != 'External' || has(self.external)",
     "message": "name in `external.secretRef` the Secret that has the URL of the database"},
    {"rule": "!has(self.external) || self.type == 'External'",
     "message": "set `type: External`, or leave `external` out"},
    {"rule": "self.type != 'CloudNativePG' || has(self.cloudNativePG)",
     "message": "say in `cloudNativePG` how large the volume is to be"},
    {"rule": "!has(self.cloudNativePG) || self.type == 'CloudNativePG'",
     "message": "set `type: CloudNativePG`, or leave `cloudNativePG` out"},
    {"rule": "!has(self.managed) || self.type == 'Managed'",
     "message": "set `type: Managed`, or leave `managed` out"},
    {"rule": "has(self.managed) == has(oldSelf.managed) || (has(self.managed) ? self.managed.storage.size == '10Gi' && !has(self.managed.storage.storageClassName) && self.managed.major == 18 : oldSelf.managed.storage.size == '10Gi' && !has(oldSelf.managed.storage.storageClassName) && oldSelf.managed.major == 18)",
     "message": "leave `managed.storage` and `managed.major` as they were: the volume is neither grown nor moved, and Postgres is not upgraded by it"},
]))]
pub struct Postgres {
    /// `Managed`: one Postgres with a volume, for small use: it is not highly available. `CloudNativePG`: a Cluster of the
    /// CloudNativePG operator, which must be there. `External`: one that you run.
    #[serde(rename = "type")]
    pub kind: PostgresType,

    /// The Postgres that the operator runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed: Option<ManagedPostgres>,

    /// The Cluster of CloudNativePG.
    #[serde(rename = "cloudNativePG", skip_serializing_if = "Option::is_none")]
    pub cloud_native_pg: Option<CloudNativePg>,

    /// The Postgres that you run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalPostgres>,
}

/// Who runs the database.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum PostgresType {
    #[default]
    Managed,
    #[serde(rename = "CloudNativePG")]
    CloudNativePg,
    External,
}

/// The Postgres that the operator runs: one pod, one volume.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "self.major == oldSelf.major",
     "message": "leave `major` as it was: a volume of one major version cannot be read by another. Dump the data, make a second resource, and load it there"},
    {"rule": "!has(self.image) || !self.image.matches(':[0-9]+([.-][^/:@]*)?(@.+)?$') || (self.major == 15 && self.image.matches(':15([.-][^/:@]*)?(@.+)?$')) || (self.major == 16 && self.image.matches(':16([.-][^/:@]*)?(@.+)?$')) || (self.major == 17 && self.image.matches(':17([.-][^/:@]*)?(@.+)?$')) || (self.major == 18 && self.image.matches(':18([.-][^/:@]*)?(@.+)?$'))",
     "message": "use an image of the version in `major`: one of another version cannot read the data, or upgrades it"},
]))]
pub struct ManagedPostgres {
    /// Major version.
    #[schemars(range(min = 15, max = 18))]
    pub major: i32,

    /// Its image, of the same major version; the one that the operator knew when the resource was made, if left out. It has to be like the
    /// official one on Debian: the same variables and folders, run by the user 999.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,

    /// Most connections that it takes. Those of each replica are computed from it.
    #[schemars(range(min = 20, max = 1000))]
    pub max_connections: i32,

    /// Its volume.
    pub storage: Storage,
}

impl Default for ManagedPostgres {
    fn default() -> Self {
        Self {
            major: 18,
            image: None,
            max_connections: 200,
            storage: Storage::default(),
        }
    }
}

/// A volume.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "self.size == oldSelf.size",
     "message": "leave `size` as it was: the operator does not grow volumes yet. Enlarge the PersistentVolumeClaim by hand if its class allows it"},
    {"rule": "has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",
     "message": "leave `storageClassName` as it was: a volume cannot change its class"},
]))]
pub struct Storage {
    /// Its size.
    #[schemars(schema_with = "size")]
    pub size: String,

    /// Its class; the cluster's default, if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub storage_class_name: Option<String>,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            size: "10Gi".to_owned(),
            storage_class_name: None,
        }
    }
}

/// A Cluster of CloudNativePG.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "self.durability != 'Synchronous' || self.instances >= 2",
     "message": "raise `instances` to at least 2, or set `durability: Asynchronous`: nobody else could confirm a commit"},
    {"rule": "self.major == oldSelf.major",
     "message": "leave `major` as it was: the operator does not upgrade Postgres yet"},
    {"rule": "!has(self.image) || !self.image.matches(':[0-9]+([.-][^/:@]*)?(@.+)?$') || (self.major == 15 && self.image.matches(':15([.-][^/:@]*)?(@.+)?$')) || (self.major == 16 && self.image.matches(':16([.-][^/:@]*)?(@.+)?$')) || (self.major == 17 && self.image.matches(':17([.-][^/:@]*)?(@.+)?$')) || (self.major == 18 && self.image.matches(':18([.-][^/:@]*)?(@.+)?$'))",
     "message": "use an image of the version in `major`: one of another version cannot read the data, or upgrades it"},
]))]
pub struct CloudNativePg {
    /// Major version.
    #[serde(default = "current_major")]
    #[schemars(range(min = 15, max = 18))]
    pub major: i32,

    /// Its image; the one of CloudNativePG for the major version, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,

    /// Postgres servers: one primary, the others ready to take over.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 9))]
    pub instances: i32,

    /// `Synchronous`: a commit is on two servers before it is confirmed. `Asynchronous`: on one, and the others follow.
    #[serde(default)]
    pub durability: Durability,

    /// Most connections that it takes. Those of each replica are computed from it.
    #[serde(default = "two_hundred")]
    #[schemars(range(min = 20, max = 1000))]
    pub max_connections: i32,

    /// The volume of each server.
    pub storage: CloudNativePgStorage,
}

/// The volume of each server. CloudNativePG grows it, if its class allows that.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "quantity(self.size).compareTo(quantity(oldSelf.size)) >= 0",
     "message": "do not lower `size`: a volume cannot shrink"},
]))]
pub struct CloudNativePgStorage {
    /// Its size.
    #[schemars(schema_with = "size")]
    pub size: String,

    /// Its class; the cluster's default, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub storage_class_name: Option<String>,
}

const fn current_major() -> i32 {
    18
}

const fn three() -> i32 {
    3
}

const fn two_hundred() -> i32 {
    200
}

/// When a commit is confirmed.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Durability {
    #[default]
    Asynchronous,
    Synchronous,
}

/// The Postgres that you run.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExternalPostgres {
    /// Secret whose key `url` is the address: `postgres://user:password@host:5432/name`. Its database belongs to this resource alone.
    pub secret_ref: SecretName,

    /// Secret whose key `url` leads to the same database past a pooler (PgBouncer) that does not keep sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_secret_ref: Option<SecretName>,

    /// Connections that this resource may take. Those of each replica are computed from it; without it, each takes up to 21.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10, max = 10_000))]
    pub connection_limit: Option<i32>,
}

impl Postgres {
    /// What of the managed Postgres was asked for, or the defaults.
    pub fn managed(&self) -> ManagedPostgres {
        self.managed.clone().unwrap_or_default()
    }
}
