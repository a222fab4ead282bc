//! The `UrlShortener` resource: what may be asked for, and what is reported back. Rules that the API server can check are
//! CEL rules here, so that a wrong spec is refused with a sentence before anything is stored.

pub mod access;
pub mod app;
pub mod definition;
pub mod exposure;
pub mod monitoring;
pub mod postgres;
pub mod quantity;
pub mod redis;
pub mod scaling;
pub mod status;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::status::UrlShortenerStatus;
use self::{
    access::{Access, NetworkPolicy},
    app::App,
    exposure::{Exposure, ExposureType, Host},
    monitoring::Monitoring,
    postgres::Postgres,
    redis::Redis,
    scaling::Scaling,
};

pub const GROUP: &str = "urlshortener.dev";
pub const KIND: &str = "UrlShortener";

/// A URL shortening service, with the database, the cache, the routes and the monitoring that it needs.
#[derive(Clone, CustomResource, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[kube(
    group = "urlshortener.dev",
    version = "v1alpha1",
    kind = "UrlShortener",
    shortname = "us",
    namespaced,
    status = "UrlShortenerStatus",
    derive = "PartialEq",
    doc = "A URL shortening service, with the database, the cache, the routes and the monitoring that it needs.",
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].status"}"#,
    printcolumn = r#"{"name": "Reason", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].reason"}"#,
    printcolumn = r#"{"name": "Version", "type": "string", "jsonPath": ".status.version"}"#,
    printcolumn = r#"{"name": "Replicas", "type": "integer", "jsonPath": ".status.readyReplicas"}"#,
    printcolumn = r#"{"name": "URL", "type": "string", "jsonPath": ".status.url"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "!has(self.exposure) || self.exposure.type == 'None' || (has(self.hosts) && self.hosts.size() > 0)",
     "message": "name at least one host in `hosts`: an Ingress or a Gateway is told for which hosts the service answers"},
    {"rule": "!has(self.hosts) || !has(self.exposure) || self.exposure.type != 'Gateway' || !self.hosts.exists(h, has(h.tls))",
     "message": "leave out `hosts[].tls` with a Gateway: its listeners hold the certificates; name one by `exposure.gateway.parentRefs[].sectionName`"},
    {"rule": "!has(self.scaling) || self.scaling.type != 'Autoscaled' || !has(self.app) || !has(self.app.journal) || !has(self.app.journal.storage) || self.app.journal.storage.type != 'PersistentVolumeClaim'",
     "message": "use `app.journal.storage.type: Ephemeral` with autoscaling, or `scaling.type: Fixed`: a replica that is scaled away takes the clicks in its volume with it"},
]))]
pub struct UrlShortenerSpec {
    /// Version of the service: the tag of its image, and what the status reports once it runs everywhere.
    #[schemars(length(min = 1, max = 128))]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "self.matches('^[A-Za-z0-9_][A-Za-z0-9_.-]*$')",
        "message": "use a tag of an image, such as 1.4.2: letters, digits, '.', '_' and '-'",
    }]))]
    pub version: String,

    /// Where the image comes from.
    #[serde(default)]
    pub image: Image,

    /// `Paused`: the operator looks and reports, but changes nothing, except that `deletionPolicy: Retain` holds at once.
    #[serde(default)]
    pub management: Management,

    /// What becomes of the data when this resource is deleted. `Retain` leaves the managed Postgres with its volume, and the
    /// generated Secrets: a resource of the same name finds them again. `Delete` leaves nothing. `Retain` holds even while the rest
    /// of the spec cannot be carried out.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,

    /// How many replicas serve.
    #[serde(default)]
    pub scaling: Scaling,

    /// Host names that the service answers to. Short links are made with the first; links back to any of them are refused as
    /// loops.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub hosts: Vec<Host>,

    /// How requests from outside the cluster reach the service.
    #[serde(default)]
    pub exposure: Exposure,

    /// The pods of the service itself.
    #[serde(default)]
    pub app: App,

    /// Who may use the API.
    #[serde(default)]
    pub access: Access,

    /// The database. All data is there; everything else can be made anew.
    #[serde(default)]
    pub postgres: Postgres,

    /// The cache and the shared counters of rate limits. Nothing is lost with it: without, redirects are slower.
    #[serde(default)]
    pub redis: Redis,

    /// What watches the service.
    #[serde(default)]
    pub monitoring: Monitoring,

    /// Which pods may talk to which.
    #[serde(default)]
    pub network_policy: NetworkPolicy,
}

impl UrlShortenerSpec {
    pub fn is_exposed(&self) -> bool {
        self.exposure.kind != ExposureType::None
    }
}

/// Where the image of the service comes from.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Image {
    /// Registry and name, without a tag.
    #[schemars(length(min = 1, max = 255), extend("x-kubernetes-validations" = [{
        "rule": "self.matches('^[a-z0-9]([a-z0-9._/:-]*[a-z0-9])?$') && !self.matches(':[^/]*$') && !self.contains('//')",
        "message": "give registry and name alone, such as registry.example/acme/shortener: the tag is `version`, a digest goes into `digest`",
    }]))]
    pub repository: String,

    /// The exact image, whatever the tag says: `sha256:` and 64 hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 71), extend("x-kubernetes-validations" = [{
        "rule": "self.matches('^sha256:[0-9a-f]{64}$')",
        "message": "give the digest as sha256: and 64 hexadecimal digits, as `docker inspect` shows it",
    }]))]
    pub digest: Option<String>,

    /// Secrets of this namespace with the credentials of the registry.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub pull_secrets: Vec<SecretName>,
}

impl Default for Image {
    fn default() -> Self {
        Self {
            repository: "urlshortener/shortener".to_owned(),
            digest: None,
            pull_secrets: Vec::new(),
        }
    }
}

/// A Secret of the same namespace.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct SecretName {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// Whether the operator acts.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Management {
    #[default]
    Active,
    Paused,
}

/// What becomes of the data when the resource is deleted.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum DeletionPolicy {
    #[default]
    Retain,
    Delete,
}
