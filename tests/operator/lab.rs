//! A namespace with an operator of its own, which has the rights that its chart gives it, and no other.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use harness::{
    eventually,
    kubernetes::{
        api::{Api, Patch},
        audit::{Audit, Request},
        control_plane::{ControlPlane, Foreign},
        helm::Helm,
        kind::{Kind, OWNED, SERVICE_ACCOUNT, URL_SHORTENER},
        kubelet::{Fate, Kubelet},
        operator::{Operator, Settings},
    },
};
use serde_json::{Value, json};

/// How long a test waits for what takes moments on an idle machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// The account that the chart makes.
const ACCOUNT: &str = "shortener-operator";

/// An operator and what it works in. All of it ends with this value, but a shared control plane.
pub(crate) struct Lab {
    pub(crate) operator: Operator,
    pub(crate) kubelet: Kubelet,
    pub(crate) api: Api,
    pub(crate) settings: Settings,
    pub(crate) plane: Arc<ControlPlane>,
}

/// What of a condition a test asks about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Condition {
    pub(crate) status: String,
    pub(crate) reason: String,
    pub(crate) message: String,
}

impl Lab {
    /// On the shared control plane, with an operator that watches nothing but this namespace.
    pub(crate) async fn new() -> Self {
        Self::within(ControlPlane::shared().await).await
    }

    /// On a given control plane, with an operator that watches nothing but this namespace.
    pub(crate) async fn within(plane: Arc<ControlPlane>) -> Self {
        let api = plane.make_namespace(&fresh_name()).await;
        let watched = vec![api.namespace().to_owned()];
        let settings = allow(&plane, &api, &watched, plane.addr()).await;
        Self::start(plane, api, settings).await
    }

    /// On a control plane of its own that knows these kinds of others, with an operator that watches every namespace.
    pub(crate) async fn of_cluster(foreign: &[Foreign]) -> Self {
        let plane = Arc::new(ControlPlane::start(foreign).await);
        let api = plane.make_namespace(&fresh_name()).await;
        let settings = allow(&plane, &api, &[], plane.addr()).await;
        Self::start(plane, api, settings).await
    }

    /// As [`Self::new`], with an operator that reaches the API server through a proxy.
    pub(crate) async fn through(plane: Arc<ControlPlane>, proxy: SocketAddr) -> Self {
        let api = plane.make_namespace(&fresh_name()).await;
        let watched = vec![api.namespace().to_owned()];
        let settings = allow(&plane, &api, &watched, proxy).await;
        Self::start(plane, api, settings).await
    }

    async fn start(plane: Arc<ControlPlane>, api: Api, settings: Settings) -> Self {
        let operator = Operator::start(&settings).await;
        Self {
            operator,
            kubelet: Kubelet::start(api.clone(), Fate::Work),
            api,
            settings,
            plane,
        }
    }

    /// With another process of the operator, and what was done while there was none.
    pub(crate) async fn restarted<T>(
        self,
        meanwhile: impl AsyncFnOnce(&Api, &ControlPlane) -> T,
    ) -> (Self, T) {
        let Self {
            operator,
            kubelet,
            api,
            settings,
            plane,
        } = self;
        drop(operator);
        let done = meanwhile(&api, &plane).await;
        let lab = Self {
            operator: Operator::start(&settings).await,
            kubelet,
            api,
            settings,
            plane,
        };
        (lab, done)
    }

    /// Applies a resource, as somebody with kubectl does.
    pub(crate) async fn apply(&self, resource: &Value) -> Value {
        self.api.apply(URL_SHORTENER, resource).await
    }

    /// Gives the operator a reason to look at a resource now: Secrets, which it may not watch, it reads every few minutes.
    pub(crate) async fn nudge(&self, name: &str) {
        let note = json!({"metadata": {"annotations": {"note": fresh_name()}}});
        self.api.merge(URL_SHORTENER, name, &note).await;
    }

    /// Waits until the object is there.
    pub(crate) async fn appears(&self, kind: Kind, name: &str) -> Value {
        let what = format!("{} {name} is there", kind.kind);
        self.wait(&what, async || self.api.find(kind, name).await)
            .await
    }

    /// Waits until the object is gone.
    pub(crate) async fn goes(&self, kind: Kind, name: &str) {
        let what = format!("{} {name} is gone", kind.kind);
        self.holds(&what, async || self.api.find(kind, name).await.is_none())
            .await;
    }

    /// Waits until the resource is ready, and nothing is under way.
    pub(crate) async fn settles(&self, name: &str) -> Value {
        self.reports(name, "Ready", "True", "Available").await;
        self.reports(name, "Progressing", "False", "Settled").await
    }

