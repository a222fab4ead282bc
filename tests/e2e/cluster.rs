//! The cluster that the run names, and what people do to it: kubectl, Helm, and an API client.

use std::{path::PathBuf, time::Duration};

use harness::{
    eventually,
    kubernetes::{
        api::Api,
        helm::{self, Helm},
        kind::{CRD, DEPLOYMENT, NAMESPACE, NODE, POD, URL_SHORTENER},
        kubectl::Kubectl,
    },
};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

/// Where the operator is installed, by the chart's own name.
pub(crate) const OPERATOR_NAMESPACE: &str = "shortener-system";
pub(crate) const OPERATOR: &str = "shortener-operator";

/// What takes a pod's start, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);

static TURN: Mutex<()> = Mutex::const_new(());

/// The cluster, for one test at a time.
pub(crate) struct Cluster {
    pub(crate) kubectl: Kubectl,
    helm: Helm,
    client: Client,
    _turn: MutexGuard<'static, ()>,
}

impl Cluster {
    /// As it is.
    pub(crate) async fn connect() -> Self {
        let turn = TURN.lock().await;
        let path = kubeconfig();
        let config = Kubeconfig::read_from(&path)
            .unwrap_or_else(|error| panic!("KUBECONFIG {}: {error}", path.display()));
        let config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default())
            .await
            .expect("the kubeconfig names a cluster");
        let client = Client::try_from(config).expect("a client can be made");
        Self {
            kubectl: Kubectl::at(path.clone()),
            helm: Helm::at(path),
            client,
            _turn: turn,
        }
    }

    /// With the operator in it, and ready, and nothing that earlier tests have left to run: this one needs the machine.
    pub(crate) async fn with_operator() -> Self {
        let cluster = Self::connect().await;
        cluster.install_operator(&[]).await;
        for namespace in cluster.namespaces_of_tests().await {
            delete_all(&cluster.api(&namespace)).await;
        }
        cluster
    }

    /// Installs or upgrades the operator from the chart, with some of its values, and waits until it is ready.
    pub(crate) async fn install_operator(&self, values: &[&str]) {
        let chart = helm::chart();
        let mut arguments = vec![
            "upgrade",
            "--install",
            OPERATOR,
            &chart,
            "--namespace",
            OPERATOR_NAMESPACE,
            "--create-namespace",
            "--wait",
            "--timeout=3m",
        ];
        for value in values {
            arguments.extend(["--set", value]);
        }
        let output = self.helm.run(&arguments).await;
        output.expect("the chart can be installed");
    }

    /// Removes the operator, the namespaces of tests and the definition, if they are there.
    pub(crate) async fn clear(&self) {
        for namespace in self.namespaces_of_tests().await {
            self.remove_namespace(&namespace).await;
        }
        self.uninstall_operator().await;
        let api = self.api("");
        api.delete(CRD, "urlshorteners.urlshortener.dev").await;
        eventually::holds("the definition is gone", PATIENCE, async || {
            api.find(CRD, "urlshorteners.urlshortener.dev")
                .await
                .is_none()
        })
        .await;
    }

    async fn namespaces_of_tests(&self) -> Vec<String> {
        let namespaces = self.api("").list_everywhere(NAMESPACE).await;
        let names = namespaces
            .iter()
            .map(|namespace| text(&namespace["metadata"]["name"], "a name"));
        names
            .filter(|name| name.starts_with("e2e-"))
            .map(str::to_owned)
            .collect()
    }

    pub(crate) async fn uninstall_operator(&self) {
        let uninstall = [
            "uninstall",
            OPERATOR,
            "--namespace",
            OPERATOR_NAMESPACE,
            "--ignore-not-found",
            "--wait",
        ];
        let output = self.helm.run(&uninstall).await;
        output.expect("the chart can be uninstalled");
    }

    /// A namespace that is empty, whatever an earlier run left in it.
    pub(crate) async fn fresh_namespace(&self, name: &str) -> Api {
        self.remove_namespace(name).await;
        let api = self.api(name);
        let labels = json!({"pod-security.kubernetes.io/enforce": "restricted"});
        let namespace = json!({"metadata": {"name": name, "labels": labels}});
        let created = api.create(NAMESPACE, &namespace).await;
        created.unwrap_or_else(|refused| panic!("namespace {name}: {refused}"));
        api
    }

    /// Removes a namespace, resources first: KEDA's finalizers want their operator.
    pub(crate) async fn remove_namespace(&self, name: &str) {
        let api = self.api(name);
        if api.find(NAMESPACE, name).await.is_none() {
            return;
        }
        delete_all(&api).await;
        api.delete(NAMESPACE, name).await;
        eventually::holds("the namespace is gone", PATIENCE, async || {
            api.find(NAMESPACE, name).await.is_none()
        })
        .await;
    }

    pub(crate) fn api(&self, namespace: &str) -> Api {
        Api::new(self.client.clone(), namespace)
    }

    /// Runs kubectl, which has to succeed, and returns what it printed.
    pub(crate) async fn kubectl(&self, arguments: &[&str]) -> String {
        let output = self.kubectl.run(arguments).await;
        output.expect(&format!("kubectl {}", arguments.join(" ")))
    }

    /// What the cluster's Prometheus answers to an instant query that has one value.
    pub(crate) async fn prometheus(&self, query: &str) -> Option<f64> {
        let mut url = reqwest::Url::parse("http://p/api/v1/query").expect("a URL");
        url.query_pairs_mut().append_pair("query", query);
        let of_service = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy";
        let path = format!("{of_service}/api/v1/query?{}", url.query().expect("it has"));
        let answer = self.api("monitoring").ask("GET", &path, None, "").await;
        let answer = answer.ok()?;
        let value = answer["data"]["result"][0]["value"][1].as_str()?;
        value.parse().ok()
    }

    /// A node that pods may run on, and that is not this one.
    pub(crate) async fn other_node(&self, than: &str) -> String {
        let nodes = self.api("").list_everywhere(NODE).await;
        let names = nodes
            .iter()
            .filter(|node| node["spec"]["taints"].is_null())
            .map(|node| text(&node["metadata"]["name"], "a name"));
        let mut others = names.filter(|name| *name != than);
        others.next().expect("there are two nodes").to_owned()
    }

    /// Waits until every replica that a Deployment wants is there and available.
    pub(crate) async fn rolled_out(&self, api: &Api, name: &str) {
        let what = format!("{name} is rolled out");
        eventually::holds(&what, PATIENCE, async || {
            let deployment = api.get(DEPLOYMENT, name).await;
            is_rolled_out(&deployment)
        })
        .await;
    }
}

