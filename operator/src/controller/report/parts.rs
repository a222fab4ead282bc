//! What is so of each part, read from the objects as they were applied. Pure.

use serde_json::Value;

use super::{Seen, condition, has_condition, workload_kind};
use crate::{
    conditions::{About, Finding, Reason},
    controller::{
        apply::Applied,
        build::{
            Plan,
            labels::{self, Part},
            migration,
        },
    },
    crd::{exposure::ExposureType, postgres::PostgresType, redis::RedisType},
    kinds::Kind,
};

/// One finding for each part that there is.
pub fn findings(plan: &Plan, seen: &Seen, applied: &Applied) -> Vec<Finding> {
    let workload = applied
        .live
        .get(&(workload_kind(&plan.spec), plan.name.clone()));
    let mut findings = vec![
        app(plan, seen, workload),
        rollout(plan, seen, workload),
        migration(plan, seen, applied),
        postgres(plan, seen, applied),
    ];
    findings.extend(availability(plan, seen, workload));
    findings.extend(redis(plan, seen, applied));
    findings.extend(exposure(plan, applied));
    if let Some(trouble) = scaled_object(plan, applied) {
        findings.insert(0, trouble);
    }
    findings
}

fn number(object: &Value, path: &str) -> i64 {
    object.pointer(path).and_then(Value::as_i64).unwrap_or(0)
}

fn app(plan: &Plan, seen: &Seen, workload: Option<&Value>) -> Finding {
    let Some(workload) = workload.filter(|workload| workload.is_object()) else {
        let text = format!(
            "the first replicas start once {} has made the schema",
            job_name(plan)
        );
        return Finding::new(About::AppReady, Reason::WaitingForMigration, text);
    };
    let wanted = number(workload, "/spec/replicas");
    let available = number(workload, "/status/availableReplicas");
    let text = format!("{available} of {wanted} replicas are available");
    if available >= wanted && wanted > 0 {
        return Finding::new(About::AppReady, Reason::Available, text);
    }
    if let Some((reason, why)) = obstacle(seen, Some(workload)) {
        return Finding::new(About::AppReady, reason, format!("{text}: {why}"));
    }
    Finding::new(About::AppReady, Reason::Starting, text)
}

/// What keeps new pods of the service from serving, in the words of whoever refuses.
fn obstacle(seen: &Seen, workload: Option<&Value>) -> Option<(Reason, String)> {
    let failure = workload.and_then(|workload| condition(workload, "ReplicaFailure"));
    if let Some(failure) = failure.filter(|failure| failure["status"] == "True") {
        let why = failure["message"].as_str().unwrap_or_default();
        return Some((Reason::ReplicaFailure, format!("no pod can be made: {why}")));
    }
    seen.troubles.get(Part::App.component()).cloned()
}

/// Whether all replicas run the image that was asked for, and none of another is left.
pub fn is_rolled_out(plan: &Plan, workload: Option<&Value>) -> bool {
    let Some(workload) = workload else {
        return false;
    };
    let wanted = number(workload, "/spec/replicas");
    let image = workload.pointer("/spec/template/spec/containers/0/image");
    plan.makes.migrated
        && image.and_then(Value::as_str) == Some(&plan.image)
        && number(workload, "/status/observedGeneration")
            >= number(workload, "/metadata/generation")
        && number(workload, "/status/updatedReplicas") == wanted
        && number(workload, "/status/replicas") == wanted
        && number(workload, "/status/availableReplicas") == wanted
}

fn rollout(plan: &Plan, seen: &Seen, workload: Option<&Value>) -> Finding {
    if plan.spec.management == crate::crd::Management::Paused {
        let text = "`management` is Paused: nothing is changed";
        return Finding::new(About::RolledOut, Reason::Paused, text);
    }
    if is_rolled_out(plan, workload) {
        let text = format!("all replicas run {}", plan.spec.version);
        return Finding::new(About::RolledOut, Reason::Complete, text);
    }
    if !plan.makes.migrated {
        let text = format!(
            "{} is rolled out once {} has migrated the schema",
            plan.spec.version,
            job_name(plan)
        );
        return Finding::new(About::RolledOut, Reason::WaitingForMigration, text);
    }
    if let Some((reason, why)) = obstacle(seen, workload) {
        let text = format!("{} is not rolled out: {why}", plan.spec.version);
        return Finding::new(About::RolledOut, reason, text);
    }
    let wanted = workload.map_or(0, |workload| number(workload, "/spec/replicas"));
    let updated = workload.map_or(0, |workload| number(workload, "/status/updatedReplicas"));
    let text = format!("{updated} of {wanted} replicas run {}", plan.spec.version);
    Finding::new(About::RolledOut, Reason::RollingOut, text)
}

