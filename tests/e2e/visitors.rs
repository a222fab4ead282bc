//! Visitors who follow a link at a rate from a pod, whatever happens to the cluster meanwhile.

use std::{collections::BTreeMap, time::Duration};

use harness::{
    eventually,
    kubernetes::{api::Api, kind::POD},
};
use serde_json::{Value, json};

use crate::{
    cluster::PATIENCE,
    installation::{Installation, Link},
};

const IMAGE: &str = "urlshortener-tests/visitors:1";

/// Longer than a visitor waits for an answer.
const LAST_ANSWERS: Duration = Duration::from_secs(30);

/// Visitors at their work, until they are told to stop.
pub(crate) struct Visitors<'a> {
    installation: &'a Installation<'a>,
    /// Of their pod.
    name: String,
}

/// What they met, all in all and second by second.
#[derive(Clone, Debug)]
pub(crate) struct Visits {
    pub(crate) sent: u64,
    /// Of those, requests that were sent once more, since a connection that was kept open was closed.
    pub(crate) again: u64,
    pub(crate) answered: u64,
    pub(crate) failed: BTreeMap<String, u64>,
    pub(crate) seconds: Vec<Second>,
}

#[derive(Clone, Debug)]
pub(crate) struct Second {
    /// Seconds since 1970.
    pub(crate) at: f64,
    pub(crate) rate: f64,
    pub(crate) failed: u64,
    pub(crate) p99: f64,
}

impl<'a> Visitors<'a> {
    /// Sends visitors to a link, so many a second for so many seconds, step by step; on a node if one is named.
    pub(crate) async fn follow(
        installation: &'a Installation<'a>,
        link: &Link,
        steps: &[(u32, u64)],
        node: Option<&str>,
    ) -> Self {
        let url = installation.url(&format!("/{}", link.code));
        let steps = steps
            .iter()
            .map(|(rate, seconds)| format!("{rate}:{seconds}"));
        let steps: Vec<_> = steps.collect();
        let mut command = vec!["visitors", "follow", &url, &link.target];
        command.extend(steps.iter().map(String::as_str));
        let name = format!("visitors-{}", link.id);
        start(&installation.api, &name, node, &command).await;
        until_running(&installation.api, &name).await;
        Self { installation, name }
    }

    /// What they have met so far, if the cluster can tell.
    pub(crate) async fn so_far(&self) -> Option<Visits> {
        let namespace = self.installation.api.namespace();
        let arguments = ["logs", "-n", namespace, &self.name];
        let output = self.installation.cluster.kubectl.run(&arguments).await;
        output.succeeded.then(|| read(&output.stdout))
    }

    /// Has them stop, and returns what they met.
    pub(crate) async fn stop(self) -> Visits {
        let namespace = self.installation.api.namespace();
        let told = [
            "exec",
            "-n",
            namespace,
            &self.name,
            "--",
            "bash",
            "-c",
            "kill -TERM 1",
        ];
        // One whose steps are done has ended by itself.
        _ = self.installation.cluster.kubectl.run(&told).await;
        self.end(LAST_ANSWERS).await
    }

    /// Waits until their steps are done, and returns what they met.
    pub(crate) async fn end(self, patience: Duration) -> Visits {
        let api = &self.installation.api;
        eventually::holds("the visitors are done", patience, async || {
            let pod = api.get(POD, &self.name).await;
            pod["status"]["phase"] == "Succeeded" || pod["status"]["phase"] == "Failed"
        })
        .await;
        let visits = self.so_far().await.expect("their log can be read");
        api.delete(POD, &self.name).await;
        visits
    }
}

impl Visits {
    pub(crate) fn failures(&self) -> u64 {
        self.failed.values().sum()
    }
}

fn read(log: &str) -> Visits {
    let lines = log.lines().map(|line| {
        serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{line}: {error}"))
    });
    let mut visits = Visits {
        sent: 0,
        again: 0,
        answered: 0,
        failed: BTreeMap::new(),
        seconds: Vec::new(),
    };
    for line in lines {
        let number = |name: &str| line[name].as_u64().expect("a number");
        let failed = line["failed"].as_object().expect("counts by kind");
        let failed = failed
            .iter()
            .map(|(how, count)| (how.clone(), count.as_u64().expect("a number")));
        if line["end"] == true {
            (visits.sent, visits.answered) = (number("sent"), number("answered"));
            visits.again = number("again");
            visits.failed = failed.collect();
        } else {
            visits.seconds.push(Second {
                at: line["at"].as_f64().expect("a time"),
                rate: line["rate"].as_f64().expect("a rate"),
                failed: failed.map(|(_, count)| count).sum(),
                p99: line["p99"].as_f64().expect("a latency"),
            });
        }
    }
    visits
}

/// Starts a pod of the visitors' image, which the strictest of the Pod Security Standards lets in.
pub(crate) async fn start(api: &Api, name: &str, node: Option<&str>, command: &[&str]) {
    let mut pod = json!({
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "automountServiceAccountToken": false,
            "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": name,
                "image": IMAGE,
                "imagePullPolicy": "IfNotPresent",
                "command": command,
                "resources": {"requests": {"cpu": "50m", "memory": "32Mi"}},
                "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}},
            }],
        },
    });
    if let Some(node) = node {
        pod["spec"]["nodeSelector"] = json!({"kubernetes.io/hostname": node});
    }
    let created = api.create(POD, &pod).await;
    created.unwrap_or_else(|refused| panic!("pod {name}: {refused}"));
}

pub(crate) async fn until_running(api: &Api, name: &str) {
    eventually::holds(&format!("pod {name} runs"), PATIENCE, async || {
        let pod = api.get(POD, name).await;
        let phase = &pod["status"]["phase"];
        assert_ne!(phase, "Failed", "pod {name} has failed: {}", pod["status"]);
        phase == "Running" || phase == "Succeeded"
    })
    .await;
}
