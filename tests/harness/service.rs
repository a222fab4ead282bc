//! The real `shortener` program, on free ports, and a client to talk to it.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use reqwest::{
    Client, Method, RequestBuilder,
    header::{AUTHORIZATION, HeaderValue},
    multipart::{Form, Part},
    redirect::Policy,
};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{
    answer::Answer,
    database::{Backend, Database},
    eventually,
    front_door::FrontDoor,
    keys,
    process::{Exit, Process, StartFailure, Unheard},
    redis::Redis,
};

/// A first start migrates an empty database; a busy machine takes seconds for it.
pub const START: Duration = Duration::from_secs(30);

/// What a graceful end may take, with room for requests that are under way.
pub const STOP: Duration = Duration::from_secs(30);

/// Longer than any request should take, short enough to fail by name instead of by the runner's patience.
const REQUEST: Duration = Duration::from_secs(30);

/// How long [`Service::raw`] waits for an answer to a connection that is kept open.
const RAW: Duration = Duration::from_secs(5);

/// A running service. It ends when dropped: by SIGTERM, or by SIGKILL if that takes long.
#[derive(Debug)]
pub struct Service {
    process: Process,
    addr: SocketAddr,
    management_addr: SocketAddr,
    http: Client,
    /// Stands before it, if the run wants that.
    _front_door: Option<FrontDoor>,
    /// Dropped last: the process that uses it ends first.
    _database: Option<Database>,
}

impl Service {
    /// On a fresh database, with auth off and otherwise default settings.
    pub async fn fresh(backend: Backend) -> Self {
        let database = Database::fresh(backend).await;
        let service = Self::start(&database).await;
        Self {
            _database: Some(database),
            ..service
        }
    }

    /// On a database that the caller keeps.
    pub async fn start(database: &Database) -> Self {
        Self::builder(database).start().await
    }

    pub fn builder(database: &Database) -> ServiceBuilder<'_> {
        ServiceBuilder {
            database,
            arguments: Vec::new(),
            variables: Vec::new(),
        }
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub fn management_addr(&self) -> SocketAddr {
        self.management_addr
    }

    /// The address of `path` on the public listener.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Standard output and standard error so far.
    pub fn output(&self) -> String {
        self.process.output()
    }

    /// Leaves its standard output unread for as long as the result is kept.
    pub fn unheard(&self) -> Unheard<'_> {
        self.process.unheard()
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn head(&self, path: &str) -> Answer {
        self.send(self.request(Method::HEAD, path)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path).json(&body))
            .await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::PUT, path).json(&body)).await
    }

    /// Sends a file of rows as the form field `file`.
    pub async fn upload(&self, path: &str, csv: impl Into<Vec<u8>>) -> Answer {
        let part = Part::bytes(csv.into())
            .file_name("data.csv")
            .mime_str("text/csv")
            .expect("a media type");
        let form = Form::new().part("file", part);
        self.send(self.request(Method::POST, path).multipart(form))
            .await
    }

    /// A request to the public listener, for what the methods above do not cover.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.url(path))
    }

    pub async fn send(&self, request: RequestBuilder) -> Answer {
        match try_send(request).await {
            Ok(answer) => answer,
            Err(error) => panic!("no answer: {error:?}; the service said:\n{}", self.output()),
        }
    }

    /// From the management listener.
    pub async fn management(&self, path: &str) -> Answer {
        let url = format!("http://{}{path}", self.management_addr);
        self.send(self.http.get(url)).await
    }

    /// Sends `bytes` as they are and returns what comes back until the end of the stream, or within a few seconds.
    pub async fn raw(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.addr)
            .await
            .expect("the service accepts connections");
        // A service may refuse, and close, before it has read everything; its answer counts.
        _ = stream.write_all(&keys::added(bytes)).await;

        let mut answer = Vec::new();
        _ = timeout(RAW, stream.read_to_end(&mut answer)).await;
        answer
    }

    /// Adds a user with a name and an e-mail that no other has, and returns the id.
    pub async fn create_user(&self) -> i64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);

        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let user = json!({
            "username": format!("user{number}"),
            "email": format!("user{number}@example.com"),
        });
        let answer = self.post("/users", user).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["id"].as_i64().expect("an id is an integer")
    }

    pub async fn create_url(&self, user_id: i64, original_url: &str) -> Value {
        let url = json!({"user_id": user_id, "original_url": original_url, "title": "A title"});
        let answer = self.post("/urls", url).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()
    }

    /// The value of one series, given as `/metrics` writes it: `name` or `name{label="value"}`.
    pub async fn metric(&self, name_with_labels: &str) -> Option<f64> {
        let metrics = self.management("/metrics").await.text();
        metrics
            .lines()
            .filter_map(|line| line.rsplit_once(' '))
            .find(|(series, _)| *series == name_with_labels)
            .and_then(|(_, value)| value.parse().ok())
    }

    /// The value of one series that counts; 0 for one that has not been heard of.
    pub async fn count(&self, name_with_labels: &str) -> usize {
        let metrics = self.management("/metrics").await.text();
        metrics
            .lines()
            .filter_map(|line| line.rsplit_once(' '))
            .find(|(series, _)| *series == name_with_labels)
            .map_or(0, |(_, value)| value.parse().expect("it counts"))
    }

    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits for its end; panics when it does not come `within` that time.
    pub async fn exit(self, within: Duration) -> Exit {
        self.process.exit(within).await
    }

    /// Ends it by SIGTERM, as an orchestrator does.
    pub async fn terminate(self) -> Exit {
        self.signal(Signal::TERM);
        self.exit(STOP).await
    }

    /// Ends it by SIGKILL, as a crash does.
    pub async fn kill(self) {
        self.signal(Signal::KILL);
        self.exit(STOP).await;
    }
}

