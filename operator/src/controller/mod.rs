//! The reconciler, as five steps. Only the first and the last two talk to Kubernetes.
//!
//! ```text
//! observe ──> validate ──> build ──> apply ──> report
//!  (API)       (pure)      (pure)    (API)     (API)
//! ```

pub mod apply;
pub mod build;
pub mod claim;
pub mod compare;
pub mod databases;
pub mod digest;
pub mod observe;
pub mod poll;
pub mod report;
pub mod retention;
pub mod retry;
pub mod rollouts;
pub mod validate;
pub mod watch;

use std::{
    collections::BTreeSet,
    sync::{Arc, RwLock},
    time::{Duration, Instant},
};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Condition, jiff::Timestamp};
use kube::{
    Api, Client,
    core::DeserializeGuard,
    runtime::{controller::Action, events::Recorder, reflector::Store},
};

use self::{
    apply::drift::Drift, claim::Neglected, databases::Databases, report::Seen, retry::Retries,
    rollouts::Rollouts, validate::Refusal,
};
use crate::{
    conditions::{Class, Finding},
    crd::{Management, UrlShortener},
    kinds::Kind,
    lease::Leadership,
    metrics::Metrics,
};

/// A resource as it was read. One that does not parse must not hide the others.
pub type Guarded = DeserializeGuard<UrlShortener>;

/// Everything is looked at again after this long, whatever the watches say.
const RESYNC: Duration = Duration::from_mins(5);

/// Just after the start.
const AT_ONCE: Duration = Duration::from_secs(1);

/// While something is under way that nothing tells of, such as an autoscaler's end.
const VERY_SOON: Duration = Duration::from_secs(4);

/// While something is under way, or at fault, without an object of ours to tell of it.
const SOON: Duration = Duration::from_secs(15);

/// The same, after it has been so for minutes.
const RARELY: Duration = Duration::from_mins(2);

/// A reconciliation that takes longer is given up and tried again.
const PATIENCE: Duration = Duration::from_mins(1);

/// What all reconciliations share.
pub struct Context {
    pub client: Client,
    pub http: reqwest::Client,
    pub leadership: Leadership,
    pub metrics: Metrics,
    pub recorder: Recorder,
    pub store: Store<Guarded>,
    pub known: RwLock<BTreeSet<Kind>>,
    pub drift: Drift,
    pub retries: Retries,
    pub neglected: Neglected,
    pub databases: Databases,
    pub rollouts: Rollouts,
    /// Where our Lease is.
    pub own_namespace: String,
}

impl Context {
    /// Every write asks this first.
    pub fn may_write(&self) -> kube::Result<()> {
        if self.leadership.holds() {
            return Ok(());
        }
        Err(kube::Error::Service(
            "this process does not lead, or could have lost the lead".into(),
        ))
    }

    pub fn known_kinds(&self) -> BTreeSet<Kind> {
        self.known
            .read()
            .expect("nothing panics while it holds the lock")
            .clone()
    }

    pub fn resources(&self) -> Vec<Arc<Guarded>> {
        self.store.state()
    }
}

