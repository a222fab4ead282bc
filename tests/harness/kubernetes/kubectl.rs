//! kubectl, for what people type, and the manifests that they hand it.

use std::path::PathBuf;

use serde_json::Value;

use super::{
    control_plane::ControlPlane,
    program::{self, Output},
};

/// kubectl with an administrator's rights.
#[derive(Clone, Debug)]
pub struct Kubectl {
    kubeconfig: PathBuf,
}

impl Kubectl {
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
        let program = program::folder().join("kubectl");
        program::run(&program, &self.kubeconfig, arguments).await
    }
}

/// The documents of a YAML file, without those that hold nothing but comments.
pub fn documents(text: &str) -> Vec<Value> {
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(text).unwrap_or_else(|error| panic!("{error}"));
    documents
        .into_iter()
        .filter(|document| !document.is_null())
        .collect()
}
