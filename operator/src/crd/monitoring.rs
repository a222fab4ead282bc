//! What watches the service.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::redis::Exporters;

/// What watches the service.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Monitoring {
    /// How a Prometheus of the Prometheus operator finds the metrics.
    pub service_monitor: ServiceMonitor,

    /// Alerts and the recording rules they need, as a PrometheusRule.
    pub rules: Labelled,

    /// Dashboards, as a ConfigMap that Grafana's sidecar loads.
    pub dashboard: Dashboard,

    /// Programs beside the managed stores that tell Prometheus about them.
    pub exporters: Exporters,
}

/// A ServiceMonitor.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ServiceMonitor {
    /// `Auto`: if the cluster knows the kind. `Enabled`: the resource is degraded while it does not. `Disabled`: none.
    pub mode: Mode,

    /// Labels by which the Prometheus selects it, such as `release: prom`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub labels: BTreeMap<String, String>,

    /// How often the metrics are read. Autoscaling takes the rate over four of them, and over a minute at least.
    #[schemars(length(max = 8), extend("x-kubernetes-validations" = [{
        "rule": "self.matches('^[1-9][0-9]{0,3}(s|m)$')",
        "message": "give the interval in seconds or minutes, such as 15s or 1m",
    }]))]
    pub interval: String,
}

impl Default for ServiceMonitor {
    fn default() -> Self {
        Self {
            mode: Mode::Auto,
            labels: BTreeMap::new(),
            interval: "15s".to_owned(),
        }
    }
}

impl ServiceMonitor {
    /// Its rule lets in seconds and minutes alone.
    pub fn interval_seconds(&self) -> i64 {
        let minutes = self.interval.strip_suffix('m').map(|text| (text, 60));
        let seconds = self.interval.strip_suffix('s').map(|text| (text, 1));
        let given = minutes.or(seconds);
        let given = given.and_then(|(text, unit)| Some(text.parse::<i64>().ok()? * unit));
        given.unwrap_or(15)
    }
}

/// An object with labels by which others select it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Labelled {
    /// `Auto`: if the cluster knows the kind. `Enabled`: the resource is degraded while it does not. `Disabled`: none.
    pub mode: Mode,

    /// Labels by which it is selected, such as `release: prom`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub labels: BTreeMap<String, String>,
}

/// The dashboards.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Dashboard {
    /// `Auto` and `Enabled`: a ConfigMap. `Disabled`: none.
    pub mode: Mode,

    /// Labels by which Grafana's sidecar selects it.
    #[schemars(extend("maxProperties" = 16))]
    pub labels: BTreeMap<String, String>,
}

impl Default for Dashboard {
    fn default() -> Self {
        Self {
            mode: Mode::Auto,
            labels: BTreeMap::from([("grafana_dashboard".to_owned(), "1".to_owned())]),
        }
    }
}

/// Whether an object of a kind that the cluster may not know is made.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Mode {
    #[default]
    Auto,
    Enabled,
    Disabled,
}
