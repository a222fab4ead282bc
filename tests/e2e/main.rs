//! The whole promise on a real cluster: installed, scaled, upgraded, broken and removed while visitors follow a link.
//! `make test-e2e` runs this on the cluster that KUBECONFIG names, or on one of its own.
//!
//! There is one cluster and one operator, so that the tests take turns.

// What they work on.
mod cluster;
mod fault;
mod installation;
mod visitors;

// What is promised.
mod contract;
mod drills;
mod install;
mod removal;
mod scale;
mod upgrade;

// What people look at.
mod reports;
