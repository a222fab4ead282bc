//! etcd, an API server and the controller manager, for one test process or for one test that breaks them.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use rcgen::KeyPair;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::{
    api::{Api, Patch},
    audit::Audit,
    kind::{CRD, NAMESPACE},
    kubectl::documents,
    program,
};
use crate::{authority::Authority, daemon::free_addr, eventually, supervisor::Supervisor};

const SCRIPT: &str = include_str!("supervise.sh");

/// From nothing to answering, on a busy machine.
const START: Duration = Duration::from_secs(90);

/// Those whose objects the operator makes or reads: a folder and the beginning of the file's name.
const DEFINITIONS: [(Foreign, &str, &str); 5] = [
    (Foreign::Keda, "keda", "keda.sh_scaledobjects"),
    (
        Foreign::Prometheus,
        "prometheus-operator",
        "monitoring.coreos.com_servicemonitors",
    ),
    (
        Foreign::Prometheus,
        "prometheus-operator",
        "monitoring.coreos.com_prometheusrules",
    ),
    (
        Foreign::Gateway,
        "gateway-api",
        "gateway.networking.k8s.io_httproutes",
    ),
    (
        Foreign::CloudNativePg,
        "cloudnative-pg",
        "postgresql.cnpg.io_clusters",
    ),
];

/// Another operator, of which no more than the definitions is there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Foreign {
    Keda,
    Prometheus,
    Gateway,
    CloudNativePg,
}

impl Foreign {
    pub const ALL: [Self; 4] = [
        Self::Keda,
        Self::Prometheus,
        Self::Gateway,
        Self::CloudNativePg,
    ];
}

/// A running control plane. It ends, and its directory goes, with this value or with the test process.
#[derive(Debug)]
pub struct ControlPlane {
    port: u16,
    directory: PathBuf,
    supervisor: Arc<Mutex<Supervisor>>,
}

impl ControlPlane {
    /// Starts an empty one, with the definitions of our resource and of these others.
    pub async fn start(foreign: &[Foreign]) -> Self {
        let folder = program::folder();
        let starting = tokio::task::spawn_blocking(move || {
            let mut supervisor = Supervisor::spawn(SCRIPT, &folder, &[]);
            let port = free_addr().port();
            prepare(supervisor.directory(), port);
            let etcd = free_addr().port();
            supervisor.say(&format!("etcd {etcd}")).expect("etcd runs");
            supervisor
                .say(&format!("api {port}"))
                .expect("the API server runs");
            (port, supervisor)
        });
        let (port, supervisor) = starting.await.expect("the control plane starts");
        let plane = Self {
            port,
            directory: supervisor.directory().to_owned(),
            supervisor: Arc::new(Mutex::new(supervisor)),
        };
        plane.until_ready().await;
        plane.say("manager").await;
        plane.define_ours().await;
        for other in foreign {
            plane.define(*other).await;
        }
        plane
    }

    /// The one that all tests of this process share, with every definition; each has a namespace of its own in it.
    pub async fn shared() -> Arc<Self> {
        static SHARED: OnceCell<Arc<ControlPlane>> = OnceCell::const_new();
        let start = async || Arc::new(Self::start(&Foreign::ALL).await);
        Arc::clone(SHARED.get_or_init(start).await)
    }

    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// A client with every right. It lives as long as the test's runtime.
    pub async fn api(&self, namespace: &str) -> Api {
        Api::new(client(&self.kubeconfig()).await, namespace)
    }

    /// The file by which kubectl and Helm may do everything.
    pub fn kubeconfig(&self) -> PathBuf {
        self.directory.join("admin.json")
    }

    /// A kubeconfig for a token, by way of `addr`, which may be a proxy's.
    pub fn kubeconfig_of(&self, token: &str, namespace: &str, addr: SocketAddr) -> Value {
        let authority = self.directory.join("ca.pem");
        kubeconfig(&authority, addr, token, namespace)
    }

    /// What the server has noted of requests so far.
    pub fn audit(&self) -> Audit {
        Audit::new(self.directory.join("audit.log"))
    }

    /// Ends the API server by SIGKILL; what it has stored stays.
    pub async fn kill_api(&self) {
        self.say("kill").await;
    }

    /// Starts it again at its old address, and waits until it answers.
    pub async fn start_api(&self) {
        self.say(&format!("api {}", self.port)).await;
        self.until_ready().await;
    }

    /// Makes a namespace whose pods must keep to the restricted standard.
    pub async fn make_namespace(&self, name: &str) -> Api {
        let api = self.api(name).await;
        let labels = json!({"pod-security.kubernetes.io/enforce": "restricted"});
        let namespace = json!({"metadata": {"name": name, "labels": labels}});
        api.create(NAMESPACE, &namespace)
            .await
            .expect("a namespace can be made");
        api
    }

