//! The nginx of the Compose stack, before a service of a test: with `VIA_NGINX=1` the suites talk to that, so that what
//! it changes of the API shows.

use std::{fs, net::SocketAddr, time::Duration};

use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::{
    daemon::{Daemon, free_addr},
    eventually,
};

const START: Duration = Duration::from_secs(10);

const SETTINGS: &str = include_str!("../../deploy/compose/nginx/nginx.conf");

const PROBLEMS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../deploy/compose/nginx/problems"
);

/// A running nginx. It ends with this value.
#[derive(Debug)]
pub struct FrontDoor {
    addr: SocketAddr,
    _daemon: Daemon,
}

impl FrontDoor {
    #[expect(
        clippy::disallowed_methods,
        reason = "what stands before the service belongs to the run, not to a test"
    )]
    pub async fn if_wanted(service: SocketAddr) -> Option<Self> {
        match std::env::var_os("VIA_NGINX") {
            Some(value) if !value.is_empty() => Some(Self::before(service).await),
            _ => None,
        }
    }

    /// With the settings of the stack, but one instance, which needs no name.
    pub async fn before(service: SocketAddr) -> Self {
        let dir = TempDir::with_prefix("nginx-").expect("a temporary directory can be made");
        let (addr, own) = (free_addr(), free_addr());
        let settings = SETTINGS
            .replace("http://$app:8080", &format!("http://{service}"))
            .replace("listen 8080", &format!("listen {addr}"))
            .replace("listen 127.0.0.1:8081", &format!("listen {own}"))
            .replace("/etc/shortener/problems", PROBLEMS)
            .replace("/tmp/", &format!("{}/", dir.path().display()))
            .replace(
                "worker_processes auto;",
                "worker_processes 1; user root; daemon off;",
            );
        let path = dir.path().join("nginx.conf");
        fs::write(&path, settings).expect("the directory is ours");
        let arguments = ["-c".to_owned(), path.to_string_lossy().into_owned()];
        let daemon = Daemon::start("nginx", &arguments, dir);
        let listens = async || TcpStream::connect(addr).await.is_ok();
        eventually::holds("nginx listens: is it installed?", START, listens).await;
        Self {
            addr,
            _daemon: daemon,
        }
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}
