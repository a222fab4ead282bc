//! How many replicas serve.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many replicas serve.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "self.type != 'Autoscaled' || has(self.autoscaled)",
     "message": "say in `autoscaled` between which numbers of replicas, and by which Prometheus"},
    {"rule": "!has(self.autoscaled) || self.type == 'Autoscaled'",
     "message": "set `type: Autoscaled`, or leave `autoscaled` out"},
    {"rule": "!has(self.fixed) || self.type == 'Fixed'",
     "message": "set `type: Fixed`, or leave `fixed` out"},
]))]
pub struct Scaling {
    /// `Fixed`: always the same number. `Autoscaled`: KEDA decides by the rate of requests, which it reads from a Prometheus.
    #[serde(rename = "type")]
    pub kind: ScalingType,

    /// The number; 2, if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixed: Option<Fixed>,

    /// Between which numbers, and by what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autoscaled: Option<Autoscaled>,
}

/// Who decides about the number of replicas.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum ScalingType {
    #[default]
    Fixed,
    Autoscaled,
}

/// Always the same number.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fixed {
    /// Replicas.
    #[schemars(range(min = 1, max = 200))]
    pub replicas: i32,
}

/// Between which numbers, and by what.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "self.minReplicas <= self.maxReplicas",
     "message": "raise `maxReplicas` to at least `minReplicas`"},
    {"rule": "!has(self.fallback) || (self.fallback.replicas >= self.minReplicas && self.fallback.replicas <= self.maxReplicas)",
     "message": "choose `fallback.replicas` between `minReplicas` and `maxReplicas`"},
]))]
pub struct Autoscaled {
    /// Never fewer. It cannot be 0: the rate of requests is measured by the replicas themselves, and none would wake the first.
    #[serde(default = "two")]
    #[schemars(range(min = 1, max = 200))]
    pub min_replicas: i32,

    /// Never more. Connections to the database are divided by it.
    #[schemars(range(min = 1, max = 200))]
    pub max_replicas: i32,

    /// What a replica is to do.
    #[serde(default)]
    pub target: Target,

    /// Replicas while the Prometheus does not answer; if left out, those that there are, and at least `minReplicas`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Fallback>,

    /// How replicas are taken away.
    #[serde(default)]
    pub scale_down: ScaleDown,

    /// Where the rate of requests is read.
    pub prometheus: Prometheus,
}

const fn two() -> i32 {
    2
}

/// What a replica is to do.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Target {
    /// `RequestRate`: requests per second, as the Prometheus counts them.
    #[serde(rename = "type")]
    pub kind: TargetType,

    /// The rate.
    pub request_rate: RequestRate,
}

/// By what is scaled.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum TargetType {
    #[default]
    RequestRate,
}

/// A rate of requests.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RequestRate {
    /// Requests per second that a replica is to answer.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub per_replica: i32,
}

impl Default for RequestRate {
    fn default() -> Self {
        Self { per_replica: 400 }
    }
}

/// Replicas while the Prometheus does not answer.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fallback {
    /// The number.
    #[schemars(range(min = 1, max = 200))]
    pub replicas: i32,

    /// `CurrentIfHigher`: never fewer than there are. `Static`: exactly `replicas`, even if that takes some away.
    #[serde(default)]
    pub behavior: FallbackBehavior,
}

/// What becomes of replicas while the Prometheus does not answer.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum FallbackBehavior {
    #[default]
    CurrentIfHigher,
    Static,
}

/// How replicas are taken away.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ScaleDown {
    /// For how long fewer must have been enough, in seconds.
    #[schemars(range(min = 0, max = 3600))]
    pub stabilization_seconds: i32,
}

impl Default for ScaleDown {
    fn default() -> Self {
        Self {
            stabilization_seconds: 300,
        }
    }
}

/// A Prometheus.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Prometheus {
    /// Its address, such as `http://prometheus.monitoring:9090`. KEDA and the operator ask it.
    #[schemars(length(min = 1, max = 1024), extend("x-kubernetes-validations" = [{
        "rule": "isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHost() != ''",
        "message": "give the address of the Prometheus with http:// or https://, such as http://prometheus.monitoring:9090",
    }]))]
    pub server_address: String,

    /// A TriggerAuthentication of KEDA in this namespace, if the Prometheus asks who it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication_ref: Option<AuthenticationRef>,
}

/// A TriggerAuthentication of KEDA.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct AuthenticationRef {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}