fn job_name(plan: &Plan) -> String {
    let name = plan.migration_job.as_ref();
    name.map_or_else(
        || "a Job, which waits for the database,".to_owned(),
        |name| format!("the Job {name}"),
    )
}

fn migration(plan: &Plan, seen: &Seen, applied: &Applied) -> Finding {
    let Some(name) = &plan.migration_job else {
        let text = "the schema is made once the database is there: see PostgresReady";
        return Finding::new(About::MigrationReady, Reason::WaitingForDatabase, text);
    };
    let job = applied.live.get(&(Kind::Job, name.clone()));
    let failed = job
        .and_then(|job| condition(job, "Failed"))
        .filter(|failed| failed["status"] == "True");
    if job.is_some_and(migration::is_overdue) {
        let text = format!(
            "the Job {name} has not ended within its time, and is tried again. Replicas of the version before go on serving. If it comes to that again, look whether its pod starts, and what holds locks in the database"
        );
        return Finding::new(About::MigrationReady, Reason::MigrationOverdue, text);
    }
    if let Some(failed) = failed {
        let why = failed["message"].as_str().unwrap_or_default();
        let text = format!(
            "the Job {name} has failed: {why}. Replicas of the version before go on serving. Read its log; delete the Job to try once more, or set the spec back"
        );
        return Finding::new(About::MigrationReady, Reason::MigrationFailed, text);
    }
    if job.is_some_and(|job| has_condition(job, "Complete")) {
        let text = format!("the schema has what {} needs", plan.spec.version);
        return Finding::new(About::MigrationReady, Reason::Complete, text);
    }
    if let Some((reason, text)) = seen.troubles.get(Part::Migration.component()) {
        return Finding::new(About::MigrationReady, *reason, text.clone());
    }
    let text = format!("the Job {name} is under way");
    Finding::new(About::MigrationReady, Reason::Migrating, text)
}

fn postgres(plan: &Plan, seen: &Seen, applied: &Applied) -> Finding {
    let about = About::PostgresReady;
    let name = labels::postgres_name(&plan.name);
    match plan.spec.postgres.kind {
        PostgresType::External => {
            let (secret, _) = plan.database_secret();
            Finding::new(
                about,
                Reason::Connected,
                format!("the Secret {secret} leads to it"),
            )
        }
        PostgresType::Managed => {
            let set = applied.live.get(&(Kind::StatefulSet, name));
            if set.is_some_and(|set| number(set, "/status/readyReplicas") > 0) {
                return Finding::new(about, Reason::Available, "the managed Postgres is ready");
            }
            trouble(about, Part::Postgres, seen, "the managed Postgres starts")
        }
        PostgresType::CloudNativePg => {
            let Some(cluster) = applied.live.get(&(Kind::Cluster, name)) else {
                return Finding::new(about, Reason::Starting, "the Cluster is being made");
            };
            let phase = cluster["status"]["phase"]
                .as_str()
                .unwrap_or("not looked at yet");
            let (ready, wanted) = (
                number(cluster, "/status/readyInstances"),
                number(cluster, "/spec/instances"),
            );
            let text = format!("CloudNativePG: {ready} of {wanted} instances are ready ({phase})");
            let is_ready = has_condition(cluster, "Ready") || (ready == wanted && wanted > 0);
            Finding::new(
                about,
                if is_ready {
                    Reason::Available
                } else {
                    Reason::Starting
                },
                text,
            )
        }
    }
}

/// Starting, or why not.
fn trouble(about: About, part: Part, seen: &Seen, starting: &str) -> Finding {
    match seen.troubles.get(part.component()) {
        Some((reason, text)) => Finding::new(about, *reason, text.clone()),
        None => Finding::new(about, Reason::Starting, starting),
    }
}