/// Sends a request to a service that may be away, and reads the answer to its end.
pub async fn try_send(request: RequestBuilder) -> Result<Answer, reqwest::Error> {
    Answer::read(request.send().await?).await
}

/// A client that takes redirects as answers and knows no proxy.
pub fn client() -> Client {
    let key = keys::sent().map(|key| {
        let value = HeaderValue::from_str(&format!("Bearer {key}")).expect("a header");
        (AUTHORIZATION, value)
    });
    Client::builder()
        .default_headers(key.into_iter().collect())
        .redirect(Policy::none())
        .no_proxy()
        .timeout(REQUEST)
        .build()
        .expect("a client without TLS can be built")
}

/// A service with settings other than the tests' defaults.
#[derive(Debug)]
#[must_use = "nothing runs before `start`"]
pub struct ServiceBuilder<'a> {
    database: &'a Database,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
}

impl ServiceBuilder<'_> {
    /// Adds a flag or a subcommand.
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Sets a variable; an empty value unsets one that tests set by default.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// Gives it a Redis to share links in.
    pub fn redis(self, redis: &Redis) -> Self {
        self.env("REDIS_URL", redis.url())
    }

    /// Starts it and waits until it can serve.
    pub async fn start(self) -> Service {
        match self.try_start().await {
            Ok(service) => service,
            Err(failure) => panic!("the service did not start: {failure:#?}"),
        }
    }

    /// Starts it and waits until it can serve or has ended.
    pub async fn try_start(self) -> Result<Service, StartFailure> {
        ready(self.spawn(), START).await
    }

    /// Starts it without waiting for anything.
    pub fn spawn(self) -> Process {
        Process::spawn(self.database, &self.arguments, &self.variables)
    }

    /// Runs a subcommand such as `migrate` to its end.
    pub async fn run(self) -> Exit {
        self.spawn().exit(START).await
    }
}

/// Waits until the process can serve, or has ended, `within` that time.
pub async fn ready(mut process: Process, within: Duration) -> Result<Service, StartFailure> {
    let http = client();
    let outcome = eventually::try_some(within, async || {
        if let Some(exit) = process.try_exit() {
            return Some(Err(exit));
        }
        let addr = process.listener("public")?;
        let management_addr = process.listener("management")?;
        let readyz = http.get(format!("http://{management_addr}/readyz"));
        let answer = try_send(readyz).await.ok()?;
        (answer.status == 200).then_some(Ok((addr, management_addr)))
    })
    .await;
    match outcome {
        Some(Ok((addr, management_addr))) => {
            let front_door = FrontDoor::if_wanted(addr).await;
            Ok(Service {
                process,
                addr: front_door.as_ref().map_or(addr, FrontDoor::addr),
                management_addr,
                http,
                _front_door: front_door,
                _database: None,
            })
        }
        Some(Err(exit)) => Err(exit.into()),
        None => {
            let exit = process.kill();
            Err(StartFailure {
                code: None,
                ..exit.into()
            })
        }
    }
}
