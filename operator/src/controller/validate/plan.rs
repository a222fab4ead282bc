//! What `build` needs, and nothing that it would have to check.

use serde_json::Value;

use super::{connections::Connections, replicas::Scale};
use crate::{
    conditions::Finding,
    crd::{UrlShortenerSpec, app::JournalStorageType, status::ResolvedDefaults},
};

/// A spec that can be carried out, with everything that was decided about it.
#[derive(Clone, Debug)]
pub struct Plan {
    pub name: String,
    pub namespace: String,
    pub uid: String,
    /// Where the operator is, whose pods read metrics.
    pub operator_namespace: String,
    pub spec: UrlShortenerSpec,
    /// Image of the service that the spec asks for.
    pub image: String,
    /// What the service's pods run now: the image asked for once the schema is ready for it, until then the one before. None
    /// while there is neither.
    pub app_image: Option<String>,
    /// Images that stay what they were when the resource was made.
    pub defaults: ResolvedDefaults,
    pub connections: Connections,
    pub scale: Scale,
    /// The Job that makes the schema; none while there is no database to make it in.
    pub migration_job: Option<String>,
    /// Secrets that have to be made now, with what they hold. Those that exist are never written.
    pub new_secrets: NewSecrets,
    /// A digest of the Secrets that pods take: when they change, pods are replaced.
    pub secrets_digest: Option<String>,
    /// The same of the managed Redis.
    pub redis_digest: Option<String>,
    pub makes: Makes,
    pub findings: Vec<Finding>,
    pub database_identity: Option<String>,
    /// Whether the spec was reported on as it is: what is made otherwise now is not what somebody has just asked for.
    pub is_reported: bool,
}

/// Which of the objects that depend on others are made.
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is about an object of its own"
)]
pub struct Makes {
    pub service_monitor: bool,
    pub prometheus_rule: bool,
    pub dashboard: bool,
    pub ingress: bool,
    pub http_route: bool,
    pub cluster: bool,
    /// Whether the schema has what the image asked for needs.
    pub migrated: bool,
}

/// Values that are drawn once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewSecrets {
    pub admin_key: Option<String>,
    pub postgres_password: Option<String>,
    pub redis_password: Option<String>,
}

impl Plan {
    /// Whether each replica has a volume of its own, and so a StatefulSet.
    pub fn has_volumes(&self) -> bool {
        self.spec.app.journal.storage.kind == JournalStorageType::PersistentVolumeClaim
    }

    /// The Secret and the key in it that hold the address of the database.
    pub fn database_secret(&self) -> (String, &'static str) {
        use super::super::build::labels;
        use crate::crd::postgres::PostgresType;
        match self.spec.postgres.kind {
            PostgresType::Managed => (labels::postgres_name(&self.name), "url"),
            PostgresType::CloudNativePg => (labels::cluster_secret(&self.name), "uri"),
            PostgresType::External => {
                let external = self.spec.postgres.external.as_ref();
                let name = external.map(|external| external.secret_ref.name.clone());
                (name.unwrap_or_default(), "url")
            }
        }
    }

    /// The Secret with the address past a pooler.
    pub fn session_secret(&self) -> Option<String> {
        let external = self.spec.postgres.external.as_ref()?;
        Some(external.session_secret_ref.as_ref()?.name.clone())
    }

    /// Secrets with the credentials of an image registry, as pods take them.
    pub fn pull_secrets(&self) -> Option<Value> {
        let secrets = &self.spec.image.pull_secrets;
        (!secrets.is_empty()).then(|| serde_json::json!(secrets))
    }
}
