//! Step 4: make the cluster match. Server-side apply by one field manager, which never changes its name; nothing is written that
//! is there already; what was ours and is no longer wanted goes.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, stream};
use kube::{
    Api,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions},
};
use serde_json::{Value, json};

use super::{
    Context,
    build::{Desired, Object, Plan, labels, migration, secrets},
    compare, digest,
    observe::{self, Objects, Observed},
    rollouts,
};
use crate::{
    conditions::{About, Finding, Reason},
    kinds::Kind,
};

/// Holds the number of replicas while it passes to KEDA.
const REPLICAS_MANAGER: &str = "shortener-operator-replicas";

/// A digest of what was applied last. Where it differs, something was added or taken away, which a look at the object alone
/// would not tell: a field that is no longer wanted is still there.
const APPLIED: &str = "urlshortener.dev/applied";

/// Writes under way at once, for one resource.
const CONCURRENCY: usize = 4;

/// What exists now, and what could not be made so. A status is computed from this alone.
#[derive(Debug, Default)]
pub struct Applied {
    pub live: Objects,
    pub findings: Vec<Finding>,
    /// The first failure that may pass, for which all is tried again.
    pub failure: Option<kube::Error>,
}

pub async fn apply(ctx: &Context, plan: &Plan, observed: Observed, desired: Desired) -> Applied {
    let mut applied = Applied::default();
    for secret in secrets::new(plan) {
        if let Err(error) = create(ctx, plan, &secret).await {
            applied.failed(&secret, error);
            // Nothing may start with a password that was not stored.
            return applied;
        }
    }
    let objects = desired.into_objects();
    let wanted: BTreeSet<_> = objects
        .iter()
        .map(|object| (object.kind, object.name().to_owned()))
        .collect();
    let Observed { live, known, .. } = observed;
    let all = objects
        .into_iter()
        .filter(|object| known.contains(&object.kind));
    let outcomes: Vec<_> = stream::iter(all)
        .map(|object| {
            let live = live.get(&(object.kind, object.name().to_owned()));
            async move {
                let outcome = settle(ctx, plan, &object, live).await;
                (object, outcome)
            }
        })
        .buffered(CONCURRENCY)
        .collect()
        .await;
    for (object, outcome) in outcomes {
        match outcome {
            Ok((body, finding)) => {
                applied.findings.extend(finding);
                applied
                    .live
                    .insert((object.kind, object.name().to_owned()), body);
            }
            Err(error) => applied.failed(&object, error),
        }
    }
    prune(ctx, plan, &live, &wanted, &mut applied).await;
    applied
}

impl Applied {
    fn failed(&mut self, object: &Object, error: kube::Error) {
        let text = format!("{} {}: {error}", object.kind.name(), object.name());
        tracing::warn!(error = %error, "{} {} could not be written", object.kind.name(), object.name());
        self.findings
            .push(Finding::new(about(object), Reason::WriteRefused, text));
        self.failure.get_or_insert(error);
    }
}

/// Which part an object belongs to.
fn about(object: &Object) -> About {
    match (
        object.kind,
        object.body["metadata"]["labels"][labels::COMPONENT].as_str(),
    ) {
        (Kind::Ingress | Kind::HttpRoute, _) => About::ExposureReady,
        (Kind::ServiceMonitor | Kind::PrometheusRule | Kind::ConfigMap, _) => {
            About::MonitoringReady
        }
        (Kind::ScaledObject, _) => About::AutoscalingReady,
        (_, Some("cache")) => About::RedisReady,
        (_, Some("database")) => About::PostgresReady,
        (_, Some("migration")) => About::MigrationReady,
        _ => About::AppReady,
    }
}

fn api(ctx: &Context, plan: &Plan, kind: Kind) -> Api<DynamicObject> {
    Api::namespaced_with(ctx.client.clone(), &plan.namespace, &kind.api_resource())
}

/// Makes a Secret, and never changes one.
async fn create(ctx: &Context, plan: &Plan, secret: &Object) -> kube::Result<()> {
    ctx.may_write()?;
    let params = PostParams {
        field_manager: Some("shortener-operator-credentials".to_owned()),
        ..PostParams::default()
    };
    let body: DynamicObject =
        serde_json::from_value(secret.body.clone()).map_err(kube::Error::SerdeError)?;
    match api(ctx, plan, secret.kind).create(&params, &body).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        outcome => outcome.map(drop),
    }
}

