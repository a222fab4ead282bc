//! What containers are told, told to the real programs: no node runs a pod here, but a variable that is misspelt or a file in the wrong
//! place would keep every pod from starting, and the played kubelet would not notice.

use std::{collections::BTreeMap, fs, net::SocketAddr, path::Path, process::Command};

use harness::{
    daemon::{Daemon, free_addr},
    database::{Backend, Database},
    kubernetes::kind::{DEPLOYMENT, JOB, SECRET},
    service::Service,
};
use k8s_openapi::api::core::v1::Secret;
use reqwest::{Method, header::LOCATION};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{lab::Lab, resource::with};

/// The first container of a pod template, with its mounts in a folder.
struct Container {
    variables: BTreeMap<String, String>,
    arguments: Vec<String>,
    body: Value,
    mounts: Vec<(String, String)>,
    folder: TempDir,
}

impl Container {
    /// Puts what its Secrets hold where it looks for it. `served` is where its Redis is instead of behind a Service.
    async fn of(lab: &Lab, template: &Value, served: SocketAddr) -> Self {
        let folder = TempDir::with_prefix("container-").expect("a temporary directory can be made");
        let pod = &template["spec"];
        let body = pod["containers"][0].clone();
        let mut mounts = Vec::new();
        for mount in body["volumeMounts"].as_array().expect("it has mounts") {
            let (name, path) = (text(&mount["name"]), text(&mount["mountPath"]));
            let here = folder.path().join(&name);
            fs::create_dir(&here).expect("the folder is ours");
            let volumes = pod["volumes"].as_array().expect("a pod has volumes");
            let volume = volumes
                .iter()
                .find(|volume| volume["name"] == name.as_str());
            let secret = &volume.expect("what is mounted is a volume")["secret"];
            if secret.is_object() {
                fill(lab, secret, &here, served).await;
            }
            mounts.push((path, here.display().to_string()));
        }
        // The longest first: a mount may be in another.
        mounts.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        let mut container = Self {
            variables: BTreeMap::new(),
            arguments: Vec::new(),
            body,
            mounts,
            folder,
        };
        container.read(lab).await;
        container
    }

    async fn read(&mut self, lab: &Lab) {
        for argument in self.body["args"].as_array().expect("it has arguments") {
            self.arguments.push(self.here(&text(argument)));
        }
        for variable in self.body["env"].as_array().into_iter().flatten() {
            let reference = &variable["valueFrom"]["secretKeyRef"];
            let value = if reference.is_object() {
                let content = content(lab, &text(&reference["name"])).await;
                content[&text(&reference["key"])].clone()
            } else {
                self.here(&text(&variable["value"]))
            };
            self.variables.insert(text(&variable["name"]), value);
        }
    }

    /// A path of the container, as it is called here.
    fn here(&self, value: &str) -> String {
        let inside = |path: &str| value == path || value.starts_with(&format!("{path}/"));
        let mount = self.mounts.iter().find(|(path, _)| inside(path));
        mount.map_or_else(
            || value.to_owned(),
            |(path, here)| format!("{here}{}", &value[path.len()..]),
        )
    }

