//! The stack that scripts/test-compose has prepared: its services, and the commands that change them.

use std::{
    net::{IpAddr, SocketAddr},
    process::Command,
    time::Duration,
};

use harness::{
    answer::Answer,
    eventually,
    service::{client, try_send},
};
use reqwest::{Client, Method, RequestBuilder};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

/// All of them, as docker-compose.yml has them.
pub(crate) const SERVICES: [&str; 8] = [
    "app1",
    "app2",
    "nginx",
    "redis",
    "postgres",
    "prometheus",
    "grafana",
    "alertmanager",
];

/// Both instances.
pub(crate) const INSTANCES: [&str; 2] = ["app1", "app2"];

/// From nothing, or from a restart, to healthy on a busy machine.
pub(crate) const HEALTHY: Duration = Duration::from_mins(2);

static TURN: Mutex<()> = Mutex::const_new(());

/// The stack, for one test at a time.
pub(crate) struct Stack {
    http: Client,
    /// The program of Compose.
    compose: String,
    /// What the names of containers and networks begin with.
    project: String,
    /// Where nginx answers.
    base: String,
    _turn: MutexGuard<'static, ()>,
}

impl Stack {
    /// With every service healthy, and what earlier tests left in the database.
    pub(crate) async fn healthy() -> Self {
        let stack = Self::idle().await;
        stack.up().await;
        stack
    }

    /// With every service healthy, and nothing in the database, in the journals and in Redis.
    pub(crate) async fn fresh() -> Self {
        let stack = Self::idle().await;
        stack.renew().await;
        stack
    }

    async fn idle() -> Self {
        Self {
            _turn: TURN.lock().await,
            http: client(),
            compose: setting("COMPOSE_BIN"),
            project: setting("COMPOSE_PROJECT_NAME"),
            base: format!("http://127.0.0.1:{}", setting("SHORTENER_PORT")),
        }
    }

    /// Starts what does not run, and waits until all is healthy. A health check that failed on a busy machine is not the
    /// end of it, as it is to Compose.
    pub(crate) async fn up(&self) {
        let patience = HEALTHY.as_secs().to_string();
        let up = [
            "up",
            "--detach",
            "--no-build",
            "--pull=never",
            "--wait",
            "--wait-timeout",
            &patience,
        ];
        let mut last = String::new();
        let is_up = eventually::try_some(HEALTHY, async || {
            try_run(Command::new(&self.compose).args(up))
                .map_err(|error| last = error)
                .ok()
        })
        .await;
        assert!(is_up.is_some(), "{last}");
    }

    /// Throws away the instances, their stores and what those held, and starts them from nothing. Who stands before them and
    /// who watches them goes on.
    pub(crate) async fn renew(&self) {
        let anew = ["app1", "app2", "redis", "postgres"];
        self.compose(&[&["rm", "--force", "--stop"], &anew[..]].concat());
        let volumes = ["app1-data", "app2-data", "postgres-data"];
        let volumes = volumes.map(|volume| format!("{}_{volume}", self.project));
        // One that is not there need not go.
        run(Command::new("docker")
            .args(["volume", "rm", "--force"])
            .args(volumes));
        self.up().await;
    }

    /// Runs a command of Compose to its end, and returns what it printed.
    pub(crate) fn compose(&self, arguments: &[&str]) -> String {
        run(Command::new(&self.compose).args(arguments))
    }

    /// One fact of a container, as `docker inspect` finds it by a template.
    pub(crate) fn inspect(&self, service: &str, template: &str) -> String {
        run(Command::new("docker").args([
            "inspect",
            "--format",
            template,
            &self.container(service),
        ]))
    }

    /// Whether the service's own health check is content.
    pub(crate) fn is_healthy(&self, service: &str) -> bool {
        self.inspect(service, "{{.State.Health.Status}}") == "healthy"
    }

    pub(crate) async fn until_healthy(&self, services: &[&str]) {
        for service in services {
            let what = format!("{service} is healthy");
            eventually::holds(&what, HEALTHY, async || self.is_healthy(service)).await;
        }
    }

    /// The address of a service in one of the networks.
    pub(crate) fn address(&self, service: &str, network: &str) -> IpAddr {
        let template = format!(
            "{{{{(index .NetworkSettings.Networks \"{}\").IPAddress}}}}",
            self.network(network)
        );
        let address = self.inspect(service, &template);
        address
            .parse()
            .unwrap_or_else(|_| panic!("{service} has no address in {network}: {address:?}"))
    }

    /// Kills the main process of a service from outside, as a crash would.
    pub(crate) fn kill(&self, service: &str) {
        let pid = self.inspect(service, "{{.State.Pid}}");
        let pid = pid.parse().ok().and_then(Pid::from_raw);
        kill_process(pid.expect("it runs"), Signal::KILL).expect("we are root");
    }

