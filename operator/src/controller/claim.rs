//! Which of several installations looks after a resource. Whoever reports on it first puts its namespace into the status, and the others
//! keep their hands off, unless somebody decides, or it has clearly gone.

use std::{
    collections::HashMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use k8s_openapi::jiff::Timestamp;

use super::Context;
use crate::{crd::UrlShortener, lease};

/// An annotation of a resource, by which somebody decides: the namespace of the operator that is to look after it.
pub const MANAGED_FROM: &str = "urlshortener.dev/managed-from";

/// An operator that lives reports on a change within seconds. One that has not for so long is gone, or is of no use.
const PATIENCE: Duration = Duration::from_mins(2);

/// The namespace of another operator that looks after this resource.
pub async fn of_another(ctx: &Context, resource: &UrlShortener) -> Option<String> {
    let annotations = resource.metadata.annotations.as_ref();
    if let Some(decided) = annotations.and_then(|annotations| annotations.get(MANAGED_FROM)) {
        return (*decided != ctx.own_namespace).then(|| decided.clone());
    }
    let claimed = resource.status.as_ref()?.managed_from.clone()?;
    if claimed == ctx.own_namespace {
        return None;
    }
    match lease::is_held(&ctx.client, &claimed, Timestamp::now()).await {
        Ok(false) => None,
        Ok(true) => Some(claimed),
        // An operator of single namespaces may not look at the Lease of another. What it can see is whether that one does its work.
        Err(_) => (!ctx.neglected.note(resource, Instant::now())).then_some(claimed),
    }
}

/// Whether somebody has reported on the spec as it is.
pub fn is_observed(resource: &UrlShortener) -> bool {
    let status = resource.status.as_ref();
    status.and_then(|status| status.observed_generation) == resource.metadata.generation
}

/// Changes that nobody has reported on, by the uid of their resource: the generation, and when it was first seen.
#[derive(Debug, Default)]
pub struct Neglected(Mutex<HashMap<String, (Option<i64>, Instant)>>);

impl Neglected {
    /// Notes what is seen of a resource, and says whether a change of it has waited for too long.
    fn note(&self, resource: &UrlShortener, now: Instant) -> bool {
        let uid = resource.metadata.uid.clone().unwrap_or_default();
        if is_observed(resource) {
            self.forget(&uid);
            return false;
        }
        let generation = resource.metadata.generation;
        let mut all = self.lock();
        let (seen, since) = all.entry(uid).or_insert((generation, now));
        if *seen != generation {
            (*seen, *since) = (generation, now);
        }
        now.duration_since(*since) >= PATIENCE
    }

    pub fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, (Option<i64>, Instant)>> {
        self.0
            .lock()
            .expect("nothing panics while it holds the lock")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn resource(generation: i64, observed: i64) -> UrlShortener {
        serde_json::from_value(json!({
            "apiVersion": "urlshortener.dev/v1alpha1", "kind": "UrlShortener",
            "metadata": {"name": "acme", "uid": "7b9c", "generation": generation},
            "spec": {"version": "1"},
            "status": {"observedGeneration": observed, "managedFrom": "elsewhere"},
        }))
        .unwrap()
    }

    #[test]
    fn a_change_that_nobody_reports_on_for_minutes_is_neglected() {
        let neglected = Neglected::default();
        let start = Instant::now();
        assert!(!neglected.note(&resource(2, 1), start));
        assert!(!neglected.note(&resource(2, 1), start + PATIENCE / 2));
        assert!(neglected.note(&resource(2, 1), start + PATIENCE));
    }

    #[test]
    fn what_is_reported_on_or_changed_again_is_not() {
        let neglected = Neglected::default();
        let start = Instant::now();
        assert!(!neglected.note(&resource(2, 2), start));
        assert!(!neglected.note(&resource(2, 2), start + PATIENCE));
        assert!(!neglected.note(&resource(3, 2), start + PATIENCE));
        assert!(!neglected.note(&resource(4, 2), start + 2 * PATIENCE));
        assert!(!neglected.note(&resource(4, 4), start + 3 * PATIENCE));
        assert!(!neglected.note(&resource(5, 4), start + 4 * PATIENCE));
    }
}