/// The object as it is after it was made what it should be.
async fn settle(
    ctx: &Context,
    plan: &Plan,
    object: &Object,
    live: Option<&Value>,
) -> kube::Result<(Value, Option<Finding>)> {
    let mut body = object.body.clone();
    let digest = digest::short(object.body.to_string().as_bytes());
    body["metadata"]["annotations"][APPLIED] = digest.clone().into();
    if let Some(template) = rollouts::template(object) {
        body["metadata"]["annotations"][rollouts::TEMPLATE] = template.into();
    }
    let Some(live) = live else {
        if let Some(finding) = stranger(ctx, plan, object).await? {
            return Ok((Value::Null, Some(finding)));
        }
        return Ok((write(ctx, plan, object, &body).await?, None));
    };
    if object.kind == Kind::Job && migration::is_overdue(live) {
        // That it is gone makes us look again, and make the next.
        let uid = live["metadata"]["uid"].as_str().map(str::to_owned);
        delete(ctx, plan, Kind::Job, object.name(), uid).await?;
        return Ok((live.clone(), None));
    }
    let is_new = live["metadata"]["annotations"][APPLIED] != digest.as_str();
    // Lists leave out what kind their items are.
    let mut asked = body.clone();
    asked
        .as_object_mut()
        .map(|asked| (asked.remove("apiVersion"), asked.remove("kind")));
    let difference = compare::difference(&asked, live);
    match (is_new, difference) {
        (false, None) => Ok((live.clone(), None)),
        (true, _) => {
            let resources = ctx.resources().len();
            if let Some(queued) = ctx.rollouts.queued(plan, object, live, resources) {
                return Ok((live.clone(), Some(queued)));
            }
            let replicas = plan
                .scale
                .hand_over
                .filter(|_| object.kind == Kind::Deployment && object.name() == plan.name);
            if let Some(replicas) = replicas {
                hold_replicas(ctx, plan, replicas).await?;
            }
            Ok((write(ctx, plan, object, &body).await?, None))
        }
        (false, Some(path)) => {
            let key = (
                plan.uid.clone(),
                object.kind,
                object.name().to_owned(),
                path.clone(),
            );
            if ctx.drift.is_contested(key) {
                let text = format!(
                    "{} {}: something keeps changing {path}, and it is left as it is for now. The last to write were {}",
                    object.kind.name(),
                    object.name(),
                    writers(live)
                );
                return Ok((
                    live.clone(),
                    Some(Finding::new(About::InSync, Reason::DriftContested, text)),
                ));
            }
            tracing::info!(
                "{} {}: {path} was changed by another, and is set back",
                object.kind.name(),
                object.name()
            );
            Ok((write(ctx, plan, object, &body).await?, None))
        }
    }
}

