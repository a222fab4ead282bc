//! Other resources, as far as they could be in the way of this one.

use crate::crd::UrlShortener;

/// An older resource: where two want the same, the older one has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Neighbour {
    pub name: String,
    pub namespace: String,
    pub hosts: Vec<String>,
    pub database_identity: Option<String>,
}

/// Those that are older than `resource`.
pub fn of<'a>(
    resource: &UrlShortener,
    all: impl Iterator<Item = &'a UrlShortener>,
) -> Vec<Neighbour> {
    let mine = age(resource);
    let older = all.filter(|other| age(other) < mine);
    older
        .map(|other| Neighbour {
            name: other.metadata.name.clone().unwrap_or_default(),
            namespace: other.metadata.namespace.clone().unwrap_or_default(),
            hosts: if other.spec.is_exposed() {
                other
                    .spec
                    .hosts
                    .iter()
                    .map(|host| host.name.clone())
                    .collect()
            } else {
                Vec::new()
            },
            database_identity: other
                .status
                .as_ref()
                .and_then(|status| status.database_identity.clone()),
        })
        .collect()
}

/// The uid decides between two of one second.
fn age(resource: &UrlShortener) -> (i64, String) {
    let created = resource.metadata.creation_timestamp.as_ref();
    let seconds = created.map_or(i64::MAX, |time| time.0.as_second());
    (seconds, resource.metadata.uid.clone().unwrap_or_default())
}
