//! What keeps pods from running, in the words of whoever refuses.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, api::ListParams};

use super::super::build::labels;
use crate::conditions::Reason;

#[derive(Debug, Default)]
pub struct Pods {
    /// What is wrong with a part, by its component.
    pub troubles: BTreeMap<String, (Reason, String)>,
    /// Nodes that the service's ready pods are on.
    pub nodes: BTreeSet<String>,
    /// Addresses of the service's ready pods.
    pub addresses: Vec<String>,
}

pub async fn observe(client: &Client, namespace: &str, name: &str) -> kube::Result<Pods> {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let selector = format!(
        "{}={},{}={name}",
        labels::MANAGED_BY,
        labels::MANAGER,
        labels::INSTANCE
    );
    let found = api.list(&ListParams::default().labels(&selector)).await?;
    let mut pods = Pods::default();
    for pod in &found.items {
        let labels = pod.metadata.labels.as_ref();
        let component = labels.and_then(|labels| labels.get(labels::COMPONENT));
        let component = component.cloned().unwrap_or_default();
        if let Some(trouble) = trouble(pod) {
            pods.troubles.entry(component).or_insert(trouble);
        } else if component == labels::Part::App.component() && is_ready(pod) {
            let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
            pods.nodes.extend(node);
            pods.addresses
                .extend(pod.status.as_ref().and_then(|status| status.pod_ip.clone()));
        }
    }
    Ok(pods)
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    conditions
        .into_iter()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Why a pod does not run, if somebody has said so.
fn trouble(pod: &Pod) -> Option<(Reason, String)> {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let status = pod.status.as_ref()?;
    let conditions = status.conditions.iter().flatten();
    for condition in conditions {
        if condition.type_ == "PodScheduled" && condition.status == "False" {
            let message = condition.message.as_deref().unwrap_or_default();
            return Some((Reason::Unschedulable, format!("pod {name}: {message}")));
        }
    }
    let containers = status
        .init_container_statuses
        .iter()
        .chain(&status.container_statuses)
        .flatten();
    for container in containers {
        let waiting = container
            .state
            .as_ref()
            .and_then(|state| state.waiting.as_ref());
        let Some(waiting) = waiting else { continue };
        let message = waiting.message.as_deref().unwrap_or_default();
        let reason = match waiting.reason.as_deref() {
            Some(
                "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull",
            ) => Reason::ImagePullFailed,
            Some(
                "CrashLoopBackOff"
                | "CreateContainerConfigError"
                | "CreateContainerError"
                | "RunContainerError",
            ) => Reason::Crashing,
            _ => continue,
        };
        let text = format!("pod {name}, container {}: {message}", container.name);
        return Some((reason, text));
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(status: serde_json::Value, expected: Option<Reason>) {
        let pod: Pod =
            serde_json::from_value(json!({"metadata": {"name": "p"}, "status": status})).unwrap();
        assert_eq!(trouble(&pod).map(|(reason, _)| reason), expected);
    }

    #[test]
    fn what_others_say_of_a_pod_is_passed_on() {
        let waiting = |reason: &str| {
            json!({"containerStatuses": [{
                "name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
                "state": {"waiting": {"reason": reason, "message": "because"}},
            }]})
        };
        check(waiting("ImagePullBackOff"), Some(Reason::ImagePullFailed));
        check(waiting("CrashLoopBackOff"), Some(Reason::Crashing));
        check(waiting("ContainerCreating"), None);
        let unschedulable = json!({"conditions": [{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes",
        }]});
        check(unschedulable, Some(Reason::Unschedulable));
    }
}