    /// Installs the definitions of another operator, without the operator.
    pub async fn define(&self, foreign: Foreign) {
        let here = DEFINITIONS.iter().filter(|(of, _, _)| *of == foreign);
        for (_, folder, name) in here {
            let path = program::definitions()
                .join(folder)
                .join(format!("{name}.yaml"));
            self.install(&path).await;
        }
    }

    async fn define_ours(&self) {
        for path in program::files(&repository().join("crds"), "yaml") {
            self.install(&path).await;
        }
    }

    /// Installs the definitions in a file, and waits until their objects can be made.
    async fn install(&self, path: &Path) {
        let api = self.api("default").await;
        let text =
            fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for definition in documents(&text)
            .iter()
            .filter(|document| document["kind"] == CRD.kind)
        {
            let name = definition["metadata"]["name"]
                .as_str()
                .expect("it has a name");
            let stored = api.try_patch(CRD, name, Patch::Apply, definition).await;
            stored.unwrap_or_else(|refused| panic!("{name}: {refused}"));
            self.until_served(&api, definition).await;
        }
    }

    async fn until_served(&self, api: &Api, definition: &Value) {
        let spec = &definition["spec"];
        let text = |value: &Value| value.as_str().expect("it is named").to_owned();
        let (group, plural) = (text(&spec["group"]), text(&spec["names"]["plural"]));
        let versions = spec["versions"].as_array().expect("it has versions");
        for version in versions.iter().filter(|version| version["served"] == true) {
            let path = format!("/apis/{group}/{}/{plural}?limit=1", text(&version["name"]));
            let is_served = async || api.answers(&path).await;
            eventually::holds(&format!("{path} is served"), START, is_served).await;
        }
    }

    async fn until_ready(&self) {
        let api = self.api("default").await;
        let is_ready =
            eventually::try_some(START, async || api.answers("/readyz").await.then_some(())).await;
        let log = fs::read_to_string(self.directory.join("api.log")).unwrap_or_default();
        let tail: Vec<_> = log.lines().rev().take(15).collect();
        assert!(
            is_ready.is_some(),
            "the API server is not ready; its log, latest first: {tail:#?}"
        );
    }

    async fn say(&self, word: &str) {
        Supervisor::tell(&self.supervisor, word.to_owned()).await;
    }
}

/// Puts into the directory what the programs are told to find there.
fn prepare(directory: &Path, port: u16) {
    let write = |name: &str, text: &str| {
        fs::write(directory.join(name), text).expect("the directory is ours");
    };
    let authority = Authority::new();
    let signed = authority.sign();
    for (name, from) in [
        ("ca.pem", authority.ca_file()),
        ("server.pem", signed.certificate_file()),
        ("server.key", signed.key_file()),
    ] {
        fs::copy(from, directory.join(name)).expect("the directory is ours");
    }
    let accounts = KeyPair::generate().expect("keys can be made");
    write("accounts.key", &accounts.serialize_pem());
    write("accounts.pub", &accounts.public_key_pem());

    let ca = directory.join("ca.pem");
    let addr = (Ipv4Addr::LOCALHOST, port).into();
    for name in ["admin", "manager"] {
        let config = kubeconfig(&ca, addr, name, "default");
        write(&format!("{name}.json"), &config.to_string());
    }
    // A user is known by a word that is no secret: the server listens on the loopback address.
    write(
        "tokens.csv",
        "admin,admin,1,system:masters\nmanager,manager,2,system:masters\n",
    );
    write("audit.json", &policy().to_string());
}

/// Every request when it is answered, and a watch when it begins as well, without bodies.
fn policy() -> Value {
    json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "None", "users": ["manager", "system:apiserver"]}, {"level": "Metadata"}],
    })
}

fn kubeconfig(authority: &Path, addr: SocketAddr, token: &str, namespace: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "tests", "cluster": {
            "server": format!("https://{addr}"), "certificate-authority": authority}}],
        "users": [{"name": "user", "user": {"token": token}}],
        "contexts": [{"name": "tests", "context": {
            "cluster": "tests", "user": "user", "namespace": namespace}}],
        "current-context": "tests",
    })
}

async fn client(kubeconfig: &Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("the file is ours");
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .expect("the file is whole");
    // A test that is refused wants to know it at once.
    config.default_retry = false;
    config.connect_timeout = Some(Duration::from_secs(2));
    Client::try_from(config).expect("a client can be made")
}

/// The root of the clone.
pub(super) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate is in the workspace")
}
