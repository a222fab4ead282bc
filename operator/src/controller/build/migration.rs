//! The Job that brings the schema to what an image needs. Until it has, the pods of the version before go on serving.

use serde_json::{Value, json};

use super::{
    Object, Plan,
    labels::{Part, labels, owned},
    pod::{self, variable},
};
use crate::{
    controller::{digest, report},
    kinds::Kind,
};

/// For a database that is only being made.
const DATABASE_WAIT_SECONDS: i32 = 600;

/// After this long somebody should look.
const DEADLINE_SECONDS: i32 = 3600;

/// The name of the Job for an image on a database: each pair has one of its own. `database` is the identity of what the schema is in,
/// not its name, so that a database that was made anew gets its schema, too.
pub fn name(resource: &str, image: &str, database: &str) -> String {
    let digest = digest::short(format!("{image}\n{database}").as_bytes());
    // Ten digits leave the name below the 63 characters of a label.
    let (short, _) = digest.split_at(10);
    format!("{resource}-migrate-{short}")
}

/// Whether a Job was given up by its deadline, and not for what it met: a node that was missing, or a database that came too late.
pub fn is_overdue(job: &Value) -> bool {
    let failed = report::condition(job, "Failed");
    failed
        .is_some_and(|failed| failed["status"] == "True" && failed["reason"] == "DeadlineExceeded")
}

pub fn build(plan: &Plan) -> Option<Object> {
    let name = plan.migration_job.as_ref()?;
    let (mut variables, mounted) = pod::database(plan);
    variables.extend([
        variable(
            "SHORTENER_DATABASE_WAIT_SECONDS",
            DATABASE_WAIT_SECONDS.to_string(),
        ),
        variable(
            "SHORTENER_DATABASE_MAX_CONNECTIONS",
            super::super::validate::connections::MIGRATION.to_string(),
        ),
        variable("SHORTENER_LOG_FORMAT", "json"),
        variable("SHORTENER_DATA_DIR", "/tmp"),
    ]);
    let mut volumes: Vec<_> = mounted
        .iter()
        .map(|mounted| mounted.volume.clone())
        .collect();
    let mut mounts: Vec<_> = mounted.into_iter().map(|mounted| mounted.mount).collect();
    volumes.push(json!({"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}));
    mounts.push(json!({"name": "tmp", "mountPath": "/tmp"}));
    let spec = json!({
        "backoffLimit": 4,
        "activeDeadlineSeconds": DEADLINE_SECONDS,
        "template": {
            "metadata": {"labels": labels(plan, Part::Migration)},
            "spec": pod_spec(plan, &variables, &volumes, &mounts),
        },
    });
    let metadata = owned(plan, name, Part::Migration);
    Some(Object::new(
        Kind::Job,
        json!({"metadata": metadata, "spec": spec}),
    ))
}

fn pod_spec(plan: &Plan, variables: &[Value], volumes: &[Value], mounts: &[Value]) -> Value {
    let container = json!({
        "name": "migrate",
        "image": plan.image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["migrate"],
        "env": variables,
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}},
        "securityContext": pod::container_security(),
        "volumeMounts": mounts,
    });
    let mut spec = pod::spec(plan, pod::USER, &[container], volumes);
    spec["restartPolicy"] = "Never".into();
    // It runs what the replicas run, and so where they can.
    let scheduling = &plan.spec.app.scheduling;
    if !scheduling.tolerations.is_empty() {
        spec["tolerations"] = json!(scheduling.tolerations);
    }
    if !scheduling.node_selector.is_empty() {
        spec["nodeSelector"] = json!(scheduling.node_selector);
    }
    spec
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_ran_out_of_time_is_told_from_one_that_failed() {
        let job = |status: &str, reason: &str| json!({"status": {"conditions": [{"type": "Failed", "status": status, "reason": reason}]}});
        assert!(is_overdue(&job("True", "DeadlineExceeded")));
        assert!(!is_overdue(&job("True", "BackoffLimitExceeded")));
        assert!(!is_overdue(&job("False", "DeadlineExceeded")));
        assert!(!is_overdue(&json!({})));
    }

    #[test]
    fn each_image_and_database_has_a_job_of_its_own_with_a_name_that_fits() {
        let longest = "a".repeat(40);
        let first = name(&longest, "shortener:1", "pg");
        assert!(first.len() <= 63);
        assert_eq!(first, name(&longest, "shortener:1", "pg"));
        assert_ne!(first, name(&longest, "shortener:2", "pg"));
        assert_ne!(first, name(&longest, "shortener:1", "other"));
    }
}
