//! Postgres clusters of the tests' own: one shared by the suite, and others that a test may break.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, postgres::PgConnectOptions,
};
use tokio::sync::OnceCell;

use crate::{database::Backend, supervisor::Supervisor};

const SCRIPT: &str = include_str!("supervise.sh");

/// What a suite's services need together: each test of a many-core machine runs one or two, each with its pool.
const MAX_CONNECTIONS: &str = "max_connections=500";

/// What makes throw-away data fast. Such a cluster loses its data with the machine, not with its processes.
const VOLATILE: [&str; 3] = [
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
];

/// Whether a commit has reached the disk when it is answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Durability {
    Off,
    On,
}

/// A running Postgres. It ends, and its directory goes, with this value or with the test process, even one that is killed.
#[derive(Debug)]
pub struct Cluster {
    backend: Backend,
    port: u16,
    supervisor: Arc<Mutex<Supervisor>>,
}

impl Cluster {
    /// Starts an empty cluster on a free port of the loopback address.
    pub async fn start(backend: Backend, durability: Durability) -> Self {
        let settings = match durability {
            Durability::Off => VOLATILE.as_slice(),
            Durability::On => &[],
        };
        Self::begin(backend, settings, "create".to_owned()).await
    }

    /// A hot standby of this cluster, fed through `source`: asynchronously, and as slowly as that is. This cluster is
    /// stopped for a moment.
    pub async fn standby(&self, source: SocketAddr) -> Self {
        self.say("stop".to_owned()).await;
        let directory = self.directory();
        let source = format!(
            "primary_conninfo=host={} port={} user=postgres",
            source.ip(),
            source.port()
        );
        let copy = format!("copy {}", directory.display());
        let standby = Self::begin(self.backend, &[&source, "hot_standby=on"], copy).await;
        self.start_again().await;
        standby
    }

    /// Makes the directory by `word`, and starts it.
    async fn begin(backend: Backend, settings: &[&str], word: String) -> Self {
        let options: Vec<_> = std::iter::once(&MAX_CONNECTIONS)
            .chain(settings)
            .flat_map(|setting| ["-c".to_owned(), (*setting).to_owned()])
            .collect();
        let mut supervisor = Supervisor::spawn(SCRIPT, &programs(backend), &options);
        let starting = tokio::task::spawn_blocking(move || {
            supervisor.say(&word).expect("a cluster can be created");
            (supervisor.start_on_free_port(), supervisor)
        });
        let (port, supervisor) = starting.await.expect("Postgres starts");
        Self {
            backend,
            port,
            supervisor: Arc::new(Mutex::new(supervisor)),
        }
    }

    /// The cluster that all tests of this process share; each makes its own database in it.
    pub async fn shared(backend: Backend) -> Arc<Self> {
        static POSTGRES_15: OnceCell<Arc<Cluster>> = OnceCell::const_new();
        static POSTGRES_18: OnceCell<Arc<Cluster>> = OnceCell::const_new();

        let cell = match backend {
            Backend::Sqlite => panic!("SQLite has no cluster"),
            Backend::Postgres15 => &POSTGRES_15,
            Backend::Postgres18 => &POSTGRES_18,
        };
        let start = async || Arc::new(Self::start(backend, Durability::Off).await);
        Arc::clone(cell.get_or_init(start).await)
    }

