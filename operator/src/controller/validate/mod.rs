//! Step 2: turn what was asked for, and what there is, into what can be built, or say why not. Pure, but for the drawing of
//! secrets that do not exist yet.

pub mod connections;
pub mod plan;
pub mod replicas;

use std::collections::BTreeSet;

use serde_json::Value;

use self::{
    connections::Connections,
    plan::{Makes, NewSecrets, Plan},
    replicas::{Live, ScaledObject},
};
use super::{
    build::{labels, migration},
    digest,
    observe::{Observed, secrets},
};
use crate::{
    conditions::{About, Finding, Reason},
    crd::{
        UrlShortener, UrlShortenerSpec, access::AuthType, exposure::ExposureType, monitoring::Mode,
        postgres::PostgresType, status::ResolvedDefaults,
    },
    kinds::Kind,
};

pub const DEFAULT_REPLICAS: i32 = 2;

/// How long a new pod must be ready before the next old one goes, in seconds.
pub const SETTLED_SECONDS: i32 = 5;

const REDIS: &str = "redis:8.6.5";
const POSTGRES_EXPORTER: &str = "quay.io/prometheuscommunity/postgres-exporter:v0.18.1";
const REDIS_EXPORTER: &str = "oliver006/redis_exporter:v1.80.0";

/// The image of a major version of Postgres.
fn postgres(major: i32) -> String {
    match major {
        15 => "postgres:15.15".to_owned(),
        16 => "postgres:16.11".to_owned(),
        17 => "postgres:17.7".to_owned(),
        _ => "postgres:18.6".to_owned(),
    }
}

/// Why nothing is built, and nothing that exists is touched.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal(pub Finding);

pub fn validate(
    resource: &UrlShortener,
    observed: &Observed,
    draw: &mut dyn FnMut() -> String,
) -> Result<Plan, Refusal> {
    let spec = &resource.spec;
    let name = resource.metadata.name.clone().unwrap_or_default();
    let mut findings = Vec::new();
    let database_identity = database(spec, observed)?;
    let new_secrets = new_secrets(&name, spec, observed, draw)?;
    let image = image(spec);
    let migration_job = migration::name(&name, &image, &database_key(&name, spec));
    let connections = Connections::of(spec);
    let connections_finding = connections.finding();
    let (scale, scaling_finding) = replicas::decide(&spec.scaling, live(&name, spec, observed));
    findings.extend(scaling_finding);
    findings.extend(
        observed
            .flow
            .as_ref()
            .map(super::observe::prometheus::Flow::finding),
    );
    let makes = makes(resource, observed, &migration_job, &mut findings);
    findings.push(connections_finding);
    let app_image = if makes.migrated {
        Some(image.clone())
    } else {
        running_image(&name, spec, observed)
    };
    Ok(Plan {
        namespace: resource.metadata.namespace.clone().unwrap_or_default(),
        uid: resource.metadata.uid.clone().unwrap_or_default(),
        spec: spec.clone(),
        image,
        app_image,
        defaults: defaults(resource),
        connections,
        scale,
        migration_job,
        new_secrets,
        secrets_digest: secrets_digest(observed),
        makes,
        findings,
        database_identity,
        name,
    })
}

/// Image and tag, or the digest, which says more.
fn image(spec: &UrlShortenerSpec) -> String {
    let repository = &spec.image.repository;
    match &spec.image.digest {
        Some(digest) => format!("{repository}:{}@{digest}", spec.version),
        None => format!("{repository}:{}", spec.version),
    }
}

/// What stands for the database in the name of the migration Job.
fn database_key(name: &str, spec: &UrlShortenerSpec) -> String {
    let external = spec.postgres.external.as_ref();
    external.map_or_else(
        || labels::postgres_name(name),
        |external| external.secret_ref.name.clone(),
    )
}

/// Images stay what they were first, unless the spec names one.
fn defaults(resource: &UrlShortener) -> ResolvedDefaults {
    let (spec, status) = (&resource.spec, resource.status.as_ref());
    let known = status
        .and_then(|status| status.defaults.clone())
        .unwrap_or_default();
    let managed = spec.postgres.managed();
    ResolvedDefaults {
        postgres_image: managed
            .image
            .or(known.postgres_image)
            .or_else(|| Some(postgres(managed.major))),
        redis_image: spec
            .redis
            .managed()
            .image
            .or(known.redis_image)
            .or_else(|| Some(REDIS.to_owned())),
        postgres_exporter_image: known
            .postgres_exporter_image
            .or_else(|| Some(POSTGRES_EXPORTER.to_owned())),
        redis_exporter_image: known
            .redis_exporter_image
            .or_else(|| Some(REDIS_EXPORTER.to_owned())),
    }
}

