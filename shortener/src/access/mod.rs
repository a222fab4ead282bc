//! Who may do what: between the table of routes, which says what each route asks for, and the handlers.
//!
//! ```text
//! request ─► gate: who is it? (keys) may they? (scope) ─► handler(Caller, …): whose is it? ─► answer
//!                                                  └────► audit: what was done
//! ```

mod caller;
pub mod gate;
mod routes;

use std::sync::Arc;

pub use caller::Caller;
pub use routes::{Route, Routes};

use anyhow::Context as _;
use axum::http::HeaderMap;

use crate::{
    audit::log::{AuditLog, AuditMetrics},
    config::AccessConfig,
    database::Db,
    http::guard::Sites,
    keys::{
        first,
        keyring::{self, KeyName, Keyring},
        secret::Hasher,
        store,
    },
    shutdown::Tasks,
};

/// Who is let in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// Whoever brings a key.
    Keys,
    /// Whoever is on this machine.
    ThisMachine,
    /// Everybody, but for pages of other sites.
    Open,
}

/// What the gate works with.
#[derive(Debug)]
pub struct Access {
    mode: Mode,
    sites: Sites,
    pub keyring: Arc<Keyring>,
    pub audit: AuditLog,
}

/// What is given to start with.
#[derive(Debug)]
pub struct Ingredients<'a> {
    pub mode: Mode,
    pub config: &'a AccessConfig,
    pub data_dir: &'a std::path::Path,
    pub db: &'a Db,
    pub metrics: Arc<AuditMetrics>,
}

impl Access {
    /// Has the keys and the log ready, and makes the first admin's key if it is wanted.
    pub async fn start(given: Ingredients<'_>, tasks: &Tasks) -> anyhow::Result<Self> {
        let Ingredients {
            mode, config, db, ..
        } = given;
        let hasher = hasher(db).await?;
        let mut admin = None;
        if mode == Mode::Keys {
            match &config.admin_key_file {
                Some(file) => admin = Some(first::given(file)?),
                None => first::make(db, &hasher, given.data_dir).await?,
            }
        }
        let keyring = Arc::new(Keyring::new(db.clone(), hasher, admin.as_ref()));
        let audit = AuditLog::start(db, config.audit_retention_days, tasks, given.metrics);
        let stop = audit.stop_token();
        tasks.spawn_worker(
            "keyring",
            stop.clone(),
            keyring::note_uses(Arc::clone(&keyring), stop.clone()),
        );
        if mode == Mode::Keys {
            let remembered = keyring.remember().await;
            remembered.context("could not read which API keys there are")?;
            tasks.spawn_worker(
                "keys to tell callers apart by",
                stop.clone(),
                keyring::keep_remembering(Arc::clone(&keyring), stop),
            );
        }
        let sites = Sites {
            own: config.public_hosts.clone(),
            allowed: config.cors_origins.clone(),
        };
        Ok(Self {
            mode,
            sites,
            keyring,
            audit,
        })
    }

    /// Which key a request brings, if it was good not long ago. Costs no question.
    pub fn known_key(&self, headers: &HeaderMap) -> Option<KeyName> {
        self.keyring.recall(gate::bearer(headers).ok()?)
    }
}

/// What makes the hashes of this installation's keys.
pub async fn hasher(db: &Db) -> anyhow::Result<Hasher> {
    let secret = store::share_secret(db, rand::random())
        .await
        .context("could not fetch what keys are hashed with")?;
    Ok(Hasher::new(&secret))
}
