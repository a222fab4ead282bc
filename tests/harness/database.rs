//! A database of its own for each test.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use tempfile::TempDir;

use crate::postgres::Cluster;

/// Which database a test's service runs on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Backend {
    Sqlite,
    Postgres15,
    Postgres18,
}

/// A fresh, empty database, and the folders of the services that run on it. Both go when it is dropped.
#[derive(Debug)]
pub struct Database {
    backend: Backend,
    home: Home,
    data_dirs: DataDirs,
    /// Removed with this value.
    dir: TempDir,
}

#[derive(Debug)]
pub(crate) enum Home {
    File(PathBuf),
    /// Dropped at the end.
    SharedCluster {
        cluster: Arc<Cluster>,
        name: String,
    },
    /// Goes with its cluster, which may be stopped or frozen by then.
    OwnCluster {
        cluster: Arc<Cluster>,
        name: String,
    },
}

impl Database {
    /// On Postgres it is a database in the cluster that the suite shares.
    pub async fn fresh(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => {
                let dir = temp_dir();
                let file = dir.path().join("shortener.db");
                Self::new(backend, Home::File(file), dir)
            }
            Backend::Postgres15 | Backend::Postgres18 => {
                let cluster = Cluster::shared(backend).await;
                let name = create_database(&cluster).await;
                Self::new(backend, Home::SharedCluster { cluster, name }, temp_dir())
            }
        }
    }

    /// A database in a cluster that the test may break.
    pub async fn in_cluster(cluster: &Arc<Cluster>) -> Self {
        let name = create_database(cluster).await;
        let cluster = Arc::clone(cluster);
        let backend = cluster.backend();
        Self::new(backend, Home::OwnCluster { cluster, name }, temp_dir())
    }

    fn new(backend: Backend, home: Home, dir: TempDir) -> Self {
        Self {
            backend,
            home,
            data_dirs: DataDirs::default(),
            dir,
        }
    }

    pub fn url(&self) -> String {
        match &self.home {
            Home::File(path) => format!("sqlite:{}", path.display()),
            Home::SharedCluster { cluster, name } | Home::OwnCluster { cluster, name } => {
                cluster.url(name)
            }
        }
    }

    pub fn backend(&self) -> Backend {
        self.backend
    }

    pub(crate) fn home(&self) -> &Home {
        &self.home
    }

    /// Means the same database in `cluster` from now on, after it took over from the one that had it.
    pub fn fail_over(&mut self, cluster: &Arc<Cluster>) {
        let (Home::SharedCluster { name, .. } | Home::OwnCluster { name, .. }) = &self.home else {
            panic!("a file does not fail over");
        };
        self.home = Home::OwnCluster {
            cluster: Arc::clone(cluster),
            name: name.clone(),
        };
    }

    /// A folder for the files of this test, beside the database.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The data directory of a service: that of one that has ended if there is one, so that a restart finds its
    /// files and two services at a time never share them.
    pub fn lend_data_dir(&self) -> DataDir {
        self.data_dirs.lend(self.dir.path())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Home::SharedCluster { cluster, name } = &self.home {
            // `Drop` is not async, and the test's runtime may be ending: this takes a thread with a runtime of its own.
            thread::scope(|scope| scope.spawn(|| drop_database(cluster, name)).join().ok());
        }
    }
}

async fn create_database(cluster: &Cluster) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);

    let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let statement = format!("create database {name} template template0");
    cluster.execute("postgres", &statement).await;
    name
}

fn drop_database(cluster: &Cluster, name: &str) {
    let statement = format!("drop database if exists {name} with (force)");
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be built")
        .block_on(cluster.execute("postgres", &statement));
}

fn temp_dir() -> TempDir {
    TempDir::with_prefix("shortener-test-").expect("a temporary directory can be made")
}

/// Which data directories are in use.
#[derive(Clone, Debug, Default)]
struct DataDirs {
    lent: Arc<Mutex<BTreeSet<u32>>>,
}

impl DataDirs {
    fn lend(&self, parent: &Path) -> DataDir {
        let mut lent = self.lent.lock().unwrap_or_else(PoisonError::into_inner);
        let mut number = 1;
        while lent.contains(&number) {
            number += 1;
        }
        lent.insert(number);
        DataDir {
            number,
            path: parent.join(format!("data-{number}")),
            owner: self.clone(),
        }
    }
}

/// A data directory for one service at a time; given back when dropped.
#[derive(Debug)]
pub struct DataDir {
    number: u32,
    path: PathBuf,
    owner: DataDirs,
}

impl DataDir {
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        let mut lent = self
            .owner
            .lent
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        lent.remove(&self.number);
    }
}