/// Who, besides us, has written to an object.
fn writers(live: &Value) -> String {
    let entries = live["metadata"]["managedFields"].as_array();
    let names: BTreeSet<_> = entries
        .into_iter()
        .flatten()
        .filter_map(|entry| entry["manager"].as_str())
        .filter(|manager| !manager.starts_with(labels::MANAGER))
        .collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

/// Says so if an object of this name belongs to somebody else, who would lose it.
async fn stranger(ctx: &Context, plan: &Plan, object: &Object) -> kube::Result<Option<Finding>> {
    let Some(found) = api(ctx, plan, object.kind)
        .get_metadata_opt(object.name())
        .await?
    else {
        return Ok(None);
    };
    if observe::is_ours(&found.metadata, &plan.name, &plan.uid) {
        return Ok(None);
    }
    let text = format!(
        "there is a {} {} that the operator did not make: delete or rename it, or give this resource another name",
        object.kind.name(),
        object.name()
    );
    Ok(Some(Finding::new(about(object), Reason::NameInUse, text)))
}

/// Another field manager takes hold of the number of replicas, so that it stays when ours lets go.
async fn hold_replicas(ctx: &Context, plan: &Plan, replicas: i32) -> kube::Result<()> {
    ctx.may_write()?;
    let body = json!({
        "apiVersion": Kind::Deployment.api_version(),
        "kind": Kind::Deployment.name(),
        "metadata": {"name": plan.name, "namespace": plan.namespace},
        "spec": {"replicas": replicas},
    });
    let params = PatchParams::apply(REPLICAS_MANAGER).force();
    api(ctx, plan, Kind::Deployment)
        .patch(&plan.name, &params, &Patch::Apply(&body))
        .await?;
    Ok(())
}

async fn write(ctx: &Context, plan: &Plan, object: &Object, body: &Value) -> kube::Result<Value> {
    ctx.may_write()?;
    let api = api(ctx, plan, object.kind);
    let params = PatchParams::apply(labels::MANAGER).force();
    match api.patch(object.name(), &params, &Patch::Apply(body)).await {
        // What a Job runs cannot be changed; it is made anew.
        Err(kube::Error::Api(status)) if status.is_invalid() && object.kind == Kind::Job => {
            delete(ctx, plan, object.kind, object.name(), None).await?;
            Ok(Value::Null)
        }
        written => Ok(observe::json(&written?)),
    }
}

async fn delete(
    ctx: &Context,
    plan: &Plan,
    kind: Kind,
    name: &str,
    uid: Option<String>,
) -> kube::Result<()> {
    ctx.may_write()?;
    let params = DeleteParams {
        preconditions: uid.map(|uid| Preconditions {
            uid: Some(uid),
            resource_version: None,
        }),
        ..DeleteParams::background()
    };
    match api(ctx, plan, kind).delete(name, &params).await {
        Err(kube::Error::Api(status)) if status.code == 404 || status.is_conflict() => Ok(()),
        outcome => outcome.map(drop),
    }
}

/// Takes away what was ours and is no longer wanted: by label and owner, so that nothing else can be hit. Data that the resource
/// does not own is never taken away.
async fn prune(
    ctx: &Context,
    plan: &Plan,
    live: &Objects,
    wanted: &BTreeSet<(Kind, String)>,
    applied: &mut Applied,
) {
    for ((kind, name), body) in live {
        let metadata = &body["metadata"];
        let owners = metadata["ownerReferences"].as_array();
        let is_owned = owners
            .into_iter()
            .flatten()
            .any(|owner| owner["uid"] == plan.uid.as_str());
        let is_going = metadata["deletionTimestamp"].is_string();
        let is_data = matches!(kind, Kind::Secret | Kind::Cluster);
        let is_app = name == &plan.name && matches!(kind, Kind::Deployment | Kind::StatefulSet);
        if !is_owned || is_data || wanted.contains(&(*kind, name.clone())) {
            continue;
        }
        // The pods of before go on serving until those of the other kind have been made.
        if is_app && plan.app_image.is_none() {
            continue;
        }
        if is_going {
            applied.live.insert((*kind, name.clone()), body.clone());
            continue;
        }
        let uid = metadata["uid"].as_str().map(str::to_owned);
        if let Err(error) = delete(ctx, plan, *kind, name, uid).await {
            let object = Object {
                kind: *kind,
                body: body.clone(),
            };
            applied.failed(&object, error);
        }
    }
}

/// Who changes what we set back, and how often.
pub mod drift {
    use std::{
        collections::HashMap,
        sync::Mutex,
        time::{Duration, Instant},
    };

    use crate::kinds::Kind;

    /// After this many times in a row we stop.
    const PATIENCE: usize = 3;

    /// Whoever has been quiet for so long is not at it any more.
    const FORGOTTEN: Duration = Duration::from_mins(10);

    /// The resource, the object, the field.
    type Key = (String, Kind, String, String);

    #[derive(Debug, Default)]
    pub struct Drift(Mutex<HashMap<Key, Vec<Instant>>>);

    impl Drift {
        /// Notes that a field was found changed, and says whether that has happened too often to set it back once more.
        pub fn is_contested(&self, key: Key) -> bool {
            self.note(key, Instant::now())
        }

        fn note(&self, key: Key, now: Instant) -> bool {
            let mut all = self
                .0
                .lock()
                .expect("nothing panics while it holds the lock");
            all.retain(|_, times| {
                times
                    .last()
                    .is_some_and(|last| now.duration_since(*last) < FORGOTTEN)
            });
            let times = all.entry(key).or_default();
            if times.len() >= PATIENCE {
                return true;
            }
            times.push(now);
            false
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_field_is_set_back_three_times_and_again_once_it_was_quiet() {
            let drift = Drift::default();
            let key = || {
                (
                    "uid".to_owned(),
                    Kind::Service,
                    "links".to_owned(),
                    ".spec".to_owned(),
                )
            };
            let start = Instant::now();
            for _ in 0..3 {
                assert!(!drift.note(key(), start));
            }
            assert!(drift.note(key(), start));
            assert!(!drift.note(key(), start + FORGOTTEN));
        }
    }
}
