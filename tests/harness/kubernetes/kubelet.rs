//! Plays the scheduler and the kubelet, since the control plane has no nodes: pods become ready, or do not, because the test
//! says so. Everything that follows from that, up to the status of a Deployment, is the real controllers' doing. It plays the
//! controller of a Gateway as well, which takes every route.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::sync::watch;

use super::{
    api::Api,
    kind::{HTTP_ROUTE, POD},
};

/// How often it looks. Nobody waits for longer than that on its account.
const INTERVAL: Duration = Duration::from_millis(100);

/// Long ago, so that a pod that is ready has been ready for as long as anyone asks.
const SINCE: &str = "2026-01-01T00:00:00Z";

/// What becomes of pods that wait.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    /// They stay as the API server has made them.
    Wait,
    /// Those of a Job succeed, all others run and are ready. Routes are taken.
    Work,
    /// Those of a Job fail, all others are told that their image is not to be had.
    Fail,
}

/// The kubelet of one namespace. It ends with this value.
#[derive(Debug)]
pub struct Kubelet {
    fate: Arc<Mutex<Fate>>,
    _alive: watch::Sender<()>,
}

impl Kubelet {
    pub fn start(api: Api, fate: Fate) -> Self {
        let fate = Arc::new(Mutex::new(fate));
        let (alive, ended) = watch::channel(());
        spawn(run(api, Arc::clone(&fate), ended));
        Self {
            fate,
            _alive: alive,
        }
    }

    /// Decides about the pods that wait from now on.
    pub fn set(&self, fate: Fate) {
        *self.fate.lock().unwrap_or_else(PoisonError::into_inner) = fate;
    }
}

async fn run(api: Api, fate: Arc<Mutex<Fate>>, mut ended: watch::Receiver<()>) {
    let mut clock = tokio::time::interval(INTERVAL);
    loop {
        tokio::select! {
            _ = clock.tick() => {}
            _ = ended.changed() => return,
        }
        let fate = *fate.lock().unwrap_or_else(PoisonError::into_inner);
        if fate == Fate::Wait {
            continue;
        }
        // An API server that a test has killed has nothing to tell.
        let path = POD.collection(Some(api.namespace()));
        let Ok(list) = api.ask("GET", &path, None, "").await else {
            continue;
        };
        for pod in list["items"].as_array().into_iter().flatten() {
            if let Some(status) = status(pod, fate) {
                let name = pod["metadata"]["name"].as_str().unwrap_or_default();
                // It may have gone since.
                _ = api
                    .merge_part(POD, name, "status", &json!({"status": status}))
                    .await;
            }
        }
        if fate == Fate::Work {
            take_routes(&api).await;
        }
    }
}

/// As the controller of a Gateway does with a route that it takes.
async fn take_routes(api: &Api) {
    let path = HTTP_ROUTE.collection(Some(api.namespace()));
    // A cluster that does not know routes has none.
    let Ok(list) = api.ask("GET", &path, None, "").await else {
        return;
    };
    for route in list["items"].as_array().into_iter().flatten() {
        let generation = &route["metadata"]["generation"];
        let told = &route["status"]["parents"][0]["conditions"][0]["observedGeneration"];
        if told == generation {
            continue;
        }
        let condition = |kind: &str| {
            json!({"type": kind, "status": "True", "reason": kind, "message": "",
                "observedGeneration": generation, "lastTransitionTime": SINCE})
        };
        let parents = route["spec"]["parentRefs"].as_array().into_iter().flatten();
        let parents: Vec<_> = parents
            .map(|parent| {
                json!({"parentRef": parent, "controllerName": "tests.example/gateway",
                    "conditions": [condition("Accepted"), condition("ResolvedRefs")]})
            })
            .collect();
        let name = route["metadata"]["name"].as_str().unwrap_or_default();
        let status = json!({"status": {"parents": parents}});
        _ = api.merge_part(HTTP_ROUTE, name, "status", &status).await;
    }
}

/// What is to be reported of a pod, if it is not so already.
fn status(pod: &Value, fate: Fate) -> Option<Value> {
    let is_job = pod["metadata"]["ownerReferences"][0]["kind"] == "Job";
    let (phase, ready) = match (fate, is_job) {
        (Fate::Wait, _) => return None,
        (Fate::Work, true) => ("Succeeded", "False"),
        (Fate::Work, false) => ("Running", "True"),
        (Fate::Fail, true) => ("Failed", "False"),
        (Fate::Fail, false) => ("Pending", "False"),
    };
    let has_ended = matches!(
        pod["status"]["phase"].as_str(),
        Some("Succeeded" | "Failed")
    );
    let runs_already = fate == Fate::Fail && pod["status"]["phase"] == "Running";
    let is_told = pod["status"]["phase"] == phase && pod["status"]["containerStatuses"].is_array();
    if has_ended || runs_already || is_told {
        return None;
    }
    let condition = |kind: &str, status: &str| json!({"type": kind, "status": status, "lastTransitionTime": SINCE});
    let state = match phase {
        "Running" => json!({"running": {"startedAt": SINCE}}),
        "Succeeded" => json!({"terminated": {"exitCode": 0, "reason": "Completed"}}),
        "Failed" => json!({"terminated": {"exitCode": 1, "reason": "Error"}}),
        _ => {
            json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}})
        }
    };
    let containers = pod["spec"]["containers"].as_array()?;
    let statuses: Vec<_> = containers
        .iter()
        .map(|container| {
            json!({"name": container["name"], "image": container["image"], "imageID": "",
                "restartCount": 0, "ready": ready == "True", "state": state})
        })
        .collect();
    Some(json!({
        "phase": phase,
        "conditions": [
            condition("PodScheduled", "True"),
            condition("Initialized", "True"),
            condition("ContainersReady", ready),
            condition("Ready", ready),
        ],
        "containerStatuses": statuses,
    }))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the task ends with the kubelet, or with the test's runtime"
)]
fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}