/// Has every resource and all visitors of a namespace go, and waits for none.
async fn delete_all(api: &Api) {
    for resource in api.list(URL_SHORTENER).await {
        let name = text(&resource["metadata"]["name"], "a name");
        api.delete(URL_SHORTENER, name).await;
    }
    for pod in api.list(POD).await {
        if pod["metadata"]["ownerReferences"].is_null() {
            let name = text(&pod["metadata"]["name"], "a name");
            api.delete(POD, name).await;
        }
    }
}

fn is_rolled_out(deployment: &Value) -> bool {
    let wanted = deployment["spec"]["replicas"].as_u64().unwrap_or(1);
    let status = &deployment["status"];
    let number = |name: &str| status[name].as_u64().unwrap_or_default();
    status["observedGeneration"] == deployment["metadata"]["generation"]
        && number("updatedReplicas") == wanted
        && number("availableReplicas") == wanted
        && number("replicas") == wanted
}

/// The pods with these labels that are not being deleted.
pub(crate) async fn living_pods(api: &Api, labels: &str) -> Vec<Value> {
    let mut pods = api.select(POD, labels).await;
    pods.retain(|pod| pod["metadata"]["deletionTimestamp"].is_null());
    pods
}

/// Lets time pass: a fault lasts for a while, and looks are apart from each other.
pub(crate) async fn pass(time: Duration) {
    _ = eventually::try_some::<()>(time, async || None).await;
}

pub(crate) fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    conditions.is_some_and(|conditions| {
        conditions
            .iter()
            .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
    })
}

pub(crate) fn text<'a>(value: &'a Value, what: &str) -> &'a str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{what} is no text: {value}"))
}

#[expect(
    clippy::disallowed_methods,
    reason = "which cluster is meant belongs to the run, not to a test"
)]
fn kubeconfig() -> PathBuf {
    std::env::var_os("KUBECONFIG").map_or_else(
        || panic!("KUBECONFIG is not set: `make test-e2e` runs this suite"),
        PathBuf::from,
    )
}
