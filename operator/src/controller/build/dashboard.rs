//! The dashboards, from the one source in `deploy/monitoring/dashboards`, as a ConfigMap that Grafana's sidecar loads.

use serde_json::{Map, Value, json};

use super::{
    Object, Plan,
    labels::{Part, owned},
    service_monitor::add,
};
use crate::kinds::Kind;

const DASHBOARDS: [(&str, &str); 4] = [
    (
        "journal",
        include_str!("../../../../deploy/monitoring/dashboards/journal.json"),
    ),
    (
        "overview",
        include_str!("../../../../deploy/monitoring/dashboards/overview.json"),
    ),
    (
        "redirects",
        include_str!("../../../../deploy/monitoring/dashboards/redirects.json"),
    ),
    (
        "redis",
        include_str!("../../../../deploy/monitoring/dashboards/redis.json"),
    ),
];

pub fn build(plan: &Plan) -> Option<Object> {
    if !plan.makes.dashboard {
        return None;
    }
    let mut metadata = owned(plan, &format!("{}-dashboards", plan.name), Part::App);
    add(&mut metadata, &plan.spec.monitoring.dashboard.labels);
    // A dashboard chooses its service by a variable, and is the same for all. Its file has the name of the whole, so that the
    // sidecar, which puts the files of all ConfigMaps into one folder, keeps one of each.
    let mut files = Map::new();
    for (name, text) in DASHBOARDS {
        files.insert(format!("urlshortener-{name}.json"), Value::from(text));
    }
    Some(Object::new(
        Kind::ConfigMap,
        json!({"metadata": metadata, "data": files}),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dashboard_of_the_source_is_there_and_all_fit_into_one_object() {
        let folder = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../deploy/monitoring/dashboards"
        );
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), DASHBOARDS.len());
        let bytes: usize = DASHBOARDS.iter().map(|(_, text)| text.len()).sum();
        assert!(bytes < 900_000, "a ConfigMap holds 1 MiB");
    }
}