/// One variant per step, so that a log line says where reconciling stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("could not read what exists")]
    Observe(#[source] kube::Error),
    #[error("could not write an object")]
    Apply(#[source] kube::Error),
    #[error("could not write the status")]
    Report(#[source] kube::Error),
    #[error("took longer than {} seconds", PATIENCE.as_secs())]
    TooLong,
    #[error("the resource cannot be read: {0}")]
    Unreadable(String),
}

/// Makes the cluster match one resource, within reason.
pub async fn reconcile(guarded: Arc<Guarded>, ctx: Arc<Context>) -> Result<Action, Error> {
    if !ctx.leadership.holds() {
        return Ok(Action::await_change());
    }
    // Until it is known which kinds there are, everything would look as if it were missing.
    if ctx.known_kinds().is_empty() {
        return Ok(Action::requeue(AT_ONCE));
    }
    let started = Instant::now();
    let active = ctx.metrics.start();
    let resource = match &guarded.0 {
        Ok(resource) => resource,
        Err(invalid) => return Err(Error::Unreadable(invalid.error.clone())),
    };
    let outcome = tokio::time::timeout(PATIENCE, carry_out(resource, &ctx)).await;
    let outcome = outcome.unwrap_or(Err(Error::TooLong));
    drop(active);
    ctx.metrics.finish(started.elapsed(), outcome.is_err());
    if outcome.is_ok() {
        ctx.retries.forget(&retry::key(&guarded));
    }
    outcome
}

async fn carry_out(cached: &UrlShortener, ctx: &Context) -> Result<Action, Error> {
    let namespace = cached.metadata.namespace.as_deref().unwrap_or_default();
    let api: Api<UrlShortener> = Api::namespaced(ctx.client.clone(), namespace);
    let name = cached.metadata.name.as_deref().unwrap_or_default();
    // What the cache holds may be from before our own last write.
    let resource = match api.get_opt(name).await.map_err(Error::Observe)? {
        Some(resource) if resource.metadata.deletion_timestamp.is_none() => resource,
        _ => return Ok(Action::await_change()),
    };
    if let Some(other) = claim::of_another(ctx, &resource).await {
        tracing::warn!(
            "{namespace}/{name} is looked after by the operator in the namespace {other}: hands off. If that one is gone, say `kubectl annotate --overwrite --namespace {namespace} urlshorteners {name} {}={}`",
            claim::MANAGED_FROM,
            ctx.own_namespace
        );
        let is_settled = claim::is_observed(&resource);
        return Ok(Action::requeue(if is_settled { RESYNC } else { SOON }));
    }
    let observed = observe::observe(ctx, &resource)
        .await
        .map_err(Error::Observe)?;
    let retained = retention::carry_out(ctx, &resource, &observed.live)
        .await
        .map_err(Error::Apply);
    let plan = validate::validate(&resource, &observed, &mut crate::random::secret);
    let plan = match plan.and_then(|plan| databases::take(ctx, plan)) {
        Ok(plan) => plan,
        Err(Refusal(finding)) => {
            let after = refuse(ctx, &resource, finding).await?;
            return retained.map(|()| after);
        }
    };
    let seen = Seen::of(&observed);
    let mut applied = if resource.spec.management == Management::Paused {
        apply::Applied {
            live: observed.live,
            ..apply::Applied::default()
        }
    } else {
        let desired = build::build(&plan);
        apply::apply(ctx, &plan, observed, desired).await
    };
    ctx.rollouts.end(&plan.uid, &applied.live);
    let now = Timestamp::now();
    let status = report::status(&resource, &plan, &seen, &applied, now);
    let after = next_look(&status.conditions, now);
    report::report(ctx, &resource, status)
        .await
        .map_err(Error::Report)?;
    if let Some(error) = applied.failure.take() {
        return Err(Error::Apply(error));
    }
    retained?;
    Ok(Action::requeue(retry::jittered(after)))
}

/// When to look again, if nothing tells of a change before.
fn next_look(conditions: &[Condition], now: Timestamp) -> Duration {
    let since = |name: &str, status: &str| {
        let found = conditions
            .iter()
            .find(|condition| condition.type_ == name && condition.status == status)?;
        let age = now.duration_since(found.last_transition_time.0);
        Some(Duration::try_from(age).unwrap_or_default())
    };
    let under_way = since("Progressing", "True");
    if under_way.is_some() && since("AutoscalingReady", "False").is_some() {
        return VERY_SOON;
    }
    // What has been so for long is so a little longer: hundreds of resources that all wait for one registry ask for little.
    let ages = [under_way, since("Degraded", "True")];
    let youngest = ages.into_iter().flatten().min();
    youngest.map_or(RESYNC, |age| (age / 4).clamp(SOON, RARELY))
}

/// Nothing is touched, but for whose the data is; the status says why.
async fn refuse(ctx: &Context, resource: &UrlShortener, finding: Finding) -> Result<Action, Error> {
    let after = if finding.reason.class() == Class::Stalled {
        SOON
    } else {
        RESYNC
    };
    let status = report::refused(resource, &[finding], Timestamp::now());
    report::report(ctx, resource, status)
        .await
        .map_err(Error::Report)?;
    Ok(Action::requeue(retry::jittered(after)))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::SignedDuration};

    use super::*;

    #[track_caller]
    fn check(conditions: &[(&str, &str, i64)], expected: Duration) {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1);
        let conditions: Vec<_> = conditions
            .iter()
            .map(|(name, status, age)| Condition {
                type_: (*name).to_owned(),
                status: (*status).to_owned(),
                last_transition_time: Time(now - SignedDuration::from_secs(*age)),
                reason: String::new(),
                message: String::new(),
                observed_generation: None,
            })
            .collect();
        assert_eq!(next_look(&conditions, now), expected);
    }

    #[test]
    fn what_changes_is_looked_at_soon_and_what_stays_as_it_is_seldom() {
        check(&[("Progressing", "False", 1)], RESYNC);
        check(&[("Progressing", "True", 1)], SOON);
        check(&[("Progressing", "True", 240)], Duration::from_mins(1));
        check(&[("Degraded", "True", 3000)], RARELY);
        check(
            &[("Progressing", "True", 3), ("Degraded", "True", 3000)],
            SOON,
        );
        check(
            &[
                ("Progressing", "True", 900),
                ("AutoscalingReady", "False", 900),
            ],
            VERY_SOON,
        );
    }
}