    /// Runs the command of its readiness probe, and says whether it succeeds.
    fn is_ready(&self, port: u16) -> bool {
        let command = &self.body["readinessProbe"]["exec"]["command"];
        let words: Vec<_> = command
            .as_array()
            .expect("it is a command")
            .iter()
            .map(text)
            .collect();
        let status = Command::new(&words[0])
            .env("REDISCLI_AUTH", &self.variables["REDISCLI_AUTH"])
            .args(["-p", &port.to_string()])
            .args(&words[1..])
            .output();
        status.expect("the probe runs").status.success()
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("it is a text").to_owned()
}

/// What a Secret holds.
async fn content(lab: &Lab, name: &str) -> BTreeMap<String, String> {
    let secret = lab.api.get(SECRET, name).await;
    let secret: Secret = serde_json::from_value(secret).expect("it is a Secret");
    let data = secret.data.expect("it holds something").into_iter();
    data.map(|(key, value)| (key, String::from_utf8(value.0).expect("it is a text")))
        .collect()
}

async fn fill(lab: &Lab, secret: &Value, folder: &Path, served: SocketAddr) {
    let content = content(lab, &text(&secret["secretName"])).await;
    let all: Vec<_> = content
        .keys()
        .map(|key| (key.clone(), key.clone()))
        .collect();
    let items = secret["items"].as_array().map_or(all, |items| {
        let names = items
            .iter()
            .map(|item| (text(&item["key"]), text(&item["path"])));
        names.collect()
    });
    for (key, path) in items {
        let value = content[&key].replace("links-redis:6379", &served.to_string());
        fs::write(folder.join(path), value).expect("the folder is ours");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_what_its_containers_are_told_the_service_migrates_serves_and_caches() {
    let database = Database::fresh(Backend::Postgres18).await;
    let lab = Lab::new().await;
    let secret = json!({"metadata": {"name": "database"}, "stringData": {"url": database.url()}});
    lab.api
        .create(SECRET, &secret)
        .await
        .expect("it can be made");
    let spec = json!({"postgres": {"type": "External", "external": {"secretRef": {"name": "database"}, "connectionLimit": 100}}});
    lab.apply(&with("links", spec)).await;
    lab.settles("links").await;

    let served = free_addr();
    let cache = lab.api.get(DEPLOYMENT, "links-redis").await["spec"]["template"].clone();
    let cache = Container::of(&lab, &cache, served).await;
    let mut arguments = cache.arguments.clone();
    let program = arguments.remove(0);
    arguments.extend(["--port".to_owned(), served.port().to_string()]);
    let folder = TempDir::with_prefix("redis-").expect("a temporary directory can be made");
    let redis = Daemon::start(&program, &arguments, folder);
    lab.holds("Redis is ready", async || cache.is_ready(served.port()))
        .await;

    let jobs = lab.api.list(JOB).await;
    let job = Container::of(&lab, &jobs[0]["spec"]["template"], served).await;
    let migrated = told(Service::builder(&database), &job).run().await;
    assert_eq!(migrated.code, Some(0), "{}", migrated.output);

    let deployment = lab.api.get(DEPLOYMENT, "links").await;
    let app = Container::of(&lab, &deployment["spec"]["template"], served).await;
    let service = told(Service::builder(&database), &app).start().await;
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        let path = text(&app.body[probe]["httpGet"]["path"]);
        assert_eq!(service.management(&path).await.status, 200, "{probe}");
    }
    let user = json!({"username": "ada", "email": "ada@example.com"});
    assert_eq!(service.post("/users", user.clone()).await.status, 401);
    let key = &content(&lab, "links-admin-key").await["key"];
    let create = async |path: &str, body: Value| {
        let request = service
            .request(Method::POST, path)
            .bearer_auth(key)
            .json(&body);
        let made = service.send(request).await;
        assert_eq!(made.status, 201, "{made:?}");
        made.json()
    };
    let user = create("/users", user).await;
    let url = json!({"user_id": user["id"], "original_url": "https://example.com/"});
    let made = create("/urls", url).await;

    // What replicas share is in the Redis, which lets in nobody without the password.
    let code = text(&made["short_code"]);
    let followed = service.get(&format!("/{code}")).await;
    assert!((300..400).contains(&followed.status), "{followed:?}");
    assert!(followed.headers.contains_key(LOCATION));
    let url = format!("redis://127.0.0.1:{}", served.port());
    let stranger = Command::new("redis-cli")
        .args(["-e", "-u", &url, "dbsize"])
        .output();
    assert!(!stranger.expect("it runs").status.success());
    lab.holds("the service keeps something in the Redis", async || {
        let size = Command::new("redis-cli")
            .env("REDISCLI_AUTH", &cache.variables["REDISCLI_AUTH"])
            .args(["-u", &url, "dbsize"])
            .output()
            .expect("it runs");
        String::from_utf8_lossy(&size.stdout).trim() != "0"
    })
    .await;
    drop(redis);
}

/// All that a container is told, but for addresses that are taken here, and without what tests tell a service by default.
fn told<'a>(
    builder: harness::service::ServiceBuilder<'a>,
    container: &Container,
) -> harness::service::ServiceBuilder<'a> {
    let mut builder = builder.env("DATABASE_URL", "");
    for (name, value) in &container.variables {
        if !name.ends_with("LISTEN") {
            builder = builder.env(name, value);
        }
    }
    for argument in &container.arguments {
        builder = builder.arg(argument);
    }
    assert!(container.folder.path().is_dir());
    builder
}
