//! The pods of the service itself.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Toleration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::quantity::Cpu;

/// The pods of the service.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "!has(self.resources) || !has(self.resources.limits) || !has(self.resources.limits.ephemeral__dash__storage) || (has(self.journal.storage) && self.journal.storage.type == 'PersistentVolumeClaim') || quantity(self.resources.limits.ephemeral__dash__storage).compareTo(quantity(self.journal.size).add(quantity('256Mi'))) >= 0",
     "message": "raise `resources.limits.ephemeral-storage` to `journal.size` and 256Mi more, or lower `journal.size`: while the database is away the journal fills, and the kubelet evicts a pod over its limit, clicks included"},
    {"rule": "!has(self.resources) || !has(self.resources.limits) || !has(self.resources.limits.memory) || !has(self.resources.requests) || !has(self.resources.requests.memory) || quantity(self.resources.requests.memory).compareTo(quantity(self.resources.limits.memory)) <= 0",
     "message": "lower `resources.requests.memory` to at most `resources.limits.memory`"},
]))]
pub struct App {
    /// What a pod asks for, and what it may use at most. Without requests a pod would be the first to be evicted.
    pub resources: Resources,

    /// Where clicks are kept until they are in the database.
    pub journal: Journal,

    /// How pods are replaced.
    pub rollout: Rollout,

    /// Where pods may run.
    pub scheduling: Scheduling,
}

impl Default for App {
    fn default() -> Self {
        // What a quiet service takes, with the cache of links: enough not to be evicted before others.
        let requests = Amounts {
            cpu: Some(Cpu::Text("100m".to_owned())),
            memory: Some("256Mi".to_owned()),
            ephemeral_storage: None,
        };
        Self {
            resources: Resources {
                requests: Some(requests),
                limits: None,
            },
            journal: Journal::default(),
            rollout: Rollout::default(),
            scheduling: Scheduling::default(),
        }
    }
}

/// What a pod asks for, and what it may use at most. There is no limit on processors unless one is set: a throttled redirect is
/// a slow one.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Resources {
    /// What the scheduler sets aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<Amounts>,

    /// What may not be exceeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Amounts>,
}

/// Amounts of each kind.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Amounts {
    /// Processors: `500m`, or `2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Cpu>,

    /// Memory: `256Mi`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "size")]
    pub memory: Option<String>,

    /// Disk of the node: `2Gi`. The journal is part of it, unless it has a volume.
    #[serde(rename = "ephemeral-storage", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "size")]
    pub ephemeral_storage: Option<String>,
}

/// The schema of a size in bytes.
pub(super) fn size(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "string",
        "maxLength": 16,
        "x-kubernetes-validations": [{
            "rule": "self.matches('^[1-9][0-9]{0,9}(Ki|Mi|Gi|Ti|k|M|G|T)?$')",
            "message": "give a size in bytes with a unit, such as 256Mi or 10Gi",
        }],
    })
}

/// Where clicks are kept until they are in the database.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "quantity(self.size).compareTo(quantity('64Mi')) >= 0",
    "message": "raise `size` to at least 64Mi: less is full after seconds of an outage",
}, {
    "rule": "self.storage.type != 'PersistentVolumeClaim' || self.size == oldSelf.size",
    "message": "leave `size` as it was: the volumes of journals are not grown",
}]))]
pub struct Journal {
    /// Most space that it takes. 1Gi holds the clicks of about ten million redirects.
    #[schemars(schema_with = "size")]
    pub size: String,

    /// What it lies on.
    pub storage: JournalStorage,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            size: "1Gi".to_owned(),
            storage: JournalStorage::default(),
        }
    }
}

/// What the journal lies on.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "!has(self.persistentVolumeClaim) || self.type == 'PersistentVolumeClaim'",
     "message": "set `type: PersistentVolumeClaim`, or leave `persistentVolumeClaim` out"},
    {"rule": "self.type == oldSelf.type",
     "message": "the kind of storage cannot be changed while clicks may lie on it: make a second resource, and move there"},
    {"rule": "self.type != 'PersistentVolumeClaim' || (has(self.persistentVolumeClaim) == has(oldSelf.persistentVolumeClaim) && (!has(self.persistentVolumeClaim) || self.persistentVolumeClaim == oldSelf.persistentVolumeClaim))",
     "message": "leave `persistentVolumeClaim` as it was: a volume cannot change its class"},
]))]
pub struct JournalStorage {
    /// `Ephemeral`: the disk of the node. Clicks outlive the container, not the pod; a pod that ends in peace leaves none.
    /// `PersistentVolumeClaim`: a volume for each pod, which outlives it; the pods are then a StatefulSet's, and replaced one by one.
    #[serde(rename = "type")]
    pub kind: JournalStorageType,

    /// The volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub persistent_volume_claim: Option<JournalClaim>,
}

/// What the journal lies on.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum JournalStorageType {
    #[default]
    Ephemeral,
    PersistentVolumeClaim,
}

/// The volume of a journal.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct JournalClaim {
    /// Class of the volume; the cluster's default, if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub storage_class_name: Option<String>,
}

/// How pods are replaced: a new one is ready before an old one goes.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Rollout {
    /// How many pods there may be beyond the replicas.
    #[schemars(range(min = 1, max = 20))]
    pub max_surge: i32,

    /// How long requests under way may take when a pod ends, in seconds; and after them, how long what the journal has may take into
    /// the database.
    #[schemars(range(min = 1, max = 3600))]
    pub drain_seconds: i32,
}

impl Default for Rollout {
    fn default() -> Self {
        Self {
            max_surge: 1,
            drain_seconds: 30,
        }
    }
}

/// Where pods may run.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Scheduling {
    /// How long a pod stays bound to a node that does not answer, in seconds, before another is started elsewhere.
    #[schemars(range(min = 0, max = 3600))]
    pub unreachable_seconds: i32,

    /// Labels that a node must have.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub node_selector: BTreeMap<String, String>,

    /// Taints that do not keep pods away.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub tolerations: Vec<Toleration>,

    /// Over what pods are spread, beside zones.
    #[schemars(length(max = 4))]
    pub topology_spread: Vec<TopologySpread>,
}

impl Default for Scheduling {
    fn default() -> Self {
        let nodes = TopologySpread {
            topology_key: "kubernetes.io/hostname".to_owned(),
            when_unsatisfiable: WhenUnsatisfiable::ScheduleAnyway,
        };
        Self {
            unreachable_seconds: 30,
            node_selector: BTreeMap::new(),
            tolerations: Vec::new(),
            topology_spread: vec![nodes],
        }
    }
}

/// Spread evenly over the values of a node's label.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TopologySpread {
    /// The label.
    #[schemars(length(min = 1, max = 317))]
    pub topology_key: String,

    /// What to do with a pod for which there is no even place.
    #[serde(default)]
    pub when_unsatisfiable: WhenUnsatisfiable,
}

/// What to do with a pod for which there is no even place.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum WhenUnsatisfiable {
    #[default]
    ScheduleAnyway,
    DoNotSchedule,
}
