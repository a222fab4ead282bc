//! What a Prometheus tells of the service: whether its requests are counted, and counted once.

use serde_json::Value;
use url::Url;

use super::super::build::scaled_object;
use crate::{
    conditions::{About, Finding, Reason},
    crd::UrlShortenerSpec,
};

/// Two answers of a Prometheus.
#[derive(Clone, Debug, PartialEq)]
pub enum Flow {
    /// Nobody answers, with what was tried.
    Unreachable(String),
    /// It asks who we are, or is behind TLS: only KEDA can read it.
    NotReadable,
    /// The rate of requests, if there is one; and how many series stand for how many pods.
    Answered {
        rate: Option<f64>,
        series: f64,
        pods: f64,
    },
}

/// Asks for the very number that KEDA will ask for.
pub async fn observe(
    http: &reqwest::Client,
    namespace: &str,
    name: &str,
    spec: &UrlShortenerSpec,
) -> Option<Flow> {
    let prometheus = &spec.scaling.autoscaled.as_ref()?.prometheus;
    let address = &prometheus.server_address;
    // Its certificate may be one that only KEDA has been told to trust.
    if address.starts_with("https://") {
        return Some(Flow::NotReadable);
    }
    let of = format!(r#"shortener_build_info{{namespace="{namespace}",service="{name}"}}"#);
    let queries = [
        scaled_object::query(namespace, name, spec),
        format!("count({of})"),
        format!("count(count by (instance) ({of}))"),
    ];
    let [rate, series, pods] = queries.each_ref().map(|query| ask(http, address, query));
    let (rate, series, pods) = tokio::join!(rate, series, pods);
    let known = prometheus.authentication_ref.is_some();
    Some(match (rate, series, pods) {
        (Ok(rate), Ok(series), Ok(pods)) => Flow::Answered {
            rate,
            series: series.unwrap_or(0.0),
            pods: pods.unwrap_or(0.0),
        },
        (Err(_), ..) if known => Flow::NotReadable,
        (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => Flow::Unreachable(error),
    })
}

/// The value of an instant query that has one, such as a sum.
async fn ask(http: &reqwest::Client, address: &str, query: &str) -> Result<Option<f64>, String> {
    let base = format!("{}/api/v1/query", address.trim_end_matches('/'));
    let explain = |error: reqwest::Error| format!("{base}: {}", error.without_url());
    let url = Url::parse_with_params(&base, [("query", query)])
        .map_err(|error| format!("{base}: {error}"))?;
    let answer = http
        .get(url)
        .send()
        .await
        .and_then(reqwest::Response::error_for_status);
    let answer: Value = answer.map_err(explain)?.json().await.map_err(explain)?;
    Ok(value(&answer))
}

fn value(answer: &Value) -> Option<f64> {
    let text = answer["data"]["result"][0]["value"][1].as_str()?;
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

impl Flow {
    /// Whether the number is one to scale by.
    pub fn is_sane(&self) -> bool {
        self.finding().reason.class() != crate::conditions::Class::Fault
    }

    pub fn finding(&self) -> Finding {
        let (reason, message) = match self {
            Self::Unreachable(error) => (
                Reason::PrometheusUnreachable,
                format!("the Prometheus of `scaling.autoscaled.prometheus` does not answer: {error}"),
            ),
            Self::NotReadable => (
                Reason::NotReadable,
                "the Prometheus asks who reads, or is behind TLS, for which only KEDA has what it takes: whether it has the service's metrics is not known here".to_owned(),
            ),
            Self::Answered { rate: None, .. } => (
                Reason::NoSeries,
                "the Prometheus has no requests of this service: look whether its serviceMonitorSelector matches `monitoring.serviceMonitor.labels`, and whether a NetworkPolicy keeps it from port 8081".to_owned(),
            ),
            Self::Answered { rate: Some(rate), .. } if *rate < 0.0 => {
                (Reason::NoSeries, format!("the rate of requests is {rate}"))
            }
            Self::Answered { series, pods, .. } if series > pods => (
                Reason::SeriesDoubled,
                format!("{series} series stand for {pods} pods: the metrics are read twice, and the rate would count double. Look for a second ServiceMonitor, or a second Prometheus behind one address"),
            ),
            Self::Answered { rate: Some(_), .. } => {
                (Reason::Flowing, "the Prometheus counts the requests of this service".to_owned())
            }
        };
        Finding::new(About::MetricsFlowing, reason, message)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(flow: Flow, reason: Reason, is_sane: bool) {
        assert_eq!(flow.finding().reason, reason);
        assert_eq!(flow.is_sane(), is_sane);
    }

    #[test]
    fn a_number_is_sane_if_every_pod_is_counted_once() {
        let answered = |rate, series, pods| Flow::Answered { rate, series, pods };
        check(answered(Some(0.0), 2.0, 2.0), Reason::Flowing, true);
        check(answered(None, 0.0, 0.0), Reason::NoSeries, false);
        check(answered(Some(9.0), 4.0, 2.0), Reason::SeriesDoubled, false);
        check(
            Flow::Unreachable("no route".to_owned()),
            Reason::PrometheusUnreachable,
            false,
        );
        check(Flow::NotReadable, Reason::NotReadable, true);
    }

    #[test]
    fn what_is_no_number_is_no_value() {
        let answer = |value: &str| json!({"data": {"result": [{"value": [1.0, value]}]}});
        assert_eq!(value(&answer("12.5")), Some(12.5));
        assert_eq!(value(&answer("NaN")), None);
        assert_eq!(value(&json!({"data": {"result": []}})), None);
    }
}