    /// All processes of a service, as this machine numbers them.
    pub(crate) fn processes(&self, service: &str) -> Vec<i32> {
        let container = self.container(service);
        let listed = run(Command::new("docker").args(["top", &container, "-eo", "pid"]));
        let pids = listed.lines().skip(1);
        pids.filter_map(|pid| pid.trim().parse().ok()).collect()
    }

    /// Waits until each instance has served a redirect since it started, and so knows the link.
    pub(crate) async fn until_known(&self) {
        for instance in INSTANCES {
            let before = self.redirects(instance).await;
            eventually::holds("both serve", HEALTHY, async || {
                self.redirects(instance).await > before
            })
            .await;
        }
    }

    /// Whether a link of that user can be made now.
    pub(crate) async fn can_create(&self, user_id: &Value) -> bool {
        let url = json!({"user_id": user_id, "original_url": "https://example.com/again", "title": "Again"});
        let request = self.request(Method::POST, "/urls").json(&url);
        let request = request.timeout(Duration::from_secs(5));
        try_send(request)
            .await
            .is_ok_and(|answer| answer.status == 201)
    }

    /// Has containers take addresses of a network, until those that were free before are gone.
    pub(crate) fn squat(&self, network: &str, name: &str) -> Squatter {
        let image = self.inspect("nginx", "{{.Config.Image}}");
        let network = self.network(network);
        let name = format!("{}-{name}", self.project);
        run(Command::new("docker").args([
            "run",
            "--detach",
            "--rm",
            "--name",
            &name,
            "--network",
            &network,
            "--entrypoint",
            "sleep",
            &image,
            "600",
        ]));
        Squatter(name)
    }

    /// The address of `path` at nginx.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.url(path))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path).json(&body))
            .await
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        try_send(request).await.expect("nginx answers")
    }

    /// A short URL of a new user.
    pub(crate) async fn create_url(&self, email: &str, original_url: &str) -> Value {
        let user = json!({"username": "visitor", "email": email});
        let user = self.post("/users", user).await;
        assert_eq!(user.status, 201, "{user:?}");
        let url =
            json!({"user_id": user.json()["id"], "original_url": original_url, "title": "A title"});
        let url = self.post("/urls", url).await;
        assert_eq!(url.status, 201, "{url:?}");
        url.json()
    }

    /// A metric of one instance, given as `/metrics` writes it; its management listener is not published, and this machine
    /// reaches it all the same.
    pub(crate) async fn metric(&self, instance: &str, series: &str) -> f64 {
        let address = SocketAddr::new(self.address(instance, "monitoring"), 8081);
        let request = self.http.get(format!("http://{address}/metrics"));
        let metrics = try_send(request).await.expect("the instance runs").text();
        metrics
            .lines()
            .filter_map(|line| line.rsplit_once(' '))
            .find(|(name, _)| *name == series)
            .and_then(|(_, value)| value.parse().ok())
            .unwrap_or_else(|| panic!("{instance} has no {series}"))
    }

    fn container(&self, service: &str) -> String {
        format!("{}-{service}-1", self.project)
    }

    fn network(&self, network: &str) -> String {
        format!("{}_{network}", self.project)
    }

    /// How many redirects an instance has answered since it started.
    pub(crate) async fn redirects(&self, instance: &str) -> f64 {
        let series = r#"shortener_http_requests_total{code="3xx",route="redirect"}"#;
        self.metric(instance, series).await
    }
}

/// A container that does nothing but keep its address. It goes with this value.
pub(crate) struct Squatter(String);

impl Drop for Squatter {
    fn drop(&mut self) {
        _ = Command::new("docker")
            .args(["rm", "--force", &self.0])
            .output();
    }
}

/// What a command printed.
pub(crate) fn run(command: &mut Command) -> String {
    try_run(command).unwrap_or_else(|error| panic!("{error}"))
}

/// What a command printed, or what it said instead.
fn try_run(command: &mut Command) -> Result<String, String> {
    let output = tokio::task::block_in_place(|| command.output()).expect("the program is there");
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("{command:?}: {said}"))
    }
}

/// What may be decided, and need not.
#[expect(
    clippy::disallowed_methods,
    reason = "what a run is for belongs to the run, not to a test"
)]
pub(crate) fn optional_setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Whether this run is the short one.
#[expect(
    clippy::disallowed_methods,
    reason = "how long the tests may take belongs to the run, not to a test"
)]
pub(crate) fn is_brief() -> bool {
    std::env::var_os("BRIEF").is_some_and(|value| !value.is_empty())
}

/// What scripts/stack.sh has decided.
#[expect(
    clippy::disallowed_methods,
    reason = "where the stack is belongs to the run, not to a test"
)]
pub(crate) fn setting(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: `make test-compose` runs this suite"))
}
