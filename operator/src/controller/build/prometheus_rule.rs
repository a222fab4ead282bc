//! The alerts and the rules they need, from the one source in `deploy/monitoring/rules`. There they speak of every service that a
//! Prometheus knows; here each selector is narrowed to the one of the plan, so that two resources do not tell of each other.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::{
    Object, Plan,
    labels::{Part, owned},
    service_monitor::add,
};
use crate::kinds::Kind;

const SOURCES: [&str; 3] = [
    include_str!("../../../../deploy/monitoring/rules/alerts.yml"),
    include_str!("../../../../deploy/monitoring/rules/budgets.yml"),
    include_str!("../../../../deploy/monitoring/rules/recording.yml"),
];

static GROUPS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let parsed = SOURCES.iter().map(|source| {
        let file: Value = serde_saphyr::from_str(source).expect("promtool has checked the rules");
        file["groups"].as_array().cloned().unwrap_or_default()
    });
    parsed.flatten().collect()
});

pub fn build(plan: &Plan) -> Option<Object> {
    if !plan.makes.prometheus_rule {
        return None;
    }
    let mut groups = GROUPS.clone();
    let only = format!(r#"namespace="{}",service="{}""#, plan.namespace, plan.name);
    let rules = groups
        .iter_mut()
        .filter_map(|group| group["rules"].as_array_mut());
    for rule in rules.flatten() {
        let expression = rule["expr"].as_str().unwrap_or_default();
        rule["expr"] = narrowed(expression, &only).into();
    }
    let mut metadata = owned(plan, &plan.name, Part::App);
    add(&mut metadata, &plan.spec.monitoring.rules.labels);
    let body = json!({"metadata": metadata, "spec": {"groups": groups}});
    Some(Object::new(Kind::PrometheusRule, body))
}

/// The expression with `only` in each selector of a metric of ours.
fn narrowed(expression: &str, only: &str) -> String {
    let is_name = |character: char| character.is_ascii_alphanumeric() || "_:".contains(character);
    let mut text = String::with_capacity(expression.len() * 2);
    let mut rest = expression;
    while let Some(start) = rest.find(is_name) {
        text.push_str(&rest[..start]);
        rest = &rest[start..];
        // A text in quotes holds no metric.
        let end = rest
            .find(|character| !is_name(character))
            .unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        text.push_str(name);
        rest = after;
        let is_metric = name.starts_with("shortener_")
            || name.starts_with("service:shortener_")
            || name == "up";
        if !is_metric {
            continue;
        }
        match rest.strip_prefix('{') {
            Some(selectors) => {
                text.extend(["{", only, ","]);
                rest = selectors;
            }
            None => text.extend(["{", only, "}"]),
        }
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expression: &str, expected: &str) {
        assert_eq!(narrowed(expression, r#"namespace="n""#), expected);
    }

    #[test]
    fn each_selector_of_a_metric_is_narrowed_and_nothing_else() {
        check(
            r#"up{job="shortener"} == 0"#,
            r#"up{namespace="n",job="shortener"} == 0"#,
        );
        check(
            "shortener_redis_up == 0",
            r#"shortener_redis_up{namespace="n"} == 0"#,
        );
        check(
            "sum by (namespace, service) (rate(shortener_http_requests_total[2m]))",
            r#"sum by (namespace, service) (rate(shortener_http_requests_total{namespace="n"}[2m]))"#,
        );
        check(
            "service:shortener_slow_requests:ratio_rate1h > 14.4 * 0.01",
            r#"service:shortener_slow_requests:ratio_rate1h{namespace="n"} > 14.4 * 0.01"#,
        );
    }

    #[test]
    fn every_rule_of_the_source_is_there() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/monitoring/rules");
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), SOURCES.len());
        assert!(GROUPS.len() >= 3);
    }
}
