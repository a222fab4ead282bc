//! The kinds of objects that are made: what the API server calls them, and which of them a cluster may not know.

use kube::core::{ApiResource, GroupVersionKind};

/// A kind of object that we make.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    ServiceAccount,
    Secret,
    ConfigMap,
    Service,
    Deployment,
    StatefulSet,
    Job,
    PodDisruptionBudget,
    NetworkPolicy,
    Ingress,
    HttpRoute,
    ServiceMonitor,
    PrometheusRule,
    ScaledObject,
    Cluster,
}

impl Kind {
    pub const ALL: [Self; 15] = [
        Self::ServiceAccount,
        Self::Secret,
        Self::ConfigMap,
        Self::Service,
        Self::Deployment,
        Self::StatefulSet,
        Self::Job,
        Self::PodDisruptionBudget,
        Self::NetworkPolicy,
        Self::Ingress,
        Self::HttpRoute,
        Self::ServiceMonitor,
        Self::PrometheusRule,
        Self::ScaledObject,
        Self::Cluster,
    ];

    /// Group, version, kind and plural.
    const fn names(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::ServiceAccount => ("", "v1", "ServiceAccount", "serviceaccounts"),
            Self::Secret => ("", "v1", "Secret", "secrets"),
            Self::ConfigMap => ("", "v1", "ConfigMap", "configmaps"),
            Self::Service => ("", "v1", "Service", "services"),
            Self::Deployment => ("apps", "v1", "Deployment", "deployments"),
            Self::StatefulSet => ("apps", "v1", "StatefulSet", "statefulsets"),
            Self::Job => ("batch", "v1", "Job", "jobs"),
            Self::PodDisruptionBudget => (
                "policy",
                "v1",
                "PodDisruptionBudget",
                "poddisruptionbudgets",
            ),
            Self::NetworkPolicy => (
                "networking.k8s.io",
                "v1",
                "NetworkPolicy",
                "networkpolicies",
            ),
            Self::Ingress => ("networking.k8s.io", "v1", "Ingress", "ingresses"),
            Self::HttpRoute => ("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes"),
            Self::ServiceMonitor => (
                "monitoring.coreos.com",
                "v1",
                "ServiceMonitor",
                "servicemonitors",
            ),
            Self::PrometheusRule => (
                "monitoring.coreos.com",
                "v1",
                "PrometheusRule",
                "prometheusrules",
            ),
            Self::ScaledObject => ("keda.sh", "v1alpha1", "ScaledObject", "scaledobjects"),
            Self::Cluster => ("postgresql.cnpg.io", "v1", "Cluster", "clusters"),
        }
    }

    pub fn api_resource(self) -> ApiResource {
        let (group, version, kind, plural) = self.names();
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
    }

    pub fn api_version(self) -> String {
        self.api_resource().api_version
    }

    pub const fn name(self) -> &'static str {
        self.names().2
    }

    pub const fn plural(self) -> &'static str {
        self.names().3
    }

    pub const fn group(self) -> &'static str {
        self.names().0
    }

    /// Whether some other project must have brought the kind into the cluster.
    pub const fn is_optional(self) -> bool {
        matches!(
            self,
            Self::HttpRoute
                | Self::ServiceMonitor
                | Self::PrometheusRule
                | Self::ScaledObject
                | Self::Cluster
        )
    }

    /// Secrets are read by name when they are needed, and never listed: the right to list them is the right to read all.
    pub const fn is_watched(self) -> bool {
        !matches!(self, Self::Secret)
    }

    /// What has to be installed for an optional kind.
    pub const fn project(self) -> &'static str {
        match self {
            Self::HttpRoute => "the Gateway API",
            Self::ServiceMonitor | Self::PrometheusRule => "the Prometheus operator",
            Self::ScaledObject => "KEDA",
            Self::Cluster => "CloudNativePG",
            _ => "Kubernetes",
        }
    }
}
