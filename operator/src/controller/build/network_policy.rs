//! Which pods may talk to which. Only what comes in is narrowed: a rule for what goes out would have to know the cluster's DNS,
//! its API server and every database.

use serde_json::{Value, json};

use super::{
    Object, Plan,
    labels::{self, Part, owned, selector},
    postgres, redis,
};
use crate::{
    crd::{access::Switch, postgres::PostgresType, redis::RedisType},
    kinds::Kind,
};

/// The API server puts it on every namespace.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

pub fn build(plan: &Plan) -> Vec<Object> {
    if plan.spec.network_policy.mode == Switch::Disabled {
        return Vec::new();
    }
    let mut policies = vec![policy(plan, &plan.name, Part::App, app(plan))];
    if plan.spec.redis.kind == RedisType::Managed {
        let metrics = redis::exports(plan).then_some(9121);
        let rules = store(plan, 6379, metrics, &[Part::App]);
        policies.push(policy(
            plan,
            &labels::redis_name(&plan.name),
            Part::Redis,
            rules,
        ));
    }
    if plan.spec.postgres.kind == PostgresType::Managed {
        let metrics = postgres::exports(plan).then_some(9187);
        let rules = store(plan, 5432, metrics, &[Part::App, Part::Migration]);
        policies.push(policy(
            plan,
            &labels::postgres_name(&plan.name),
            Part::Postgres,
            rules,
        ));
    }
    policies
}

/// Anybody may follow a link. The kubelet's probes are never subject to a policy.
fn app(plan: &Plan) -> Vec<Value> {
    let mut readers = json!(plan.spec.network_policy.metrics_from);
    // The operator reads there how many clicks were lost.
    let operator = json!({
        "namespaceSelector": {"matchLabels": {NAMESPACE_NAME: plan.operator_namespace}},
        "podSelector": {"matchLabels": {labels::NAME: labels::MANAGER}},
    });
    readers
        .as_array_mut()
        .expect("a list is one in JSON, too")
        .push(operator);
    vec![
        json!({"ports": [port(8080)]}),
        json!({"from": readers, "ports": [port(8081)]}),
    ]
}

fn store(plan: &Plan, service: i32, exporter: Option<i32>, from: &[Part]) -> Vec<Value> {
    let peers: Vec<_> = from
        .iter()
        .map(|part| json!({"podSelector": {"matchLabels": selector(plan, *part)}}))
        .collect();
    let mut rules = vec![json!({"from": peers, "ports": [port(service)]})];
    rules.extend(exporter.and_then(|exporter| metrics(plan, exporter)));
    rules
}

/// A list without peers would let in everybody.
fn metrics(plan: &Plan, number: i32) -> Option<Value> {
    let peers = &plan.spec.network_policy.metrics_from;
    (!peers.is_empty()).then(|| json!({"from": peers, "ports": [port(number)]}))
}

fn port(number: i32) -> Value {
    json!({"protocol": "TCP", "port": number})
}

fn policy(plan: &Plan, name: &str, part: Part, rules: Vec<Value>) -> Object {
    let body = json!({
        "metadata": owned(plan, name, part),
        "spec": {
            "podSelector": {"matchLabels": selector(plan, part)},
            "policyTypes": ["Ingress"],
            "ingress": rules,
        },
    });
    Object::new(Kind::NetworkPolicy, body)
}
