//! What is reported back.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is reported back. Nothing here changes while nothing happens.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct UrlShortenerStatus {
    /// The generation of the spec that this is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// What is so and what is not, each with a reason. `docs/conditions.md` says what to do about each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,

    /// Where the service is: its first host, or its Service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,

    /// The version that all replicas run. During a rollout, the one before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,

    /// Replicas that there are to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,

    /// Replicas that are ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_replicas: Option<i32>,

    /// Clicks of redirects that could not be kept, over all replicas that run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clicks_lost: Option<i64>,

    /// Journals with clicks that no process records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub journals_abandoned: Option<i64>,

    /// What was decided when the resource was made, and stays, whatever a later operator would choose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub defaults: Option<ResolvedDefaults>,

    /// A digest that tells databases apart, so that no two resources share one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_identity: Option<String>,

    /// The namespace of the operator that looks after this resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed_from: Option<String>,
}

/// What was decided when the resource was made.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ResolvedDefaults {
    /// Image of the managed Postgres.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postgres_image: Option<String>,

    /// Image of the managed Redis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redis_image: Option<String>,

    /// Image of the exporter of the managed Postgres.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postgres_exporter_image: Option<String>,

    /// Image of the exporter of the managed Redis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redis_exporter_image: Option<String>,
}
