//! Rollouts that nobody has asked for: a newer operator makes other pods of the same spec. They take turns, so that one that goes wrong goes
//! wrong for few, and not every database restarts in the same minute.

use std::{
    collections::HashMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    build::{Object, Plan, app},
    digest,
    observe::Objects,
};
use crate::{
    conditions::{About, Finding, Reason},
    kinds::Kind,
};

/// On what makes pods, a digest of what the operator decides about them by itself.
pub const TEMPLATE: &str = "urlshortener.dev/template";

/// Of so many resources, one has its turn.
const SHARE: usize = 10;

/// A rollout that takes longer than this is stuck for reasons of its own, and keeps nobody waiting.
const PATIENCE: Duration = Duration::from_mins(10);

/// Resources whose turn it is, by uid, and since when.
#[derive(Debug, Default)]
pub struct Rollouts(Mutex<HashMap<String, Instant>>);

impl Rollouts {
    /// Says why pods stay as they are for now, if they have to wait. `resources` is how many there are.
    pub fn queued(
        &self,
        plan: &Plan,
        object: &Object,
        live: &Value,
        resources: usize,
    ) -> Option<Finding> {
        let template = template(object)?;
        let is_same = live["metadata"]["annotations"][TEMPLATE] == template.as_str();
        // What a change of the spec asks for was asked for.
        if is_same || !plan.is_reported || self.has_turn(&plan.uid, resources, Instant::now()) {
            return None;
        }
        let text = format!(
            "this operator makes other pods for {} {} than the one before; they are replaced when those of other resources have been",
            object.kind.name(),
            object.name()
        );
        Some(Finding::new(About::RolledOut, Reason::Queued, text))
    }

    fn has_turn(&self, uid: &str, resources: usize, now: Instant) -> bool {
        let mut turns = self.lock();
        turns.retain(|_, since| now.duration_since(*since) < PATIENCE);
        if turns.contains_key(uid) {
            return true;
        }
        let has_room = turns.len() < (resources / SHARE).max(1);
        if has_room {
            turns.insert(uid.to_owned(), now);
        }
        has_room
    }

    /// Ends a turn, if all pods are what they should be.
    pub fn end(&self, uid: &str, live: &Objects) {
        if live.values().all(is_settled) {
            self.lock().remove(uid);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Instant>> {
        self.0
            .lock()
            .expect("nothing panics while it holds the lock")
    }
}

/// A digest of the template of an object's pods, without what users decide after they have written a spec: images wait for migrations, and
/// Secrets change by themselves.
pub fn template(object: &Object) -> Option<String> {
    if !matches!(object.kind, Kind::Deployment | Kind::StatefulSet) {
        return None;
    }
    let mut template = object.body["spec"]["template"].clone();
    if let Some(Value::Object(annotations)) = template.pointer_mut("/metadata/annotations") {
        annotations.remove(app::SECRETS);
    }
    let containers = template.pointer_mut("/spec/containers");
    for container in containers
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        container["image"] = Value::Null;
    }
    Some(digest::short(template.to_string().as_bytes()))
}

/// Whether an object that makes pods has made them all anew. Others are settled.
fn is_settled(object: &Value) -> bool {
    let makes_pods = object["spec"]["template"].is_object() && object["spec"]["replicas"].is_i64();
    let number = |path: &str| object.pointer(path).and_then(Value::as_i64).unwrap_or(0);
    let wanted = number("/spec/replicas");
    let are_new = number("/status/observedGeneration") >= number("/metadata/generation")
        && number("/status/updatedReplicas") == wanted
        && number("/status/readyReplicas") == wanted;
    !makes_pods || are_new
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_of_ten_resources_has_its_turn_and_keeps_it_until_it_is_done_or_stuck() {
        let rollouts = Rollouts::default();
        let start = Instant::now();
        assert!(rollouts.has_turn("a", 12, start));
        assert!(rollouts.has_turn("a", 12, start));
        assert!(!rollouts.has_turn("b", 12, start));
        assert!(rollouts.has_turn("b", 20, start), "of twenty, two have");
        rollouts.end("a", &Objects::new());
        rollouts.end("b", &Objects::new());
        assert!(rollouts.has_turn("c", 12, start));
        assert!(!rollouts.has_turn("d", 12, start));
        assert!(rollouts.has_turn("d", 12, start + PATIENCE));
    }

    #[test]
    fn a_turn_ends_when_every_pod_is_new_and_ready() {
        let with = |status: Value| {
            let mut object =
                json!({"metadata": {"generation": 3}, "spec": {"replicas": 2, "template": {}}});
            object["status"] = status;
            object
        };
        let status = |observed: i64, updated: i64, ready: i64| json!({"observedGeneration": observed, "updatedReplicas": updated, "readyReplicas": ready});
        assert!(is_settled(&with(status(3, 2, 2))));
        assert!(!is_settled(&with(status(2, 2, 2))));
        assert!(!is_settled(&with(status(3, 1, 2))));
        assert!(!is_settled(&with(status(3, 2, 1))));
        assert!(is_settled(&json!({"spec": {"ports": []}})));
    }

    #[test]
    fn an_image_and_a_secret_make_no_other_template_and_all_else_does() {
        let object = |image: &str, digest: &str, grace: i64| {
            Object::new(
                Kind::Deployment,
                json!({"spec": {"template": {
                    "metadata": {"annotations": {app::SECRETS: digest}},
                    "spec": {"terminationGracePeriodSeconds": grace, "containers": [{"image": image}]},
                }}}),
            )
        };
        let first = template(&object("a:1", "x", 30));
        assert_eq!(template(&object("a:2", "y", 30)), first);
        assert_ne!(template(&object("a:1", "x", 31)), first);
        assert_eq!(template(&Object::new(Kind::Service, json!({}))), None);
    }
}
