//! Helm, and the operator's chart of this clone.

use std::path::PathBuf;

use serde_json::Value;

use super::{
    control_plane::{ControlPlane, repository},
    kubectl::documents,
    program::{self, Output},
};

/// Helm with an administrator's rights.
#[derive(Clone, Debug)]
pub struct Helm {
    kubeconfig: PathBuf,
}

impl Helm {
    /// For the cluster that a file names.
    pub fn at(kubeconfig: PathBuf) -> Self {
        Self { kubeconfig }
    }

    pub fn of(plane: &ControlPlane) -> Self {
        Self {
            kubeconfig: plane.kubeconfig(),
        }
    }

    pub async fn run(&self, arguments: &[&str]) -> Output {
        let program = program::folder().join("helm");
        program::run(&program, &self.kubeconfig, arguments).await
    }

    /// The objects that the chart would install as the release `shortener-operator`, with some of its `values`.
    pub async fn template(&self, namespace: &str, values: &[&str]) -> Vec<Value> {
        let chart = chart();
        let mut arguments = vec![
            "template",
            "shortener-operator",
            &chart,
            "--namespace",
            namespace,
        ];
        for value in values {
            arguments.extend(["--set-json", value]);
        }
        let rendered = self
            .run(&arguments)
            .await
            .expect("the chart can be rendered");
        documents(&rendered)
    }
}

/// The folder of the operator's chart.
pub fn chart() -> String {
    repository()
        .join("charts/shortener-operator")
        .display()
        .to_string()
}