fn redis(plan: &Plan, seen: &Seen, applied: &Applied) -> Option<Finding> {
    let about = About::RedisReady;
    match plan.spec.redis.kind {
        RedisType::Disabled => None,
        RedisType::External => Some(Finding::new(
            about,
            Reason::Connected,
            "a Secret leads to it",
        )),
        RedisType::Managed => {
            let name = labels::redis_name(&plan.name);
            let deployment = applied.live.get(&(Kind::Deployment, name));
            if deployment
                .is_some_and(|deployment| number(deployment, "/status/availableReplicas") > 0)
            {
                return Some(Finding::new(
                    about,
                    Reason::Available,
                    "the managed Redis is ready",
                ));
            }
            Some(trouble(
                about,
                Part::Redis,
                seen,
                "the managed Redis starts; until then links come from Postgres",
            ))
        }
    }
}

fn exposure(plan: &Plan, applied: &Applied) -> Option<Finding> {
    let about = About::ExposureReady;
    match plan.spec.exposure.kind {
        ExposureType::Ingress if plan.makes.ingress => Some(Finding::new(
            about,
            Reason::Available,
            "the Ingress is there",
        )),
        ExposureType::Gateway if plan.makes.http_route => {
            let route = applied.live.get(&(Kind::HttpRoute, plan.name.clone()));
            Some(route_finding(route.unwrap_or(&Value::Null)))
        }
        _ => None,
    }
}

/// What the Gateways say of a route. Nobody at all means that nobody has taken it.
fn route_finding(route: &Value) -> Finding {
    let about = About::ExposureReady;
    let parents = route["status"]["parents"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    for parent in &parents {
        let conditions = parent["conditions"].as_array().into_iter().flatten();
        let refusal = conditions
            .into_iter()
            .find(|condition| condition["status"] == "False");
        if let Some(refusal) = refusal {
            let gateway = parent["parentRef"]["name"].as_str().unwrap_or_default();
            let text = format!(
                "the Gateway {gateway} does not take the route: {}",
                refusal["message"].as_str().unwrap_or_default()
            );
            return Finding::new(about, Reason::NotAccepted, text);
        }
    }
    if parents.is_empty() {
        let text = "no Gateway has taken the route yet: look whether it exists, and lets in routes of this namespace";
        return Finding::new(about, Reason::NotAccepted, text);
    }
    Finding::new(about, Reason::Available, "the Gateway has taken the route")
}

fn availability(plan: &Plan, seen: &Seen, workload: Option<&Value>) -> Option<Finding> {
    let wanted = number(workload?, "/spec/replicas");
    let (reason, text) = if wanted <= 1 {
        (
            Reason::SingleReplica,
            "one replica: while its node is away, or it is moved, nobody is served",
        )
    } else if seen.nodes == 1 {
        (
            Reason::SingleNode,
            "all ready replicas are on one node: without it, nobody is served",
        )
    } else if plan.spec.postgres.kind == PostgresType::Managed {
        (
            Reason::SingleDatabase,
            "the managed Postgres is one pod: while it is away, known links redirect, and nothing is created",
        )
    } else {
        (
            Reason::Spread,
            "replicas are spread, and the database is not a single pod of ours",
        )
    };
    Some(Finding::new(About::HighlyAvailable, reason, text))
}

/// What KEDA says is wrong.
fn scaled_object(plan: &Plan, applied: &Applied) -> Option<Finding> {
    let object = applied.live.get(&(Kind::ScaledObject, plan.name.clone()))?;
    let not_ready = condition(object, "Ready").filter(|ready| ready["status"] == "False");
    let fallback = condition(object, "Fallback").filter(|fallback| fallback["status"] == "True");
    let said = not_ready.or(fallback)?;
    let text = format!("KEDA: {}", said["message"].as_str().unwrap_or_default());
    Some(Finding::new(
        About::AutoscalingReady,
        Reason::NotScaling,
        text,
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_route_that_nobody_takes_is_said_to_wait() {
        assert_eq!(route_finding(&json!({})).reason, Reason::NotAccepted);
        let answer = |status: &str| {
            json!({"status": {"parents": [{
                "parentRef": {"name": "public"},
                "conditions": [{"type": "Accepted", "status": status, "message": "because"}],
            }]}})
        };
        assert_eq!(route_finding(&answer("True")).reason, Reason::Available);
        let refused = route_finding(&answer("False"));
        assert_eq!(refused.reason, Reason::NotAccepted);
        assert!(refused.message.contains("because"));
    }
}
