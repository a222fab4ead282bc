//! A wire between a service and its database.

use harness::{
    chaos_proxy::ChaosProxy,
    database::{Backend, Database},
    postgres::Cluster,
    service::{Service, ServiceBuilder},
};

/// A database, and a wire to it that may break.
pub(super) struct Wired {
    pub(super) wire: ChaosProxy,
    /// The URL of the database at the other end.
    pub(super) through: String,
    /// Dropped last.
    pub(super) database: Database,
}

impl Wired {
    pub(super) async fn fresh(backend: Backend) -> Self {
        let addr = Cluster::shared(backend).await.addr();
        let wire = ChaosProxy::start(addr).await;
        let database = Database::fresh(backend).await;
        let through = database
            .url()
            .replace(&addr.to_string(), &wire.addr().to_string());
        Self {
            wire,
            through,
            database,
        }
    }

    /// A service at the end of the wire.
    pub(super) fn far(&self) -> ServiceBuilder<'_> {
        Service::builder(&self.database).env("DATABASE_URL", self.through.clone())
    }

    pub(super) async fn break_it(&self, is_cut: bool) {
        if is_cut {
            self.wire.cut().await;
        } else {
            self.wire.hang().await;
        }
    }
}
