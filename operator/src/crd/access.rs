//! Who may use the API, and which pods may talk to which.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who may use the API.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Access {
    /// How the API knows its callers.
    pub auth: Auth,

    /// Networks of the proxies in front, whose `X-Forwarded-For` and `Forwarded` headers are believed, such as `10.0.0.0/8`. If left out, and
    /// there is an Ingress or a Gateway: private networks (RFC 1918, 6598 and 4193), where its pods are. Pods of the cluster can then
    /// pretend to be other clients; name the proxies' own networks where that matters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 43)), extend("x-kubernetes-validations" = [{
        "rule": "self.all(n, isCIDR(n))",
        "message": "give networks as address and prefix length, such as 10.0.0.0/8 or fd00::/8; one address is 192.0.2.7/32",
    }]))]
    pub trusted_proxies: Vec<String>,
}

/// How the API knows its callers.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct Auth {
    /// `ApiKeys`: whoever sends an API key; the first one is in the Secret `<name>-admin-key`. `Off`: everybody who reaches the
    /// Service.
    #[serde(rename = "type")]
    pub kind: AuthType,
}

/// How the API knows its callers.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum AuthType {
    #[default]
    ApiKeys,
    Off,
}

/// Which pods may talk to which.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct NetworkPolicy {
    /// `Enabled`: only the service reaches the managed Postgres and Redis, and only `metricsFrom` and the operator the metrics. It does nothing in a
    /// cluster whose network does not enforce policies.
    pub mode: Switch,

    /// Who may read the metrics. Nobody but the operator, if left out while the policy is enabled.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub metrics_from: Vec<Peer>,
}

/// Pods, by their labels and those of their namespace.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.namespaceSelector) || has(self.podSelector)",
    "message": "give `namespaceSelector`, `podSelector` or both: an entry without either would match nothing",
}]))]
pub struct Peer {
    /// Labels of the namespaces; this one, if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<Selector>,

    /// Labels of the pods; all, if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_selector: Option<Selector>,
}

/// Labels that must all be there.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Selector {
    /// Label and value.
    #[schemars(extend("maxProperties" = 16))]
    pub match_labels: BTreeMap<String, String>,
}

/// On or off.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Switch {
    Enabled,
    #[default]
    Disabled,
}
