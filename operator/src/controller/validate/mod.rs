//! Step 2: turn what was asked for, and what there is, into what can be built, or say why not. Pure, but for the drawing of
//! secrets that do not exist yet.

pub mod connections;
pub mod credentials;
pub mod database;
pub mod plan;
pub mod replicas;

use std::collections::BTreeSet;

use serde_json::Value;

use self::{
    connections::Connections,
    plan::{Makes, Plan},
    replicas::{Live, ScaledObject},
};
use super::{
    build::{labels, migration},
    claim,
    observe::Observed,
};
use crate::{
    conditions::{About, Finding, Reason},
    crd::{
        UrlShortener, UrlShortenerSpec, exposure::ExposureType, monitoring::Mode,
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
        15 => "postgres:15.19".to_owned(),
        16 => "postgres:16.15".to_owned(),
        17 => "postgres:17.11".to_owned(),
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
    let database_identity = database::identity(resource, observed)?;
    let new_secrets = credentials::new(&name, spec, observed, draw)?;
    database::major(&name, spec, observed)?;
    let image = image(spec);
    let migration_job = database::key(&name, spec, observed)
        .map(|database| migration::name(&name, &image, &database));
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
    let makes = makes(resource, observed, migration_job.as_ref(), &mut findings);
    findings.push(connections_finding);
    let app_image = if makes.migrated {
        Some(image.clone())
    } else {
        running_image(&name, spec, observed)
    };
    Ok(Plan {
        namespace: resource.metadata.namespace.clone().unwrap_or_default(),
        uid: resource.metadata.uid.clone().unwrap_or_default(),
        operator_namespace: observed.operator_namespace.clone(),
        spec: spec.clone(),
        image,
        app_image,
        defaults: defaults(resource),
        connections,
        scale,
        migration_job,
        secrets_digest: credentials::digest(&name, spec, observed, &new_secrets),
        redis_digest: credentials::redis_digest(&name, spec, observed, &new_secrets),
        new_secrets,
        makes,
        findings,
        database_identity,
        is_reported: claim::is_observed(resource),
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
    job: Option<&String>,
    findings: &mut Vec<Finding>,
) -> Makes {
    let spec = &resource.spec;
    let knows = |kind: Kind| observed.known.contains(&kind);
    let mut makes = Makes {
        dashboard: spec.monitoring.dashboard.mode != Mode::Disabled,
        migrated: job.is_some_and(|job| is_complete(observed.live.get(&(Kind::Job, job.clone())))),
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
    for other in observed.neighbours.iter().filter(|other| other.is_older) {
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