/// The database's identity, if it is known. Refused if an older resource uses it, or if there is no address.
fn database(spec: &UrlShortenerSpec, observed: &Observed) -> Result<Option<String>, Refusal> {
    let mut identity = None;
    for given in &observed.secrets.given {
        let about = if given.is_database {
            About::PostgresReady
        } else {
            About::AppReady
        };
        // CloudNativePG writes its Secret when the database is there.
        if spec.postgres.kind == PostgresType::CloudNativePg && given.key == "uri" {
            continue;
        }
        match &given.state {
            secrets::State::Missing => {
                let text = format!(
                    "the Secret {} does not exist: make it, with the address in its key `{}`",
                    given.name, given.key
                );
                return Err(Refusal(Finding::new(about, Reason::SecretMissing, text)));
            }
            secrets::State::WithoutKey => {
                let text = format!(
                    "the Secret {} has no key `{}`: put the address there",
                    given.name, given.key
                );
                return Err(Refusal(Finding::new(about, Reason::SecretMissing, text)));
            }
            secrets::State::Present {
                identity: found, ..
            } if given.is_database => identity = Some(found.clone()),
            secrets::State::Present { .. } => {}
        }
    }
    let taken = |other: &&super::observe::neighbours::Neighbour| {
        identity.is_some() && other.database_identity == identity
    };
    if let Some(other) = observed.neighbours.iter().find(taken) {
        let text = format!(
            "{}/{} uses this database, and is older: give this resource one of its own",
            other.namespace, other.name
        );
        return Err(Refusal(Finding::new(
            About::PostgresReady,
            Reason::DatabaseInUse,
            text,
        )));
    }
    Ok(identity)
}

/// Secrets that are to be made. A new password over data that has an old one would lock everybody out.
fn new_secrets(
    name: &str,
    spec: &UrlShortenerSpec,
    observed: &Observed,
    draw: &mut dyn FnMut() -> String,
) -> Result<NewSecrets, Refusal> {
    let exists = |secret: &str| observed.secrets.generated.contains_key(secret);
    let mut new = NewSecrets::default();
    let postgres = labels::postgres_name(name);
    if spec.postgres.kind == PostgresType::Managed && !exists(&postgres) {
        if observed.secrets.has_postgres_volume {
            let text = format!(
                "the Secret {postgres} is gone, and the volume {} has data that its password opens. Restore the Secret from a backup, or set the password of the role `shortener` in Postgres and write the Secret with the keys username, password and url; delete the volume only if its data may go",
                labels::postgres_claim(name)
            );
            return Err(Refusal(Finding::new(
                About::PostgresReady,
                Reason::CredentialsMissing,
                text,
            )));
        }
        new.postgres_password = Some(draw());
    }
    if spec.access.auth.kind == AuthType::ApiKeys && !exists(&labels::admin_key_name(name)) {
        new.admin_key = Some(draw());
    }
    Ok(new)
}

fn secrets_digest(observed: &Observed) -> Option<String> {
    let digests = observed
        .secrets
        .given
        .iter()
        .filter_map(|given| match &given.state {
            secrets::State::Present { digest, .. } => Some(digest.as_str()),
            _ => None,
        });
    let all: Vec<_> = digests.collect();
    (!all.is_empty()).then(|| digest::short(all.concat().as_bytes()))
}

/// The object whose pods serve, if there is one.
fn workload<'a>(name: &str, spec: &UrlShortenerSpec, observed: &'a Observed) -> Option<&'a Value> {
    let kind = super::report::workload_kind(spec);
    observed.live.get(&(kind, name.to_owned()))
}

fn running_image(name: &str, spec: &UrlShortenerSpec, observed: &Observed) -> Option<String> {
    let workload = workload(name, spec, observed)?;
    let image = &workload["spec"]["template"]["spec"]["containers"][0]["image"];
    image.as_str().map(str::to_owned)
}