    /// Waits until a condition of the resource has this status and reason, for the spec that it has now.
    pub(crate) async fn reports(
        &self,
        name: &str,
        kind: &str,
        status: &str,
        reason: &str,
    ) -> Value {
        let mut last = Value::Null;
        let found = eventually::try_some(PATIENCE, async || {
            let resource = self.api.find(URL_SHORTENER, name).await?;
            let is_current =
                resource["status"]["observedGeneration"] == resource["metadata"]["generation"];
            let is_so = condition(&resource, kind)
                .is_some_and(|condition| condition.status == status && condition.reason == reason);
            last = resource;
            (is_current && is_so).then(|| last.clone())
        })
        .await;
        found.unwrap_or_else(|| {
            let status_now = serde_json::to_string_pretty(&last["status"]).unwrap_or_default();
            panic!(
                "{name} is not {kind}={status} {reason}; its status is {status_now}\n{}",
                self.tail()
            )
        })
    }

    pub(crate) async fn condition(&self, name: &str, kind: &str) -> Option<Condition> {
        condition(&self.api.get(URL_SHORTENER, name).await, kind)
    }

    pub(crate) async fn holds(&self, what: &str, condition: impl AsyncFnMut() -> bool) {
        let mut condition = condition;
        self.wait(what, async || condition().await.then_some(()))
            .await;
    }

    /// Waits for a value; panics with the operator's last words when there is none.
    pub(crate) async fn wait<T>(&self, what: &str, attempt: impl AsyncFnMut() -> Option<T>) -> T {
        let found = eventually::try_some(PATIENCE, attempt).await;
        found.unwrap_or_else(|| panic!("not within {PATIENCE:?}: {what}\n{}", self.tail()))
    }

    /// Every object of this namespace that is labelled as the resource's.
    pub(crate) async fn made_for(&self, name: &str) -> Vec<(Kind, Value)> {
        let labels = format!(
            "app.kubernetes.io/instance={name},app.kubernetes.io/managed-by=shortener-operator"
        );
        let mut all = Vec::new();
        for kind in OWNED {
            let found = self.api.select(kind, &labels).await;
            all.extend(found.into_iter().map(|object| (kind, object)));
        }
        all
    }

    /// What the operator asks the API server for from now on.
    pub(crate) fn audit(&self) -> Audit {
        self.plane.audit().from_now()
    }

    /// What the operator of this namespace has written, by that record.
    pub(crate) fn writes(&self, audit: &Audit) -> Vec<Request> {
        audit.writes_of(&self.user())
    }

    /// The end of the name by which the API server knows this operator.
    pub(crate) fn user(&self) -> String {
        format!(":{}:{ACCOUNT}", self.api.namespace())
    }

    /// How often the operator has looked at a resource, whatever came of it.
    pub(crate) async fn reconciles(&self) -> f64 {
        self.operator
            .metric("shortener_operator_reconcile_total", &[])
            .await
    }

    /// The last lines that the operator has logged.
    pub(crate) fn tail(&self) -> String {
        let output = self.operator.output();
        let lines: Vec<_> = output.lines().collect();
        let last = lines.len().saturating_sub(20);
        format!("the operator's last words:\n{}", lines[last..].join("\n"))
    }
}

pub(crate) fn condition(resource: &Value, kind: &str) -> Option<Condition> {
    let conditions = resource["status"]["conditions"].as_array()?;
    let found = conditions
        .iter()
        .find(|condition| condition["type"] == kind)?;
    let text = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
    Some(Condition {
        status: text("status"),
        reason: text("reason"),
        message: text("message"),
    })
}

/// Makes the account and the rights of the chart in a namespace, and returns how an operator is started with them.
pub(crate) async fn allow(
    plane: &ControlPlane,
    api: &Api,
    watched: &[String],
    addr: SocketAddr,
) -> Settings {
    let list = format!("namespaces={}", Value::from(watched.to_vec()));
    let values = [&*list, "crds.enabled=false", "rbac.aggregate=false"];
    for object in Helm::of(plane).template(api.namespace(), &values).await {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let kind = Kind::named(&text(&object["apiVersion"]), &text(&object["kind"]));
        let is_right = object["apiVersion"] == "rbac.authorization.k8s.io/v1";
        if let Some(kind) = kind.filter(|kind| is_right || *kind == SERVICE_ACCOUNT) {
            let namespace = text(&object["metadata"]["namespace"]);
            let name = text(&object["metadata"]["name"]);
            let applied = api
                .within(&namespace)
                .try_patch(kind, &name, Patch::Apply, &object)
                .await;
            applied.unwrap_or_else(|refused| panic!("{} {name}: {refused}", kind.kind));
        }
    }
    let token = api.token(ACCOUNT).await;
    Settings {
        kubeconfig: plane.kubeconfig_of(&token, api.namespace(), addr),
        namespace: api.namespace().to_owned(),
        watched: watched.to_vec(),
        variables: Vec::new(),
    }
}

/// A name for a namespace that no other test has.
pub(crate) fn fresh_name() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(1);
    format!("test-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// How long `action` takes.
pub(crate) async fn timed(action: impl AsyncFnOnce()) -> Duration {
    let started = Instant::now();
    action().await;
    started.elapsed()
}

/// The middle one.
pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
