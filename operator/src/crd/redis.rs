//! The cache and the shared counters of rate limits.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{SecretName, access::Switch, app::size};

/// The cache. Nothing is lost with it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "self.type != 'External' || has(self.external)",
     "message": "name in `external.secretRef` the Secret that has the URL of the Redis"},
    {"rule": "!has(self.external) || self.type == 'External'",
     "message": "set `type: External`, or leave `external` out"},
    {"rule": "!has(self.managed) || self.type == 'Managed'",
     "message": "set `type: Managed`, or leave `managed` out"},
]))]
pub struct Redis {
    /// `Managed`: one Redis without a disk. `External`: one that you run. `Disabled`: none; each replica limits rates for itself.
    #[serde(rename = "type")]
    pub kind: RedisType,

    /// The Redis that the operator runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed: Option<ManagedRedis>,

    /// The Redis that you run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalRedis>,
}

/// Who runs the Redis.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum RedisType {
    #[default]
    Managed,
    External,
    Disabled,
}

/// The Redis that the operator runs.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ManagedRedis {
    /// Most memory that it takes for data; what was not used for longest goes first.
    #[schemars(schema_with = "size")]
    pub max_memory: String,

    /// Its image; the one that the operator knew when the resource was made, if left out. It has `redis-server` and `redis-cli` (those of
    /// Valkey's image do), which the user 999 runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,
}

impl Default for ManagedRedis {
    fn default() -> Self {
        Self {
            max_memory: "128Mi".to_owned(),
            image: None,
        }
    }
}

/// The Redis that you run.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExternalRedis {
    /// Secret whose key `url` is the address: `redis://:password@host:6379/0`, or `rediss://` for TLS.
    pub secret_ref: SecretName,
}

impl Redis {
    /// What of the managed Redis was asked for, or the defaults.
    pub fn managed(&self) -> ManagedRedis {
        self.managed.clone().unwrap_or_default()
    }
}

/// Programs beside a managed store that tell Prometheus about it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct Exporters {
    /// Of the managed Postgres. CloudNativePG has metrics of its own.
    pub postgres: Switch,

    /// Of the managed Redis.
    pub redis: Switch,
}
