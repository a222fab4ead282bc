//! What goes wrong beside the service: others' Deployments that are away, and what only the machine can break.

use std::process::Command;

use crate::cluster::Cluster;

/// Deployments of somebody else.
pub(crate) struct Deployments {
    namespace: &'static str,
    names: &'static [&'static str],
}

pub(crate) const PROMETHEUS: Deployments = Deployments {
    namespace: "monitoring",
    names: &["prometheus"],
};

pub(crate) const KEDA: Deployments = Deployments {
    namespace: "keda",
    names: &["keda-operator", "keda-metrics-apiserver"],
};

impl Deployments {
    /// Gives each so many replicas, and waits until it has them.
    pub(crate) async fn scale(&self, cluster: &Cluster, replicas: u32) {
        let replicas = format!("--replicas={replicas}");
        for name in self.names {
            let deployment = format!("deployment/{name}");
            cluster
                .kubectl(&["scale", "-n", self.namespace, &deployment, &replicas])
                .await;
        }
        for name in self.names {
            let deployment = format!("deployment/{name}");
            cluster
                .kubectl(&[
                    "rollout",
                    "status",
                    "-n",
                    self.namespace,
                    &deployment,
                    "--timeout=240s",
                ])
                .await;
        }
    }
}

/// Whether the run can break what no client of a cluster can: its API server, a node's cable, a container's memory.
pub(crate) fn is_possible() -> bool {
    program().is_some()
}

/// Has the program of `E2E_FAULT` break or mend something: `api-server-down`, `api-server-up`, `cut NODE`, `mend NODE`,
/// `starve NODE CONTAINER`.
pub(crate) fn run(arguments: &[&str]) {
    let mut command = Command::new(program().expect("the run can break it"));
    command.args(arguments);
    let output = tokio::task::block_in_place(|| command.output()).expect("the program is there");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

#[expect(
    clippy::disallowed_methods,
    reason = "what can be broken belongs to the run, not to a test"
)]
fn program() -> Option<String> {
    std::env::var("E2E_FAULT")
        .ok()
        .filter(|program| !program.is_empty())
}
