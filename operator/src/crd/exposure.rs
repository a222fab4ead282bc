//! How requests from outside the cluster reach the service.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SecretName;

/// A host name that the service answers to.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Host {
    /// The name, in lower case and without a port, such as `go.example.com`.
    #[schemars(length(min = 1, max = 253), extend("x-kubernetes-validations" = [{
        "rule": "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",
        "message": "give a host name in lower case, without scheme, port or path, such as go.example.com",
    }]))]
    pub name: String,

    /// TLS that an Ingress ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

/// TLS that an Ingress ends.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// Secret of type `kubernetes.io/tls` with the certificate.
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: String,
}

/// How requests from outside reach the service.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "self.type != 'Gateway' || has(self.gateway)",
     "message": "name the Gateway in `gateway.parentRefs`"},
    {"rule": "!has(self.gateway) || self.type == 'Gateway'",
     "message": "set `type: Gateway`, or leave `gateway` out"},
    {"rule": "!has(self.ingress) || self.type == 'Ingress'",
     "message": "set `type: Ingress`, or leave `ingress` out"},
]))]
pub struct Exposure {
    /// `None`: only the Service, inside the cluster. `Ingress`: an Ingress. `Gateway`: an HTTPRoute of the Gateway API.
    #[serde(rename = "type")]
    pub kind: ExposureType,

    /// The Ingress.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress: Option<Ingress>,

    /// The HTTPRoute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Gateway>,
}

/// How requests from outside reach the service.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum ExposureType {
    #[default]
    None,
    Ingress,
    Gateway,
}

/// The Ingress.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Ingress {
    /// Class of the controller; the cluster's default, if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub class_name: Option<String>,

    /// Annotations for the controller.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub annotations: BTreeMap<String, String>,
}

/// The HTTPRoute.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Gateway {
    /// Gateways that take the route.
    #[schemars(length(min = 1, max = 8))]
    pub parent_refs: Vec<ParentRef>,
}

/// A Gateway.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParentRef {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,

    /// Its namespace; this one, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,

    /// The listener; all that fit, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub section_name: Option<String>,
}

impl Host {
    pub fn tls_secret(&self) -> Option<SecretName> {
        self.tls.as_ref().map(|tls| SecretName {
            name: tls.secret_name.clone(),
        })
    }
}
