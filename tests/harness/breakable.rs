//! A database that a test may take away.

use std::sync::Arc;

use crate::{
    database::{Backend, Database},
    postgres::{Cluster, Durability},
};

/// A database in a cluster of its own, which its test may stop.
#[derive(Debug)]
pub struct Breakable {
    pub cluster: Arc<Cluster>,
    pub database: Database,
}

impl Breakable {
    pub async fn fresh(backend: Backend) -> Self {
        let cluster = Arc::new(Cluster::start(backend, Durability::On).await);
        let database = Database::in_cluster(&cluster).await;
        Self { cluster, database }
    }
}
