//! Other resources, as far as they could be in the way of this one.

use std::sync::Arc;

use super::super::Guarded;
use crate::crd::UrlShortener;

/// Another resource. Where two want the same host, the older one has it; where two want the same database, the one that uses it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Neighbour {
    pub name: String,
    pub namespace: String,
    pub is_older: bool,
    pub hosts: Vec<String>,
    pub database_identity: Option<String>,
    /// Whether it has been carried out with this database.
    pub has_database: bool,
}

/// Those that are older than `resource`, or have a database. Of what is not reported on yet, `databases.rs` knows who came first: to read the
/// Secret of each would cost hundreds of resources that come together a look at all by each.
pub fn observe(resource: &UrlShortener, all: &[Arc<Guarded>]) -> Vec<Neighbour> {
    let others = all.iter().filter_map(|guard| guard.0.as_ref().ok());
    others
        .filter(|other| other.metadata.uid != resource.metadata.uid)
        .map(|other| neighbour(resource, other))
        .filter(|neighbour| neighbour.is_older || neighbour.has_database)
        .collect()
}

fn neighbour(resource: &UrlShortener, other: &UrlShortener) -> Neighbour {
    let hosts = other.spec.hosts.iter().map(|host| host.name.clone());
    let status = other.status.as_ref();
    let identity = status.and_then(|status| status.database_identity.clone());
    Neighbour {
        name: other.metadata.name.clone().unwrap_or_default(),
        namespace: other.metadata.namespace.clone().unwrap_or_default(),
        is_older: age(other) < age(resource),
        hosts: if other.spec.is_exposed() {
            hosts.collect()
        } else {
            Vec::new()
        },
        has_database: identity.is_some(),
        database_identity: identity,
    }
}

/// The uid decides between two of one second.
fn age(resource: &UrlShortener) -> (i64, String) {
    let created = resource.metadata.creation_timestamp.as_ref();
    let seconds = created.map_or(i64::MAX, |time| time.0.as_second());
    (seconds, resource.metadata.uid.clone().unwrap_or_default())
}
