//! A real Kubernetes control plane without nodes: what is applied to it is stored, defaulted, refused, owned and collected as
//! in any cluster, and no container ever runs. The kubelet and the scheduler are played by `kubelet.rs`, and nothing else is.
//! scripts/kubernetes/build makes its programs.

pub mod api;
pub mod audit;
pub mod control_plane;
pub mod helm;
pub mod kind;
pub mod kubectl;
pub mod kubelet;
pub mod operator;
mod program;
