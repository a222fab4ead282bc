//! A real Prometheus that scrapes what a test tells it to, every second.

use std::{fs, net::SocketAddr, time::Duration};

use reqwest::{Client, Url};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    daemon::{Daemon, free_addr},
    eventually, service,
};

const START: Duration = Duration::from_secs(20);

/// A running Prometheus. It ends with this value.
#[derive(Debug)]
pub struct Prometheus {
    addr: SocketAddr,
    http: Client,
    _daemon: Daemon,
}

impl Prometheus {
    /// Scrapes the management listeners `targets` as the job `shortener`, and keeps the rules that the files `rules` (a
    /// pattern) have.
    pub async fn start(targets: &[SocketAddr], rules: &str) -> Self {
        let dir = TempDir::with_prefix("prometheus-").expect("a temporary directory can be made");
        let targets: Vec<_> = targets.iter().map(ToString::to_string).collect();
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n\
             rule_files: ['{rules}']\n\
             scrape_configs:\n  - job_name: shortener\n    static_configs:\n      \
             - {{targets: {targets:?}, labels: {{service: shortener}}}}\n"
        );
        fs::write(dir.path().join("prometheus.yml"), config).expect("the directory is ours");
        let addr = free_addr();
        let arguments = [
            "--config.file=prometheus.yml".to_owned(),
            "--storage.tsdb.path=data".to_owned(),
            format!("--web.listen-address={addr}"),
        ];
        let daemon = Daemon::start("prometheus", &arguments, dir);
        let http = service::client();
        let ready = format!("http://{addr}/-/ready");
        let is_ready = async || {
            let answer = service::try_send(http.get(&ready)).await;
            answer.is_ok_and(|answer| answer.status == 200)
        };
        eventually::holds(
            "Prometheus is ready: is the package `prometheus` installed?",
            START,
            is_ready,
        )
        .await;
        Self {
            addr,
            http,
            _daemon: daemon,
        }
    }

    /// The series that an instant query yields; an error is Prometheus' own words.
    pub async fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let url = format!("http://{}/api/v1/query", self.addr);
        self.ask(&url, &[("query", expression)]).await
    }

    /// The series that a query yields over the last `seconds`, a point each second.
    pub async fn query_range(&self, expression: &str, seconds: u32) -> Result<Vec<Value>, String> {
        // By its own clock.
        let now = self.query("time()").await?;
        let end = now.first().and_then(Value::as_f64).unwrap_or_default();
        let start = end - f64::from(seconds);
        let url = format!("http://{}/api/v1/query_range", self.addr);
        let parameters = [
            ("query", expression),
            ("start", &start.to_string()),
            ("end", &end.to_string()),
            ("step", "1s"),
        ];
        self.ask(&url, &parameters).await
    }

    async fn ask(&self, url: &str, parameters: &[(&str, &str)]) -> Result<Vec<Value>, String> {
        let url = Url::parse_with_params(url, parameters).expect("a URL");
        let answer = service::try_send(self.http.get(url))
            .await
            .map_err(|error| error.to_string())?
            .json();
        if answer["status"] != "success" {
            return Err(answer["error"].to_string());
        }
        Ok(answer["data"]["result"]
            .as_array()
            .cloned()
            .unwrap_or_default())
    }
}
