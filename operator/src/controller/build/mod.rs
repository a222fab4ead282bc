//! Step 3: the objects that should exist. Pure: the same plan, the same objects, byte for byte.

pub mod app;
pub mod cluster;
pub mod dashboard;
pub mod http_route;
pub mod ingress;
pub mod labels;
pub mod migration;
pub mod network_policy;
pub mod pod;
pub mod pod_disruption_budget;
pub mod postgres;
pub mod prometheus_rule;
pub mod redis;
pub mod scaled_object;
pub mod secrets;
pub mod service;
pub mod service_account;
pub mod service_monitor;

use serde_json::Value;

pub use super::validate::plan::Plan;
use crate::kinds::Kind;

/// An object that should exist.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    pub kind: Kind,
    pub body: Value,
}

impl Object {
    /// `body` without what the kind says already.
    pub fn new(kind: Kind, mut body: Value) -> Self {
        body["apiVersion"] = kind.api_version().into();
        body["kind"] = kind.name().into();
        Self { kind, body }
    }

    pub fn name(&self) -> &str {
        self.body["metadata"]["name"].as_str().unwrap_or_default()
    }
}

/// Everything that should exist.
#[derive(Debug)]
pub struct Desired {
    pub service_account: Object,
    pub secrets: Vec<Object>,
    pub redis: Vec<Object>,
    pub postgres: Vec<Object>,
    pub cluster: Option<Object>,
    pub migration: Option<Object>,
    pub app: Option<Object>,
    pub service: Object,
    pub pod_disruption_budget: Object,
    pub ingress: Option<Object>,
    pub http_route: Option<Object>,
    pub network_policies: Vec<Object>,
    pub service_monitors: Vec<Object>,
    pub prometheus_rule: Option<Object>,
    pub dashboard: Option<Object>,
    pub scaled_object: Option<Object>,
}

pub fn build(plan: &Plan) -> Desired {
    Desired {
        service_account: service_account::build(plan),
        secrets: secrets::build(plan),
        redis: redis::build(plan),
        postgres: postgres::build(plan),
        cluster: cluster::build(plan),
        migration: migration::build(plan),
        app: app::build(plan),
        service: service::build(plan),
        pod_disruption_budget: pod_disruption_budget::build(plan),
        ingress: ingress::build(plan),
        http_route: http_route::build(plan),
        network_policies: network_policy::build(plan),
        service_monitors: service_monitor::build(plan),
        prometheus_rule: prometheus_rule::build(plan),
        dashboard: dashboard::build(plan),
        scaled_object: scaled_object::build(plan),
    }
}

impl Desired {
    /// In the order in which they are applied: what others refer to goes first.
    pub fn into_objects(self) -> Vec<Object> {
        // No `..`: a new field that nobody applies must not compile.
        let Self {
            service_account,
            secrets,
            redis,
            postgres,
            cluster,
            migration,
            app,
            service,
            pod_disruption_budget,
            ingress,
            http_route,
            network_policies,
            service_monitors,
            prometheus_rule,
            dashboard,
            scaled_object,
        } = self;
        let mut objects = vec![service_account, service, pod_disruption_budget];
        objects.extend([secrets, redis, postgres, network_policies, service_monitors].concat());
        let single = [
            cluster,
            migration,
            app,
            ingress,
            http_route,
            prometheus_rule,
            dashboard,
            scaled_object,
        ];
        objects.extend(single.into_iter().flatten());
        objects
    }
}

#[cfg(test)]
mod tests;