    pub fn backend(&self) -> Backend {
        self.backend
    }

    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@{}/{database}", self.addr())
    }

    /// Ends every process of Postgres at once, without a checkpoint: what a crash leaves behind.
    pub async fn stop_immediate(&self) {
        self.say("stop".to_owned()).await;
    }

    /// Ends every process by SIGKILL: what is left when a machine is gone.
    pub async fn kill(&self) {
        self.say("kill".to_owned()).await;
    }

    /// Makes a standby take over, and waits until it has.
    pub async fn promote(&self) {
        self.execute("postgres", "select pg_promote()").await;
    }

    /// Starts it again after [`Self::stop_immediate`], on the same port and data.
    pub async fn start_again(&self) {
        self.say(format!("start {}", self.port)).await;
    }

    /// A crash and the recovery from it.
    pub async fn restart(&self) {
        self.stop_immediate().await;
        self.start_again().await;
    }

    /// Stops the clock of all its processes: connections stay open, and nothing answers.
    pub async fn freeze(&self) {
        self.say("freeze".to_owned()).await;
    }

    /// Lets go on what [`Self::freeze`] stopped.
    pub async fn thaw(&self) {
        self.say("thaw".to_owned()).await;
    }

    /// Runs `sql`, which may be several statements, in `database`.
    pub async fn execute(&self, database: &str, sql: &str) {
        let mut connection = self.connect(database).await;
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&mut connection)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
        connection.close().await.expect("the connection closes");
    }

    pub async fn connect(&self, database: &str) -> PgConnection {
        PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.port)
            .username("postgres")
            .database(database)
            .connect()
            .await
            .expect("the cluster accepts connections")
    }

    fn directory(&self) -> PathBuf {
        let supervisor = self.supervisor.lock();
        let supervisor = supervisor.unwrap_or_else(PoisonError::into_inner);
        supervisor.directory().to_owned()
    }

    async fn say(&self, word: String) {
        Supervisor::tell(&self.supervisor, word).await;
    }
}

/// Where `initdb` and `postgres` of that version are.
#[expect(
    clippy::disallowed_methods,
    reason = "where Postgres is installed belongs to the machine, not to a test"
)]
fn programs(backend: Backend) -> PathBuf {
    let (variable, default) = match backend {
        Backend::Sqlite => panic!("SQLite has no programs"),
        Backend::Postgres15 => ("POSTGRES_15_BIN", Some("/usr/lib/postgresql/15/bin")),
        Backend::Postgres18 => ("POSTGRES_18_BIN", None),
    };
    let folder = std::env::var_os(variable)
        .filter(|folder| !folder.is_empty())
        .or(default.map(Into::into))
        .map(PathBuf::from);
    match folder {
        Some(folder) if folder.join("initdb").exists() => folder,
        Some(folder) => panic!(
            "no `initdb` in {}: install that Postgres or set {variable} to the folder of its programs",
            folder.display()
        ),
        None => panic!(
            "{variable} is not set: run the suite with `make test`, which brings that Postgres and sets it"
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::{path::PathBuf, time::Duration};

    use sqlx::Connection as _;
    use tokio::time::timeout;

    use super::{Cluster, Durability};
    use crate::database::{Backend, Database};

    async fn answers(cluster: &Cluster) -> bool {
        let asked = async { cluster.connect("postgres").await.ping().await.is_ok() };
        timeout(Duration::from_secs(2), asked)
            .await
            .unwrap_or(false)
    }

    #[tokio::test]
    async fn a_cluster_survives_what_tests_do_to_it_and_leaves_nothing_behind() {
        let cluster = Cluster::start(Backend::Postgres15, Durability::On).await;
        cluster
            .execute(
                "postgres",
                "create table kept (id int); insert into kept values (1)",
            )
            .await;

        cluster.freeze().await;
        assert!(!answers(&cluster).await, "a frozen cluster is silent");
        cluster.thaw().await;
        assert!(answers(&cluster).await);

        cluster.restart().await;
        let mut connection = cluster.connect("postgres").await;
        let kept: i32 = sqlx::query_scalar("select id from kept")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(kept, 1);

        let directory: String = sqlx::query_scalar("show data_directory")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        cluster.freeze().await;
        drop(cluster);
        assert!(!PathBuf::from(directory).exists());
    }

    #[tokio::test]
    async fn databases_are_apart_and_go_with_their_test() {
        let one = Database::fresh(Backend::Postgres15).await;
        let other = Database::fresh(Backend::Postgres15).await;
        assert_ne!(one.url(), other.url());
        drop((one, other));

        let mut connection = Cluster::shared(Backend::Postgres15)
            .await
            .connect("postgres")
            .await;
        let left: i64 =
            sqlx::query_scalar("select count(*) from pg_database where datname like 'test%'")
                .fetch_one(&mut connection)
                .await
                .unwrap();
        assert_eq!(left, 0);
    }
}
