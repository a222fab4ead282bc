//! Secrets, read by name. What they hold is not kept, but for digests, and for what the addresses of databases tell.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::{
    super::{build::labels, digest},
    is_ours,
};
use crate::crd::{UrlShortener, access::AuthType, postgres::PostgresType, redis::RedisType};

#[derive(Debug, Default)]
pub struct Secrets {
    /// Generated ones that exist.
    pub generated: BTreeMap<String, Generated>,
    /// Secrets of others that have the name of a generated one.
    pub strangers: BTreeSet<String>,
    /// The identity of the managed Postgres's volume, if there is one.
    pub postgres_volume: Option<String>,
    /// Those of others that the spec names.
    pub given: Vec<Given>,
}

#[cfg(test)]
impl Secrets {
    /// What is there once `acme` has been made, with a managed Postgres.
    pub fn of_acme() -> Self {
        let generated = ["acme-postgres", "acme-admin-key", "acme-redis"].map(|name| {
            let generated = Generated {
                body: json!({}),
                digest: name.to_owned(),
            };
            (name.to_owned(), generated)
        });
        Self {
            generated: BTreeMap::from(generated),
            postgres_volume: Some("volume".to_owned()),
            ..Self::default()
        }
    }
}

/// A Secret that we have made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Generated {
    /// Without what it holds.
    pub body: Value,
    /// A digest of what pods take from it, which others may have changed.
    pub digest: String,
}

/// A Secret that others write.
#[derive(Clone, Debug, PartialEq)]
pub struct Given {
    pub name: String,
    pub key: &'static str,
    pub state: State,
    /// Whether it is the address of the database.
    pub is_database: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum State {
    Missing,
    /// The Secret is there, and the key is not.
    WithoutKey,
    /// A digest of all that it holds, one of the server and database that it leads to, and the identity of the Secret itself.
    Present {
        digest: String,
        identity: String,
        uid: String,
    },
}

pub async fn observe(client: &Client, resource: &UrlShortener) -> kube::Result<Secrets> {
    let name = resource.metadata.name.as_deref().unwrap_or_default();
    let namespace = resource.metadata.namespace.as_deref().unwrap_or_default();
    let mut secrets = Secrets::default();
    let uid = resource.metadata.uid.as_deref().unwrap_or_default();
    let full: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let made = [
        (labels::admin_key_name(name), "key"),
        (labels::postgres_name(name), "url"),
        (labels::redis_name(name), "url"),
    ];
    for (secret, key) in made {
        match full.get_opt(&secret).await? {
            Some(found) if is_ours(&found.metadata, name, uid) => {
                secrets.generated.insert(secret, generated(&found, key));
            }
            Some(_) => drop(secrets.strangers.insert(secret)),
            None => {}
        }
    }
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), namespace);
    let volume = claims
        .get_metadata_opt(&labels::postgres_claim(name))
        .await?;
    secrets.postgres_volume = volume.and_then(|volume| volume.metadata.uid);
    for (name, key, is_database) in named(resource) {
        let state = match full.get_opt(&name).await? {
            None => State::Missing,
            Some(secret) => read(&secret, key),
        };
        secrets.given.push(Given {
            name,
            key,
            state,
            is_database,
        });
    }
    Ok(secrets)
}

/// Every Secret that a resource depends on, made or given.
pub fn names(resource: &UrlShortener) -> Vec<String> {
    let name = resource.metadata.name.as_deref().unwrap_or_default();
    let mut names: Vec<_> = named(resource).into_iter().map(|(name, ..)| name).collect();
    if resource.spec.access.auth.kind == AuthType::ApiKeys {
        names.push(labels::admin_key_name(name));
    }
    if resource.spec.postgres.kind == PostgresType::Managed {
        names.push(labels::postgres_name(name));
    }
    if resource.spec.redis.kind == RedisType::Managed {
        names.push(labels::redis_name(name));
    }
    names
}

/// The Secrets that a spec names, and the key of each.
fn named(resource: &UrlShortener) -> Vec<(String, &'static str, bool)> {
    let spec = &resource.spec;
    let name = resource.metadata.name.as_deref().unwrap_or_default();
    let mut names = Vec::new();
    match (spec.postgres.kind, &spec.postgres.external) {
        (PostgresType::External, Some(external)) => {
            names.push((external.secret_ref.name.clone(), "url", true));
            if let Some(session) = &external.session_secret_ref {
                names.push((session.name.clone(), "url", false));
            }
        }
        (PostgresType::CloudNativePg, _) => {
            names.push((labels::cluster_secret(name), "uri", false));
        }
        (PostgresType::External | PostgresType::Managed, _) => {}
    }
    if let (RedisType::External, Some(external)) = (spec.redis.kind, &spec.redis.external) {
        names.push((external.secret_ref.name.clone(), "url", false));
    }
    names
}

fn generated(secret: &Secret, key: &str) -> Generated {
    let value = secret.data.as_ref().and_then(|data| data.get(key));
    Generated {
        body: json!({"metadata": secret.metadata}),
        digest: digest::short(value.map_or(&[], |value| &value.0)),
    }
}

fn read(secret: &Secret, key: &str) -> State {
    let Some(url) = secret.data.as_ref().and_then(|data| data.get(key)) else {
        return State::WithoutKey;
    };
    let identity = identity(&String::from_utf8_lossy(&url.0));
    State::Present {
        digest: digest::short(&url.0),
        identity: digest::short(identity.as_bytes()),
        uid: secret.metadata.uid.clone().unwrap_or_default(),
    }
}

/// Host, port and database of an address: what stays when user, password or options change.
fn identity(url: &str) -> String {
    let rest = url.trim().split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (host, database) = rest.split_once('/').unwrap_or((rest, ""));
    let has_port = host
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let port = if has_port { "" } else { ":5432" };
    format!("{}{port}/{database}", host.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_told_by_host_port_and_name() {
        let same = identity("postgres://a:b@DB.example:5432/links?sslmode=require");
        assert_eq!(same, identity("postgresql://c:d%40e@db.example/links"));
        assert_ne!(same, identity("postgres://a:b@db.example/other"));
        assert_ne!(same, identity("postgres://a:b@db.example:5433/links"));
    }
}
