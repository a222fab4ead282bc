//! Step 5: say what there is now, and why it is not what was asked for, if it is not.

pub mod events;
pub mod parts;

use k8s_openapi::jiff::Timestamp;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{
    Context,
    apply::Applied,
    build::{Plan, labels},
    observe::Observed,
};
use crate::{
    conditions::{self, Finding},
    crd::{
        UrlShortener, UrlShortenerSpec, UrlShortenerStatus, app::JournalStorageType,
        exposure::ExposureType,
    },
    kinds::Kind,
};

/// What of the observation the report needs once the objects have been handed on.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub troubles: std::collections::BTreeMap<String, (conditions::Reason, String)>,
    pub nodes: usize,
    pub clicks: super::observe::clicks::Clicks,
}

impl Seen {
    pub fn of(observed: &Observed) -> Self {
        Self {
            troubles: observed.pods.troubles.clone(),
            nodes: observed.pods.nodes.len(),
            clicks: observed.clicks,
        }
    }
}

/// The kind of the object whose pods serve.
pub fn workload_kind(spec: &UrlShortenerSpec) -> Kind {
    match spec.app.journal.storage.kind {
        JournalStorageType::Ephemeral => Kind::Deployment,
        JournalStorageType::PersistentVolumeClaim => Kind::StatefulSet,
    }
}

/// Whether a condition of an object holds.
pub fn has_condition(object: &Value, name: &str) -> bool {
    condition(object, name).is_some_and(|condition| condition["status"] == "True")
}

pub fn condition<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    let conditions = object["status"]["conditions"].as_array()?;
    conditions
        .iter()
        .find(|condition| condition["type"] == name)
}

/// The status of a resource that was carried out.
pub fn status(
    resource: &UrlShortener,
    plan: &Plan,
    seen: &Seen,
    applied: &Applied,
    now: Timestamp,
) -> UrlShortenerStatus {
    let previous = resource.status.clone().unwrap_or_default();
    let workload = applied
        .live
        .get(&(workload_kind(&plan.spec), plan.name.clone()));
    let count = |path: &str| {
        let value = workload
            .and_then(|workload| workload.pointer(path))
            .and_then(Value::as_i64);
        value.and_then(|value| i32::try_from(value).ok())
    };
    let mut findings = applied.findings.clone();
    // Of two findings about one part the first counts: why something is not made goes before that it is not there.
    findings.extend(plan.findings.clone());
    findings.extend(parts::findings(plan, seen, applied));
    let rolled_out = parts::is_rolled_out(plan, workload);
    UrlShortenerStatus {
        url: Some(url(plan)),
        version: if rolled_out {
            Some(plan.spec.version.clone())
        } else {
            previous.version.clone()
        },
        replicas: count("/spec/replicas"),
        ready_replicas: workload.map(|_| count("/status/readyReplicas").unwrap_or(0)),
        clicks_lost: seen.clicks.lost.or(previous.clicks_lost),
        journals_abandoned: seen.clicks.abandoned.or(previous.journals_abandoned),
        defaults: Some(plan.defaults.clone()),
        database_identity: plan.database_identity.clone(),
        ..refused(resource, &findings, now)
    }
}

/// The status of a resource that was not carried out: everything else is as it was.
pub fn refused(
    resource: &UrlShortener,
    findings: &[Finding],
    now: Timestamp,
) -> UrlShortenerStatus {
    let previous = resource.status.clone().unwrap_or_default();
    let generation = resource.metadata.generation;
    UrlShortenerStatus {
        observed_generation: generation,
        conditions: conditions::conditions(findings, generation, &previous.conditions, now),
        ..previous
    }
}

fn url(plan: &Plan) -> String {
    let spec = &plan.spec;
    match spec.hosts.first() {
        Some(host) => {
            let is_encrypted = host.tls.is_some() || spec.exposure.kind == ExposureType::Gateway;
            let scheme = if is_encrypted { "https" } else { "http" };
            format!("{scheme}://{}", host.name)
        }
        None => format!("http://{}.{}.svc", plan.name, plan.namespace),
    }
}

/// Writes the status, if it says anything new.
pub async fn report(
    ctx: &Context,
    resource: &UrlShortener,
    mut status: UrlShortenerStatus,
) -> kube::Result<()> {
    status.managed_from = Some(ctx.own_namespace.clone());
    let previous = resource.status.clone().unwrap_or_default();
    if status == previous {
        return Ok(());
    }
    ctx.may_write()?;
    let name = resource.metadata.name.as_deref().unwrap_or_default();
    let namespace = resource.metadata.namespace.as_deref().unwrap_or_default();
    let body = json!({
        "apiVersion": "urlshortener.dev/v1alpha1",
        "kind": "UrlShortener",
        "metadata": {"name": name, "namespace": namespace},
        "status": status,
    });
    let api: Api<UrlShortener> = Api::namespaced(ctx.client.clone(), namespace);
    let params = PatchParams::apply(labels::MANAGER).force();
    match api.patch_status(name, &params, &Patch::Apply(&body)).await {
        // It was deleted meanwhile.
        Err(kube::Error::Api(answer)) if answer.is_not_found() => return Ok(()),
        outcome => outcome.map(drop)?,
    }
    events::publish(ctx, resource, &previous.conditions, &status.conditions).await;
    Ok(())
}
