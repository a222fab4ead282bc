//! The kinds of objects that tests ask for, and where the API server has them.

/// A kind of object in a namespace or, if it is not `namespaced`, in the cluster.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Kind {
    pub api_version: &'static str,
    pub kind: &'static str,
    pub plural: &'static str,
    pub namespaced: bool,
}

const fn namespaced(api_version: &'static str, kind: &'static str, plural: &'static str) -> Kind {
    Kind {
        api_version,
        kind,
        plural,
        namespaced: true,
    }
}

const fn of_cluster(api_version: &'static str, kind: &'static str, plural: &'static str) -> Kind {
    Kind {
        api_version,
        kind,
        plural,
        namespaced: false,
    }
}

pub const URL_SHORTENER: Kind =
    namespaced("urlshortener.dev/v1alpha1", "UrlShortener", "urlshorteners");

// Of Kubernetes itself.
pub const CONFIG_MAP: Kind = namespaced("v1", "ConfigMap", "configmaps");
pub const CRD: Kind = of_cluster(
    "apiextensions.k8s.io/v1",
    "CustomResourceDefinition",
    "customresourcedefinitions",
);
pub const DEPLOYMENT: Kind = namespaced("apps/v1", "Deployment", "deployments");
pub const EVENT: Kind = namespaced("events.k8s.io/v1", "Event", "events");
pub const HORIZONTAL_POD_AUTOSCALER: Kind = namespaced(
    "autoscaling/v2",
    "HorizontalPodAutoscaler",
    "horizontalpodautoscalers",
);
pub const INGRESS: Kind = namespaced("networking.k8s.io/v1", "Ingress", "ingresses");
pub const JOB: Kind = namespaced("batch/v1", "Job", "jobs");
pub const LEASE: Kind = namespaced("coordination.k8s.io/v1", "Lease", "leases");
pub const NAMESPACE: Kind = of_cluster("v1", "Namespace", "namespaces");
pub const NODE: Kind = of_cluster("v1", "Node", "nodes");
pub const NETWORK_POLICY: Kind =
    namespaced("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies");
pub const PERSISTENT_VOLUME_CLAIM: Kind =
    namespaced("v1", "PersistentVolumeClaim", "persistentvolumeclaims");
pub const POD: Kind = namespaced("v1", "Pod", "pods");
pub const POD_DISRUPTION_BUDGET: Kind =
    namespaced("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets");
pub const RESOURCE_QUOTA: Kind = namespaced("v1", "ResourceQuota", "resourcequotas");
pub const SECRET: Kind = namespaced("v1", "Secret", "secrets");
pub const SERVICE: Kind = namespaced("v1", "Service", "services");
pub const SERVICE_ACCOUNT: Kind = namespaced("v1", "ServiceAccount", "serviceaccounts");
pub const STATEFUL_SET: Kind = namespaced("apps/v1", "StatefulSet", "statefulsets");

// Of others.
pub const CLOUD_NATIVE_PG: Kind = namespaced("postgresql.cnpg.io/v1", "Cluster", "clusters");
pub const HTTP_ROUTE: Kind = namespaced("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes");
pub const PROMETHEUS_RULE: Kind = namespaced(
    "monitoring.coreos.com/v1",
    "PrometheusRule",
    "prometheusrules",
);
pub const SCALED_OBJECT: Kind = namespaced("keda.sh/v1alpha1", "ScaledObject", "scaledobjects");
pub const SERVICE_MONITOR: Kind = namespaced(
    "monitoring.coreos.com/v1",
    "ServiceMonitor",
    "servicemonitors",
);

// What rights are made of.
pub const CLUSTER_ROLE: Kind = of_cluster(
    "rbac.authorization.k8s.io/v1",
    "ClusterRole",
    "clusterroles",
);
pub const CLUSTER_ROLE_BINDING: Kind = of_cluster(
    "rbac.authorization.k8s.io/v1",
    "ClusterRoleBinding",
    "clusterrolebindings",
);
pub const ROLE: Kind = namespaced("rbac.authorization.k8s.io/v1", "Role", "roles");
pub const ROLE_BINDING: Kind = namespaced(
    "rbac.authorization.k8s.io/v1",
    "RoleBinding",
    "rolebindings",
);

/// All that the operator may make for a resource.
pub const OWNED: [Kind; 15] = [
    CONFIG_MAP,
    DEPLOYMENT,
    INGRESS,
    JOB,
    NETWORK_POLICY,
    POD_DISRUPTION_BUDGET,
    SECRET,
    SERVICE,
    STATEFUL_SET,
    CLOUD_NATIVE_PG,
    HTTP_ROUTE,
    PROMETHEUS_RULE,
    SCALED_OBJECT,
    SERVICE_MONITOR,
    SERVICE_ACCOUNT,
];

impl Kind {
    /// The path of all objects of this kind, in one namespace or in all of them.
    pub fn collection(self, namespace: Option<&str>) -> String {
        let root = if self.api_version.contains('/') {
            "apis"
        } else {
            "api"
        };
        let version = self.api_version;
        let plural = self.plural;
        match namespace.filter(|_| self.namespaced) {
            Some(namespace) => format!("/{root}/{version}/namespaces/{namespace}/{plural}"),
            None => format!("/{root}/{version}/{plural}"),
        }
    }

    /// The kind that a manifest is of, if it is one of these.
    pub fn named(api_version: &str, kind: &str) -> Option<Self> {
        let others = [
            CLUSTER_ROLE,
            CLUSTER_ROLE_BINDING,
            CRD,
            EVENT,
            LEASE,
            NAMESPACE,
            POD,
            ROLE,
            ROLE_BINDING,
            URL_SHORTENER,
        ];
        let mut all = OWNED.into_iter().chain(others);
        all.find(|known| known.api_version == api_version && known.kind == kind)
    }
}

#[cfg(test)]
mod tests {
    use super::{CRD, DEPLOYMENT, Kind, POD};

    #[test]
    fn a_kind_knows_its_path() {
        assert_eq!(POD.collection(Some("a")), "/api/v1/namespaces/a/pods");
        assert_eq!(DEPLOYMENT.collection(None), "/apis/apps/v1/deployments");
        assert_eq!(
            CRD.collection(Some("a")),
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        );
        assert_eq!(Kind::named("apps/v1", "Deployment"), Some(DEPLOYMENT));
    }
}