fn live(name: &str, spec: &UrlShortenerSpec, observed: &Observed) -> Live {
    let workload = workload(name, spec, observed);
    let replicas = workload.and_then(|workload| workload["spec"]["replicas"].as_i64());
    let scaled_object = observed.live.get(&(Kind::ScaledObject, name.to_owned()));
    Live {
        replicas: replicas.and_then(|replicas| replicas.try_into().ok()),
        is_ours: workload.is_some_and(owns_replicas),
        knows_keda: observed.known.contains(&Kind::ScaledObject),
        scaled_object: match scaled_object {
            None => ScaledObject::Absent,
            Some(object) if object["metadata"]["deletionTimestamp"].is_string() => {
                ScaledObject::Blocked
            }
            Some(_) => ScaledObject::Present,
        },
        has_autoscaler: observed.has_autoscaler,
        metrics_flow: observed
            .flow
            .as_ref()
            .is_some_and(super::observe::prometheus::Flow::is_sane),
    }
}

/// Whether our field manager owns the number of replicas.
fn owns_replicas(workload: &Value) -> bool {
    let managers = workload["metadata"]["managedFields"].as_array();
    managers.into_iter().flatten().any(|entry| {
        entry["manager"] == labels::MANAGER
            && entry["operation"] == "Apply"
            && entry["fieldsV1"]["f:spec"].get("f:replicas").is_some()
    })
}

/// Which of the objects that depend on others are made, and what is missing for those that are not.
fn makes(
    resource: &UrlShortener,
    observed: &Observed,
    job: &str,
    findings: &mut Vec<Finding>,
) -> Makes {
    let spec = &resource.spec;
    let knows = |kind: Kind| observed.known.contains(&kind);
    let mut makes = Makes {
        dashboard: spec.monitoring.dashboard.mode != Mode::Disabled,
        migrated: is_complete(observed.live.get(&(Kind::Job, job.to_owned()))),
        ..Makes::default()
    };
    let wanted = [
        (spec.monitoring.service_monitor.mode, Kind::ServiceMonitor),
        (spec.monitoring.rules.mode, Kind::PrometheusRule),
    ];
    let makes_of = |mode: Mode, kind: Kind| mode != Mode::Disabled && knows(kind);
    makes.service_monitor = makes_of(wanted[0].0, wanted[0].1);
    makes.prometheus_rule = makes_of(wanted[1].0, wanted[1].1);
    let lacking = wanted
        .iter()
        .find(|(mode, kind)| *mode == Mode::Enabled && !knows(*kind));
    if let Some((_, kind)) = lacking {
        findings.push(missing(About::MonitoringReady, *kind));
    } else if makes.service_monitor || makes.prometheus_rule {
        let text = "Prometheus finds the service by its ServiceMonitor";
        findings.push(Finding::new(
            About::MonitoringReady,
            Reason::Installed,
            text,
        ));
    }
    if spec.postgres.kind == PostgresType::CloudNativePg {
        makes.cluster = knows(Kind::Cluster);
        if !makes.cluster {
            findings.push(missing(About::PostgresReady, Kind::Cluster));
        }
    }
    expose(spec, observed, &mut makes, findings);
    makes
}

fn expose(
    spec: &UrlShortenerSpec,
    observed: &Observed,
    makes: &mut Makes,
    findings: &mut Vec<Finding>,
) {
    let kind = match spec.exposure.kind {
        ExposureType::None => return,
        ExposureType::Ingress => Kind::Ingress,
        ExposureType::Gateway => Kind::HttpRoute,
    };
    let hosts: BTreeSet<_> = spec.hosts.iter().map(|host| host.name.as_str()).collect();
    let is_taken = |host: &&String| hosts.contains(host.as_str());
    for other in &observed.neighbours {
        if let Some(host) = other.hosts.iter().find(is_taken) {
            let text = format!(
                "{host} is a host of {}/{}, which is older: choose another, or take it out there",
                other.namespace, other.name
            );
            findings.push(Finding::new(About::ExposureReady, Reason::HostInUse, text));
            return;
        }
    }
    if !observed.known.contains(&kind) {
        findings.push(missing(About::ExposureReady, kind));
        return;
    }
    makes.ingress = kind == Kind::Ingress;
    makes.http_route = kind == Kind::HttpRoute;
}

fn missing(about: About, kind: Kind) -> Finding {
    let text = format!(
        "the cluster does not know {}s: install {}; it is taken up within seconds",
        kind.name(),
        kind.project()
    );
    Finding::new(about, Reason::CrdNotInstalled, text)
}

fn is_complete(job: Option<&Value>) -> bool {
    job.is_some_and(|job| super::report::has_condition(job, "Complete"))
}

#[cfg(test)]
mod tests;
