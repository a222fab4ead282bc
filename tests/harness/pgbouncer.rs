//! A PgBouncer in front of a cluster: the pooler that many run Postgres behind.

use std::{
    fs,
    io::Write as _,
    net::SocketAddr,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::{
    daemon::{PATH, free_addr},
    eventually,
};

const START: Duration = Duration::from_secs(10);

/// It refuses to run as root. Ends with its input, whichever way the test does.
const SCRIPT: &str = r#"
as=
if [ "$(id -u)" = 0 ]; then
    chown -R nobody "$1"
    as="setpriv --reuid=$(id -u nobody) --regid=$(id -g nobody) --clear-groups"
fi
$as pgbouncer --quiet "$1/pgbouncer.ini" &
read -r _
kill -TERM $!
wait
"#;

/// When a client's connection to Postgres is given to another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pooling {
    Session,
    Transaction,
}

/// A running PgBouncer. It ends with this value.
#[derive(Debug)]
pub struct PgBouncer {
    addr: SocketAddr,
    shell: Child,
    /// Closed by `drop`, which is the sign to end.
    input: Option<ChildStdin>,
    _dir: TempDir,
}

impl Pooling {
    /// The most eager that the installed version can do for clients that prepare statements: since 1.21 it knows which
    /// session has prepared what, and before, nothing but whole sessions works.
    pub fn best() -> Self {
        let version = Command::new("pgbouncer")
            .arg("--version")
            .env("PATH", PATH)
            .output()
            .expect("the package `pgbouncer` is installed");
        let version = String::from_utf8_lossy(&version.stdout).into_owned();
        let mut numbers = version
            .split(|letter: char| !letter.is_ascii_digit())
            .filter_map(|number| number.parse::<u32>().ok());
        match (numbers.next(), numbers.next()) {
            (Some(major), Some(minor)) if (major, minor) >= (1, 21) => Self::Transaction,
            (Some(_), Some(_)) => Self::Session,
            _ => panic!("PgBouncer tells no version: {version:?}"),
        }
    }

    /// As its configuration has it.
    fn settings(self) -> &'static str {
        match self {
            Self::Session => "pool_mode = session",
            Self::Transaction => "pool_mode = transaction\nmax_prepared_statements = 200",
        }
    }
}

impl PgBouncer {
    /// In front of every database of the Postgres at `upstream`, with `connections` to each.
    pub async fn start(upstream: SocketAddr, pooling: Pooling, connections: usize) -> Self {
        let dir = TempDir::with_prefix("pgbouncer-").expect("a temporary directory can be made");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
        let addr = free_addr();
        let pooling = pooling.settings();
        let settings = format!(
            "[databases]\n* = host={} port={} user=postgres\n\
             [pgbouncer]\nlisten_addr = {}\nlisten_port = {}\nunix_socket_dir =\nauth_type = any\n\
             {pooling}\ndefault_pool_size = {connections}\nmax_client_conn = 500\n\
             ignore_startup_parameters = extra_float_digits\n",
            upstream.ip(),
            upstream.port(),
            addr.ip(),
            addr.port(),
        );
        fs::write(dir.path().join("pgbouncer.ini"), settings).expect("the directory is ours");

        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT, "pgbouncer"])
            .arg(dir.path())
            .env("PATH", PATH)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("`sh` runs");
        let input = shell.stdin.take();
        let listening = async || TcpStream::connect(addr).await.is_ok();
        eventually::holds(
            "PgBouncer listens: is the package `pgbouncer` installed?",
            START,
            listening,
        )
        .await;
        Self {
            addr,
            shell,
            input,
            _dir: dir,
        }
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        if let Some(mut input) = self.input.take() {
            _ = input.write_all(b"\n");
        }
        _ = self.shell.wait();
    }
}
