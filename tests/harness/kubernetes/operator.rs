//! The real operator as a process beside the control plane, with the rights of the service account that its chart makes.

use std::{collections::BTreeMap, fs, net::SocketAddr, process::Command, time::Duration};

use reqwest::Client;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    binary,
    daemon::free_addr,
    eventually,
    process::{Exit, Process},
    service,
};

/// From its start to being ready, on a busy machine.
const START: Duration = Duration::from_secs(30);

/// How an operator is started.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What it reaches the API server by.
    pub kubeconfig: Value,
    /// Where its lease is.
    pub namespace: String,
    /// The namespaces that it watches; none is all of them.
    pub watched: Vec<String>,
    /// What a test adds.
    pub variables: Vec<(String, String)>,
}

/// A running operator. It ends with this value.
#[derive(Debug)]
pub struct Operator {
    process: Process,
    addr: SocketAddr,
    http: Client,
    _directory: TempDir,
}

impl Operator {
    /// Starts it, and waits for nothing.
    pub fn launch(settings: &Settings) -> Self {
        let directory =
            TempDir::with_prefix("operator-").expect("a temporary directory can be made");
        let kubeconfig = directory.path().join("kubeconfig.json");
        fs::write(&kubeconfig, settings.kubeconfig.to_string()).expect("the directory is ours");
        let addr = free_addr();
        let mut command = Command::new(binary::operator());
        command
            .env_clear()
            .env("KUBECONFIG", kubeconfig)
            .env("OPERATOR_LISTEN", addr.to_string())
            .env("OPERATOR_NAMESPACE", &settings.namespace)
            .env("OPERATOR_NAMESPACES", settings.watched.join(","))
            .envs(settings.variables.iter().map(|(name, value)| (name, value)))
            .arg("run");
        Self {
            process: Process::run(command, directory.path(), None),
            addr,
            http: service::client(),
            _directory: directory,
        }
    }

    /// Starts it, and waits until it is ready.
    pub async fn start(settings: &Settings) -> Self {
        let operator = Self::launch(settings);
        operator.until_ready().await;
        operator
    }

    pub async fn until_ready(&self) {
        let is_ready = eventually::try_some(START, async || {
            (self.status("/readyz").await == 200).then_some(())
        })
        .await;
        assert!(
            is_ready.is_some(),
            "the operator is not ready:\n{}",
            self.output()
        );
    }

    /// What it answers on one of its own paths; 0 is nothing.
    pub async fn status(&self, path: &str) -> u16 {
        let url = format!("http://{}{path}", self.addr);
        service::try_send(self.http.get(&url))
            .await
            .map_or(0, |answer| answer.status)
    }

    /// The sum of a metric over the series that have all these labels, written as in the exposition.
    pub async fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let text = self.metrics().await;
        let of_name = |line: &&str| line.split(['{', ' ']).next() == Some(name);
        text.lines()
            .filter(of_name)
            .filter(|line| labels.iter().all(|label| line.contains(label)))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    pub async fn metrics(&self) -> String {
        let url = format!("http://{}/metrics", self.addr);
        let answer = self
            .http
            .get(&url)
            .send()
            .await
            .expect("the operator answers");
        answer.text().await.expect("metrics are text")
    }

    /// The memory that it holds, in bytes.
    pub fn memory(&self) -> u64 {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.process.pid())).unwrap_or_default();
        let fields: BTreeMap<_, _> = status
            .lines()
            .filter_map(|line| line.split_once(':'))
            .collect();
        let kilobytes = fields
            .get("VmRSS")
            .and_then(|value| value.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kilobytes.expect("a process of ours tells its memory") * 1024
    }

    pub fn output(&self) -> String {
        self.process.output()
    }

    /// Ends it by SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Stops it until [`Self::thaw`]: nothing of it runs, and its connections stay open.
    pub fn freeze(&self) {
        self.process.signal(Signal::STOP);
    }

    pub fn thaw(&self) {
        self.process.signal(Signal::CONT);
    }

    /// Ends it by SIGTERM and waits for that.
    pub async fn stop(self, within: Duration) -> Exit {
        self.process.signal(Signal::TERM);
        self.process.exit(within).await
    }

    /// Waits until it has ended by itself.
    pub async fn ended(self, within: Duration) -> Exit {
        self.process.exit(within).await
    }
}
