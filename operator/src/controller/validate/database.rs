//! The database that a resource uses: which one it is, whether it may be used, and what stands for it.

use super::Refusal;
use crate::{
    conditions::{About, Finding, Reason},
    controller::{
        build::{labels, secrets::MAJOR},
        observe::{
            Observed,
            neighbours::Neighbour,
            secrets::{Given, State},
        },
    },
    crd::{UrlShortener, UrlShortenerSpec, postgres::PostgresType},
    kinds::Kind,
};

/// The database's identity, if it is known. Refused if another resource has it, or if there is no address.
pub fn identity(resource: &UrlShortener, observed: &Observed) -> Result<Option<String>, Refusal> {
    let (spec, status) = (&resource.spec, resource.status.as_ref());
    let mut identity = None;
    for given in &observed.secrets.given {
        // CloudNativePG writes its Secret when the database is there.
        if spec.postgres.kind == PostgresType::CloudNativePg && given.key == "uri" {
            continue;
        }
        match &given.state {
            State::Missing => {
                let text = format!(
                    "the Secret {} does not exist: make it, with the address in its key `{}`",
                    given.name, given.key
                );
                return Err(missing(given, text));
            }
            State::WithoutKey => {
                let text = format!(
                    "the Secret {} has no key `{}`: put the address there",
                    given.name, given.key
                );
                return Err(missing(given, text));
            }
            State::Present {
                identity: found, ..
            } if given.is_database => identity = Some(found.clone()),
            State::Present { .. } => {}
        }
    }
    let is_used = status.is_some_and(|status| status.database_identity == identity);
    let taken = |other: &&Neighbour| {
        let is_first = match (other.has_database, is_used) {
            (true, false) => true,
            (false, true) => false,
            _ => other.is_older,
        };
        identity.is_some() && other.database_identity == identity && is_first
    };
    if let Some(other) = observed.neighbours.iter().find(taken) {
        return Err(in_use(&format!("{}/{}", other.namespace, other.name)));
    }
    Ok(identity)
}

/// Another resource, by namespace and name, has the database.
pub fn in_use(other: &str) -> Refusal {
    let text =
        format!("{other} uses this database, and came first: give this resource one of its own");
    Refusal(Finding::new(
        About::PostgresReady,
        Reason::DatabaseInUse,
        text,
    ))
}

fn missing(given: &Given, text: String) -> Refusal {
    let about = if given.is_database {
        About::PostgresReady
    } else {
        About::AppReady
    };
    Refusal(Finding::new(about, Reason::SecretMissing, text))
}

/// Refused if the data was written by another major version. A managed Postgres would start on an empty folder beside it, and
/// CloudNativePG would upgrade it at once, without a backup and without a way back.
pub fn major(name: &str, spec: &UrlShortenerSpec, observed: &Observed) -> Result<(), Refusal> {
    let (what, field, asked, written) = match spec.postgres.kind {
        PostgresType::External => return Ok(()),
        PostgresType::Managed => (
            format!("volume {}", labels::postgres_claim(name)),
            "managed",
            Some(spec.postgres.managed().major),
            volume_major(name, observed),
        ),
        PostgresType::CloudNativePg => (
            format!("Cluster {}", labels::postgres_name(name)),
            "cloudNativePG",
            spec.postgres
                .cloud_native_pg
                .as_ref()
                .map(|cluster| cluster.major),
            cluster_major(name, observed),
        ),
    };
    let (Some(asked), Some(written)) = (asked, written) else {
        return Ok(());
    };
    if asked.to_string() == written {
        return Ok(());
    }
    let text = format!(
        "the {what} has data of Postgres {written}, and the spec asks for {asked}: delete this resource, which leaves the data, and make it with `postgres.{field}.major: {written}`; or delete the {what}, if its data may go. To come to {asked}, dump the data and load it into a second resource"
    );
    Err(Refusal(Finding::new(
        About::PostgresReady,
        Reason::MajorMismatch,
        text,
    )))
}

fn volume_major(name: &str, observed: &Observed) -> Option<String> {
    observed.secrets.postgres_volume.as_ref()?;
    let secret = observed
        .secrets
        .generated
        .get(&labels::postgres_name(name))?;
    let major = &secret.body["metadata"]["annotations"][MAJOR];
    major.as_str().map(str::to_owned)
}

/// What CloudNativePG says of the data, or what we asked for when we made the Cluster.
fn cluster_major(name: &str, observed: &Observed) -> Option<String> {
    let cluster = observed
        .live
        .get(&(Kind::Cluster, labels::postgres_name(name)))?;
    let said = cluster["status"]["pgDataImageInfo"]["majorVersion"].as_i64();
    let asked = cluster["metadata"]["annotations"][MAJOR].as_str();
    said.map(|major| major.to_string())
        .or_else(|| asked.map(str::to_owned))
}

/// What stands for the database in the name of the migration Job: the identity of what the data is in. None while there is nothing
/// yet that a schema could be made in.
pub fn key(name: &str, spec: &UrlShortenerSpec, observed: &Observed) -> Option<String> {
    let secrets = &observed.secrets;
    let database = labels::postgres_name(name);
    match spec.postgres.kind {
        PostgresType::Managed => {
            secrets.generated.get(&database)?;
            secrets.postgres_volume.clone()
        }
        PostgresType::CloudNativePg => {
            let is_there = |given: &Given| matches!(given.state, State::Present { .. });
            let address = secrets.given.iter().find(|given| given.key == "uri");
            address.filter(|given| is_there(given))?;
            let cluster = observed.live.get(&(Kind::Cluster, database))?;
            cluster["metadata"]["uid"].as_str().map(str::to_owned)
        }
        PostgresType::External => {
            let address = secrets.given.iter().find(|given| given.is_database)?;
            match &address.state {
                // Another Secret may lead to another database by the same name.
                State::Present { identity, uid, .. } => Some(format!("{uid}\n{identity}")),
                State::Missing | State::WithoutKey => None,
            }
        }
    }
}
